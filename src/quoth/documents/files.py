"""Reads files, folders and patterns as documents, in order. A file that cannot be read does not stop the others."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from quoth.documents.read import KINDS, read_document
from quoth.documents.records import Document, DocumentLimits
from quoth.errors import DocumentError

_ENDINGS = (*KINDS, ".text", ".markdown", ".htm", ".xhtml")
_AHEAD = 8
# Time limit for a local file, in seconds. A manual of 150 pages can take 20 seconds on a busy machine.
_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that could not be read, or the files of a folder that were skipped.

    Attributes:
        name: Its path.
        problem: The reason, as a sentence.
        is_error: Whether the file should have been read; False for skipped files.
    """

    name: str
    problem: str
    is_error: bool = True

    def __str__(self) -> str:
        return f"{self.name}: {self.problem}"


def find_files(paths: Iterable[str | Path]) -> Iterator[Path | Unread]:
    """Yield the files for some paths: files, all files below folders, and the matches of patterns such as ``*.pdf``.

    In a folder, hidden files (whose name begins with a dot) and files of other kinds are skipped. An ``Unread`` item
    has the number of those of other kinds. Each file is yielded once.
    """
    seen: set[Path] = set()
    for path in map(Path, paths):
        if path.is_dir():
            found = sorted(file for file in path.rglob("*") if file.is_file() and not _is_hidden(file, path))
            known = [file for file in found if file.name.lower().endswith(_ENDINGS)]
            if len(known) < len(found):
                other = next(file for file in found if file not in known)
                skipped = f"{len(found) - len(known)} files of other kinds are skipped, such as {other.name}"
                yield Unread(str(path), skipped, is_error=False)
        elif path.exists():
            known = [path]
        else:
            known = sorted(file for file in _matching(path) if file.is_file() and not file.name.startswith("."))
            if not known:
                yield Unread(str(path), "must be a file, a folder or a pattern, but nothing matches")
        for file in known:
            if (resolved := file.resolve()) not in seen:
                seen.add(resolved)
                yield file


def _matching(pattern: Path) -> Iterator[Path]:
    base = Path(pattern.anchor)
    return base.glob(str(pattern.relative_to(base) if pattern.anchor else pattern))


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def read_documents(paths: Iterable[str | Path], limits: DocumentLimits | None = None) -> Iterator[Document | Unread]:
    """Read files, folders and patterns. A few files are read in parallel; results are in order.

    Example:
        >>> [str(each) for each in read_documents(["nothing-here.pdf"])]
        ['nothing-here.pdf: must be a file, a folder or a pattern, but nothing matches']
    """
    with ThreadPoolExecutor(2) as threads:
        waiting: deque[Future[Document | Unread] | Unread] = deque()
        for file in find_files(paths):
            waiting.append(file if isinstance(file, Unread) else threads.submit(read_file, file, limits))
            if len(waiting) > _AHEAD:
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())


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
        return Unread(str(path), (error.strerror or str(error)).lower())


def _result(item: Future[Document | Unread] | Unread) -> Document | Unread:
    return item if isinstance(item, Unread) else item.result()
