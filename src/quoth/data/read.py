"""Reads a data set from a path, the hub or memory as examples."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quoth.data.check import check
from quoth.data.excel import read_xlsx
from quoth.data.flat import read_csv, read_jsonl
from quoth.data.frames import frame_rows
from quoth.data.hub import PREFIX, read_hub, read_parquet, read_saved
from quoth.data.rows import Problem, Problems, Row
from quoth.data.squad import read_json
from quoth.data.texts import as_utf8, decode
from quoth.errors import DataError, reason_of
from quoth.files import format_suffix, unpacked
from quoth.names import suggests_names
from quoth.records import Example
from quoth.text import is_blank

_READERS: dict[str, Callable[[bytes, Problems], Iterator[Row]]] = {
    ".json": read_json,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": read_parquet,
    ".xlsx": read_xlsx,
}
_BINARY = (".parquet", ".xlsx")
_SHOWN = 5  # maximum number of unlabelled questions that a message lists


@dataclass(frozen=True, slots=True)
class Inspected:
    """A data set with its problems.

    Attributes:
        rows: All rows that could be read, before the check.
        examples: The examples of the rows without errors.
        problems: Errors and warnings.
        unread: The errors of parts that could not be read as rows, such as a line that is not JSON; also in
            ``problems``.
    """

    rows: list[Row]
    examples: list[Example]
    problems: Problems
    unread: list[Problem]


@suggests_names
def read_examples(
    source: str | os.PathLike[str] | Any, *, places: bool = True, sep: str | None = None, encoding: str | None = None
) -> list[Example]:
    """Read a data set, in order, without changing any text.

    The format of a file is inferred from its name or content: nested SQuAD v1.1 or v2.0 JSON, a JSON list of flat rows
    or of contexts with their questions, column-wise JSON, JSON lines (also MRQA and simpletransformers), CSV, TSV,
    Excel or Parquet, each also gzipped; or a folder written by ``Dataset.save_to_disk``.

    Args:
        source: A path, or ``hub:name:split`` or ``hub:name:config:split``, where the name may be a local folder; or
            rows in memory: a pandas or polars frame, an Arrow table, a data set of ``datasets``, a list of mappings.
        places: Whether the context must contain each gold at its ``answer_start``. Use ``False`` for scoring, which
            needs only the texts: the start of every gold is 0 then, and all data that the official scorers accept is
            valid.
        sep: Delimiter of a CSV file: one character, or "tab". If ``None``, it is inferred from the header: comma,
            semicolon, tab or bar.
        encoding: Encoding of a text file. If ``None``, UTF-8, or UTF-16 if it is recognised.

    Returns:
        At least one example. ``golds`` is ``None`` if the data has no answers, ``()`` if they are empty.

    Raises:
        DataError: If the data has errors; the message lists all of them.
        ConfigError: If a hub source has no split, the encoding does not exist, the delimiter has several characters,
            or the source has an unsupported type.
        MissingExtraError: If Parquet or the hub is read without the extra [hub], or Excel without [xlsx].

    Example:
        >>> examples = read_examples("hub:rajpurkar/squad:validation")  # doctest: +SKIP
        >>> examples = read_examples("dev-v1.1.json")
        Traceback (most recent call last):
        quoth.errors.DataError: dev-v1.1.json: there is no such file
    """
    in_memory = not isinstance(source, str | os.PathLike)
    name = f"the {type(source).__name__}" if in_memory else os.fspath(source)
    problems = Problems(name)
    rows = frame_rows(source, problems) if in_memory else read_rows(name, problems, sep=sep, encoding=encoding)
    examples = check(rows, problems, places=places)
    _not_empty(examples, problems)
    if problems.errors:
        raise DataError(name, problems.sentences(), problems.lines())
    return examples


def inspect(source: str | os.PathLike[str], *, sep: str | None = None, encoding: str | None = None) -> Inspected:
    """Read as much of a data set as possible, and return it with its errors and warnings.

    Args:
        source: As in :func:`read_examples`.
        sep: As in :func:`read_examples`.
        encoding: As in :func:`read_examples`.

    Raises:
        ConfigError: If a hub source has no split, or the encoding does not exist.
        MissingExtraError: If the format needs an extra.
    """
    name = os.fspath(source)
    problems = Problems(name)
    rows = list(read_rows(name, problems, sep=sep, encoding=encoding))
    unread = [problem for problem in problems.entries if problem.level == "error"]
    examples = check(rows, problems)
    _not_empty(examples, problems)
    for row in rows:
        if isinstance(context := row.fields.get("context"), str) and is_blank(context):
            message = f"the context is {'empty' if not context else 'only white space'}, so no question has an answer"
            problems.warn(row.where, message, "empty context")
    unlabelled = [
        row.where for row in rows if row.fields.get("answers") is None and not row.fields.get("is_impossible")
    ]
    if 0 < len(unlabelled) < len(rows):
        where = ", ".join(unlabelled[:_SHOWN]) + (", ..." if len(unlabelled) > _SHOWN else "")
        share = f"{len(unlabelled):,} of {len(rows):,} questions are unlabelled"
        problems.warn("", f"{share} ({where}): training and scoring reject them; add answers or remove them")
    return Inspected(rows, examples, problems, unread)


def read_valid(source: str) -> tuple[list[Example], list[str]]:
    """Read the questions of a data set without their golds' places, also if some are invalid.

    Returns:
        The examples of the valid rows, and a sentence for each problem of the others.

    Raises:
        DataError: If no row is valid.
    """
    problems = Problems(source)
    examples = check(read_rows(source, problems), problems, places=False)
    _not_empty(examples, problems)
    if not examples:
        raise DataError(source, problems.sentences(), problems.lines())
    return examples, problems.sentences()


def _not_empty(examples: list[Example], problems: Problems) -> None:
    if not examples and not problems.errors:
        problems.add("", "must contain at least one question, but contains none")


def read_rows(
    source: str,
    problems: Problems,
    *,
    sep: str | None = None,
    encoding: str | None = None,
    also: Collection[str] = (),
) -> Iterator[Row]:
    """Yield the rows of a file, a folder or the hub without checking them; parts that cannot be read are reported.

    Args:
        source: As in :func:`read_examples`.
        problems: Receives the problems.
        sep: As in :func:`read_examples`.
        encoding: As in :func:`read_examples`.
        also: Columns of Parquet, saved and hub data sets to read besides the known ones. Other formats are read with
            all their columns.
    """
    if source.startswith(PREFIX):
        yield from read_hub(source, problems, also)
        return
    path = Path(source)
    if (path / "dataset_info.json").is_file() or (path / "dataset_dict.json").is_file():
        yield from read_saved(path, problems, also)
        return
    data = file_bytes(path, problems)
    if data is None:
        return
    kind = _kind(path, data)
    if kind not in _BINARY:
        data = as_utf8(data, encoding, problems)
        kind = None if data is None else _kind(path, data)
    if data is None:
        return
    if not data.strip():
        problems.add("", "must contain at least one question, but is empty")
    elif kind == ".csv" or kind == ".tsv":
        yield from read_csv(data, problems, sep)
    elif kind == ".parquet":
        yield from read_parquet(data, problems, also)
    elif kind:
        yield from _READERS[kind](data, problems)
    else:
        kinds = ", ".join(_READERS)
        problems.add("", f"cannot infer the format from the name; use one of {kinds}, each also with .gz")


def file_text(source: str, problems: Problems, encoding: str | None = None) -> str | None:
    """Return the text of a file, decompressed and decoded; ``None`` if it cannot be read, which is reported."""
    data = file_bytes(Path(source), problems)
    data = None if data is None else as_utf8(data, encoding, problems)
    return None if data is None else decode(data, problems)


def file_bytes(path: Path, problems: Problems) -> bytes | None:
    """Return the decompressed bytes of a file; ``None`` if it cannot be read, which is reported."""
    try:
        return unpacked(path.read_bytes())
    except FileNotFoundError:
        problems.add("", "must be a file, but does not exist")
    except IsADirectoryError:
        problems.add("", f"must be a file, but is a folder; read a data-set folder as {PREFIX}{path}:train")
    except ValueError as error:
        problems.add("", f"must be a gzip file, but is damaged: {error}")
    except OSError as error:
        problems.add("", f"must be a file that can be read, but: {reason_of(error)}")
    return None


def _kind(path: Path, data: bytes) -> str | None:
    """Return the format as a suffix: from the content if that is unambiguous, else from the name."""
    if data.startswith(b"PAR1"):
        return ".parquet"
    if data.startswith(b"PK\x03\x04"):
        return ".xlsx"
    if (suffix := format_suffix(path)) in _READERS:
        return suffix
    return ".json" if data.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"[") else None
