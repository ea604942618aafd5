"""Collects documents to write them to PostgreSQL in two statements, because each statement needs a round trip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from quoth.corpus.rows import COLUMNS, PassageRow
from quoth.reading.queries import trigrams_of, words_of

# A batch is full if it has this many passages, or this many characters of text and bytes of files together.
_PASSAGES, _SIZE = 1_000, 4_000_000
_TYPES = {"extraction": "int", "boxes": "bytea", "passages": "int"}
_COLUMNS = ", ".join(COLUMNS)
_ARRAYS = ", ".join(f"%b::{_TYPES.get(column, 'text')}[]" for column in COLUMNS)
_CHANGES = ", ".join(f"{column} = excluded.{column}" for column in COLUMNS)
# The rows of documents are locked in the order of their keys. This avoids deadlocks between machines, and two machines
# cannot write the passages of one document at the same time.
PUT_DOCUMENTS = f"""
INSERT INTO quoth.documents ({_COLUMNS}) SELECT {_COLUMNS} FROM unnest({_ARRAYS}) AS given({_COLUMNS}) ORDER BY key
ON CONFLICT (key) DO UPDATE SET {_CHANGES}
"""
# To be run afterwards in the same transaction. A statement sees what was committed before it began: if the first one
# waited for another machine, this one sees the passages of that machine, and replaces them. In one statement, they
# would stay beside the new ones.
PUT_PASSAGES = """
WITH written AS (SELECT id, key FROM quoth.documents WHERE key = ANY (%b::text[])),
old_passages AS (DELETE FROM quoth.passages USING written WHERE document = written.id),
old_originals AS (
  DELETE FROM quoth.originals USING written WHERE document = written.id AND written.key <> ALL (%b::text[]))
INSERT INTO quoth.passages (document, start, stop, text, words)
SELECT written.id, start, stop, text,
  to_tsvector('quoth.words', words) || array_to_tsvector(string_to_array(trigrams, ' '))
FROM unnest(%b::text[], %b::int[], %b::int[], %b::text[], %b::text[], %b::text[]) WITH ORDINALITY
  AS row(key, start, stop, text, words, trigrams, number)
JOIN written USING (key) ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class _PendingDocument:
    row: Sequence[Any]
    title: str
    passages: Sequence[PassageRow]
    original: bytes | None


class Batch:
    """Documents that are not written yet."""

    def __init__(self) -> None:
        self._documents: dict[str, _PendingDocument] = {}
        self._size = 0

    @property
    def is_full(self) -> bool:
        """Whether it should be written now."""
        return self._size >= _SIZE or self.passages >= _PASSAGES

    @property
    def passages(self) -> int:
        """Number of passages."""
        return sum(len(each.passages) for each in self._documents.values())

    def __len__(self) -> int:
        return len(self._documents)

    def put(
        self, key: str, row: Sequence[Any], title: str, passages: Sequence[PassageRow], original: bytes | None
    ) -> None:
        """Add a document, or replace the one with the same key.

        Args:
            key: Its key.
            row: The values of :data:`quoth.corpus.rows.COLUMNS`.
            title: Its title, which is indexed with each passage.
            passages: Its passages.
            original: The content of its file, if it is stored.
        """
        # A replaced document also moves to the end of the order.
        self._documents.pop(key, None)
        self._documents[key] = _PendingDocument(row, title, passages, original)
        self._size += sum(len(each.text) for each in passages) + len(original or b"")

    def clear(self) -> None:
        """Remove all documents."""
        self._documents.clear()
        self._size = 0

    def documents(self) -> list[list[Any]]:
        """Return the parameters of :data:`PUT_DOCUMENTS`, which are arrays."""
        return [list(column) for column in zip(*(each.row for each in self._documents.values()), strict=True)]

    def values(self) -> list[list[Any]]:
        """Return the parameters of :data:`PUT_PASSAGES`, which are arrays."""
        rows = [(key, each.title, passage) for key, each in self._documents.items() for passage in each.passages]
        contents = [f"{title}\n{passage.text}" for _, title, passage in rows]
        return [
            [*self._documents],
            [key for key, _ in self.originals()],
            [key for key, _, _ in rows],
            [passage.span.start for _, _, passage in rows],
            [passage.span.end for _, _, passage in rows],
            [passage.text for _, _, passage in rows],
            [" ".join(words_of(content)) for content in contents],
            [" ".join(trigrams_of(content)) for content in contents],
        ]

    def originals(self) -> Iterator[tuple[str, bytes]]:
        """Yield the key and the content of each file that is stored."""
        for key, each in self._documents.items():
            if each.original is not None:
                yield key, each.original
