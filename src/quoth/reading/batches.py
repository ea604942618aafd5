"""From windows to batches, and what comes back: ``WindowBatch`` goes into an engine, ``SpanLogits`` out of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quoth.errors import ReaderError
from quoth.reading.windows import Window

# Numbers of float32 in the widest vector register.
_REGISTER = 16


@dataclass(frozen=True, slots=True, eq=False)
class WindowBatch:
    """Windows as one engine call takes them, padded to the longest of the batch and no further.

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
            pad_id: What to fill them up with.
            limit: If given, pad on to the next multiple of 16 tokens, but not beyond this many: vector registers are
                then full, and what an engine says of a window is the same to the last bit in every batch.

        Raises:
            ValueError: If there are none.
        """
        if not windows:
            raise ValueError("a batch must hold at least one window, but holds none")
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
        """Where the context's tokens start and end in each window, ``(B, 2)``, half-open."""
        bounds = [(window.context_tokens.start, window.context_tokens.end) for window in self.windows]
        return np.array(bounds, dtype=np.intp).reshape(-1, 2)

    @property
    def legal(self) -> NDArray[np.bool_]:
        """Where a span may start and end, ``(B, T)``: tokens of the context that are more than white space."""
        bounds, places = self.context_bounds, np.arange(self.ids.shape[1])
        legal: NDArray[np.bool_] = (bounds[:, :1] <= places) & (places < bounds[:, 1:])
        for row, window in enumerate(self.windows):
            if window.context.has_empty:
                tokens = window.context_tokens
                legal[row, tokens.start : tokens.end] = window.legal
        return legal


@dataclass(frozen=True, slots=True, eq=False)
class SpanLogits:
    """What the network says of a batch: how well each token starts, and ends, the answer.

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
        """Which of its example's contexts the window is of."""
        return self.window.context_index

    @property
    def first_token(self) -> int:
        """Which token of the whole context its logits begin with."""
        return self.window.first_token

    @property
    def end_token(self) -> int:
        """The token of the whole context after the last that it has logits of."""
        return self.window.first_token + len(self.start)


def unbatch(batch: WindowBatch, logits: SpanLogits) -> list[WindowLogits]:
    """Return the logits of each window of a batch, in their order.

    Raises:
        ReaderError: If one is NaN or plus infinity: there is no best among such.
    """
    starts, ends, nulls = cut_apart(batch, logits)
    # Copies, so that the batch can be forgotten while a window is kept.
    return list(map(WindowLogits, batch.windows, map(np.copy, starts), map(np.copy, ends), nulls))


def cut_apart(
    batch: WindowBatch, logits: SpanLogits
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]], list[float]]:
    """Return what :class:`WindowLogits` holds of each window of a batch: starts and ends, as views, and null scores.

    Raises:
        ReaderError: As :func:`unbatch`.
    """
    check_finite(batch, logits)
    cls = np.arange(0, batch.ids.size, batch.ids.shape[1]) + np.array([window.cls for window in batch.windows])
    nulls = np.add(logits.start.take(cls), logits.end.take(cls), dtype=np.float64).tolist()
    places = [(row, slice(first, end)) for row, (first, end) in enumerate(batch.context_bounds.tolist())]
    return list(map(logits.start.__getitem__, places)), list(map(logits.end.__getitem__, places)), nulls


def check_finite(batch: WindowBatch, logits: SpanLogits) -> None:
    """Refuse logits that are NaN or plus infinity; those of padding mean nothing.

    Raises:
        ReaderError: If there are such.
    """
    if logits.start.max() < np.inf and logits.end.max() < np.inf:
        return
    sound = (np.maximum(logits.start, logits.end) < np.inf) | (batch.mask == 0)
    if not sound.all():
        row, token = np.argwhere(~sound)[0].tolist()
        found = np.maximum(logits.start[row, token], logits.end[row, token])
        raise ReaderError(
            f"{batch.windows[row].example.name}: the network must give finite logits, but gave {found}. "
            "Was it computed in half precision? Use float32 or bfloat16"
        )


def padded_length(longest: int, limit: int | None) -> int:
    """Return how many tokens each row of a batch has, padding included.

    Args:
        longest: Length of the batch's longest window.
        limit: As :meth:`WindowBatch.of` takes it.
    """
    if limit is None:
        return longest
    return max(longest, min(limit, -(-longest // _REGISTER) * _REGISTER))


def by_token_budget(windows: Sequence[Window], budget: int, *, limit: int | None = None) -> Iterator[list[int]]:
    """Group windows of similar length so that no padded batch holds more tokens than the budget.

    Args:
        windows: The windows.
        budget: Most tokens of a batch, padding included; a longer window goes alone.
        limit: What the batches are padded with, as :meth:`WindowBatch.of` takes it.

    Yields:
        Indices into ``windows``, longest first: a batch that does not fit into memory fails at once.
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
