"""Tables on Spark: the answering function inside ``mapInArrow``, with one reader per Python worker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from quoth.tables.answer import TableAnswerer, as_table
from quoth.tables.columns import output_schema
from quoth.tables.rows import Rows, piece_size
from quoth.tables.settings import TableSettings


def answer(frame: Any, settings: TableSettings) -> Any:
    """Answer the questions of a Spark frame.

    The result is lazy. Every worker must be able to access the reader's folder; the shipped reader is part of the
    package. Set ``threads`` of the reader to the number of cores of a Spark task.

    Args:
        frame: A ``pyspark.sql.DataFrame``.
        settings: The settings of the table.

    Returns:
        A frame with the kept columns and the answers; rows keep their order within each partition.

    Raises:
        ConfigError: If the columns do not match the settings.
    """
    from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

    schema = output_schema(to_arrow_schema(frame.schema), settings)
    return frame.mapInArrow(_Mapper(TableAnswerer(settings)), from_arrow_schema(schema))


@dataclass(frozen=True)
class _Mapper:
    """The function that Spark sends to its workers."""

    answerer: TableAnswerer

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        size = piece_size(self.answerer.settings)
        pieces = (piece for batch in batches for piece in Rows(as_table(batch)).pieces(size))
        for table in self.answerer.stream(pieces):
            yield from table.combine_chunks().to_batches()
