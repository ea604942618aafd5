"""Where a corpus is kept: one small protocol, and which store a name opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from quoth.corpus.records import Entry, Hit
from quoth.documents import Document


class Backend(Protocol):
    """Documents with their passages, and a search over them.

    Everything between the start and the end of :meth:`writing` happens wholly or not at all. Others read meanwhile.
    """

    def close(self) -> None:
        """Close it."""

    def writing(self) -> AbstractContextManager[None]:
        """Write in one transaction."""

    def put(self, key: str, stamp: str, document: Document) -> None:
        """Add a document, in place of the one with the same key; within :meth:`writing`."""

    def restamp(self, key: str, stamp: str) -> None:
        """Note that a file was touched, but not changed; within :meth:`writing`."""

    def drop(self, key: str) -> bool:
        """Remove a document, and tell whether there was one; within :meth:`writing`."""

    def entries(self) -> list[Entry]:
        """Return all documents, by name."""

    def stamps(self) -> dict[str, tuple[str, str]]:
        """Return stamp and file hash of each document, by key."""

    def document(self, key: str) -> Document:
        """Return a whole document.

        Raises:
            CorpusError: If there is none with this key.
        """

    def passages(self) -> Iterator[tuple[str, int, str]]:
        """Yield the key of its document, the start and the text of each passage."""

    def search(self, question: str, k: int) -> list[Hit]:
        """Return the best passages, best first."""


def open_backend(path: str | Path, *, create: bool) -> Backend:
    """Open what a name says: a file.

    Raises:
        CorpusError: If it is no corpus, or none of this format.
    """
    from quoth.corpus.sqlite import SqliteStore

    return SqliteStore(Path(path), create=create)
