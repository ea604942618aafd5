"""Converts the inputs of callers, which have many forms, to examples."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from typing import Any

from quoth.errors import InputError
from quoth.inputs import wrong_context, wrong_question
from quoth.records import Example

Asked = Example | tuple[str, str | Sequence[str]] | Mapping[str, Any]

_WANTED = "must be examples, pairs of a question and a context, rows or a frame with columns of these names"


def as_example(id: str, question: str, context: str | Sequence[str]) -> Example:
    """Create an example from a caller's arguments, which may have any type.

    Raises:
        InputError: If the question is empty or not a text, or a context is not a text.
    """
    name = f"question {id}" if id else "the question"
    if wrong := wrong_question(question):
        raise InputError(f"{name} {wrong}")
    texts = [context] if isinstance(context, str) or not isinstance(context, Iterable) else list(context)
    for text in texts:
        if not isinstance(text, str):
            raise InputError(f"{name}: the context must be text, or several texts, but is {text!r}")
    return Example(id, question, texts)


def is_live(source: object) -> bool:
    """Return True if an input may have to wait for its next item: an iterator, such as a generator.

    A cursor of SQLite may only be used by the thread that created it, so it is not read ahead.
    """
    if not isinstance(source, Iterator) or isinstance(source, Sized):
        return False
    sqlite = sys.modules.get("sqlite3")  # Whoever has a cursor has imported it.
    return sqlite is None or not isinstance(source, sqlite.Cursor)


def as_examples(source: object) -> Iterator[Example | InputError]:
    """Yield the examples of an input, in order, and an error for each invalid item.

    Args:
        source: Examples; pairs of a question and a context or several; mappings with ``question`` and ``context``; or a
            pandas, polars or pyarrow table or a ``datasets`` data set with these columns. The id of an item without one
            is its index, from 0.

    Raises:
        InputError: If the type of the input is not supported. The message says what to do.
    """
    if wrong := _wrong_source(source):
        raise InputError(wrong)
    if isinstance(source, list | tuple | Iterator):
        return _examples(source)
    # Imported lazily, because the package imports all data formats, which are not needed to load a reader.
    from quoth.data.frames import frame_records

    return _examples(frame_records(source))


def _examples(items: Iterable[object]) -> Iterator[Example | InputError]:
    for number, asked in enumerate(items):
        try:
            yield _example_of(number, asked)
        except InputError as error:
            yield error


def _wrong_source(source: object) -> str | None:
    """Return what is wrong with an input as a whole, and what to do; ``None``: nothing."""
    if isinstance(source, str | bytes | os.PathLike):
        return f"the input {_WANTED}, but is {str(source)[:80]!r}. Of a file: quoth.read_examples(file)"
    if isinstance(source, Example):
        return "the input must be several examples, but is one: put it in a list"
    if isinstance(source, tuple) and len(source) == 2 and all(isinstance(part, str) for part in source):
        return "the input must be several pairs, but is one: put it in a list"
    if isinstance(source, Mapping) and {"question", "context"} <= source.keys():
        return "the input must be several rows, but is one: put it in a list"
    if isinstance(source, Mapping) and source and all(hasattr(part, "column_names") for part in source.values()):
        return f"the input must be one data set, but has the parts {', '.join(map(str, source))}: take one of them"
    if isinstance(source, Mapping) or (not isinstance(source, Iterable) and not hasattr(source, "to_pylist")):
        return f"the input {_WANTED}, but is {repr(source)[:80]}"
    return None


def _example_of(number: int, asked: object) -> Example:
    if isinstance(asked, Example):
        if wrong := wrong_question(asked.question):
            raise InputError(f"{asked.name} {wrong}")
        if wrong := next(filter(None, map(wrong_context, asked.contexts)), None):
            raise InputError(f"{asked.name}: the context {wrong}")
        return asked
    if isinstance(asked, Mapping):
        missing = [name for name in ("question", "context") if name not in asked]
        if missing:
            has = ", ".join(map(str, asked)) or "nothing"
            raise InputError(f"question {number}: must have {' and '.join(missing)}, but has {has}; rename them")
        id = asked.get("id")
        return as_example(str(number) if id is None or id != id else str(id), asked["question"], asked["context"])
    if isinstance(asked, str) or not isinstance(asked, Sequence) or len(asked) != 2:
        raise InputError(
            f"question {number}: must be an Example, a row, or a pair of a question and a context or several, but is "
            f"{repr(asked)[:80]}"
        )
    return as_example(str(number), *asked)
