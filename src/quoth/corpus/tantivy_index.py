"""The search index of tantivy: a folder next to the corpus file, for corpora with more than about 20,000 passages.

The file is authoritative. Within its transactions, the ids of passages that are added or removed are written to the
table ``changed``. Later they are applied to the index in batches, and deleted from the table. If the process is killed
in between, the next flush or search applies them again, which is idempotent. If the folder is missing or belongs to
another corpus, the index is rebuilt from the passages.
"""

from __future__ import annotations

import shutil
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from quoth.errors import CorpusError, MissingExtraError
from quoth.reading.queries import query_words, trigrams_of

try:
    import tantivy
except ImportError as error:
    raise MissingExtraError("the search engine tantivy", "search") from error

_TABLE = "CREATE TABLE changed (number INTEGER PRIMARY KEY AUTOINCREMENT, passage INTEGER NOT NULL)"
# Memory of a writer, in bytes, and number of changes that are applied at once.
_HEAP, _BATCH = 100_000_000, 20_000
# The file in the folder with the id of the index. The corpus file has the same id as a setting.
_ID = "index-id"
# Number of additional passages to search for, because some may have been removed since the last flush.
_SPARE = 20


class TantivyIndex:
    """The index in the folder ``CORPUS.tantivy``.

    Args:
        base: The corpus file.
        path: Its path.
    """

    def __init__(self, base: sqlite3.Connection, path: Path) -> None:
        if str(path) == ":memory:":
            raise CorpusError("a corpus in memory must use the search engine fts5, but tantivy is given")
        self._base = base
        self._folder = path.with_name(f"{path.name}.tantivy")
        self._opened: tantivy.Index | None = None
        self._waiting = 0
        stemmer = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple()).filter(tantivy.Filter.lowercase())
        self._analyzer = stemmer.filter(tantivy.Filter.ascii_fold()).filter(tantivy.Filter.stemmer("english")).build()
        builder = tantivy.SchemaBuilder().add_unsigned_field("id", indexed=True, fast=True)
        # Title and text are one field, so that a word counts the same in both, as in FTS5.
        builder.add_text_field("text", tokenizer_name="quoth", index_option="freq")
        builder.add_text_field("trigrams", tokenizer_name="raw", index_option="freq")
        self._schema = builder.build()

    def create(self) -> None:
        """Create the table of changes; the folder is created when it is first needed."""
        self._base.execute(_TABLE)
        self._base.execute("INSERT INTO settings (name, value) VALUES ('index', '')")

    def delete(self) -> None:
        """Delete the table and the folder."""
        self._base.execute("DROP TABLE changed")
        self._base.execute("DELETE FROM settings WHERE name = 'index'")
        self._opened = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, rows: Sequence[tuple[int, str, str]]) -> None:
        """Record that passages were added or removed."""
        self._base.executemany("INSERT INTO changed (passage) VALUES (?)", [(id,) for id, _, _ in rows])
        self._waiting += len(rows)

    remove = add

    def committed(self) -> None:
        """Apply the changes if there are many, so that the next flush is short."""
        if self._waiting >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Apply all changes. If another process is applying changes now, leave it to that one or the next search."""
        self._waiting = 0
        with self._converting_errors():
            index = self._index()
            if self._has_changes() and (writer := _writer(index)) is not None:
                try:
                    self._apply_all(writer)
                finally:
                    writer.wait_merging_threads()

    @contextmanager
    def _converting_errors(self) -> Iterator[None]:
        """Raise errors of tantivy, which are ``ValueError``, and of the folder as ``CorpusError``."""
        try:
            yield
        except (ValueError, OSError) as error:
            raise CorpusError(
                f"{self._folder}: must be a search index, but cannot be used: {error}. If it is damaged, delete this "
                "folder: the next search builds it again"
            ) from error

    def _apply_all(self, writer: tantivy.IndexWriter) -> None:
        while changes := self._base.execute(
            "SELECT number, passage FROM changed ORDER BY number LIMIT ?", (_BATCH,)
        ).fetchall():
            self._apply(writer, sorted({passage for _, passage in changes}))
            writer.commit()
            self._base.execute("DELETE FROM changed WHERE number <= ?", (changes[-1][0],))

    def _apply(self, writer: tantivy.IndexWriter, ids: Sequence[int]) -> None:
        """Update passages in the index from the file; remove those that the file does not have."""
        for id in ids:
            writer.delete_documents_by_term("id", id)
            row = self._base.execute("SELECT text, title FROM passages WHERE id = ?", (id,)).fetchone()
            if row is not None:
                content = "\n".join(row)
                document = tantivy.Document()
                document.add_unsigned("id", id)
                document.add_text("text", content)
                for gram in trigrams_of(content):
                    document.add_text("trigrams", gram)
                writer.add_document(document)

    def search(self, question: str, k: int) -> dict[int, float]:
        """Return the scores of the best passages: BM25 of words plus BM25 of trigrams."""
        stems = dict.fromkeys(self._analyzer.analyze(" ".join(query_words(question))))
        terms = [("text", stem) for stem in stems] + [("trigrams", gram) for gram in trigrams_of(question)]
        if not terms:
            return {}
        clauses = [(tantivy.Occur.Should, tantivy.Query.term_query(self._schema, *term)) for term in terms]
        with self._converting_errors():
            index = self._index()
            if self._has_changes():
                self.flush()
            index.reload()
            searcher = index.searcher()
            found = searcher.search(tantivy.Query.boolean_query(clauses), limit=k + _SPARE, count=False).hits
            ids = searcher.fast_field_values("id", [address for _, address in found])
        return {cast(int, id): score for (score, _), id in zip(found, ids, strict=True)}

    def _has_changes(self) -> bool:
        return self._base.execute("SELECT 1 FROM changed LIMIT 1").fetchone() is not None

    def _index(self) -> tantivy.Index:
        """Return the index; rebuild it from the passages if it does not belong to this corpus."""
        if self._opened is None:
            if not self._is_own():
                self._reset()
            self._opened = tantivy.Index.open(str(self._folder))
            self._opened.register_tokenizer("quoth", self._analyzer)
        return self._opened

    def _is_own(self) -> bool:
        [stored] = self._base.execute("SELECT value FROM settings WHERE name = 'index'").fetchone()
        id = self._folder / _ID
        return id.is_file() and id.read_bytes() == stored.encode()

    def _reset(self) -> None:
        """Empty the folder, and record all passages as changed. Only one process does so at a time."""
        self._base.execute("BEGIN IMMEDIATE")
        try:
            if not self._is_own():
                id = uuid.uuid4().hex
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder.mkdir(exist_ok=True)
                self._base.execute("DELETE FROM changed")
                self._base.execute("INSERT INTO changed (passage) SELECT id FROM passages")
                self._base.execute("UPDATE settings SET value = ? WHERE name = 'index'", (id,))
                tantivy.Index(self._schema, str(self._folder), reuse=True)
                # If the process is killed before the commit, the file has another id, and the index is reset again.
                (self._folder / _ID).write_text(id, encoding="utf-8")
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")


def _writer(index: tantivy.Index) -> tantivy.IndexWriter | None:
    """Return a writer; ``None`` if another process is writing."""
    try:
        return index.writer(_HEAP, 1)
    except ValueError as error:
        if "LockBusy" in str(error):
            return None
        raise
