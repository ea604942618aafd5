"""Reads rows from memory: pandas and polars frames, Arrow tables, data sets of ``datasets``, lists of mappings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from quoth.data.rows import Problems, Row, check_columns, merge_answer_rows, shown
from quoth.errors import ConfigError

_WANTED = "source must be a path, hub:NAME:SPLIT, a frame, a data set, or rows (mappings)"


def frame_rows(source: Any, problems: Problems) -> Iterator[Row]:
    """Yield the rows of a frame, table, data set or list.

    Raises:
        ConfigError: If the type is not supported; the message lists the supported types.
    """
    records = _records(source)
    if (names := _column_names(source)) is not None and not check_columns(names, problems):
        return
    yield from merge_answer_rows(_rows(records, problems))


def frame_records(source: Any) -> Iterable[object]:
    """Return the rows of a frame as mappings, lazily if its library supports that; other objects unchanged."""
    if callable(getattr(source, "to_batches", None)):  # pyarrow
        return (row for batch in source.to_batches() for row in batch.to_pylist())
    if callable(getattr(source, "iter_rows", None)):  # polars
        return source.iter_rows(named=True)  # type: ignore[no-any-return]
    if callable(getattr(source, "to_pylist", None)):  # a batch of pyarrow
        return source.to_pylist()  # type: ignore[no-any-return]
    if hasattr(source, "to_dict") and hasattr(source, "iloc"):  # pandas
        return ({str(name): _plain(cell) for name, cell in row.items()} for row in source.to_dict("records"))
    return source  # type: ignore[no-any-return]


def _rows(records: Iterable[object], problems: Problems) -> Iterator[Row]:
    for number, record in enumerate(records, 1):
        if isinstance(record, Mapping):
            yield Row(f"row {number}", {str(key): _plain(value) for key, value in record.items()})
        else:
            problems.add(f"row {number}", f"must be a mapping, but is {shown(record)}", "no mapping")


def _column_names(source: Any) -> list[str] | None:
    names = getattr(source, "column_names", getattr(source, "columns", None))
    names = names() if callable(names) else names
    return None if names is None or isinstance(names, dict) else [str(name) for name in names]


def _records(source: Any) -> Iterable[object]:
    if isinstance(source, Mapping) and source and all(hasattr(part, "column_names") for part in source.values()):
        raise ConfigError(f"source must be one data set, but has the parts {', '.join(source)}; take one of them")
    if isinstance(source, Mapping) or source is None:
        raise ConfigError(f"{_WANTED}, but is {shown(source) if source is None else 'one mapping; put it in a list'}")
    records = frame_records(source)
    if isinstance(records, Iterable) and not isinstance(records, bytes):
        return records
    raise ConfigError(f"{_WANTED}, but is {shown(source)}")


def _plain(value: Any) -> Any:
    """Convert values of numpy to Python, and missing values of pandas to ``None``."""
    if isinstance(value, str | bool | int | list | dict) or value is None:
        return value
    if type(value).__name__ in ("NAType", "NaTType") or value != value:
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value
