"""Answers tables of any library (pandas, polars, pyarrow, ``datasets``), through Arrow's C interface.

The result has the same type as the input. None of the libraries is imported here: the caller has imported its module.
Only the texts of pandas and polars go through Arrow; the result keeps the other columns as they are.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
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
from quoth.tables.settings import TableSettings, is_unicode

# The class of each library's tables.
_FRAMES = {"pandas": "DataFrame", "polars": "DataFrame", "datasets": "Dataset"}
# What to do with objects that are no tables, by library and class.
_HINTS = {
    "polars.LazyFrame": "Call its collect() first.",
    "pandas.Series": "Call its to_frame() first.",
    "polars.Series": "Call its to_frame() first.",
    "datasets.IterableDataset": "Convert it first: Dataset.from_list(list(data)).",
    "datasets.DatasetDict": "Choose one of its splits.",
    "datasets.IterableDatasetDict": "Choose one of its splits.",
    "pyspark.DataFrame": "Use quoth.tables.spark.answer.",
    "ray.Dataset": "Use quoth.tables.ray.answer.",
    "ray.MaterializedDataset": "Use quoth.tables.ray.answer.",
}


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
    apart = _library(frame) in ("pandas", "polars")
    asked = replace(settings, columns=()) if apart else settings
    answered = answer_rows(reader, asked, rows.pieces(piece_size(settings)))
    return like(frame, joined(answered, rows.table.schema, asked), settings)


def rows_of(frame: Any, settings: TableSettings) -> Rows:
    """Return the texts of a pandas or polars frame, or all columns of another table, as Arrow.

    Raises:
        ConfigError: If it is not a table, or a column cannot be converted to Arrow.
    """
    if isinstance(frame, pa.Table | pa.RecordBatch):
        return Rows(as_table(frame))
    library = _library(frame)
    if library == "pandas":
        return _from_pandas(frame, settings)
    if library == "polars":
        check_columns(_schema((name, _polars_type(frame, name)) for name in frame.columns), settings)
        return Rows(pa.table(frame.select(list(dict.fromkeys(settings.text_columns)))))
    if library == "datasets":
        return Rows(as_table(frame.with_format("arrow")[:]))
    name = f"{type(frame).__module__.partition('.')[0]}.{type(frame).__name__}"
    if hasattr(frame, "__arrow_c_stream__") and name not in _HINTS:
        try:
            return Rows(pa.table(frame))
        except pa.ArrowInvalid as error:
            raise ConfigError(f"frame: cannot be converted to Arrow: {error}") from error
    hint = f" {_HINTS[name]}" if name in _HINTS else ""
    raise ConfigError(
        f"frame must be of pandas, polars, pyarrow or datasets, or have __arrow_c_stream__, but is a {name}.{hint}"
    )


def like(frame: Any, table: pa.Table, settings: TableSettings) -> Any:
    """Return an answered table with the same type as the caller's."""
    library = _library(frame)
    if library == "pandas":
        return _to_pandas(frame, table, settings)
    if library == "polars":
        return _to_polars(frame, table, settings)
    if library == "datasets":
        return _to_dataset(frame, table)
    return table


def _library(frame: Any) -> str | None:
    """Return the library whose table a frame is; ``None`` for pyarrow and others."""
    for library, name in _FRAMES.items():
        if isinstance(frame, getattr(sys.modules.get(library), name, ())):
            return library
    return None


def _schema(kinds: Iterable[tuple[Any, pa.DataType]]) -> pa.Schema:
    """Return a schema; a column is found only by a name that is a text."""
    return pa.schema([(name if isinstance(name, str) else f"{name!r} (not a text)", kind) for name, kind in kinds])


def _polars_type(frame: Any, name: str) -> pa.DataType:
    try:
        return pa.table(frame.select(name).clear()).schema.field(0).type
    except pa.ArrowInvalid:  # a type that Arrow does not have
        return pa.binary()


def _to_polars(frame: Any, table: pa.Table, settings: TableSettings) -> Any:
    """Return the caller's columns with the answers as further columns."""
    polars = sys.modules["polars"]
    own = frame if settings.columns is None else frame.select(settings.columns)
    if settings.asked and not settings.wide:
        own = own[[row for row in range(len(frame)) for _ in settings.asked]]
    answers = polars.from_arrow(table.select(answer_names(settings)))
    return polars.concat([own, answers], how="horizontal") if own.width else answers


def _from_pandas(frame: Any, settings: TableSettings) -> Rows:
    """Convert the texts of a pandas frame. A value that is not a text becomes an error of its row."""
    columns = ((name, frame.iloc[:, place]) for place, name in enumerate(frame.columns))
    check_columns(_schema((name, _pandas_type(column)) for name, column in columns), settings)
    pandas = sys.modules["pandas"]
    frame = frame[list(dict.fromkeys(settings.text_columns))]
    broken: dict[int, RowError] = {}
    for name in frame.columns:
        if str(frame[name].dtype) not in ("object", "category") and not _is_all_null(frame[name]):
            continue
        values = frame[name].tolist()
        role = settings.role(name)
        wrong = {place: error for place, value in enumerate(values) if (error := _unsuitable(value, role))}
        # A column of other values without any text is the wrong column; its type is reported.
        if not wrong or any(isinstance(value, str) for value in values):
            broken = {**wrong, **broken}
            values = [
                None if place in wrong or not isinstance(value, str) else value for place, value in enumerate(values)
            ]
        frame = frame.assign(**{name: pandas.Series(values, frame.index, object)})
    try:
        return Rows(pa.Table.from_pandas(frame, preserve_index=False), broken)
    except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError) as error:
        raise ConfigError(
            f"frame: cannot be converted to Arrow: {error}. Convert that column, or remove it."
        ) from error


def _pandas_type(column: Any) -> pa.DataType:
    """Return the Arrow type of a pandas column, if it is known before the column is converted."""
    if _is_all_null(column):
        return pa.null()
    try:
        return pa.from_numpy_dtype(column.dtype)
    except (pa.ArrowNotImplementedError, TypeError):
        return pa.string()


def _is_all_null(column: Any) -> bool:
    """Return True if a pandas column has rows but no value; its type is then arbitrary, such as float for NaN."""
    return bool(len(column) and column.isna().all())


def _unsuitable(value: Any, role: str) -> RowError | None:
    """Return the error of a value that is neither a text nor null."""
    if isinstance(value, str):
        return None if is_unicode(value) else RowError("not_utf8", f"the {role} must be UTF-8, but is not")
    pandas = sys.modules["pandas"]
    if pandas.api.types.is_scalar(value) and pandas.isna(value):
        return None
    return RowError("not_text", f"the {role} must be a text, but is a {type(value).__name__}")


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


def _to_dataset(frame: Any, table: pa.Table) -> Any:
    """Convert a table to a dataset, with the original features of its columns."""
    datasets = sys.modules["datasets"]
    made = datasets.Features.from_arrow_schema(table.schema.remove_metadata())
    features = datasets.Features({**made, **{name: kind for name, kind in frame.features.items() if name in made}})
    return datasets.Dataset(table.replace_schema_metadata(None), info=datasets.DatasetInfo(features=features))
