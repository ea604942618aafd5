"""Reads files into a corpus: only those that are new or have changed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from quoth.corpus.backend import Backend
from quoth.corpus.records import Indexed, Known
from quoth.documents import EXTRACTION_VERSION, Document, DocumentLimits, Unread, find_files
from quoth.documents.files import load_file
from quoth.errors import InputError, reason_of
from quoth.files import sha256

# Files are written in one transaction when this many have been read, this many bytes, or after this time, in seconds.
_FILES, _BYTES, _SECONDS = 64, 8_000_000, 0.25


def index_files(
    store: Backend, paths: Sequence[str | Path], limits: DocumentLimits | None, progress: Callable[[str], None] | None
) -> Indexed:
    """Add files, folders and patterns to a store, and remove documents whose files are gone from a given folder.

    Args:
        store: The store.
        paths: Files, folders and patterns.
        limits: Limits on each file.
        progress: Called with the name of each file that was read, as soon as it is in the store.
    """
    indexing = _Indexing(store, limits, progress or (lambda name: None))
    for file in find_files(paths):
        if isinstance(file, Unread):
            indexing.report(file)
        else:
            indexing.add(file)
    indexing.write()
    # Path.is_dir raises an OSError for a name that is too long, which was reported above.
    folders = [Path(path).resolve() for path in paths if os.path.isdir(path)]  # noqa: PTH112
    gone = [key for key in indexing.known if _is_below(key, folders) and _is_gone(key)]
    if gone:
        with store.writing():
            indexing.result.removed = sum(store.drop(key) for key in gone)
    store.flush()
    return indexing.result


class _Indexing:
    """Reads files, and writes them to the store in batches.

    Attributes:
        known: The stored facts about files before, by key.
        result: The result so far.
    """

    def __init__(self, store: Backend, limits: DocumentLimits | None, progress: Callable[[str], None]) -> None:
        self.known, self.result = store.known(), Indexed()
        self._store, self._limits, self._progress = store, limits, progress
        # File, stamp, document and content of the files that are not written yet.
        self._waiting: list[tuple[Path, str, Document, bytes]] = []
        self._size, self._since = 0, 0.0

    def add(self, file: Path) -> None:
        """Read a file if it has changed."""
        known = self.known.get(key_of(file))
        try:
            stamp = _stamp(file)
            if known and known.extraction == EXTRACTION_VERSION and _is_unchanged(self._store, file, stamp, known):
                self.result.unchanged += 1
                self._progress(str(file))
                return
        except OSError as error:
            self.report(Unread(str(file), reason_of(error)))
            return
        loaded = load_file(file, self._limits)
        if isinstance(loaded, Unread):
            self.report(loaded)
            return
        if not self._waiting:
            self._size, self._since = 0, time.monotonic()
        self._waiting.append((file, stamp, *loaded))
        self._size += len(loaded[1]) + len(loaded[0].text)
        is_late = time.monotonic() > self._since + _SECONDS
        if is_late or len(self._waiting) >= _FILES or self._size >= _BYTES:
            self.write()

    def report(self, problem: Unread) -> None:
        """Add a problem. If the corpus has an earlier text of the file, the problem says so."""
        if key_of(Path(problem.name)) in self.known:
            said = "; the corpus still has its earlier text (quoth index --remove removes it)"
            problem = replace(problem, problem=problem.problem + said)
        self.result.problems.append(problem)
        self._progress(problem.name)

    def write(self) -> None:
        """Write the files that have been read."""
        if not self._waiting:
            return
        written = []
        with self._store.writing():
            for file, stamp, document, data in self._waiting:
                try:
                    self._store.put(key_of(file), stamp, document, original_of(document, data))
                    written.append(key_of(file))
                    self.result.problems += [Unread(str(file), note, is_error=False) for note in document.notes]
                except InputError as error:
                    self.result.problems.append(Unread(str(file), str(error)))
        for key in written:
            if key in self.known:
                self.result.changed += 1
            else:
                self.result.added += 1
        for file, *_ in self._waiting:
            self._progress(str(file))
        self._waiting.clear()


def _is_unchanged(store: Backend, file: Path, stamp: str, known: Known) -> bool:
    if known.stamp == stamp:
        return True
    if known.file_hash != sha256(file):
        return False
    with store.writing():
        store.restamp(key_of(file), stamp)
    return True


def key_of(file: Path) -> str:
    """Return the key of a file in a corpus: its absolute path. The file need not exist."""
    try:
        return os.path.realpath(file)  # Path.resolve raises an error for a link to itself, before Python 3.13
    except ValueError:  # a name with a NUL character, which no file has
        return str(file)


def original_of(document: Document, data: bytes) -> bytes | None:
    """Return the content of a file if it must be stored: that of PDFs, to render their pages."""
    return data if document.page_sizes else None


def _is_below(key: str, folders: Sequence[Path]) -> bool:
    return any(folder in Path(key).parents for folder in folders)


def keys_below(keys: Iterable[str], name: str | Path) -> list[str]:
    """Return the keys of the files below a folder, which need not exist."""
    folder = Path(key_of(Path(name)))
    return [key for key in keys if _is_below(key, [folder])]


def _is_gone(key: str) -> bool:
    """Return True if a file does not exist; False if that is unknown, as in a folder that cannot be read."""
    try:
        return not Path(key).exists()
    except OSError:
        return False


def _stamp(file: Path) -> str:
    status = file.stat()
    return f"{status.st_size} {status.st_mtime_ns}"
