"""A corpus in the schema ``quoth`` of a PostgreSQL database, which several machines can use at the same time.

The words of a passage are a ``tsvector`` with a GIN index; text in scripts without spaces is split into trigrams in the
same column. PostgreSQL's own ranks do not give rare words a higher weight, so a passage's score is the sum of the ranks
of the single words, each multiplied by its inverse document frequency. The frequencies of common words are taken from
the planner's statistics, which ``ANALYZE`` computes; those of the others are counted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast
from urllib.parse import urlsplit

from quoth.corpus.postgres_batch import PUT_DOCUMENTS, PUT_PASSAGES, Batch
from quoth.corpus.records import Entry, Hit, Known
from quoth.corpus.rows import READ, document_of, document_row, pages_of, passage_rows
from quoth.documents import Document
from quoth.errors import CorpusError, MissingExtraError
from quoth.reading.queries import query_words, trigrams_of
from quoth.records import Span, page_at

try:
    import psycopg
except ImportError as error:
    raise MissingExtraError("a corpus in PostgreSQL", "postgres") from error

FORMAT = 1
_SCHEMA = f"""
CREATE SCHEMA quoth;
CREATE TABLE quoth.settings (name text PRIMARY KEY, value text NOT NULL);
CREATE TEXT SEARCH DICTIONARY quoth.stems (TEMPLATE = snowball, LANGUAGE = english);
CREATE TEXT SEARCH CONFIGURATION quoth.words (PARSER = pg_catalog."default");
ALTER TEXT SEARCH CONFIGURATION quoth.words
  ADD MAPPING FOR asciiword, word, numword, int, uint, float, sfloat WITH quoth.stems;
CREATE TABLE quoth.documents (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT NULL UNIQUE,
  name text NOT NULL, title text NOT NULL, file_hash text NOT NULL, text_hash text NOT NULL, stamp text NOT NULL,
  extraction int NOT NULL, text text NOT NULL, pages text NOT NULL, sizes text NOT NULL, boxes bytea NOT NULL,
  passages int NOT NULL);
CREATE TABLE quoth.originals (document bigint PRIMARY KEY REFERENCES quoth.documents ON DELETE CASCADE,
  content bytea NOT NULL);
CREATE TABLE quoth.passages (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  document bigint NOT NULL REFERENCES quoth.documents ON DELETE CASCADE, start int NOT NULL, stop int NOT NULL,
  text text NOT NULL, words tsvector NOT NULL);
ALTER TABLE quoth.passages ALTER COLUMN words SET STATISTICS 1000;
CREATE INDEX passages_document ON quoth.passages (document);
CREATE INDEX passages_words ON quoth.passages USING gin (words);
INSERT INTO quoth.settings VALUES ('format', '{FORMAT}');
"""
# Key of the lock under which the schema is created: "QTC1".
_LOCK = 0x51544331
# Time after which statistics are read again, in seconds; maximum number of passages that are ranked, estimated from the
# statistics; and maximum number of words of a question that are searched, the rarest ones.
_STATISTICS_SECONDS, _RANKED, _WORDS = 60.0, 10_000, 32
# Statistics are computed again if this share of the passages is new. PostgreSQL also does so, but only after some time.
_NEW_SHARE = 0.1
_STEP = 1_000
_BEST = """
SELECT found.id, score, name, key, title, start, stop, found.text, pages FROM (
  SELECT id, document, start, stop, text, {score} AS score FROM quoth.passages WHERE words @@ %s::tsquery
  ORDER BY score DESC, id LIMIT %s) AS found
