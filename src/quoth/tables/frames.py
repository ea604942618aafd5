"""Answers tables of any library (pandas, polars, pyarrow, ``datasets``), through Arrow's C interface.

The result has the same type as the input. None of the libraries is imported here: the caller has imported its module.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from quoth.errors import ConfigError
from quoth.names import suggests_names
from quoth.reader import Reader
from quoth.records import NullThreshold
from quoth.tables.answer import answer_rows, as_table, joined
from quoth.tables.columns import RowError, answer_names, check_columns
from quoth.tables.rows import Rows, piece_size
from quoth.tables.settings import TableSettings


@suggests_names
def answer_table(
    reader: Reader,
    frame: Any,
    *,
    question: str | None = None,
    context: str = "context",
    questions: Sequence[str] | Mapping[str, str] | None = None,
    wide: bool = False,
    columns: Sequence[str] | None = None,
    prefix: str = "",
    top_k: int = 1,
    min_probability: float | None = None,
    null_threshold: NullThreshold | None = None,
    max_answer_tokens: int | None = None,
    max_context_chars: int | None = None,
) -> Any:
    """Answer the questions of a table, and return it with the answers as new columns.

    Args:
        reader: The reader.
        frame: A pandas or polars DataFrame, a pyarrow Table, a ``datasets.Dataset``, or any object with the method
            ``__arrow_c_stream__``.
        question: The column of the questions; "question" if ``None``.
        context: The column of the contexts.
        questions: Questions to ask about every row, instead of a column of questions; a mapping gives them names. Each
            context is encoded once.
        wide: With ``questions``: whether there is one row per context, with columns for each question; otherwise, there
            is one row per context and question.
        columns: The input columns to keep; all if ``None``.
        prefix: Prefix of the name of each output column.
        top_k: Maximum number of answers, at least 1; above 1, there is a column ``answers`` with all of them.
        min_probability: As in :meth:`Reader.answer`.
        null_threshold: As in :meth:`Reader.answer`.
        max_answer_tokens: As in :meth:`Reader.answer`.
        max_context_chars: Maximum length of a context, in code points; a longer one is an error of its row.

    Returns:
        A table of the same type (pyarrow's for other types), with the rows in the same order, and the answers as
        further columns, which ``quoth.tables.columns`` lists. A row that cannot be read has ``error_code`` and
        ``error``.

    Raises:
        ConfigError: If a column is missing or has no text, or an option is out of range.
        TypeError: If an option is unknown.
        ReaderError: If the engine fails.

    Example:
        >>> table = pa.table({"q": ["Who wrote it?"], "body": ["It was written by Ada Lovelace."]})
        >>> answer_table(Reader.load(), table, question="q", context="body").column("answer").to_pylist()
        ['Ada Lovelace']
    """
    if question is not None and questions is not None:
        raise ConfigError("question (a column) and questions (the same ones for every row) cannot be used together")
    settings = TableSettings(
        question=question or "question",
        context=context,
        questions=questions or (),
        wide=wide,
        columns=columns,
        prefix=prefix,
        top_k=top_k,
        min_probability=min_probability,
        null_threshold=null_threshold,
        max_answer_tokens=max_answer_tokens,
        max_context_chars=max_context_chars,
    )
    rows = rows_of(frame, settings)
    # The columns of pandas need not go through Arrow.
    asked = replace(settings, columns=()) if _library(frame) == "pandas" else settings
    answered = answer_rows(reader, asked, rows.pieces(piece_size(settings)))
    return like(frame, joined(answered, rows.table.schema, asked), settings)


def rows_of(frame: Any, settings: TableSettings) -> Rows:
    """Return a frame as Arrow.

    Raises:
        ConfigError: If it is not a frame, or a column cannot be converted to Arrow.
    """
    if isinstance(frame, pa.Table | pa.RecordBatch):
        return Rows(as_table(frame))
    library = _library(frame)
    if library == "pandas":
        return _from_pandas(frame, settings)
    if library == "datasets" and hasattr(frame, "with_format"):
        return Rows(as_table(frame.with_format("arrow")[:]))
    if hasattr(frame, "__arrow_c_stream__"):
        return Rows(pa.table(frame))
    hint = " Call its collect() first." if hasattr(frame, "collect") else ""
    raise ConfigError(
        f"frame must be of pandas, polars, pyarrow or datasets, or have __arrow_c_stream__, but is a "
        f"{type(frame).__module__}.{type(frame).__name__}.{hint}"
    )


def like(frame: Any, table: pa.Table, settings: TableSettings) -> Any:
    """Return an answered table with the same type as the caller's."""
    if isinstance(frame, pa.Table | pa.RecordBatch):
        return table
    library = _library(frame)
    if library == "pandas":
        return _to_pandas(frame, table, settings)
    if library == "polars":
        return sys.modules["polars"].from_arrow(table)
    if library == "datasets":
        return _dataset(frame, table)
    return table


def _library(frame: Any) -> str:
    return type(frame).__module__.partition(".")[0]


def _from_pandas(frame: Any, settings: TableSettings) -> Rows:
    """Convert a pandas frame. In a text column, a value of another type becomes an error of its row."""
    check_columns(pa.schema([(str(name), _kind(kind)) for name, kind in frame.dtypes.items()]), settings)
    frame = frame[list(dict.fromkeys(settings.text_columns))]
    broken: dict[int, RowError] = {}
    for name in frame.columns:
        if frame[name].dtype != object:
            continue
        values = frame[name].tolist()
        role = "context" if name == settings.context else "question"
        wrong = {
            place: value for place, value in enumerate(values) if not isinstance(value, str) and not _is_null(value)
        }
        # A column without any text is the wrong column; its type is reported.
        if wrong and any(isinstance(value, str) for value in values):
            for place, value in wrong.items():
                message = f"the {role} must be a text, but is a {type(value).__name__}"
                broken.setdefault(place, RowError("not_text", message))
            frame = frame.assign(**{name: [None if place in wrong else value for place, value in enumerate(values)]})
    try:
        return Rows(pa.Table.from_pandas(frame, preserve_index=False), broken)
    except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError) as error:
        raise ConfigError(
            f"frame: cannot be converted to Arrow: {error}. Convert that column, or remove it."
        ) from error


