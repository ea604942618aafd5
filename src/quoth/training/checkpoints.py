"""The checkpoints of a run: each is complete and on the disk, or is not there."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterable
from pathlib import Path

from quoth.errors import TrainingError
from quoth.files import is_unfinished, recover_folders, sha256, whole_folder, write_json

MANIFEST = "manifest.json"
_LOG = logging.getLogger(__name__)
_PREFIX = "checkpoint-"


def write_checkpoint(folder: Path, step: int, files: Iterable[tuple[str, bytes]]) -> Path:
    """Write the checkpoint of a step: all of it, or nothing.

    Args:
        folder: Where the checkpoints of the run lie.
        step: Steps done.
        files: Name and content of each file; one at a time is held in memory.

    Returns:
        The folder of the checkpoint.

    Raises:
        TrainingError: If it cannot be written. What was there before is as it was.
    """
    final = folder / f"{_PREFIX}{step}"
    try:
        with whole_folder(final, flush=True) as part:
            hashes = {}
            for name, content in files:
                (part / name).write_bytes(content)
                hashes[name] = sha256(content)
            write_json(part / MANIFEST, {"step": step, "sha256": hashes})
    except OSError as error:
        last = newest_checkpoint(folder)
        kept = f"The last whole one is {last.name}." if last else "There is no other one yet."
        raise TrainingError(
            f"{final}: must be written, but cannot be: {error.strerror or error}. {kept} "
            "Make room, then go on with --resume."
        ) from error
    return final


def newest_checkpoint(folder: Path) -> Path | None:
    """Return the newest whole checkpoint of a run, or ``None``; warn of each that is damaged."""
    recover_folders(folder, f"{_PREFIX}*")
    for path in sorted(folder.glob(f"{_PREFIX}*"), key=checkpoint_step, reverse=True):
        problem = _damage(path)
        if problem is None:
            return path
        _LOG.warning("%s: is damaged (%s), so an older checkpoint is used", path, problem)
    return None


def checkpoint_step(path: Path) -> int:
    """Return the step of a checkpoint's folder."""
    number = path.name.removeprefix(_PREFIX)
    return int(number) if number.isdigit() else -1


def clear_checkpoints(folder: Path, keep: int, best: int | None, newest: int) -> None:
    """Remove what a killed run left half written, and all but the newest checkpoints.

    Those of later steps than the newest are removed too: they belong to an abandoned branch of the run.

    Args:
        folder: Where the checkpoints of the run lie.
        keep: How many to keep, the best one among them.
        best: The step of the best one, if there is one.
        newest: The step of the one that was written last.
    """
    for path in filter(is_unfinished, folder.iterdir()):
        shutil.rmtree(path, ignore_errors=True)
    steps = sorted((checkpoint_step(path) for path in folder.glob(f"{_PREFIX}*")), reverse=True)
    for step in [step for step in steps if step > newest]:
        steps.remove(step)
        shutil.rmtree(folder / f"{_PREFIX}{step}", ignore_errors=True)
    kept = {best} if best in steps else set()
    for step in steps:
        if len(kept) < keep:
            kept.add(step)
        # The newest is what a stopped run goes on from, so it stays even where only the best one should.
        elif step not in kept and step != steps[0]:
            shutil.rmtree(folder / f"{_PREFIX}{step}", ignore_errors=True)


def _damage(path: Path) -> str | None:
    try:
        hashes = json.loads((path / MANIFEST).read_text(encoding="utf-8"))["sha256"]
        for name, expected in hashes.items():
            if sha256(path / name) != expected:
                return f"{name} does not have its hash"
    except (OSError, ValueError, KeyError) as error:
        return str(error)
    return None
