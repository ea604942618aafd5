"""Batches of windows and their logits: ``WindowBatch`` is the input of an engine, ``SpanLogits`` its output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quoth.errors import ReaderError
from quoth.reading.windows import REGISTER, Window


@dataclass(frozen=True, slots=True, eq=False)
class WindowBatch:
    """The windows of one engine call, padded to the longest of them.

    Attributes:
        ids: Token ids, ``(B, T)`` int64.
        type_ids: Token type ids, ``(B, T)`` int64, 0 in the padding.
        mask: 1 for a token, 0 for padding, ``(B, T)`` int64.
        windows: The B windows, row by row.
    """

    ids: NDArray[np.int64]
    type_ids: NDArray[np.int64]
    mask: NDArray[np.int64]
    windows: tuple[Window, ...]

    @classmethod
    def of(cls, windows: Sequence[Window], pad_id: int, *, limit: int | None = None) -> WindowBatch:
        """Pad some windows to the longest of them.

        Args:
            windows: The windows.
            pad_id: Token id of the padding.
            limit: If given, pad to the next multiple of 16 tokens, but not beyond this length, unless a window is
                longer: vector registers are then full, and the logits of a window are bit-identical in every batch.

        Raises:
            ValueError: If there are none.
        """
        if not windows:
            raise ValueError("a batch must have at least one window, but has none")
        shape = (len(windows), padded_length(max(map(len, windows)), limit))
        ids = np.full(shape, pad_id, dtype=np.int64)
        type_ids = np.zeros(shape, dtype=np.int64)
        mask = np.zeros(shape, dtype=np.int64)
        for row, window in enumerate(windows):
            ids[row, : len(window)] = window.ids
            type_ids[row, : len(window)] = window.type_ids
            mask[row, : len(window)] = 1
        return cls(ids, type_ids, mask, tuple(windows))

    @property
    def context_bounds(self) -> NDArray[np.intp]:
        """Start and end of the context's tokens in each window, ``(B, 2)``, half-open."""
        bounds = [(window.context_tokens.start, window.context_tokens.end) for window in self.windows]
        return np.array(bounds, dtype=np.intp).reshape(-1, 2)

    @property
    def legal(self) -> NDArray[np.bool_]:
        """True where a span may start and end, ``(B, T)``: tokens of the context that are not only white space."""
        return self.legal_within(self.context_bounds)

    def legal_within(self, bounds: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return ``legal``, given ``context_bounds``."""
        places = np.arange(self.ids.shape[1])
        legal: NDArray[np.bool_] = (bounds[:, :1] <= places) & (places < bounds[:, 1:])
        for row, window in enumerate(self.windows):
            if window.context.has_empty:
                tokens = window.context_tokens
                legal[row, tokens.start : tokens.end] = window.legal
        return legal


@dataclass(frozen=True, slots=True, eq=False)
class SpanLogits:
    """The logits of a batch: for each token, a start and an end logit.

    Attributes:
        start: ``(B, T)`` float32.
        end: ``(B, T)`` float32.
    """

    start: NDArray[np.float32]
    end: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class WindowLogits:
    """The logits of one window.

    Attributes:
        window: The window.
        start, end: Logits of the context's tokens in the window, ``(len(window.context_tokens),)`` float32.
        null: Sum of the two logits of the CLS token.
    """

    window: Window
    start: NDArray[np.float32]
    end: NDArray[np.float32]
    null: float

    @property
    def context_index(self) -> int:
        """Index of the window's context."""
        return self.window.context_index

    @property
    def first_token(self) -> int:
        """Index of the first token of its logits in the whole context."""
        return self.window.first_token

    @property
    def end_token(self) -> int:
        """Index of the token after its last one in the whole context."""
        return self.window.first_token + len(self.start)


def unbatch(batch: WindowBatch, logits: SpanLogits) -> list[WindowLogits]:
    """Return the logits of each window of a batch, in order.

    Raises:
        ReaderError: If a logit is NaN or plus infinity, so that there is no best span.
    """
    nulls = null_scores(batch, logits)
    # Copies, so that windows do not keep the batch in memory.
    return [
        WindowLogits(window, logits.start[row, first:end].copy(), logits.end[row, first:end].copy(), null)
        for row, (window, (first, end), null) in enumerate(
            zip(batch.windows, batch.context_bounds.tolist(), nulls, strict=True)
        )
    ]


def null_scores(batch: WindowBatch, logits: SpanLogits) -> list[float]:
    """Return the sum of the two logits of each window's CLS token, in order.

    Raises:
        ReaderError: As :func:`unbatch`.
    """
    check_finite(batch, logits)
    cls = np.arange(0, batch.ids.size, batch.ids.shape[1]) + np.array([window.cls for window in batch.windows])
    nulls: list[float] = np.add(logits.start.take(cls), logits.end.take(cls), dtype=np.float64).tolist()
    return nulls


def check_finite(batch: WindowBatch, logits: SpanLogits) -> None:
    """Raise if a logit is NaN or plus infinity; logits of padding are ignored.

    Raises:
        ReaderError: If there is such a logit.
    """
    if logits.start.max() < np.inf and logits.end.max() < np.inf:
        return
    sound = (np.maximum(logits.start, logits.end) < np.inf) | (batch.mask == 0)
    if not sound.all():
        row, token = np.argwhere(~sound)[0].tolist()
        found = np.maximum(logits.start[row, token], logits.end[row, token])
        raise ReaderError(
            f"{batch.windows[row].example.name}: the network must return finite logits, but returned {found}. "
            "Was it computed in half precision? Use float32 or bfloat16"
        )


def padded_length(longest: int, limit: int | None) -> int:
    """Return the length of each row of a batch, padding included.

    Args:
        longest: Length of the batch's longest window.
        limit: Maximum length, as in :meth:`WindowBatch.of`.
    """
    if limit is None:
        return longest
    padded = -(-longest // REGISTER) * REGISTER
    # The windows of a long question may be longer than the limit.
    return padded if longest > limit else min(limit, padded)


def by_token_budget(windows: Sequence[Window], budget: int, *, limit: int | None = None) -> Iterator[list[int]]:
    """Group windows of similar length so that no padded batch has more tokens than the budget.

    Args:
        windows: The windows.
        budget: Maximum tokens of a batch, padding included; a longer window has its own batch.
        limit: Maximum length of a padded row, as in :meth:`WindowBatch.of`.

    Yields:
        Indices into ``windows``, longest first, so that out-of-memory errors occur early.
    """
    order = sorted(range(len(windows)), key=lambda index: -len(windows[index]))
    batch: list[int] = []
    width = 0
    for index in order:
        if batch and (len(batch) + 1) * width > budget:
            yield batch
            batch = []
        if not batch:
            width = padded_length(len(windows[index]), limit)
        batch.append(index)
    if batch:
        yield batch


def batches_of(
    windows: Sequence[Window], budget: int, pad_id: int, *, limit: int | None = None
) -> Iterator[WindowBatch]:
    """Yield the batches of :func:`by_token_budget`.

    Args:
        windows: The windows.
        budget: Maximum tokens of a batch, padding included.
        pad_id: The padding id.
        limit: Maximum length of a padded row, as in :meth:`WindowBatch.of`: the reader's ``max_tokens`` for batches of
            the same shapes as a reader's.
    """
    for indices in by_token_budget(windows, budget, limit=limit):
        yield WindowBatch.of([windows[index] for index in indices], pad_id, limit=limit)
