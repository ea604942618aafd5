"""Rows of a table and the questions in them: which can be asked, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from quoth.records import Example, Prediction
from quoth.tables.columns import QUESTION, RowError, answer_columns, kept_names, output_schema
from quoth.tables.settings import TableSettings

# Rows that go through the reader together: few, so that long texts take little memory.
PIECE = 128


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows as a source gives them.

    Attributes:
        table: The rows.
        broken: What is wrong with those that the source could not read, by their place in the table.
    """

    table: pa.Table
    broken: Mapping[int, RowError] = field(default_factory=dict)

    def pieces(self, size: int) -> Iterator[Rows]:
        """Yield the rows in pieces of a size, the last one shorter."""
        for start in range(0, self.table.num_rows, size):
            yield self.slice(start, size)

    def slice(self, start: int, size: int) -> Rows:
        """Return some of the rows."""
        broken = {row - start: error for row, error in self.broken.items() if start <= row < start + size}
        return Rows(self.table.slice(start, size), broken)


def piece_size(settings: TableSettings) -> int:
    """Return how many rows go through the reader together."""
    return max(1, PIECE // max(1, len(settings.asked)))


class Piece:
    """Some rows on their way: what is asked of them, and the outcomes so far, in the same order.

    Attributes:
        asked: For each row, and each question of it: an example, or why there is none.
    """

    def __init__(self, rows: Rows, settings: TableSettings) -> None:
        """Take the rows.

        Raises:
            ConfigError: If their columns do not fit.
        """
        self._rows = rows
        self._settings = settings
        self._schema = output_schema(rows.table.schema, settings)
        self.asked = list(_asked(rows, settings))
        self._outcomes: list[Prediction | RowError] = []
        self._skip()

    def is_done(self) -> bool:
        """Whether all outcomes are there."""
        return len(self._outcomes) == len(self.asked)

    def add(self, outcome: Prediction | RowError) -> None:
        """Take the outcome of the next example."""
        self._outcomes.append(outcome)
        self._skip()

    def _skip(self) -> None:
        for item in self.asked[len(self._outcomes) :]:
            if isinstance(item, Example):
                return
            self._outcomes.append(item)

    def table(self) -> pa.Table:
        """Return the kept columns with the answers."""
        settings, table = self._settings, self._rows.table
        kept = table.select(kept_names(table.schema, settings))
        questions = settings.asked
        if not questions:
            columns = answer_columns(self._outcomes, settings)
        elif settings.wide:
            each = [answer_columns(self._outcomes[n :: len(questions)], settings) for n in range(len(questions))]
            columns = [column for answers in each for column in answers]
        else:
            indices = [row for row in range(table.num_rows) for _ in questions]
            kept = kept.take(pa.array(indices, pa.int64()))
            texts = [text for _ in range(table.num_rows) for _, text in questions]
            columns = [pa.array(texts, pa.string()), *answer_columns(self._outcomes, settings)]
        return pa.Table.from_arrays([*kept.columns, *columns], schema=self._schema)


def _asked(rows: Rows, settings: TableSettings) -> Iterator[Example | RowError]:
    contexts = texts(rows.table.column(settings.context))
    if settings.asked:
        for place, context in enumerate(contexts):
            wrong = rows.broken.get(place) or _wrong(context, "context", settings)
            for name, text in settings.asked:
                yield wrong or Example(name, text, str(context))
        return
    questions = texts(rows.table.column(settings.question))
    for place, (question, context) in enumerate(zip(questions, contexts, strict=True)):
        wrong = rows.broken.get(place) or _wrong(question, QUESTION, settings) or _wrong(context, "context", settings)
        yield wrong or Example(str(place), str(question), str(context))


def _wrong(value: str | bytes | None, role: str, settings: TableSettings) -> RowError | None:
    if value is None:
        return RowError(f"null_{role}", f"the {role} must be a text, but is null")
    if isinstance(value, bytes):
        return RowError("not_utf8", f"the {role} must be UTF-8, but holds other bytes")
    if role == QUESTION:
        return None if value.strip() else RowError("empty_question", "the question must not be empty")
    limit = settings.max_context_chars
    if limit is not None and len(value) > limit:
        return RowError(
            "context_too_long", f"the context must have at most {limit:,} characters, but has {len(value):,}"
        )
    return None


def texts(column: pa.ChunkedArray) -> list[str | bytes | None]:
    """Return the texts of a column; one that is not UTF-8, as Arrow does not check, as its bytes."""
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
