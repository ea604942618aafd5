"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, TextIO

__all__ = ["is_unfinished", "recover_folders", "sha256", "whole_bytes", "whole_file", "whole_folder", "write_json"]


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """Open a file for text in UTF-8, as :func:`whole_bytes` does."""
    with whole_bytes(path) as data, TextIOWrapper(data, encoding="utf-8") as file:
        yield file


@contextmanager
def whole_bytes(path: Path) -> Iterator[BinaryIO]:
    """Write a file beside its place and move it there at the end; a pipe or a device is written as it stands.

    Raises:
        FileNotFoundError: If there is no folder for it; the error names the folder.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    target = path.resolve()  # of a link, what it points to
    if not target.parent.is_dir():
        # As the user wrote it, where it is that folder.
        folder = (target if path.is_symlink() else path).parent
        raise FileNotFoundError(errno.ENOENT, "no such folder", str(folder))
    part = _part(target)
    try:
        with part.open("wb") as file:
            yield file
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document for people and programs: UTF-8, indented, whole or not at all."""
    with whole_file(path) as file:
        file.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def whole_folder(path: Path, *, flush: bool = False) -> Iterator[Path]:
    """Fill a folder beside its place, and move it there at the end; its parents are made.

    A folder that is there already is replaced. It keeps another name until the new one is in place: after a kill
    between the two renames, :func:`recover_folders` brings it back.

    Args:
        path: The folder's place.
        flush: Whether all of it must be on the disk before it takes its place, so that it survives a loss of power.

    Yields:
        The folder to fill.

    Source: the order of write, fsync, rename, fsync of the parent is that of Pillai et al. 2014, section 3.
    """
    target = path.resolve()
    part, old = _part(target), _old(target)
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        if flush:
            _flush_all(part)
        _move(part, target, old)
        if flush:
            _flush(target.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def recover_folders(parent: Path, pattern: str) -> None:
    """Bring back each folder that a kill left under the name that it has while it is replaced.

    Args:
        parent: Where the folders lie.
        pattern: A glob of their names.
    """
    for old in parent.glob(f".{pattern}.old"):
        final = old.with_name(old.name[1:].removesuffix(".old"))
        if not final.exists():
            old.rename(final)


def is_unfinished(path: Path) -> bool:
    """Return whether a file or folder is one that a kill left half written, or half replaced."""
    return path.name.startswith(".") and path.suffix in (".part", ".old")


def sha256(content: Path | bytes) -> str:
    """Return the SHA-256 of a file's content, or of bytes, in hex."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _part(target: Path) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}.part")


def _old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _move(part: Path, target: Path, old: Path) -> None:
    """Put a folder in its place; if that fails, what was there before is there again."""
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    try:
        part.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _flush_all(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        _flush(path)
    _flush(folder)


def _flush(path: Path) -> None:
    """Wait until a file's content, or a folder's list of files, is on the disk."""
    if path.is_dir() and os.name != "posix":  # a folder cannot be opened elsewhere
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
