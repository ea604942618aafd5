"""Reads Parquet files and data sets of the Hugging Face hub. Needs the extra [hub]."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from quoth.data.rows import (
    COLUMNS,
    Problems,
    Row,
    check_columns,
    looks_like_answer,
    merge_answer_rows,
    numbered_answers,
    other_names,
    similar_name,
)
from quoth.errors import ConfigError, MissingExtraError

PREFIX = "hub:"
_ROWS = 1000  # number of rows that are converted to Python values at a time


class _Batch(Protocol):
    """Some rows of an Arrow table."""

    def to_pylist(self) -> list[dict[str, Any]]: ...


def read_parquet(data: bytes, problems: Problems, also: Collection[str] = ()) -> Iterator[Row]:
    """Yield the rows of a Parquet file with their known columns.

    Args:
        data: The file.
        problems: Receives the problems.
        also: Other columns to read.

    Raises:
        MissingExtraError: Without pyarrow.
    """

    def chosen(names: Sequence[str]) -> list[str]:
        return _read_of(names, also) if check_columns(names, problems) else []

    yield from merge_answer_rows(parquet_rows(data, problems, chosen))


def parquet_rows(
    data: bytes, problems: Problems, chosen: Callable[[Sequence[str]], Sequence[str]] = list
) -> Iterator[Row]:
    """Yield the rows of a Parquet file of any kind.

    Args:
        data: The file.
        problems: Receives the problems.
        chosen: Returns the columns to read, from the names of all; without any, there are no rows.

    Raises:
        MissingExtraError: Without pyarrow.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError("reading Parquet", "hub") from None
    try:
        file = parquet.ParquetFile(pa.BufferReader(data))
        columns = chosen(file.schema_arrow.names)
        if not columns:
            return
        table = file.read(columns=list(columns))
        table.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        problems.add("", f"must be Parquet, but pyarrow {pa.__version__} cannot read it: {_one_line(error)}")
        return
    yield from _rows(table.to_batches(_ROWS))


def read_saved(folder: Path, problems: Problems, also: Collection[str] = ()) -> Iterator[Row]:
    """Yield the rows of a folder written by ``Dataset.save_to_disk``, as :func:`read_parquet` does.

    Raises:
        MissingExtraError: Without datasets.
    """
    try:
        from datasets import load_from_disk
        from datasets.exceptions import DatasetsError
    except ImportError:
        raise MissingExtraError("reading a folder of datasets", "hub") from None
    try:
        dataset = load_from_disk(str(folder))
    except (DatasetsError, OSError, ValueError) as error:
        problems.add("", f"must be a folder that save_to_disk wrote, but: {_one_line(error)}")
        return
    if isinstance(dataset, dict):
        parts = ", ".join(str(folder / name) for name in dataset)
        problems.add("", f"must be one data set, but contains several; read one of {parts}")
        return
    names = dataset.column_names
    if check_columns(names, problems, first=dataset[0] if len(dataset) else None):
        dataset = dataset.select_columns(_read_of(names, also)).with_format("arrow")
        yield from merge_answer_rows(_rows(dataset.iter(_ROWS)))


def _read_of(names: Sequence[str], also: Collection[str]) -> list[str]:
    """Return the columns to read: known ones, also under other names, those that look like answers, and some more.

    The check reports other names, and the repair renames them.
    """
    known = {*COLUMNS, *other_names(names), *numbered_answers(names), similar_name("id", names), *also}
    return [name for name in names if name in known or looks_like_answer(name)]


def read_hub(source: str, problems: Problems, also: Collection[str] = ()) -> Iterator[Row]:
    """Yield the rows of ``hub:name:split`` or ``hub:name:config:split``; a name may be a folder of data files.

    Columns are read as by :func:`read_parquet`.

    Raises:
        ConfigError: If the source does not name a data set and a split.
        MissingExtraError: Without datasets.
    """
    name, config, split = parse_source(source)
    try:
        from datasets import load_dataset
        from datasets.exceptions import DatasetsError
    except ImportError:
        raise MissingExtraError("reading hub data sets", "hub") from None
    try:
        dataset = load_dataset(name, config, split=split)
    except (DatasetsError, OSError, ValueError, RuntimeError) as error:
        problems.add("", f"must be a data set that can be loaded, but: {_one_line(error)}")
        return
    names = dataset.column_names
    if check_columns(names, problems):
        dataset = dataset.select_columns(_read_of(names, also)).with_format("arrow")
        yield from merge_answer_rows(_rows(dataset.iter(_ROWS)))


def parse_source(source: str) -> tuple[str, str | None, str]:
    """Return the name, the configuration if there is one, and the split of a hub source.

    Raises:
        ConfigError: If one of them is missing or empty.
    """
    name, _, split = source.removeprefix(PREFIX).rpartition(":")
    config: str | None = None
    if ":" in name and not Path(name).exists():
        name, _, config = name.partition(":")
    if not name or not split or config == "":
        example = "hub:rajpurkar/squad:validation"
        raise ConfigError(f"{source}: must be hub:NAME:SPLIT or hub:NAME:CONFIG:SPLIT, such as {example}")
    return name, config, split


def _rows(batches: Iterable[_Batch]) -> Iterator[Row]:
    rows = (fields for batch in batches for fields in batch.to_pylist())
    for number, fields in enumerate(rows, 1):
        yield Row(f"row {number}", fields)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
