"""Answers the questions of tables: Arrow in, Arrow out. Local jobs, Ray and Spark all call the same function."""

from importlib.util import find_spec

from quoth.errors import MissingExtraError

if find_spec("pyarrow") is None:
    raise MissingExtraError("quoth.tables", "tables")

from quoth.tables.answer import TableAnswerer, answer_batch
from quoth.tables.columns import output_schema
from quoth.tables.frames import answer_table
from quoth.tables.settings import ReaderChoice, TableSettings

__all__ = ["ReaderChoice", "TableAnswerer", "TableSettings", "answer_batch", "answer_table", "output_schema"]
