"""Converts the rows of a table to examples, or to errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from quoth.inputs import EMPTY_QUESTION
from quoth.records import Example, Prediction
from quoth.tables.columns import QUESTION, RowError, answer_columns, kept_names, output_schema
from quoth.tables.settings import TableSettings

# Maximum number of rows in a piece, which the reader processes together, and approximate bytes of text: a piece ends
# with the row that reaches them. Both depend only on the content, so that the pieces are always the same.
PIECE, PIECE_BYTES = 128, 1 << 23


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a source.

    Attributes:
        table: The rows.
        broken: The errors of rows that the source could not read, by index.
    """

    table: pa.Table
    broken: Mapping[int, RowError] = field(default_factory=dict)

    def pieces(self, size: int) -> Iterator[Rows]:
        """Yield the rows in pieces of at most ``size`` rows; pieces of long texts have fewer rows."""
        start = 0
        while start < self.table.num_rows:
            piece = self.table.slice(start, size)
            count, _ = leading(piece, PIECE_BYTES)
            yield self.slice(start, count)
            start += count

    def slice(self, start: int, size: int) -> Rows:
        """Return some of the rows."""
        broken = {row - start: error for row, error in self.broken.items() if start <= row < start + size}
        return Rows(self.table.slice(start, size), broken)


def leading(table: pa.Table, most: int) -> tuple[int, int]:
    """Return how many leading rows have at least ``most`` bytes of text: the smallest such number.

    Returns:
        The number of rows, or of all rows if their texts are shorter; and the bytes of their texts.
    """
    ends = np.cumsum(text_bytes(table))
    count = min(int(np.searchsorted(ends, most)) + 1, len(ends))
    return count, int(ends[count - 1]) if count else 0


def text_bytes(table: pa.Table) -> NDArray[np.int64]:
    """Return the bytes of text in each row, ``(rows,)``; independent of how Arrow's buffers are laid out."""
    total = np.zeros(table.num_rows, np.int64)
    for column in table.columns:
        start = 0
        for chunk in column.chunks:
            total[start : start + len(chunk)] += _lengths(chunk)
            start += len(chunk)
    return total


def _lengths(chunk: pa.Array) -> NDArray[np.int64]:
    """Return the bytes of each text, ``(rows,)``; 0 for null and for other types."""
    types, kind = pa.types, chunk.type
    if types.is_dictionary(kind):
        lengths = np.append(_lengths(chunk.dictionary), 0)
        return np.asarray(lengths[pc.fill_null(chunk.indices.cast(pa.int64()), len(chunk.dictionary))])
    if types.is_string_view(kind) or types.is_binary_view(kind):
        return _lengths(chunk.cast(pa.large_binary()))
    if types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind) or types.is_large_binary(kind):
        return np.asarray(pc.fill_null(pc.binary_length(chunk), 0), np.int64)
    return np.zeros(len(chunk), np.int64)


