"""Reads files, folders and patterns as documents, in order. A file that cannot be read does not stop the others."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from quoth.documents.read import KINDS, read_document
from quoth.documents.records import Document, DocumentLimits
from quoth.documents.stopping import Stop
from quoth.errors import DocumentError, InputError, reason_of

_ENDINGS = (*KINDS, ".text", ".markdown", ".htm", ".xhtml")
_AHEAD = 8
# Time limit for a local file, in seconds. A manual of 150 pages can take 20 seconds on a busy machine.
_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that could not be read, or what was skipped in a folder or in a file.

    Attributes:
        name: Its path.
        problem: The reason, as a sentence.
        is_error: Whether the file should have been read; False for what was skipped.
    """

    name: str
    problem: str
    is_error: bool = True

    def __str__(self) -> str:
        return f"{self.name}: {self.problem}"


def path_list(paths: str | Path | Iterable[str | Path]) -> list[str | Path]:
    """Return one or several paths as a list.

    Raises:
        InputError: If one is empty, which would name the current folder.
    """
    listed = [paths] if isinstance(paths, str | Path) else list(paths)
    if "" in listed:
        raise InputError("a path must not be empty; the current folder is .")
    return listed


def find_files(paths: str | Path | Iterable[str | Path]) -> Iterator[Path | Unread]:
    """Yield the files for paths: files, all files below folders, and the matches of patterns such as ``*.pdf``.

    In a folder, hidden files (whose name begins with a dot), files of other kinds, and linked folders are skipped.
    ``Unread`` items have the numbers of the last two, and each folder and link that cannot be read. Each file is
    yielded once.

    Raises:
        InputError: If a path is empty.
    """
    seen: set[Path] = set()
    for path in map(Path, path_list(paths)):
        files, problems = _find(path)
        yield from problems
        for file in files:
            if (resolved := file.resolve()) not in seen:
                seen.add(resolved)
                yield file


def _find(path: Path) -> tuple[list[Path], list[Unread]]:
    """Return the files for one path, sorted, and its problems."""
    try:
        if path.is_dir():
            folder = _Folder(path)
            return sorted(folder.files), folder.problems
        if path.exists():
            return [path], []
        files = sorted(file for file in _matching(path) if file.is_file() and not file.name.startswith("."))
    except OSError as error:
        return [], [Unread(str(path), reason_of(error))]
    except ValueError as error:  # Python before 3.13 refuses patterns such as "docs/**.md"
        return [], [Unread(str(path), f"must be a file, a folder or a pattern, but: {error}")]
    if not files:
        return [], [Unread(str(path), "must be a file, a folder or a pattern, but nothing matches")]
    return files, []


class _Folder:
    """The files below a folder, without hidden ones.

    Attributes:
        files: Those of the supported kinds.
        problems: What is skipped, and what cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.files: list[Path] = []
        self.problems: list[Unread] = []
        other: list[Path] = []
        linked: list[Path] = []
        for name, folders, names in os.walk(path, onerror=self._failed):
            folder = Path(name)
            folders[:] = [each for each in folders if not each.startswith(".")]
            # Path.is_symlink raises an OSError in a folder whose names, but not whose files, may be read.
            linked += [folder / each for each in folders if os.path.islink(folder / each)]  # noqa: PTH114
            for file in (folder / each for each in names if not each.startswith(".")):
                if file.name.lower().endswith(_ENDINGS):
                    self._add(file)
                else:
                    other.append(file)
        for skipped, one, several in (
            (other, "file of another kind is", "files of other kinds are"),
            (linked, "linked folder is", "linked folders are"),
        ):
            if skipped:
                kind = f"{several} skipped, such as" if skipped[1:] else f"{one} skipped:"
                said = f"{len(skipped)} {kind} {min(skipped).name}"
                self.problems.insert(0, Unread(str(path), said, is_error=False))

    def _add(self, file: Path) -> None:
        try:
            if file.is_file():
                self.files.append(file)
            elif file.is_symlink():
                self.problems.append(Unread(str(file), "is a link to a file that does not exist"))
        except OSError as error:
            self.problems.append(Unread(str(file), reason_of(error)))

    def _failed(self, error: OSError) -> None:
        self.problems.append(Unread(str(error.filename), (error.strerror or str(error)).lower()))


def _matching(pattern: Path) -> Iterator[Path]:
    base = Path(pattern.anchor)
    return base.glob(str(pattern.relative_to(base) if pattern.anchor else pattern))


def read_documents(
    paths: str | Path | Iterable[str | Path], limits: DocumentLimits | None = None
) -> Iterator[Document | Unread]:
    """Read files, folders and patterns. A few files are read in parallel; results are in order.

    To stop early, close or drop the iterator, which stops its parsers.

    Raises:
        InputError: If a path is empty.

    Example:
        >>> [str(each) for each in read_documents(["nothing-here.pdf"])]
        ['nothing-here.pdf: must be a file, a folder or a pattern, but nothing matches']
    """
    threads, stop = ThreadPoolExecutor(2), Stop()
    waiting: deque[Future[Document | Unread] | Unread] = deque()

    def read(file: Path) -> Document | Unread:
        with stop.applies():
            return read_file(file, limits)

    try:
        for file in find_files(paths):
            waiting.append(file if isinstance(file, Unread) else threads.submit(read, file))
            if len(waiting) > _AHEAD:
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())
    finally:
        stop.set()
        threads.shutdown(cancel_futures=True)


def read_file(path: Path, limits: DocumentLimits | None = None) -> Document | Unread:
    """Read one file."""
    loaded = load_file(path, limits)
    return loaded if isinstance(loaded, Unread) else loaded[0]


def load_file(path: Path, limits: DocumentLimits | None = None) -> tuple[Document, bytes] | Unread:
    """Read one file, and return the document and the content of the file."""
    limits = limits or DocumentLimits(seconds=_SECONDS)
    try:
        if (size := path.stat().st_size) > limits.file_bytes:
            return Unread(str(path), f"a file must have at most {limits.file_bytes:,} bytes, but has {size:,}")
        data = path.read_bytes()
        return read_document(data, str(path), limits), data
    except DocumentError as error:
        return Unread(str(path), str(error))
    except OSError as error:
        return Unread(str(path), reason_of(error))


def _result(item: Future[Document | Unread] | Unread) -> Document | Unread:
    return item if isinstance(item, Unread) else item.result()
