"""The search index of SQLite: FTS5 for stemmed words, and for trigrams of scripts without spaces."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from quoth.reading.queries import trigrams_query, words_query
from quoth.text import unspaced

_SCHEMA = (
    "CREATE VIRTUAL TABLE words USING fts5(text, title, content='passages', content_rowid='id', "
    "tokenize='porter unicode61')",
    "CREATE VIRTUAL TABLE trigrams USING fts5(text, title, content='', tokenize='trigram')",
)


class Fts5Index:
    """The index. It is in the same file as the passages, so the transactions of the file keep it consistent."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self._base = base

    def create(self) -> None:
        """Create both tables."""
        for statement in _SCHEMA:
            self._base.execute(statement)

    def delete(self) -> None:
        """Delete both tables."""
        for table in ("words", "trigrams"):
            self._base.execute(f"DROP TABLE {table}")

    def add(self, rows: Sequence[tuple[int, str, str]]) -> None:
        """Add passages, each as its id, its text and its title."""
        for index, chosen in _rows_of_each(rows):
            self._base.executemany(f"INSERT INTO {index} (rowid, text, title) VALUES (?, ?, ?)", chosen)

    def remove(self, rows: Sequence[tuple[int, str, str]]) -> None:
        """Remove passages, given as to :meth:`add`: FTS5 needs the texts, because this index does not store them."""
        for index, chosen in _rows_of_each(rows):
            delete = f"INSERT INTO {index} ({index}, rowid, text, title) VALUES ('delete', ?, ?, ?)"
            self._base.executemany(delete, chosen)

    def committed(self) -> None:
        """Do nothing: the index is part of the transaction."""

    def flush(self) -> None:
        """Do nothing: the index is part of the transaction."""

    def search(self, question: str, k: int) -> dict[int, float]:
        """Return the scores of the best passages: BM25 of words plus BM25 of trigrams."""
        best: dict[int, float] = {}
        for index, query in (("words", words_query(question)), ("trigrams", trigrams_query(question))):
            if query:
                rows = self._base.execute(
                    f"SELECT rowid, -rank FROM {index} WHERE {index} MATCH ? ORDER BY rank LIMIT ?", (query, k)
                )
                for rowid, score in rows:
                    best[rowid] = best.get(rowid, 0.0) + score
        return best


def _rows_of_each(rows: Sequence[tuple[int, str, str]]) -> tuple[tuple[str, Sequence[tuple[int, str, str]]], ...]:
    """Return the rows for each table: all for words, and those of scripts without spaces for trigrams."""
    return ("words", rows), ("trigrams", [row for row in rows if unspaced(row[1]) or unspaced(row[2])])
