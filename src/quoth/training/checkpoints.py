"""The checkpoints of a run. They are written atomically: a checkpoint is complete, or it does not exist."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterable
from pathlib import Path

from quoth.errors import TrainingError, reason_of
from quoth.files import atomic_folder, is_unfinished, recover_folders, sha256, write_json

MANIFEST = "manifest.json"
_LOG = logging.getLogger(__name__)
_PREFIX = "checkpoint-"


def write_checkpoint(folder: Path, step: int, files: Iterable[tuple[str, bytes]]) -> Path:
    """Write the checkpoint of a step atomically.

    Args:
        folder: Folder of the run's checkpoints.
        step: Number of completed steps.
        files: Name and content of each file; only one at a time is held in memory.

    Returns:
        The folder of the checkpoint.

    Raises:
        TrainingError: If it cannot be written. Earlier checkpoints are unchanged.
    """
    final = folder / f"{_PREFIX}{step}"
    try:
        with atomic_folder(final, flush=True) as part:
            hashes = {}
            for name, content in files:
                (part / name).write_bytes(content)
                hashes[name] = sha256(content)
            write_json(part / MANIFEST, {"step": step, "sha256": hashes})
    except OSError as error:
        last = newest_checkpoint(folder)
        kept = f"The last complete checkpoint is {last.name}." if last else "There is no earlier checkpoint."
        raise TrainingError(
            f"{final}: cannot write the checkpoint: {reason_of(error)}. {kept} "
            "Free disk space, then continue with --resume."
        ) from error
    return final


def newest_checkpoint(folder: Path) -> Path | None:
    """Return the newest complete checkpoint of a run, or ``None``; log a warning for each damaged one."""
    recover_folders(folder, f"{_PREFIX}*")
    for path in sorted(folder.glob(f"{_PREFIX}*"), key=checkpoint_step, reverse=True):
        problem = _damage(path)
        if problem is None:
            return path
        _LOG.warning("%s: damaged (%s), so an older checkpoint is used", path, problem)
    return None


def checkpoint_step(path: Path) -> int:
    """Return the step in the name of a checkpoint's folder, or -1 if the name has none."""
    number = path.name.removeprefix(_PREFIX)
    return int(number) if number.isdigit() else -1


def clear_checkpoints(folder: Path, keep: int, best: int | None, newest: int) -> None:
    """Remove unfinished folders of a killed run, and all but the newest checkpoints.

    Those of later steps than the newest are removed too: they belong to an abandoned branch of the run.

    Args:
        folder: Folder of the run's checkpoints.
        keep: How many to keep, including the best one.
        best: The step of the best checkpoint, or ``None``.
        newest: The step of the checkpoint that was written last.
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
        # A stopped run resumes from the newest one, so it stays even if only the best one should be kept.
        elif step not in kept and step != steps[0]:
            shutil.rmtree(folder / f"{_PREFIX}{step}", ignore_errors=True)


def _damage(path: Path) -> str | None:
    try:
        hashes = json.loads((path / MANIFEST).read_text(encoding="utf-8"))["sha256"]
        for name, expected in hashes.items():
            if sha256(path / name) != expected:
                return f"the sha256 of {name} does not match"
    except (OSError, ValueError, KeyError) as error:
        return str(error)
    return None
