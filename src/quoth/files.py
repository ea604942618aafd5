"""Atomic writes of files and folders, and locks that end with their process."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
import shutil
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, BinaryIO, TextIO, cast
from uuid import uuid4

from quoth.errors import ConfigError

__all__ = [
    "atomic_bytes",
    "atomic_folder",
    "atomic_text",
    "check_parent",
    "format_suffix",
    "hash_of_text",
    "is_unfinished",
    "packed_bytes",
    "recover_folders",
    "sha256",
    "try_lock",
    "unpacked",
    "write_json",
    "write_json_lines",
]


def check_parent(path: str | Path) -> None:
    """Check that the folder of an output file exists, before the work whose result is written there.

    Raises:
        ConfigError: If it does not.
    """
    if not Path(path).resolve().parent.is_dir():
        raise ConfigError(f"{path}: the folder of the file must exist, but does not. Create it first.")


@contextmanager
def atomic_text(path: Path) -> Iterator[TextIO]:
    """Open a UTF-8 text file for an atomic write, as :func:`atomic_bytes` does."""
    with atomic_bytes(path) as data, TextIOWrapper(data, encoding="utf-8") as file:
        yield file


@contextmanager
def atomic_bytes(path: Path, *, flush: bool = False) -> Iterator[BinaryIO]:
    """Write a temporary file and rename it at the end; pipes and devices are written directly.

    Args:
        path: The file.
        flush: Whether to flush it to disk before the rename, and its folder after it, so that it survives a power
            failure.

    Raises:
        FileNotFoundError: If its folder does not exist; the error names the folder.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    target = path.resolve()  # resolve links
    if not target.parent.is_dir():
        # Prefer the path that the user wrote, if it is the same folder.
        folder = (target if path.is_symlink() else path).parent
        raise FileNotFoundError(errno.ENOENT, "no such folder", str(folder))
    part = _part(target)
    try:
        with part.open("wb") as file:
            yield file
        if flush:
            _flush(part)
        part.replace(target)
        if flush:
            _flush(target.parent)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def packed_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a file for an atomic write, as :func:`atomic_bytes` does; gzipped if its name ends in ``.gz``."""
    with atomic_bytes(path) as file:
        if path.suffix.lower() != ".gz":
            yield file
            return
        # Without name and time, so that the same content gives the same file.
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
            yield cast(BinaryIO, packed)


def unpacked(content: bytes) -> bytes:
    """Return the content of a file, decompressed if it is gzipped.

    Raises:
        ValueError: If it is a damaged gzip file; the message is the reason.
    """
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(str(error)) from error


def write_json(path: Path, document: Any) -> None:
    """Write an indented UTF-8 JSON document atomically."""
    with atomic_text(path) as file:
        file.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def write_json_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as JSON lines atomically, in ASCII, so that lone surrogates need no other encoding."""
    with atomic_text(path) as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


@contextmanager
def atomic_folder(path: Path, *, flush: bool = False) -> Iterator[Path]:
    """Write to a temporary folder and rename it at the end; parent folders are created.

    An existing folder is replaced. It is renamed until the new one is in place; if the process is killed between the
    two renames, :func:`recover_folders` restores it.

    Args:
        path: The folder.
        flush: Whether to flush everything to disk before the rename, so that it survives a power failure.

    Yields:
        The temporary folder.

    Source: order of write, fsync, rename, and fsync of the parent: Pillai et al. 2014, section 3.
    """
    target = path.resolve()
    part, old = _part(target), _old(target)
    try:
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
    """Restore folders that were being replaced when a process was killed.

    Args:
        parent: The parent folder.
        pattern: A glob of their names.
    """
    for old in parent.glob(f".{pattern}.old"):
        final = old.with_name(old.name[1:].removesuffix(".old"))
        if not final.exists():
            old.rename(final)


def is_unfinished(path: Path) -> bool:
    """Return True for a file or folder that was being written or replaced when a process was killed."""
    return path.name.startswith(".") and path.suffix in (".part", ".old")


def sha256(content: Path | bytes) -> str:
    """Return the SHA-256 of a file's content, or of bytes, in hex."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_of_text(text: str, facts: object = None) -> str:
    """Return the SHA-256 of a text, which may have lone surrogates, and of the ``repr`` of facts about it, in hex."""
    return sha256(text.encode("utf-8", "surrogatepass") + (b"" if facts is None else repr(facts).encode()))


def try_lock(file: IO[Any]) -> bool:
    """Lock an open file, and return True; return False if it is locked already, by this process or another.

    The operating system releases the lock when the file is closed, or the process ends for any reason.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(1 << 20)  # Windows does not allow reading a locked file
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _part(target: Path) -> Path:
    """Return a new temporary name; two threads or processes that write the same target have different ones."""
    return target.with_name(f".{target.name}.{uuid4().hex[:8]}.part")


def _old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _move(part: Path, target: Path, old: Path) -> None:
    """Move a folder to its target; if that fails, restore the previous folder."""
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
    """Flush a file's content, or a folder's directory entries, to disk."""
    if path.is_dir() and os.name != "posix":  # other systems cannot open folders
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def format_suffix(path: Path) -> str:
    """Return the suffix of a name without ``.gz``, in lower case, such as ``.csv`` for ``a.CSV.gz``; or ``""``."""
    return (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower()
