"""From windows to the tensors of the loss, in batches of similar length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.utils.data import Dataset, Sampler

from quoth.reading import Window, WindowBatch, Windower
from quoth.records import Example


class WindowDataset(Dataset[Window]):
    """Windows with targets, ready for a collator.

    Attributes:
        windows: All windows of all examples, in order.
        lost: Examples that have golds, none of which any window holds whole.
    """

    def __init__(self, examples: Iterable[Example], windower: Windower) -> None:
        """Cut the examples into windows."""
        self.windows: list[Window] = []
        self.lost: list[str] = []
        kept = list(examples)
        for example, windows in zip(kept, windower.each(kept), strict=True):
            self.windows.extend(windows)
            if example.golds and not any(window.target for window in windows):
                self.lost.append(example.id)

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> Window:
        return self.windows[index]


@dataclass(frozen=True, slots=True)
class Collator:
    """Pads windows to the longest of their batch and adds the targets that transformers' models take.

    ``start_positions`` and ``end_positions`` are ``(B,)`` int64, both inclusive, as the loss of transformers'
    question-answering models wants them (the one place in Quoth where an end is). A window without a target points
    both at its CLS token, which is how these models learn "not here".

    Source: Devlin et al. 2019, section 4.3.
    """

    pad_id: int
    takes_types: bool

    def __call__(self, windows: Sequence[Window]) -> dict[str, torch.Tensor]:
        """Make the tensors of one batch."""
        batch = WindowBatch.of(windows, self.pad_id)
        ranges = [(w.target.start, w.target.end - 1) if w.target else (w.cls, w.cls) for w in windows]
        targets = torch.tensor(ranges, dtype=torch.int64)
        tensors = {
            "input_ids": torch.from_numpy(batch.ids),
            "attention_mask": torch.from_numpy(batch.mask),
            "start_positions": targets[:, 0],
            "end_positions": targets[:, 1],
        }
        if self.takes_types:
            tensors["token_type_ids"] = torch.from_numpy(batch.type_ids)
        return tensors


class SimilarLengthSampler(Sampler[int]):
    """Orders windows so that each batch holds similar lengths, and batches come in random order.

    Windows are shuffled, cut into pools of ``pool`` batches, sorted by length within a pool, and the batches of all
    pools are shuffled. The order depends on the seed and the epoch alone, so a resumed run sees what it would have.
    """

    pool = 50

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        """Take the lengths of all windows, in tokens."""
        self._lengths = torch.tensor(lengths)
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + self._epoch)
        shuffled = torch.randperm(len(self._lengths), generator=generator)
        batches: list[torch.Tensor] = []
        for pool in torch.split(shuffled, self._batch_size * self.pool):
            ordered = pool[self._lengths[pool].argsort(stable=True)]
            batches.extend(torch.split(ordered, self._batch_size))
        # The one short batch stays last: any other place would shift the borders of all batches after it.
        full = [batch for batch in batches if len(batch) == self._batch_size]
        short = [batch for batch in batches if len(batch) < self._batch_size]
        for index in torch.randperm(len(full), generator=generator).tolist():
            yield from full[index].tolist()
        for batch in short:
            yield from batch.tolist()
