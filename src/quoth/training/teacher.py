"""Distillation: the teacher's logits for each training window."""

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
from quoth.errors import TrainingError, reason_of
from quoth.files import atomic_bytes
from quoth.reading import Tokenizer, Window, WindowBatch
from quoth.store import find_folder
from quoth.training.sources import checkpoint_of

# Start and end logits of one window, (2, T) float32.
TeacherLogits = NDArray[np.float32]
_BATCH = 64


class Teacher:
    """A frozen reader whose logits the student learns to match.

    Teacher logits are computed once per window, before the first step, and cached in the run's folder: the teacher is
    often much larger than the student, and its logits are the same in every epoch.
    """

    def __init__(self, engine: TorchEngine, pad_id: int, limit: int | None = None, *, piece: int = 4096) -> None:
        """Create a teacher.

        Args:
            engine: The teacher's network, on its device.
            pad_id: Token id of the padding.
            limit: Maximum length of a window, in tokens.
            piece: Windows per cache file. A stopped run loses at most the logits of one file.
        """
        self._engine, self._pad_id, self._limit, self._piece_size = engine, pad_id, limit, piece
        # Cached logits are valid only for the same weights and precision.
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
        """Load a reader as the teacher.

        Args:
            source: A folder or a hub name, with torch weights.
            tokenizer: The student's tokenizer.
            device: Device of the teacher.
            precision: Precision of the teacher.
            limit: Maximum length of a window, in tokens.

        Raises:
            TrainingError: If teacher and student have different tokenizers: their logits could not be compared.
            ReaderError: If the source is not a question-answering model.
        """
        folder = find_folder(checkpoint_of(source)).path
        if load_tokenizer(str(folder)).to_json() != tokenizer.to_json():
            raise TrainingError(
                f"{source}: the teacher must have the same tokenizer as the base, but has a different one"
            )
        return cls(TorchEngine.load(folder, precision=precision, device=str(device)), tokenizer.pad_id, limit)

    def logits(
        self, windows: Sequence[Window], folder: Path, *, process: int = 0, processes: int = 1
    ) -> list[TeacherLogits | None]:
        """Return the logits of each window of this process, and ``None`` for the windows of other processes.

        Cached logits of the same windows are read from the folder, so a stopped run does not compute them again.

        Args:
            windows: All windows.
            folder: Folder of the cache.
            process: Index of this process, from 0.
            processes: Number of processes.

        Raises:
            TrainingError: If the folder cannot be written to.
        """
        found: list[TeacherLogits | None] = [None] * len(windows)
        starts = range(0, len(windows), self._piece_size)
        for start in starts[process::processes]:
            piece = windows[start : start + self._piece_size]
            found[start : start + len(piece)] = self._piece(
                piece, folder / f"{start // self._piece_size:05}.safetensors"
            )
        return found

    def _piece(self, windows: Sequence[Window], file: Path) -> list[TeacherLogits]:
        digest = self._digest.copy()
        for window in windows:
            digest.update(window.ids.tobytes())
            digest.update(b"/")
        name = digest.hexdigest()
        kept = _read(file, name)
        if kept is None:
            kept = np.concatenate(self._computed(windows), axis=1)
            _write(file, name, kept)
        return np.split(kept, np.cumsum([len(window) for window in windows])[:-1], axis=1)

    def _computed(self, windows: Sequence[Window]) -> list[TeacherLogits]:
        computed: dict[int, TeacherLogits] = {}
        order = sorted(range(len(windows)), key=lambda index: len(windows[index]))
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            batch = WindowBatch.of([windows[index] for index in rows], self._pad_id, limit=self._limit)
            logits = self._engine.run(batch)
            both = np.stack([logits.start, logits.end], axis=1)
            computed.update((index, both[row, :, : len(windows[index])]) for row, index in enumerate(rows))
        return [computed[index] for index in range(len(windows))]


def gather_teacher_logits(
    mine: Sequence[TeacherLogits | None], windows: Sequence[Window], device: torch.device | None
) -> list[TeacherLogits]:
    """Return the teacher logits of all windows, gathered from all processes.

    Args:
        mine: The result of :meth:`Teacher.logits` in this process.
        windows: All windows.
        device: Device of the exchange between processes; ``None`` if there is only one process.
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


def _read(file: Path, name: str) -> TeacherLogits | None:
    """Return the logits in a cache file, or ``None`` if it is missing, damaged or has another digest."""
    try:
        with safe_open(file, "np") as opened:
            return opened.get_tensor("logits") if (opened.metadata() or {}).get("of") == name else None
    except (OSError, SafetensorError):
        return None  # missing or damaged: it is computed again


def _write(file: Path, name: str, logits: TeacherLogits) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_bytes(file) as out:
            out.write(save({"logits": np.ascontiguousarray(logits)}, {"of": name}))
    except OSError as error:
        raise TrainingError(
            f"{file}: cannot write the teacher logits: {reason_of(error)}. Free disk space, "
            "then continue with --resume."
        ) from error
