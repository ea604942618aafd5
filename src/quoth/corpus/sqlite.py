"""The corpus file: an SQLite database with documents, passages and two full-text indexes.

Each document is written in one transaction, so a corpus stays consistent if the process is killed at any moment.
Other processes can read while one writes (WAL mode).
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quoth.corpus.passages import passages_of
from quoth.corpus.records import Entry, Hit, page_of
from quoth.documents import Box, Document
from quoth.errors import CorpusError
from quoth.reading.queries import UNSPACED, trigrams_query, words_query
from quoth.records import Span

FORMAT = 1
_APPLICATION = 0x51544331  # "QTC1"
_SCHEMA = """
CREATE TABLE documents (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL, title TEXT NOT NULL,
  file_hash TEXT NOT NULL, text_hash TEXT NOT NULL, stamp TEXT NOT NULL, text TEXT NOT NULL, pages TEXT NOT NULL,
  boxes BLOB NOT NULL);
CREATE TABLE passages (id INTEGER PRIMARY KEY, document INTEGER NOT NULL REFERENCES documents(id),
  start INTEGER NOT NULL, stop INTEGER NOT NULL, text TEXT NOT NULL, title TEXT NOT NULL);
CREATE INDEX passages_document ON passages(document);
CREATE VIRTUAL TABLE words USING fts5(text, title, content='passages', content_rowid='id', tokenize='porter unicode61');
CREATE VIRTUAL TABLE trigrams USING fts5(text, title, content='', tokenize='trigram');
"""


class SqliteStore:
    """An open corpus file.

    Raises:
        CorpusError: If the file is not a corpus, or has another format version.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        if not create and not path.is_file():
            raise CorpusError(
                f"{path}: must be a corpus, but does not exist. Create it with: quoth index FILES -o {path}"
            )
        self._path = path
        self._base = sqlite3.connect(path, isolation_level=None, timeout=60.0)
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            self._base.close()
            raise CorpusError(f"{path}: must be a corpus, but: {error}") from None
        except CorpusError:
            self._base.close()
            raise

    def _prepare(self) -> None:
        [application] = self._base.execute("PRAGMA application_id").fetchone()
        [version] = self._base.execute("PRAGMA user_version").fetchone()
        [tables] = self._base.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != _APPLICATION:
            raise CorpusError(f"{self._path}: must be a corpus, but is another SQLite file")
        if tables and version != FORMAT:
            raise CorpusError(
                f"{self._path}: must be a corpus of format {FORMAT}, but has format {version}. Index its files again"
            )
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = NORMAL")
        if not tables:
            with self.writing():
                [tables] = self._base.execute("SELECT count(*) FROM sqlite_master").fetchone()
                if not tables:
                    for statement in _SCHEMA.split(";\n"):
                        if statement.strip():
                            self._base.execute(statement)
                    self._base.execute(f"PRAGMA application_id = {_APPLICATION}")
                    self._base.execute(f"PRAGMA user_version = {FORMAT}")

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Run the block in one transaction."""
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")

    def put(self, key: str, stamp: str, document: Document) -> None:
        """Add a document, or replace the one with the same key; call within :meth:`writing`."""
        self.drop(key)
        boxes = [
            (box.span.start, box.span.end, box.page, box.left, box.top, box.right, box.bottom) for box in document.boxes
        ]
        row = (
            *(key, document.name, document.title, document.file_hash, document.text_hash, stamp, document.text),
            json.dumps([(page.start, page.end) for page in document.pages]),
            zlib.compress(json.dumps(boxes).encode(), 1) if boxes else b"",
        )
        cursor = self._base.execute(
            "INSERT INTO documents (key, name, title, file_hash, text_hash, stamp, text, pages, boxes) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        [last] = self._base.execute("SELECT coalesce(max(id), 0) FROM passages").fetchone()
        spans, title = passages_of(document.text), document.title
        texts = [span.of(document.text) for span in spans]
        rows = [
            (number, cursor.lastrowid, span.start, span.end, text, title)
            for number, (span, text) in enumerate(zip(spans, texts, strict=True), last + 1)
        ]
        self._base.executemany(
            "INSERT INTO passages (id, document, start, stop, text, title) VALUES (?, ?, ?, ?, ?, ?)", rows
        )
        entries = [(number, text, title) for number, text in enumerate(texts, last + 1)]
        self._base.executemany("INSERT INTO words (rowid, text, title) VALUES (?, ?, ?)", entries)
        unspaced = entries if UNSPACED.search(title) else [entry for entry in entries if UNSPACED.search(entry[1])]
        self._base.executemany("INSERT INTO trigrams (rowid, text, title) VALUES (?, ?, ?)", unspaced)

    def restamp(self, key: str, stamp: str) -> None:
        """Update the stamp of a file whose content did not change; call within :meth:`writing`."""
        self._base.execute("UPDATE documents SET stamp = ? WHERE key = ?", (stamp, key))

    def drop(self, key: str) -> bool:
        """Remove a document, and return whether it existed; call within :meth:`writing`."""
        row = self._base.execute("SELECT id FROM documents WHERE key = ?", (key,)).fetchone()
        if row is None:
            return False
        passages = self._base.execute("SELECT id, text, title FROM passages WHERE document = ?", row).fetchall()
        for index in ("words", "trigrams"):
            chosen = [
                passage
                for passage in passages
                if index == "words" or UNSPACED.search(passage[1]) or UNSPACED.search(passage[2])
            ]
            # An FTS5 index that does not store its texts needs them to delete an entry.
            self._base.executemany(
                f"INSERT INTO {index} ({index}, rowid, text, title) VALUES ('delete', ?, ?, ?)", chosen
            )
        self._base.execute("DELETE FROM passages WHERE document = ?", row)
        self._base.execute("DELETE FROM documents WHERE id = ?", row)
        return True

    def entries(self) -> list[Entry]:
        """Return all documents, sorted by name."""
        rows = self._base.execute(
            "SELECT key, name, documents.title, file_hash, stamp, count(passages.id) FROM documents "
            "LEFT JOIN passages ON document = documents.id GROUP BY documents.id ORDER BY name"
        )
        return [Entry(*row) for row in rows]

    def stamps(self) -> dict[str, tuple[str, str]]:
        """Map the key of each document to its stamp and file hash."""
        rows = self._base.execute("SELECT key, stamp, file_hash FROM documents")
        return {key: (stamp, file_hash) for key, stamp, file_hash in rows}

    def document(self, key: str) -> Document:
        """Return a document with its text."""
        row = self._base.execute(
            "SELECT text, pages, name, title, boxes, file_hash FROM documents WHERE key = ?", (key,)
        ).fetchone()
        if row is None:
            raise CorpusError(f"{self._path}: must have the document {key}, but it was removed")
        text, pages, name, title, boxes, file_hash = row
        found = json.loads(zlib.decompress(boxes)) if boxes else []
        return Document(
            text,
            tuple(Span(start, end) for start, end in json.loads(pages)),
            name,
            title,
            tuple(Box(Span(box[0], box[1]), *box[2:]) for box in found),
            file_hash=file_hash,
        )

    def passages(self) -> Iterator[tuple[str, int, str]]:
        """Yield the key of its document, the start and the text of each passage, document by document."""
        yield from self._base.execute(
            "SELECT key, start, passages.text FROM passages JOIN documents ON documents.id = document "
            "ORDER BY passages.id"
        )

    def search(self, question: str, k: int) -> list[Hit]:
        """Return the best passages, best first."""
        best: dict[int, float] = {}
        for index, query in (("words", words_query(question)), ("trigrams", trigrams_query(question))):
            if query:
                rows = self._base.execute(
                    f"SELECT rowid, -rank FROM {index} WHERE {index} MATCH ? ORDER BY rank LIMIT ?",
                    (query, k),
                )
                for rowid, score in rows:
                    best[rowid] = best.get(rowid, 0.0) + score
        ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))[:k]
        return [self._hit(rowid, score) for rowid, score in ranked]

    def _hit(self, rowid: int, score: float) -> Hit:
        name, key, title, start, stop, text, pages = self._base.execute(
            "SELECT name, key, documents.title, start, stop, passages.text, pages FROM passages "
            "JOIN documents ON documents.id = document WHERE passages.id = ?",
            (rowid,),
        ).fetchone()
        return Hit(name, key, title, Span(start, stop), text, score, page_of(json.loads(pages), start))
