"""Reads files into a corpus: only those that are new or have changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from quoth.corpus.backend import Backend
from quoth.corpus.records import Indexed, Known
from quoth.documents import EXTRACTION_VERSION, Document, DocumentLimits, Unread, find_files
from quoth.documents.files import load_file
from quoth.errors import InputError
from quoth.files import sha256


def index_files(
    store: Backend, paths: Sequence[str | Path], limits: DocumentLimits | None, progress: Callable[[str], None] | None
) -> Indexed:
    """Add files, folders and patterns to a store, and remove documents whose files are gone from a given folder.

    Args:
        store: The store.
        paths: Files, folders and patterns.
        limits: Limits on each file.
        progress: Called with the name of each file that was read.
    """
    known, result = store.known(), Indexed()
    for file in find_files(paths):
        if isinstance(file, Unread):
            result.problems.append(file)
            continue
        _add(store, file, known.get(key_of(file)), limits, result)
        if progress:
            progress(str(file))
    folders = [Path(path).resolve() for path in paths if Path(path).is_dir()]
    gone = [key for key in known if _is_below(key, folders) and not Path(key).exists()]
    if gone:
        with store.writing():
            result.removed = sum(store.drop(key) for key in gone)
    store.flush()
    return result


def _add(store: Backend, file: Path, known: Known | None, limits: DocumentLimits | None, result: Indexed) -> None:
    try:
        stamp = _stamp(file)
        if known and known.extraction == EXTRACTION_VERSION and _is_unchanged(store, file, stamp, known):
            result.unchanged += 1
            return
    except OSError as error:
        result.problems.append(Unread(str(file), (error.strerror or str(error)).lower()))
        return
    loaded = load_file(file, limits)
    if isinstance(loaded, Unread):
        result.problems.append(loaded)
        return
    try:
        with store.writing():
            store.put(key_of(file), stamp, loaded[0], original_of(*loaded))
    except InputError as error:
        result.problems.append(Unread(str(file), str(error)))
        return
    if known:
        result.changed += 1
    else:
        result.added += 1


def _is_unchanged(store: Backend, file: Path, stamp: str, known: Known) -> bool:
    if known.stamp == stamp:
        return True
    if known.file_hash != sha256(file):
        return False
    with store.writing():
        store.restamp(key_of(file), stamp)
    return True


def key_of(file: Path) -> str:
    """Return the key of a file in a corpus: its absolute path."""
    return str(file.resolve())


def original_of(document: Document, data: bytes) -> bytes | None:
    """Return the content of a file to store: of PDFs, whose pages can be drawn."""
    return data if document.page_sizes else None


def _is_below(key: str, folders: Sequence[Path]) -> bool:
    return any(folder in Path(key).parents for folder in folders)


def _stamp(file: Path) -> str:
    status = file.stat()
    return f"{status.st_size} {status.st_mtime_ns}"
