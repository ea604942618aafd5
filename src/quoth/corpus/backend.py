"""The protocols of a corpus store, and of the search index of a corpus file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal, Protocol

from quoth.corpus.records import Entry, Hit, Known
from quoth.documents import Document

# The search engines of a corpus file.
SearchEngine = Literal["fts5", "tantivy"]
SEARCH_ENGINES: tuple[SearchEngine, ...] = ("fts5", "tantivy")


class Backend(Protocol):
    """Documents with their passages, and a search over them.

    All changes within :meth:`writing` are one transaction. Other processes can read at the same time. Every method
    raises ``CorpusError`` if the store fails, for example if the disk is full or the database does not respond.
    """

    @property
    def name(self) -> str:
        """The name of the store for users, without a password."""

    def close(self) -> None:
        """Close it."""

    def writing(self) -> AbstractContextManager[None]:
        """Write in one transaction."""

    def put(self, key: str, stamp: str, document: Document, original: bytes | None = None) -> None:
        """Add a document, or replace the one with the same key; call within :meth:`writing`.

        Args:
            key: Its identifier.
            stamp: The stamp of its file.
            document: The document.
            original: The content of its file, to render its pages; ``None`` if the format has no pages to render.
        """

    def restamp(self, key: str, stamp: str) -> None:
        """Update the stamp of a file whose content did not change; call within :meth:`writing`."""

    def drop(self, key: str) -> bool:
        """Remove a document, and return whether it existed; call within :meth:`writing`."""

    def flush(self) -> None:
        """Make all documents searchable now. Without it, the next search of any process does so."""

    def entries(self) -> list[Entry]:
        """Return all documents, sorted by name."""

    def known(self) -> Mapping[str, Known]:
        """Return the stored facts about the file of each document, by its key."""

    def document(self, key: str) -> Document:
        """Return a document with its text.

        Raises:
            CorpusError: If there is none with this key.
        """

    def original(self, key: str) -> bytes | None:
        """Return the content of a document's file; ``None`` if it was not stored."""

    def has_original(self, key: str) -> bool:
        """Return True if the content of a document's file was stored."""

    def passages(self) -> Iterator[tuple[str, int, str]]:
        """Yield each passage, document by document: the key of its document, its start in code points, and its text."""

    def search(self, question: str, k: int) -> list[Hit]:
        """Return at most the best ``k`` passages, best first; ties in the order in which they were added."""


class SearchIndex(Protocol):
    """The search index of a corpus file: returns scores for the ids of passages.

    Passages are added and removed within the transactions of the file.
    """

    def create(self) -> None:
        """Create the tables of the index in the file; call within a transaction."""

    def delete(self) -> None:
        """Delete the tables and files of the index; call within a transaction."""

    def add(self, rows: Sequence[tuple[int, str, str]]) -> None:
        """Add passages: id, text and title; call within a transaction."""

    def remove(self, rows: Sequence[tuple[int, str, str]]) -> None:
        """Remove passages: the same rows as were added; call within a transaction."""

    def committed(self) -> None:
        """Called after a transaction."""

    def flush(self) -> None:
        """Make all committed passages searchable."""

    def search(self, question: str, k: int) -> dict[int, float]:
        """Return the scores of the best passages by id: at least the best ``k``, if that many match."""
