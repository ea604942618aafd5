"""From windows to batches, and what comes back: ``WindowBatch`` goes into an engine, ``SpanLogits`` out of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
    def legal(self) -> NDArray[np.bool_]:
        """Where a span may start and end, ``(B, T)``: tokens of the context that are more than white space."""
        legal = np.zeros(self.ids.shape, dtype=np.bool_)
        for row, window in enumerate(self.windows):
            tokens = window.context_tokens
            legal[row, tokens.start : tokens.end] = window.legal if window.context.has_empty else True
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


class Searched(NamedTuple):
    """What was found in one window, while its batch was there.

    Attributes:
        longest, temperature: What was asked for, as :func:`quoth.reading.spans.best_spans` takes it.
        score: Sum of the two logits of the best span; minus infinity where no span is legal.
        first, last: Its first and its last token (inclusive), among the context's tokens in the window.
        log_sum: Of all legal spans, as :class:`quoth.reading.spans.BestSpans` has it.
    """

    longest: int
    temperature: float
    score: float
    first: int
    last: int
    log_sum: float


@dataclass(frozen=True, slots=True, eq=False)
class WindowLogits:
    """The logits of one window, cut out of its batch.

    Attributes:
        window: The window.
        start, end: Logits of the context's tokens in the window, ``(len(window.context_tokens),)`` float32.
        null: Sum of the two logits of the CLS token.
        context_index: Which of several contexts the window is of.
        searched: What was found in it, where that is known; it spares a second search for the same.
    """

    window: Window
    start: NDArray[np.float32]
    end: NDArray[np.float32]
    null: float
    context_index: int = 0
    searched: Searched | None = None

    @property
    def first_token(self) -> int:
        """Which token of the whole context its logits begin with."""
        return self.window.first_token

    @property
    def end_token(self) -> int:
        """The token of the whole context after the last that it has logits of."""
        return self.window.first_token + len(self.start)

    @classmethod
    def of(cls, batch: WindowBatch, logits: SpanLogits, row: int, searched: Searched | None = None) -> WindowLogits:
        """Cut out one row."""
        window = batch.windows[row]
        tokens = slice(window.context_tokens.start, window.context_tokens.end)
        return cls(
            window=window,
            start=logits.start[row, tokens].copy(),
            end=logits.end[row, tokens].copy(),
            null=float(logits.start[row, window.cls]) + float(logits.end[row, window.cls]),
            searched=searched,
        )


def unbatch(batch: WindowBatch, logits: SpanLogits) -> list[WindowLogits]:
    """Cut the logits of each window out of its batch, so that the batch can be forgotten.

    Raises:
        ReaderError: If one is NaN or plus infinity: there is no best among such.
    """
    check_finite(batch, logits)
    return [WindowLogits.of(batch, logits, row) for row in range(len(batch.windows))]


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
            f"question {batch.windows[row].example.id}: the network must give finite logits, but gave {found}. "
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
