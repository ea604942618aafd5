"""Answers batches of rows: returns the same rows with their answers, in the same order.

A row that cannot be read gets an error and does not affect other rows. The workers of all engines call
:class:`TableAnswerer`, which is pickled as its settings; each process loads the reader once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import pyarrow as pa

from quoth.errors import InputError, QuestionTooLongError, QuothError, TokenizerError
from quoth.reader import Reader
from quoth.records import Example, Prediction
from quoth.stream import LOOK_AHEAD
from quoth.tables.columns import RowError, output_schema
from quoth.tables.rows import Piece, Rows, piece_size
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
    """Yield the answered tables of each piece of rows, in order; the reader processes all pieces as one stream."""
    waiting: deque[Piece] = deque()

    def examples() -> Iterator[Example]:
        for rows in pieces:
            piece = Piece(rows, settings)
            waiting.append(piece)
            yield from (item for item in piece.asked if isinstance(item, Example))

    for outcome in outcomes(reader, examples(), settings):
        while waiting[0].is_done():  # it has no valid question
            yield from waiting.popleft().tables()
        waiting[0].add(outcome)
        if waiting[0].is_done():
            yield from waiting.popleft().tables()
    while waiting:
        yield from waiting.popleft().tables()


def outcomes(reader: Reader, examples: Iterable[Example], settings: TableSettings) -> Iterator[Prediction | RowError]:
    """Answer examples in order; an example that the reader rejects becomes an error and does not affect others.

    Raises:
        ReaderError: If the engine fails.
    """
    source = iter(examples)
    unanswered: deque[Example] = deque()

    def noted(again: list[Example]) -> Iterator[Example]:
        for example in chain(again, source):
            unanswered.append(example)
            yield example

    again: list[Example] = []
    while True:
        try:
            for prediction in predictions(reader, noted(again), settings):
                unanswered.popleft()
                yield prediction
            return
        except (InputError, TokenizerError):
            # The stream has yielded all blocks before the one that failed.
            again = list(unanswered)
            unanswered.clear()
        yield from _one_by_one(reader, again[:LOOK_AHEAD], settings)
        again = again[LOOK_AHEAD:]


def _one_by_one(reader: Reader, block: list[Example], settings: TableSettings) -> Iterator[Prediction | RowError]:
    """Answer examples, and return an error for each rejected one."""
    wrong = [_refusal(reader, example) for example in block]
    good = (example for example, error in zip(block, wrong, strict=True) if error is None)
    answered = predictions(reader, good, settings)
    yield from (next(answered) if error is None else error for error in wrong)


def _refusal(reader: Reader, example: Example) -> RowError | None:
    try:
        reader.windower.windows(example)
    except (InputError, TokenizerError) as error:
        return _row_error(error)
    return None


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


def predictions(reader: Reader, examples: Iterable[Example], settings: TableSettings) -> Iterator[Prediction]:
    """Answer examples with the reader and the options of the settings."""
    options: dict[str, Any] = {
        "top_k": settings.top_k,
        "null_threshold": settings.null_threshold,
        "min_probability": settings.min_probability,
        "max_answer_tokens": settings.max_answer_tokens,
        # In full blocks, so that results do not depend on how fast rows arrive.
        "own_thread": False,
    }
    return reader.answer_all(examples, **options)