JOIN quoth.documents ON documents.id = document ORDER BY score DESC, found.id
"""


class PostgresStore:
    """An open database.

    Args:
        url: Its URL, ``postgresql://user@host/database``.
        create: Whether to create the schema if it does not exist.

    Raises:
        CorpusError: If the database does not exist, has no corpus, or has one of another format.
    """

    def __init__(self, url: str, *, create: bool) -> None:
        self._url = url
        self._statistics: tuple[float, float, dict[str, float]] | None = None
        self._batch, self._changed = Batch(), 0
        self._base = self._connect()
        try:
            self._prepare(create)
        except BaseException:
            self._base.close()
            raise

    @property
    def name(self) -> str:
        """The URL with only the host, the port and the database."""
        try:
            parts = urlsplit(self._url)
            return f"postgresql://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
        except ValueError:
            return "postgresql://"

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            return psycopg.connect(self._url, autocommit=True, connect_timeout=10, application_name="quoth")
        except psycopg.Error as error:
            raise self._error("must be a PostgreSQL database, but cannot be opened", error) from None

    def _error(self, what: str, error: psycopg.Error | UnicodeEncodeError) -> CorpusError:
        """Return an error without the URL, which may have a password."""
        reason = " ".join(str(error).split()) or type(error).__name__
        return CorpusError(f"{self.name}: {what}: {reason}")

    def _prepare(self, create: bool) -> None:
        if not self._exists():
            if not create:
                raise CorpusError(
                    f"{self.name}: must be a corpus, but the database has none. Create it with: quoth index FILES -o "
                    "postgresql://…"
                )
            with self.writing():
                self._run("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                if not self._exists():
                    self._run(_SCHEMA)
        found = self._run("SELECT value FROM quoth.settings WHERE name = 'format'").fetchone()
        if found is None or found[0] != str(FORMAT):
            raise CorpusError(
                f"{self.name}: must be a corpus of format {FORMAT}, but has format {found[0] if found else 'none'}"
            )

    def _exists(self) -> bool:
        return bool(self._one("SELECT to_regclass('quoth.settings') IS NOT NULL")[0])

    def _run(self, statement: str, values: Sequence[Any] | None = None) -> psycopg.Cursor[Any]:
        """Execute a statement; reconnect if the server was restarted since the last one."""
        if self._base.closed:
            self._base = self._connect()
        is_alone = self._base.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        try:
            return self._base.execute(statement, values)
        except psycopg.OperationalError as error:
            if not (is_alone and self._base.closed):
                raise self._error("failed", error) from None
        except (psycopg.Error, UnicodeEncodeError) as error:  # UnicodeEncodeError: lone surrogates
            raise self._error("failed", error) from None
        self._base = self._connect()
        return self._run(statement, values)

    def _one(self, statement: str, values: Sequence[Any] | None = None) -> tuple[Any, ...]:
        """Execute a statement that returns a row, and return it."""
        [row] = self._run(statement, values).fetchall()
        return cast("tuple[Any, ...]", row)

    def close(self) -> None:
        """Close the connection."""
        self._base.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Run the block in one transaction."""
        self._run("SELECT 1")
        try:
            with self._base.transaction():
                yield
                self._write_batch()
        except psycopg.Error as error:
            raise self._error("failed", error) from None
        finally:
            self._batch.clear()

    def put(self, key: str, stamp: str, document: Document, original: bytes | None = None) -> None:
        """Add a document, or replace the one with the same key; call within :meth:`writing`."""
        passages = passage_rows(document)
        row = document_row(key, stamp, document, len(passages))
        self._batch.put(key, row, document.title, passages, original)
        if self._batch.is_full:
            self._write_batch()

    def _write_batch(self) -> None:
        if not self._batch:
            return
        self._run(PUT_DOCUMENTS, self._batch.documents())
        self._run(PUT_PASSAGES, self._batch.values())
        for key, content in self._batch.originals():
            self._run(
                "INSERT INTO quoth.originals (document, content) SELECT id, %s FROM quoth.documents WHERE key = %s "
                "ON CONFLICT (document) DO UPDATE SET content = excluded.content",
                (content, key),
            )
        self._changed += self._batch.passages
        self._batch.clear()

    def restamp(self, key: str, stamp: str) -> None:
        """Update the stamp of a file whose content did not change; call within :meth:`writing`."""
        self._write_batch()
        self._run("UPDATE quoth.documents SET stamp = %s WHERE key = %s", (stamp, key))

    def drop(self, key: str) -> bool:
        """Remove a document, and return whether it existed; call within :meth:`writing`."""
        self._write_batch()
        return self._run("DELETE FROM quoth.documents WHERE key = %s", (key,)).rowcount > 0

    def flush(self) -> None:
        """Compute statistics for the scores if many passages are new. Documents are searchable without it."""
        [total] = self._one("SELECT reltuples FROM pg_class WHERE oid = 'quoth.passages'::regclass")
        if self._changed > _NEW_SHARE * total:
            self._run("ANALYZE quoth.passages")
            self._statistics, self._changed = None, 0

    def entries(self) -> list[Entry]:
        """Return all documents, sorted by name."""
        rows = self._run("SELECT key, name, title, file_hash, stamp, passages FROM quoth.documents")
        return sorted((Entry(*row) for row in rows), key=lambda entry: (entry.name, entry.key))

    def known(self) -> Mapping[str, Known]:
        """Return the stored facts about the file of each document, by its key."""
        rows = self._run("SELECT key, stamp, file_hash, extraction FROM quoth.documents")
        return {key: Known(*values) for key, *values in rows}

    def document(self, key: str) -> Document:
        """Return a document with its text."""
        row = self._run(f"SELECT {', '.join(READ)} FROM quoth.documents WHERE key = %s", (key,)).fetchone()
        if row is None:
            raise CorpusError(f"{self.name}: must have the document {key}, but it was removed")
        return document_of(row)

    def original(self, key: str) -> bytes | None:
        """Return the content of a document's file."""
        row = self._run(
            "SELECT content FROM quoth.originals JOIN quoth.documents ON documents.id = document WHERE key = %s", (key,)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def has_original(self, key: str) -> bool:
        """Return True if the content of a document's file was stored."""
        row = self._run(
            "SELECT 1 FROM quoth.originals JOIN quoth.documents ON documents.id = document WHERE key = %s", (key,)
        ).fetchone()
        return row is not None

    def passages(self) -> Iterator[tuple[str, int, str]]:
        """Yield each passage, document by document: the key of its document, its start in code points, and its text."""
        after = (0, 0)
        while True:
            rows = self._run(
                "SELECT documents.id, passages.id, key, start, passages.text FROM quoth.passages "
                "JOIN quoth.documents ON documents.id = document WHERE (documents.id, passages.id) > (%s, %s) "
                "ORDER BY documents.id, passages.id LIMIT %s",
                (*after, _STEP),
            ).fetchall()
            for *_, key, start, text in rows:
                yield key, start, text
            if len(rows) < _STEP:
                return
            after = rows[-1][:2]

    def search(self, question: str, k: int) -> list[Hit]:
        """Return the best passages, best first."""
        weights = self._weights(question)
        if not weights:
            return []
        score = " + ".join(["%s::float8 * ts_rank('{1,1,1,1}', words, %s::tsquery, 1)"] * len(weights))
        values = [part for word, weight in weights for part in (weight, _quoted(word))]
        query = " | ".join(_quoted(word) for word, _ in weights)
        rows = self._run(_BEST.format(score=score), (*values, query, k)).fetchall()
        return [
            Hit(name, key, title, Span(start, stop), text, score, page_at(pages_of(pages), start))
            for _, score, name, key, title, start, stop, text, pages in rows
        ]

    def _weights(self, question: str) -> list[tuple[str, float]]:
        """Return the lexemes to search, the rarest first, each with its inverse document frequency."""
        words = " ".join(query_words(question))
        [lexemes] = self._one("SELECT tsvector_to_array(to_tsvector('quoth.words', %s))", (words,))
        total, frequent = self._frequencies()
        counts = {word: frequent[word] * total for word in lexemes if word in frequent}
        rare = [word for word in (*lexemes, *trigrams_of(question)) if word not in counts]
        counted = self._run(
            "SELECT word, (SELECT count(*) FROM (SELECT FROM quoth.passages WHERE words @@ query LIMIT %s) AS found) "
            "FROM unnest(%s::text[], %s::tsquery[]) AS row(word, query)",
            (_RANKED, rare, list(map(_quoted, rare))),
        )
        counts.update({word: float(count) for word, count in counted if count})
        chosen: list[tuple[str, float]] = []
        expected = 0.0
        for word, count in sorted(counts.items(), key=lambda item: (item[1], item[0]))[:_WORDS]:
            expected += count
            if chosen and expected > _RANKED:
                break
            # As in BM25; never negative.
            chosen.append((word, math.log(1 + max(0.0, total - count + 0.5) / (count + 0.5))))
        return chosen

    def _frequencies(self) -> tuple[float, dict[str, float]]:
        """Return the number of passages, and the share of passages with each common lexeme."""
        now = time.monotonic()
        if self._statistics is None or now > self._statistics[0] + _STATISTICS_SECONDS:
            [total] = self._one(
                "SELECT CASE WHEN reltuples > 0 THEN reltuples ELSE (SELECT count(*) FROM quoth.passages) END "
                "FROM pg_class WHERE oid = 'quoth.passages'::regclass"
            )
            row = self._run(
                "SELECT most_common_elems::text::text[], most_common_elem_freqs FROM pg_stats "
                "WHERE schemaname = 'quoth' AND tablename = 'passages' AND attname = 'words'"
            ).fetchone()
            # The last three frequencies are the minimum, the maximum and that of null elements; zip ignores them.
            frequent = dict(zip(row[0], row[1], strict=False)) if row and row[0] else {}
            self._statistics = (now, float(total), frequent)
        return self._statistics[1:]


def _quoted(lexeme: str) -> str:
    """Return a query for one lexeme, which consists of letters, marks and digits."""
    return f"'{lexeme}'"
