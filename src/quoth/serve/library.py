"""The corpus of a server: a connection per thread, and document ids that do not reveal paths."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from quoth.corpus import Corpus, Entry, Hit
from quoth.documents import Document, DocumentLimits
from quoth.files import hash_of_text
from quoth.serve.errors import ApiError

T = TypeVar("T")

_DIGITS = 32


def id_of(key: str) -> str:
    """Return the id of a document over HTTP: a hash of its key, which may be a path of this machine."""
    return hash_of_text(key)[:_DIGITS]


class Library:
    """A corpus for several threads. Other processes may add documents at the same time."""

    def __init__(self, path: str) -> None:
        """Open the corpus once, so that a damaged or missing one is an error at start-up.

        Raises:
            CorpusError: If it cannot be opened as a corpus.
        """
        self._path = path
        self._local = threading.local()
        with Corpus.open(path, create=False) as corpus:
            self._name = Path(corpus.name).name

    @property
    def name(self) -> str:
        """The name of the corpus, without folders or the host of a database."""
        return self._name

    def corpus(self) -> Corpus:
        """Return the corpus for this thread."""
        found: Corpus | None = getattr(self._local, "corpus", None)
        if found is None:
            found = self._local.corpus = Corpus.open(self._path, create=False)
        return found

    def search(self, question: str, k: int) -> list[Hit]:
        """Return the ``k`` best passages for a question, best first."""
        return self.corpus().search(question, k)

    def entries(self, wanted: str = "") -> list[Entry]:
        """Return the documents whose name or title contains a text, ignoring case, sorted by name."""
        wanted = wanted.casefold()
        return [
            entry
            for entry in self.corpus().entries()
            if wanted in entry.name.casefold() or wanted in entry.title.casefold()
        ]

    def document(self, id: str) -> tuple[Document, bool]:
        """Return a document by its id, and whether its pages can be rendered.

        Raises:
            ApiError: If no document has this id.
        """
        key = self._key(id)
        document = self.corpus().document(key)
        return document, bool(document.page_sizes) and self.corpus().has_original(key)

    def original(self, id: str) -> bytes:
        """Return the content of a document's file.

        Raises:
            ApiError: If no document has this id, or its file was not stored.
        """
        data = self.corpus().original(self._key(id))
        if data is None:
            raise ApiError(
                404, "not_drawn", "the pages of this document cannot be rendered: it is not a PDF, or its file was not "
                "stored when it was indexed", "Show its text, or index its file again.", "path.id",
            )  # fmt: skip
        return data

    def add(self, data: bytes, name: str, limits: DocumentLimits) -> Entry:
        """Add a file, and return its entry in the list of documents.

        Raises:
            DocumentError: If it cannot be read.
        """
        self.corpus().add_file(data, name, limits)
        [entry] = [entry for entry in self.corpus().entries() if entry.key == name]
        return entry

    def remove(self, id: str) -> None:
        """Remove a document.

        Raises:
            ApiError: If there is none.
        """
        self.corpus().remove_keys([self._key(id)])

    def _key(self, id: str) -> str:
        for key in self.corpus().document_keys():
            if id_of(key) == id:
                return key
        raise ApiError(
            404, "document_not_found", "no document has this id; it may have been removed",
            "List the documents with GET /v1/corpus/documents.", "path.id",
        )  # fmt: skip

    def __iter__(self) -> Iterator[Document]:
        """Yield all documents, sorted by name, with the connection of the calling thread."""
        yield from self.corpus().documents()

    def run(self, work: Callable[[Corpus], T]) -> Callable[[], T]:
        """Return a function that runs ``work`` with the corpus of the thread in which it is called."""
        return lambda: work(self.corpus())
