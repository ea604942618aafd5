"""The front door of the room: a path or a hub name to examples."""

from __future__ import annotations

import codecs
import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from quoth.data.check import check
from quoth.data.flat import read_csv, read_jsonl, read_tsv
from quoth.data.hub import PREFIX, read_hub, read_parquet
from quoth.data.rows import Problems, Row
from quoth.data.squad import read_json
from quoth.errors import DataError
from quoth.names import suggests_names
from quoth.records import Example

_READERS: dict[str, Callable[[bytes, Problems], Iterator[Row]]] = {
    ".json": read_json,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".parquet": read_parquet,
}


@suggests_names
def read_examples(source: str | os.PathLike[str], *, places: bool = True) -> list[Example]:
    """Read a data set, in its order, with every text exactly as written.

    A file's format shows in its name or its content: nested SQuAD v1.1 or v2.0 JSON, a JSON list of flat rows, JSON
    lines (MRQA's too), CSV, TSV or Parquet, each also gzipped.

    Args:
        source: A path, or ``hub:name:split`` or ``hub:name:config:split``, where the name may be a local folder.
        places: Whether golds must stand where ``answer_start`` says. ``False`` for scoring, where only their texts
            count: then every gold's start is 0, and data that the official scorers take is taken.

    Returns:
        At least one example. ``golds`` is ``None`` where the data has no answers, ``()`` where they are empty.

    Raises:
        DataError: If anything is wrong with the data; it lists every problem.
        ConfigError: If a hub source names no split.
        MissingExtraError: If Parquet or the hub is wanted without the extra [hub].

    Example:
        >>> examples = read_examples("hub:rajpurkar/squad:validation")  # doctest: +SKIP
        >>> examples = read_examples("dev-v1.1.json")
        Traceback (most recent call last):
        quoth.errors.DataError: dev-v1.1.json: there is no such file
    """
    name = os.fspath(source)
    problems = Problems(name)
    rows = read_hub(name, problems) if name.startswith(PREFIX) else _read_file(Path(name), problems)
    examples = check(rows, problems, places=places)
    if not examples and not problems.found:
        problems.add("", "must hold at least one question, but holds none")
    if problems.found:
        raise DataError(name, problems.found)
    return examples


def _read_file(path: Path, problems: Problems) -> Iterator[Row]:
    data = _bytes(path, problems)
    if data is None:
        return
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        problems.add("", "must be UTF-8, but is UTF-16; save the file as UTF-8")
    elif not data.strip():
        problems.add("", "must hold at least one question, but is empty")
    elif kind := _kind(path, data):
        yield from _READERS[kind](data, problems)
    else:
        kinds = ", ".join(_READERS)
        problems.add("", f"must have a name that tells its format ({kinds}, each also with .gz), but has not")


def _bytes(path: Path, problems: Problems) -> bytes | None:
    """Return the file's bytes, unpacked, or ``None`` if it cannot be read, which is noted."""
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    except FileNotFoundError:
        problems.add("", "must be a file, but there is none of this name")
    except IsADirectoryError:
        problems.add("", f"must be a file, but is a folder; read a data-set folder as {PREFIX}{path}:train")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        problems.add("", f"must be a whole gzip file, but is damaged: {error}")
    except OSError as error:
        problems.add("", f"must be a file that can be read, but: {(error.strerror or str(error)).lower()}")
    return None


def _kind(path: Path, data: bytes) -> str | None:
    """Return the format, as a suffix: from the content where that is beyond doubt, else from the name."""
    if data.startswith(b"PAR1"):
        return ".parquet"
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    if suffixes and suffixes[-1] in _READERS:
        return suffixes[-1]
    return ".json" if data.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"[") else None