def piece_size(settings: TableSettings) -> int:
    """Return the maximum number of rows in a piece."""
    return max(1, PIECE // max(1, len(settings.asked)))


@dataclass(frozen=True, slots=True, init=False, eq=False)
class RowQuestion(Example):
    """A question of a row, with the place of its answer.

    Attributes:
        piece: The piece of its row.
        place: The index of its answer in the piece.
    """

    piece: Piece
    place: int

    def __init__(self, id: str, question: str, context: str, piece: Piece, place: int) -> None:
        Example.__init__(self, id, question, context)
        object.__setattr__(self, "piece", piece)
        object.__setattr__(self, "place", place)


class Piece:
    """A piece of rows, and the outcomes of its questions so far."""

    def __init__(self, rows: Rows, settings: TableSettings) -> None:
        """Find the questions of rows.

        Raises:
            ConfigError: If the columns do not match.
        """
        self._rows = rows
        self._settings = settings
        self._schema = output_schema(rows.table.schema, settings)
        self._asked = list(_asked(rows, settings))
        self._outcomes: list[Prediction | RowError | None] = [
            item if isinstance(item, RowError) else None for item in self._asked
        ]
        self._missing = self._outcomes.count(None)

    def questions(self) -> Iterator[RowQuestion]:
        """Yield the valid questions."""
        for place, item in enumerate(self._asked):
            if not isinstance(item, RowError):
                yield RowQuestion(*item, self, place)

    def is_done(self) -> bool:
        """Return True if all outcomes are known."""
        return not self._missing

    def add(self, place: int, outcome: Prediction | RowError) -> None:
        """Set the outcome of a question."""
        self._outcomes[place] = outcome
        self._missing -= 1

    def tables(self) -> Iterator[pa.Table]:
        """Yield the kept columns with the answers: one table, or several if a long text is in many rows."""
        settings, table = self._settings, self._rows.table
        outcomes = [outcome for outcome in self._outcomes if outcome is not None]
        self._outcomes.clear()  # predictions refer to their questions, and these to this piece
        kept = table.select(kept_names(table.schema, settings))
        questions = settings.asked
        if not questions:
            yield self._table(kept, answer_columns(outcomes, settings))
        elif settings.wide:
            each = [answer_columns(outcomes[n :: len(questions)], settings) for n in range(len(questions))]
            yield self._table(kept, [column for answers in each for column in answers])
        else:
            rows = np.arange(table.num_rows).repeat(len(questions))
            ends = np.cumsum(text_bytes(kept)[rows])
            start = 0
            while start < len(rows):
                before = ends[start - 1] if start else 0
                stop = int(np.searchsorted(ends, before + PIECE_BYTES)) + 1
                texts = [questions[place % len(questions)][1] for place in range(start, min(stop, len(rows)))]
                columns = [pa.array(texts, pa.string()), *answer_columns(outcomes[start:stop], settings)]
                yield self._table(_repeated(kept, rows[start:stop]), columns)
                start = stop

    def _table(self, kept: pa.Table, answers: list[pa.Array]) -> pa.Table:
        return pa.Table.from_arrays([*kept.columns, *answers], schema=self._schema)


def _repeated(table: pa.Table, rows: NDArray[np.int64]) -> pa.Table:
    """Return the given rows. Arrow's ``take`` does not support all types, such as the string views of polars."""
    try:
        return table.take(pa.array(rows))
    except pa.ArrowNotImplementedError:
        return pa.concat_tables([table.slice(row, 1) for row in rows]).combine_chunks()


def _asked(rows: Rows, settings: TableSettings) -> Iterator[tuple[str, str, str] | RowError]:
    """Yield id, question and context of each question, or its error."""
    contexts = texts(rows.table.column(settings.context))
    if settings.asked:
        for place, context in enumerate(contexts):
            wrong = rows.broken.get(place) or _wrong(context, "context", settings)
            for name, text in settings.asked:
                yield wrong or (name, text, str(context))
        return
    questions = texts(rows.table.column(settings.question))
    for place, (question, context) in enumerate(zip(questions, contexts, strict=True)):
        wrong = rows.broken.get(place) or _wrong(question, QUESTION, settings) or _wrong(context, "context", settings)
        yield wrong or (str(place), str(question), str(context))


def _wrong(value: str | bytes | None, role: str, settings: TableSettings) -> RowError | None:
    if value is None:
        return RowError(f"null_{role}", f"the {role} must be a text, but is null")
    if isinstance(value, bytes):
        return RowError("not_utf8", f"the {role} must be UTF-8, but is not")
    if role == QUESTION:
        return None if value.strip() else RowError("empty_question", f"the question {EMPTY_QUESTION}")
    limit = settings.max_context_chars
    if limit is not None and len(value) > limit:
        return RowError(
            "context_too_long", f"the context must have at most {limit:,} characters, but has {len(value):,}"
        )
    return None


def texts(column: pa.ChunkedArray) -> list[str | bytes | None]:
    """Return the texts of a column; a text that is not UTF-8, which Arrow does not check, is returned as bytes."""
    try:
        return column.to_pylist()  # type: ignore[no-any-return]
    except UnicodeDecodeError:
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        raw = column.cast(kind).cast(pa.large_string()).cast(pa.large_binary())
        return [_text(value) for value in raw.to_pylist()]


def _text(value: bytes | None) -> str | bytes | None:
    try:
        return None if value is None else value.decode("utf-8")
    except UnicodeDecodeError:
        return value
