"""Answers batches of rows: returns the same rows with their answers, in the same order.

A row that cannot be read gets an error and does not affect other rows. The workers of all engines call
:class:`TableAnswerer`, which is pickled as its settings; each process loads the reader once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

import pyarrow as pa

from quoth.errors import InputError, QuestionTooLongError, QuothError
from quoth.reader import Reader
from quoth.reading import decide, search_batch
from quoth.stream import Stream
from quoth.tables.columns import RowError, output_schema
from quoth.tables.rows import Piece, RowQuestion, Rows, piece_size
from quoth.tables.settings import ReaderChoice, TableSettings


@dataclass(frozen=True, slots=True)
class TableAnswerer:
    """Answers the questions of Arrow batches; pickled as its settings.

    Attributes:
        settings: The columns, the questions and the reader.

    Example:
        >>> batch = pa.table({"question": ["Who wrote it?"], "context": ["It was written by Ada Lovelace."]})
        >>> TableAnswerer(TableSettings())(batch).column("answer").to_pylist()
        ['Ada Lovelace']
    """

    settings: TableSettings

    @property
    def reader(self) -> Reader:
        """The reader, loaded once per process."""
        return load_reader(self.settings.reader)

    def __call__(self, batch: pa.RecordBatch | pa.Table) -> pa.Table:
        """Answer one batch.

        Args:
            batch: Rows with the columns that the settings name.

        Returns:
            The kept columns and the answers, in the order of the rows. ``quoth.tables.columns`` lists the types.

        Raises:
            ConfigError: If the columns do not match the settings.
            ReaderError: If the reader cannot be loaded, or fails.
        """
        table = as_table(batch)
        return joined(self.stream(Rows(table).pieces(piece_size(self.settings))), table.schema, self.settings)

    def stream(self, pieces: Iterable[Rows]) -> Iterator[pa.Table]:
        """Yield the answered tables of each piece of rows, in order, with constant memory."""
        return answer_rows(self.reader, self.settings, pieces)


def answer_batch(batch: pa.RecordBatch | pa.Table, settings: TableSettings) -> pa.Table:
    """Answer one batch: ``TableAnswerer(settings)(batch)``."""
    return TableAnswerer(settings)(batch)


@lru_cache(maxsize=2)
def load_reader(choice: ReaderChoice) -> Reader:
    """Load a reader, once per process."""
    return Reader.load(choice.source, engine=choice.engine, precision=choice.precision, threads=choice.threads)


def as_table(batch: pa.RecordBatch | pa.Table) -> pa.Table:
    """Return a batch as a table, without copying."""
    return pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch


def joined(tables: Iterable[pa.Table], schema: pa.Schema, settings: TableSettings) -> pa.Table:
    """Concatenate answered pieces; without pieces, return an empty table with the output columns of a schema."""
    empty = output_schema(schema, settings).empty_table()
    return pa.concat_tables([*tables] or [empty])


def answer_rows(reader: Reader, settings: TableSettings, pieces: Iterable[Rows]) -> Iterator[pa.Table]:
    """Yield the answered tables of each piece of rows, in order; the reader processes all pieces as one stream.

    A question that cannot be read becomes an error of its row, and does not affect others.

    Raises:
        ReaderError: If the engine fails.
    """
    decode = reader.decode_settings(
        settings.top_k,
        settings.null_threshold,
        settings.max_answer_tokens,
        min_probability=settings.min_probability,
    )
    begun: deque[Piece] = deque()  # in order; a piece without a valid question is complete at once

    def questions() -> Iterator[RowQuestion]:
        for rows in pieces:
            piece = Piece(rows, settings)
            begun.append(piece)
            yield from piece.questions()

    stream = Stream(reader.windower, reader.engine, partial(search_batch, settings=decode))
    for asked, found in stream.outcomes(questions()):
        asked.piece.add(
            asked.place, _row_error(found) if isinstance(found, QuothError) else decide(asked, found, decode)
        )
        while begun and begun[0].is_done():
            yield from begun.popleft().tables()
    while begun:
        yield from begun.popleft().tables()


def _row_error(error: QuothError) -> RowError:
    if isinstance(error, QuestionTooLongError):
        code = "question_too_long"
    elif isinstance(error, InputError):
        code = "empty_question"
    else:
        code = "tokenizer_failed"
    # Remove the id from the message, because the error is in the question's row.
    text = str(error)
    return RowError(code, f"the question {text.split(': ', 1)[1]}" if text.startswith("question ") else text)
