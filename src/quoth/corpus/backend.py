"""The protocol of a corpus store, and the function that opens a store by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from quoth.corpus.records import Entry, Hit
from quoth.documents import Document


class Backend(Protocol):
    """Documents with their passages, and a search over them.

    All changes within :meth:`writing` are one transaction. Other processes can read meanwhile.
    """

    def close(self) -> None:
        """Close it."""

    def writing(self) -> AbstractContextManager[None]:
        """Write in one transaction."""

    def put(self, key: str, stamp: str, document: Document) -> None:
        """Add a document, or replace the one with the same key; call within :meth:`writing`."""

    def restamp(self, key: str, stamp: str) -> None:
        """Update the stamp of a file whose content did not change; call within :meth:`writing`."""

    def drop(self, key: str) -> bool:
        """Remove a document, and return whether it existed; call within :meth:`writing`."""

    def entries(self) -> list[Entry]:
        """Return all documents, sorted by name."""

    def stamps(self) -> dict[str, tuple[str, str]]:
        """Map the key of each document to its stamp and file hash."""

    def document(self, key: str) -> Document:
        """Return a document with its text.

        Raises:
            CorpusError: If there is none with this key.
        """

    def passages(self) -> Iterator[tuple[str, int, str]]:
        """Yield the key of its document, the start and the text of each passage."""

    def search(self, question: str, k: int) -> list[Hit]:
        """Return the best passages, best first."""


def open_backend(path: str | Path, *, create: bool) -> Backend:
    """Open a store by its name, which is the path of a file.

    Raises:
        CorpusError: If it is not a corpus, or has another format version.
    """
    from quoth.corpus.sqlite import SqliteStore

    return SqliteStore(Path(path), create=create)
