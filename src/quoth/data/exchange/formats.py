"""The table of exchange formats, with their readers and writers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from quoth.data.check import check
from quoth.data.exchange import argilla, doccano, label_studio, nested
from quoth.data.exchange.tasks import RawTask, Task, convert_spans
from quoth.data.formats import tool_of
from quoth.data.read import file_text, read_rows
from quoth.data.rows import Problems
from quoth.data.texts import parse_json, parse_lines
from quoth.data.write import row_of, write_rows
from quoth.errors import ConfigError, MissingExtraError
from quoth.files import format_suffix, packed_bytes
from quoth.names import did_you_mean
from quoth.records import Example

# Name -> description.
FORMATS = {
    "squad": "nested SQuAD JSON",
    "flat": "rows as JSON lines, CSV or TSV, by the name of the file",
    "label-studio": "Label Studio's JSON",
    "doccano": "doccano's JSON lines",
    "argilla": "records of Argilla 2, as JSON",
    "haystack": "SQuAD JSON of Haystack's annotation tool",
    "simpletransformers": "a JSON list of contexts with their questions",
    "datasets": "a folder, as Dataset.save_to_disk writes it (extra [hub])",
}
_READERS: dict[str, Callable[[Sequence[object], Problems], Iterator[RawTask]]] = {
    "label-studio": label_studio.read,
    "doccano": doccano.read,
    "argilla": argilla.read,
}
_DOCUMENTS: dict[str, Callable[[Sequence[Example]], Any]] = {
    "label-studio": label_studio.write,
    "doccano": doccano.write,
    "argilla": argilla.write,
    "haystack": nested.write_haystack,
    "simpletransformers": nested.write_simpletransformers,
}


def _check_format(name: str) -> str:
    """Return the name of a format; raise if it is unknown."""
    if name not in FORMATS:
        meant = did_you_mean(name, FORMATS)
        raise ConfigError(f"a format must be one of {', '.join(FORMATS)}, but is {name!r}{meant}")
    return name


def read_tasks(
    source: str,
    problems: Problems,
    format_name: str | None = None,
    *,
    sep: str | None = None,
    encoding: str | None = None,
) -> list[Task]:
    """Read a file of a labelling tool, or of any format that ``read_examples`` reads.

    Args:
        source: The file.
        problems: Receives the problems.
        format_name: A key of ``FORMATS``; inferred from the keys of the records if ``None``.
        sep: Delimiter of a CSV file, as in ``read_examples``.
        encoding: Encoding of a text file, as in ``read_examples``.

    Raises:
        ConfigError: If there is no such format.
        MissingExtraError: If the format needs an extra.
    """
    name = _check_format(format_name) if format_name else None
    if name is None or name in _READERS:
        records = _records(source, problems if name else Problems(source), encoding)
        first = next((record for record in records or [] if isinstance(record, dict)), {})
        if (name := name or tool_of(first)) in _READERS and name and records is not None:
            return convert_spans(_READERS[name](records, problems), problems)
        if name in _READERS:
            return []
    examples = check(read_rows(source, problems, sep=sep, encoding=encoding), problems)
    if any(problem.level == "error" and problem.where for problem in problems.entries):
        problems.warn("", f"first repair what is unambiguous with: quoth data repair {problems.source} -o OUT.json")
    return [
        Task(f"question {number}", each.id, each.question, each.context, each.title, _labels(each))
        for number, each in enumerate(examples, 1)
    ]


def _labels(example: Example) -> tuple[Any, ...]:
    return () if example.golds is None else (("", example.golds),)


def _records(source: str, problems: Problems, encoding: str | None) -> list[object] | None:
    """Return the records of a JSON list or of JSON lines; ``None`` if it is neither, which is reported."""
    text = file_text(source, problems, encoding)
    if text is None:
        return None
    try:
        document = parse_json(text)
    except ValueError:
        document = None
    if isinstance(document, list):
        return document
    if isinstance(document, dict) and isinstance(document.get("records"), list):
        return list(document["records"])
    return list(parse_lines(text, problems))


def write_format(examples: Sequence[Example], path: Path, format_name: str, *, excel_safe: bool = False) -> None:
    """Write examples in a format.

    Raises:
        ConfigError: If there is no such format, or the file's name has the wrong extension.
        MissingExtraError: If it is ``datasets``, without the extra [hub].
    """
    name = _check_format(format_name)
    if name == "datasets":
        _save(examples, path)
    elif name in ("squad", "flat"):
        if (name == "squad") != (format_suffix(path) == ".json"):
            wanted = ".json" if name == "squad" else ".jsonl, .csv or .tsv"
            raise ConfigError(f"{path}: the name of {FORMATS[name]} must end in {wanted}, each also with .gz")
        write_rows([row_of(example) for example in examples], path, excel_safe=excel_safe)
    else:
        write_document(_DOCUMENTS[name](examples), path, name)


def write_document(document: Any, path: Path, format_name: str) -> None:
    """Write the records of a tool: as JSON lines for doccano, else as JSON; gzipped if the name ends in ``.gz``."""
    # ASCII only: JSON escapes can represent lone surrogates, which UTF-8 cannot.
    lines = [json.dumps(record) for record in document] if format_name == "doccano" else [json.dumps(document)]
    data = "".join(f"{line}\n" for line in lines).encode("ascii")
    with packed_bytes(path) as file:
        file.write(data)


def _save(examples: Sequence[Example], path: Path) -> None:
    try:
        from datasets import Dataset
    except ImportError:
        raise MissingExtraError("writing a folder of datasets", "hub") from None
    if path.suffix or path.is_file():
        raise ConfigError(f"{path}: must be the name of a folder, for datasets, but has a suffix or is a file")
    rows = []
    for example in examples:
        golds = example.golds
        texts, starts = [gold.text for gold in golds or ()], [gold.start for gold in golds or ()]
        answers = None if golds is None else {"text": texts, "answer_start": starts}
        rows.append({**row_of(example).fields, "answers": answers})
    Dataset.from_list(rows).save_to_disk(str(path))
