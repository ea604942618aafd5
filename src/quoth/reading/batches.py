"""From windows to batches, and what comes back: ``WindowBatch`` goes into an engine, ``SpanLogits`` out of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quoth.reading.windows import Window


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
    def of(cls, windows: Sequence[Window], pad_id: int) -> WindowBatch:
        """Pad some windows to the longest of them.

        Raises:
            ValueError: If there are none.
        """
        if not windows:
            raise ValueError("a batch must hold at least one window, but holds none")
        shape = (len(windows), max(map(len, windows)))
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
        tokens = [window.context_tokens for window in self.windows]
        first, last = np.array([[each.start for each in tokens], [each.end for each in tokens]], dtype=np.int32)[:, :, None]
        column = np.arange(self.ids.shape[1], dtype=np.int32)
        legal = (column >= first) & (column < last)
        for row, window in enumerate(self.windows):
            if window.context.has_empty:
                offsets = window.context_offsets
                legal[row, first[row, 0] : last[row, 0]] = offsets[:, 0] < offsets[:, 1]
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


def by_token_budget(windows: Sequence[Window], budget: int) -> Iterator[list[int]]:
    """Group windows of similar length so that no padded batch holds more tokens than the budget.

    Args:
        windows: The windows.
        budget: Most tokens of a batch, padding included; a longer window goes alone.

    Yields:
        Indices into ``windows``, longest first: a batch that does not fit into memory fails at once.
    """
    order = sorted(range(len(windows)), key=lambda index: -len(windows[index]))
    batch: list[int] = []
    for index in order:
        if batch and (len(batch) + 1) * len(windows[batch[0]]) > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
