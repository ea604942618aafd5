"""The corpus file: an SQLite database with documents and passages, and a search index for them.

Each document is written in one transaction, so a corpus stays consistent if the process is killed at any moment.
Other processes can read while one writes (WAL mode).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quoth.corpus.backend import SearchEngine, SearchIndex
from quoth.corpus.fts5 import Fts5Index
from quoth.corpus.records import Entry, Hit, Known
from quoth.corpus.rows import COLUMNS, READ, document_of, document_row, pages_of, passage_rows
from quoth.documents import Document
from quoth.errors import CorpusError
from quoth.records import Span, page_at

FORMAT = 2
_APPLICATION = 0x51544331  # "QTC1"
_SCHEMA = (
    "CREATE TABLE documents (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL, "
    "title TEXT NOT NULL, file_hash TEXT NOT NULL, text_hash TEXT NOT NULL, stamp TEXT NOT NULL, text TEXT NOT NULL, "
    "pages TEXT NOT NULL, boxes BLOB NOT NULL, sizes TEXT NOT NULL DEFAULT '[]', extraction INTEGER NOT NULL "
    "DEFAULT 0, passages INTEGER NOT NULL DEFAULT 0)",
    "CREATE TABLE passages (id INTEGER PRIMARY KEY, document INTEGER NOT NULL REFERENCES documents(id), "
    "start INTEGER NOT NULL, stop INTEGER NOT NULL, text TEXT NOT NULL, title TEXT NOT NULL)",
    "CREATE INDEX passages_document ON passages(document)",
)
# The tables that format 2 added: the content of files whose pages can be rendered, and settings.
_ADDED = (
    "CREATE TABLE originals (document INTEGER PRIMARY KEY REFERENCES documents(id), content BLOB NOT NULL)",
    "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
)
_MIGRATION = (
    "ALTER TABLE documents ADD COLUMN sizes TEXT NOT NULL DEFAULT '[]'",
    # With extraction version 0, the next run reads the files again, because PDFs need their content and page sizes.
    "ALTER TABLE documents ADD COLUMN extraction INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE documents ADD COLUMN passages INTEGER NOT NULL DEFAULT 0",
    "UPDATE documents SET passages = (SELECT count(*) FROM passages WHERE document = documents.id)",
    *_ADDED,
)
_STEP = 1_000


class SqliteStore:
    """An open corpus file.

    Args:
        path: The file; ``:memory:`` for a corpus in memory.
        create: Whether to create it if it does not exist.
        search: The search engine; the stored one if ``None``. If it differs from the stored one, the index is rebuilt.

    Raises:
        CorpusError: If the file is not a corpus, or has an unsupported format version.
        MissingExtraError: If the library of its search engine is not installed.
    """

    def __init__(self, path: Path, *, create: bool, search: SearchEngine | None = None) -> None:
        # Path.is_dir and Path.is_file raise an OSError for a name that is too long.
        if os.path.isdir(path):  # noqa: PTH112
            raise CorpusError(f"{path}: must be a corpus, but is a folder")
        if not create and not os.path.isfile(path):  # noqa: PTH113
            raise _missing(path, "does not exist")
        self._path = path
        self._index: SearchIndex
        try:
            self._base = sqlite3.connect(path, isolation_level=None, timeout=60.0)
        except (sqlite3.Error, ValueError) as error:  # ValueError: a name with a NUL character
            raise CorpusError(f"{path}: must be a corpus, but cannot be opened: {error}") from None
        try:
            self._prepare(create, search)
        except sqlite3.DatabaseError as error:
            self._base.close()
            is_other = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB
            found = "is another kind of file" if is_other else f"cannot be read: {error}"
            raise CorpusError(f"{path}: must be a corpus, but {found}") from None
        except BaseException:
            self._base.close()
            raise

    @property
    def name(self) -> str:
        """The path of the file."""
        return str(self._path)

    def _prepare(self, create: bool, search: SearchEngine | None) -> None:
        version = self._version()
        if version == 0 and not create:
            raise _missing(self._path, "is empty")
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = NORMAL")
        if version != FORMAT:
            with self._transaction():
                # Another process may have created or migrated the file in the meantime.
                if (version := self._version()) == 0:
                    self._create(search or "fts5")
                elif version == 1:
                    self._migrate()
        [stored] = self._base.execute("SELECT value FROM settings WHERE name = 'search'").fetchone()
        self._index = self._open_index(stored)
        if search not in (None, stored):
            self._replace_index(search)

    def _version(self) -> int:
        """Return the format version of the file; 0 if it is empty."""
        [application] = self._base.execute("PRAGMA application_id").fetchone()
        [version] = self._base.execute("PRAGMA user_version").fetchone()
        [tables] = self._base.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != _APPLICATION:
            raise CorpusError(f"{self._path}: must be a corpus, but is another SQLite file")
        if tables and version not in (1, FORMAT):
            raise CorpusError(
                f"{self._path}: must be a corpus of format {FORMAT}, but has format {version}. Index its files again, "
                "or upgrade Quoth if the format is newer"
            )
        return int(version) if tables else 0

    def _create(self, search: SearchEngine) -> None:
        for statement in (*_SCHEMA, *_ADDED, f"PRAGMA application_id = {_APPLICATION}"):
            self._base.execute(statement)
        self._stamp_format(search)
        self._open_index(search).create()

    def _migrate(self) -> None:
        for statement in _MIGRATION:
            self._base.execute(statement)
        self._stamp_format("fts5")

    def _stamp_format(self, search: SearchEngine) -> None:
        self._base.execute("INSERT INTO settings (name, value) VALUES ('search', ?)", (search,))
        self._base.execute(f"PRAGMA user_version = {FORMAT}")

    def _open_index(self, search: str) -> SearchIndex:
        if search == "fts5":
            return Fts5Index(self._base)
        from quoth.corpus.tantivy_index import TantivyIndex

        return TantivyIndex(self._base, self._path)

    def _replace_index(self, search: SearchEngine) -> None:
        """Build the index of another search engine from the passages."""
        new = self._open_index(search)
        with self._transaction():
            self._index.delete()
            new.create()
            self._base.execute("UPDATE settings SET value = ? WHERE name = 'search'", (search,))
            rows = self._base.execute("SELECT id, text, title FROM passages")
            while batch := rows.fetchmany(_STEP):
                new.add(batch)
        self._index = new
        new.flush()

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    @contextmanager
    def _converting_errors(self) -> Iterator[None]:
        """Raise errors of SQLite, and of texts that UTF-8 cannot encode, as ``CorpusError``."""
        try:
            yield
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise CorpusError(f"{self._path}: {error}") from error

    def _run(self, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        with self._converting_errors():
            return self._base.execute(statement, values)

    def _rows(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return all rows. SQLite reads the file while rows are fetched, so that can fail too."""
        with self._converting_errors():
            return self._base.execute(statement, values).fetchall()

    def _row(self, statement: str, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """Return the first row; ``None`` if there is none."""
        with self._converting_errors():
            row: tuple[Any, ...] | None = self._base.execute(statement, values).fetchone()
            return row

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._run("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._run("ROLLBACK")
            raise
        self._run("COMMIT")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Run the block in one transaction."""
        with self._converting_errors():
            with self._transaction():
                yield
            self._index.committed()

    def flush(self) -> None:
        """Make all documents searchable."""
        with self._converting_errors():
            self._index.flush()

    def put(self, key: str, stamp: str, document: Document, original: bytes | None = None) -> None:
        """Add a document, or replace the one with the same key; call within :meth:`writing`."""
        passages = passage_rows(document)
        row = document_row(key, stamp, document, len(passages))
        self.drop(key)
        marks = ", ".join("?" * len(COLUMNS))
        id = self._run(f"INSERT INTO documents ({', '.join(COLUMNS)}) VALUES ({marks})", row).lastrowid
        if original is not None:
            self._run("INSERT INTO originals (document, content) VALUES (?, ?)", (id, original))
        first = self._next_passage(len(passages))
        title = document.title
        self._base.executemany(
            "INSERT INTO passages (id, document, start, stop, text, title) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (number, id, each.span.start, each.span.end, each.text, title)
                for number, each in enumerate(passages, first)
            ],
        )
        self._index.add([(number, each.text, title) for number, each in enumerate(passages, first)])

    def _next_passage(self, count: int) -> int:
        """Reserve ids for new passages; return the first. Ids are never reused, because an index may lag behind."""
        [[last]] = self._rows(
            "SELECT max(coalesce((SELECT max(id) FROM passages), 0), "
            "coalesce((SELECT CAST(value AS INTEGER) FROM settings WHERE name = 'last_passage'), 0))"
        )
        self._run("INSERT OR REPLACE INTO settings (name, value) VALUES ('last_passage', ?)", (str(last + count),))
        return int(last) + 1

    def restamp(self, key: str, stamp: str) -> None:
        """Update the stamp of a file whose content did not change; call within :meth:`writing`."""
        self._run("UPDATE documents SET stamp = ? WHERE key = ?", (stamp, key))

    def drop(self, key: str) -> bool:
        """Remove a document, and return whether it existed; call within :meth:`writing`."""
        row = self._row("SELECT id FROM documents WHERE key = ?", (key,))
        if row is None:
            return False
        self._index.remove(self._rows("SELECT id, text, title FROM passages WHERE document = ?", row))
        for table, column in (("originals", "document"), ("passages", "document"), ("documents", "id")):
            self._run(f"DELETE FROM {table} WHERE {column} = ?", row)
        return True

    def entries(self) -> list[Entry]:
        """Return all documents, sorted by name."""
        rows = self._rows("SELECT key, name, title, file_hash, stamp, passages FROM documents ORDER BY name, key")
        return [Entry(*row) for row in rows]

    def known(self) -> Mapping[str, Known]:
        """Return the stored facts about the file of each document, by its key."""
        rows = self._rows("SELECT key, stamp, file_hash, extraction FROM documents")
        return {key: Known(*values) for key, *values in rows}

    def document(self, key: str) -> Document:
        """Return a document with its text."""
        row = self._row(f"SELECT {', '.join(READ)} FROM documents WHERE key = ?", (key,))
        if row is None:
            raise CorpusError(f"{self._path}: must have the document {key}, but it was removed")
        return document_of(row)

    def original(self, key: str) -> bytes | None:
        """Return the content of a document's file."""
        row = self._row("SELECT content FROM originals JOIN documents ON documents.id = document WHERE key = ?", (key,))
        return None if row is None else bytes(row[0])

    def has_original(self, key: str) -> bool:
        """Return True if the content of a document's file was stored."""
        row = self._row("SELECT 1 FROM originals JOIN documents ON documents.id = document WHERE key = ?", (key,))
        return row is not None

    def passages(self) -> Iterator[tuple[str, int, str]]:
        """Yield each passage, document by document: the key of its document, its start in code points, and its text."""
        with self._converting_errors():
            yield from self._base.execute(
                "SELECT key, start, passages.text FROM passages JOIN documents ON documents.id = document "
                "ORDER BY passages.id"
            )

    def search(self, question: str, k: int) -> list[Hit]:
        """Return the best passages, best first."""
        with self._converting_errors():
            best = self._index.search(question, k)
        ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))
        hits = (self._hit(id, score) for id, score in ranked)
        return [hit for hit in hits if hit is not None][:k]

    def _hit(self, id: int, score: float) -> Hit | None:
        """Return a passage; ``None`` if it was removed, but is still in the index."""
        row = self._row(
            "SELECT name, key, documents.title, start, stop, passages.text, pages FROM passages "
            "JOIN documents ON documents.id = document WHERE passages.id = ?",
            (id,),
        )
        if row is None:
            return None
        name, key, title, start, stop, text, pages = row
        return Hit(name, key, title, Span(start, stop), text, score, page_at(pages_of(pages), start))


def _missing(path: Path, found: str) -> CorpusError:
    return CorpusError(f"{path}: must be a corpus, but {found}. Create it with: quoth index FILES -o {path}")