def _kind(dtype: Any) -> pa.DataType:
    """Return the Arrow type of a pandas column, if it is known before the column is converted."""
    try:
        return pa.from_numpy_dtype(dtype)
    except (pa.ArrowNotImplementedError, TypeError):
        return pa.string()


def _to_pandas(frame: Any, table: pa.Table, settings: TableSettings) -> Any:
    """Return the caller's columns and index unchanged, with the answers as further columns.

    Integer columns stay integer columns, even if some values are null.
    """
    pandas = sys.modules["pandas"]
    own = frame if settings.columns is None else frame[list(settings.columns)]
    if settings.asked and not settings.wide:
        # There are more rows than the index has labels.
        rows = [row for row in range(len(frame)) for _ in settings.asked]
        own = own.iloc[rows].reset_index(drop=True)
    answers = table.select(answer_names(settings)).replace_schema_metadata(None).to_pandas()
    for name in answers.columns:
        if pa.types.is_integer(table.schema.field(name).type):
            answers[name] = pandas.array(table.column(name).to_pylist(), dtype="Int64")
    return pandas.concat([own, answers.set_axis(own.index, axis=0)], axis=1)


def _is_null(value: Any) -> bool:
    # NaN differs from itself; pandas' NA has no truth value.
    return (
        value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value)
    )


def _dataset(frame: Any, table: pa.Table) -> Any:
    """Convert a table to a dataset, with the original features of its columns."""
    datasets = sys.modules["datasets"]
    made = datasets.Dataset(table.replace_schema_metadata(None))
    known = {name: kind for name, kind in frame.features.items() if name in made.features}
    return made.cast(datasets.Features({**made.features, **known}))
