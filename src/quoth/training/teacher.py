"""Learning from a reader that knows more: what it says of every window, beside what is right."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from quoth.engines.torch import TorchEngine, load_tokenizer
from quoth.errors import TrainingError
from quoth.files import whole_bytes
from quoth.reading import Tokenizer, Window, WindowBatch
from quoth.store import find_folder

# Logits of starts and of ends of one window, (2, T) float32.
Lesson = NDArray[np.float32]
_BATCH = 64


class Teacher:
    """A reader whose logits the model in training is to come near to; its weights stay as they are.

    It speaks once of each window, before the first step, and what it said is kept beside the run: it is often much
    larger than who learns, and would say the same in every epoch.
    """

    def __init__(self, engine: TorchEngine, pad_id: int, limit: int | None = None, *, piece: int = 4096) -> None:
        """Take a reader's network, on the device where it is to run.

        Args:
            engine: The network.
            pad_id: What fills up its batches.
            limit: The longest window.
            piece: Windows of one file of lessons: what a stopped run loses at most.
        """
        self._engine, self._pad_id, self._limit, self._piece_size = engine, pad_id, limit, piece
        # Lessons of other weights, or computed otherwise, are others.
        digest = hashlib.sha256(engine.precision.encode())
        for name, weights in sorted(engine.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(weights.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
        self._digest = digest

    @classmethod
    def load(
        cls,
        source: str,
        tokenizer: Tokenizer,
        device: torch.device,
        *,
        precision: str = "float32",
        limit: int | None = None,
    ) -> Teacher:
        """Load a reader to learn from.

        Args:
            source: A folder or a hub name, with weights that torch reads.
            tokenizer: Of the model in training.
            device: Where to run.
            precision: What to compute in.
            limit: The longest window.

        Raises:
            TrainingError: If the two cut texts into different tokens: nothing could be compared.
            ReaderError: If it holds no question-answering model.
        """
        folder = find_folder(source).path
        if load_tokenizer(str(folder)).to_json() != tokenizer.to_json():
            raise TrainingError(
                f"{source}: a teacher must have the tokenizer of the base, token for token, but has another one"
            )
        return cls(TorchEngine.load(folder, precision=precision, device=str(device)), tokenizer.pad_id, limit)

    def lessons(
        self, windows: Sequence[Window], folder: Path, *, process: int = 0, processes: int = 1
    ) -> list[Lesson | None]:
        """Return what it says of each window that is this process's to ask about, and ``None`` of the others.

        What it said before, of the same windows, is read from the folder; so a run that was stopped meanwhile goes on.

        Args:
            windows: The windows.
            folder: Where its lessons are kept.
            process: Which process this is, from 0.
            processes: Of how many.

        Raises:
            TrainingError: If the folder cannot be written to.
        """
        found: list[Lesson | None] = [None] * len(windows)
        starts = range(0, len(windows), self._piece_size)
        for start in starts[process::processes]:
            piece = windows[start : start + self._piece_size]
            found[start : start + len(piece)] = self._piece(
                piece, folder / f"{start // self._piece_size:05}.safetensors"
            )
        return found

    def _piece(self, windows: Sequence[Window], file: Path) -> list[Lesson]:
        digest = self._digest.copy()
        for window in windows:
            digest.update(window.ids.tobytes())
            digest.update(b"/")
        name = digest.hexdigest()
        kept = _read(file, name)
        if kept is None:
            kept = np.concatenate(self._asked(windows), axis=1)
            _write(file, name, kept)
        return np.split(kept, np.cumsum([len(window) for window in windows])[:-1], axis=1)

    def _asked(self, windows: Sequence[Window]) -> list[Lesson]:
        lessons: dict[int, Lesson] = {}
        order = sorted(range(len(windows)), key=lambda index: len(windows[index]))
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            batch = WindowBatch.of([windows[index] for index in rows], self._pad_id, limit=self._limit)
            said = self._engine.run(batch)
            both = np.stack([said.start, said.end], axis=1)
            lessons.update((index, both[row, :, : len(windows[index])]) for row, index in enumerate(rows))
        return [lessons[index] for index in range(len(windows))]


def shared_lessons(
    mine: Sequence[Lesson | None], windows: Sequence[Window], device: torch.device | None
) -> list[Lesson]:
    """Return the lessons of all windows, of which each process brings a part.

    Args:
        mine: As :meth:`Teacher.lessons` returns it in this process.
        windows: The windows.
        device: Where processes exchange what they have; ``None`` if there is but one.
    """
    lengths = [len(window) for window in windows]
    parts = [
        np.zeros((2, length), np.float32) if part is None else part for part, length in zip(mine, lengths, strict=True)
    ]
    if device is None:
        return parts
    together = torch.from_numpy(np.concatenate(parts, axis=1)).to(device)
    torch.distributed.all_reduce(together)
    return np.split(together.cpu().numpy(), np.cumsum(lengths)[:-1], axis=1)


def _read(file: Path, name: str) -> Lesson | None:
    """Return what a file holds, if it holds the lessons of that name."""
    try:
        with safe_open(file, "np") as opened:
            return opened.get_tensor("lessons") if (opened.metadata() or {}).get("of") == name else None
    except (OSError, SafetensorError):
        return None  # none yet, or damaged: it is written anew


def _write(file: Path, name: str, lessons: Lesson) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_bytes(file) as out:
            out.write(save({"lessons": np.ascontiguousarray(lessons)}, {"of": name}))
    except OSError as error:
        raise TrainingError(
            f"{file}: what the teacher says must be kept here, but cannot be: {error.strerror or error}. Make room, "
            "then go on with --resume."
        ) from error
