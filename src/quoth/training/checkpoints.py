"""Checkpoints that are whole or not there: written beside their place, flushed to disk, then renamed."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from quoth.errors import TrainingError

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

    Source: the order of write, fsync, rename, fsync of the parent is that of Pillai et al. 2014, section 3.
    """
    final = folder / f"{_PREFIX}{step}"
    part = folder / f".{final.name}.part"
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        hashes = {name: _write(part / name, content) for name, content in files}
        _write(part / MANIFEST, (json.dumps({"step": step, "sha256": hashes}, indent=1) + "\n").encode())
        _flush(part)
        if final.exists():  # of the same step: kept under another name until the new one stands
            shutil.rmtree(_old(final), ignore_errors=True)
            final.rename(_old(final))
        part.rename(final)
        _flush(folder)
        shutil.rmtree(_old(final), ignore_errors=True)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        last = newest_checkpoint(folder)
        kept = f"The last whole one is {last.name}." if last else "There is no other one yet."
        raise TrainingError(
            f"{final}: must be written, but cannot be: {error.strerror or error}. {kept} "
            "Make room, then go on with --resume."
        ) from error
    return final


def newest_checkpoint(folder: Path) -> Path | None:
    """Return the newest whole checkpoint of a run, or ``None``; warn of each that is damaged."""
    for old in folder.glob(f".{_PREFIX}*.old"):  # a kill between two renames left it
        final = old.with_name(old.name[1:].removesuffix(".old"))
        if not final.exists():
            old.rename(final)
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

    Those of later steps than the newest go too: the run could not go on from them, and has left their way.

    Args:
        folder: Where the checkpoints of the run lie.
        keep: How many to keep, the best one among them.
        best: The step of the best one, if there is one.
        newest: The step of the one that was written last.
    """
    for part in (*folder.glob(f".{_PREFIX}*.part"), *folder.glob(f".{_PREFIX}*.old")):
        shutil.rmtree(part, ignore_errors=True)
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


def _old(final: Path) -> Path:
    return final.with_name(f".{final.name}.old")


def _damage(path: Path) -> str | None:
    try:
        hashes = json.loads((path / MANIFEST).read_text(encoding="utf-8"))["sha256"]
        for name, expected in hashes.items():
            with (path / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                    return f"{name} does not have its hash"
    except (OSError, ValueError, KeyError) as error:
        return str(error)
    return None


def _write(file: Path, content: bytes) -> str:
    with file.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    return hashlib.sha256(content).hexdigest()


def _flush(folder: Path) -> None:
    if os.name != "posix":  # a folder cannot be opened elsewhere
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
