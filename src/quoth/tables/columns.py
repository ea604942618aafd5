"""The input and output columns, and the Arrow types of answers.

An answer has ten columns, all nullable:

    answer            string   exact text of the best answer; null if the reader abstains, or the row has an error
    start, end        int64    its span in the context, in code points, half-open
    probability       float64  probability that it is right, in [0, 1]
    null_probability  float64  probability that the context does not answer, in [0, 1]; null if nothing was read
    score             float64  sum of its start and end logits
    windows           int32    number of windows; null if the row has an error
    reason            string   reason why there is no answer, as a sentence
    error_code        string   why the row could not be read; null if it could be read
    error             string   the same as a sentence

With ``top_k`` above 1 there is also ``answers``: a list of (text, start, end, probability, score), best first, even if
the reader abstains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import pyarrow as pa

from quoth.errors import ConfigError
from quoth.names import did_you_mean, listed
from quoth.records import Prediction
from quoth.tables.settings import TableSettings

ANSWER_TYPES = {
    "answer": pa.string(),
    "start": pa.int64(),
    "end": pa.int64(),
    "probability": pa.float64(),
    "null_probability": pa.float64(),
    "score": pa.float64(),
    "windows": pa.int32(),
    "reason": pa.string(),
    "error_code": pa.string(),
    "error": pa.string(),
}
ANSWERS_TYPE = pa.list_(
    pa.struct(
        [
            ("text", pa.string()),
            ("start", pa.int64()),
            ("end", pa.int64()),
            ("probability", pa.float64()),
            ("score", pa.float64()),
        ]
    )
)
QUESTION = "question"


class RowError(NamedTuple):
    """The error of a row, or of one question of a row.

    Attributes:
        code: A code for programs, such as ``null_question``.
        message: A sentence for users.
    """

    code: str
    message: str


def answer_types(settings: TableSettings) -> dict[str, pa.DataType]:
    """Return the columns of one answer, without prefix, with their types."""
    return {**ANSWER_TYPES, "answers": ANSWERS_TYPE} if settings.top_k > 1 else dict(ANSWER_TYPES)


def answer_names(settings: TableSettings) -> list[str]:
    """Return the names of all added columns, in order."""
    names = list(answer_types(settings))
    if not settings.asked:
        return [settings.prefix + name for name in names]
    if not settings.wide:
        return [settings.prefix + name for name in (QUESTION, *names)]
    return [f"{settings.prefix}{_wide(name)}_{column}" for name, _ in settings.asked for column in names]


def kept_names(schema: pa.Schema, settings: TableSettings) -> list[str]:
    """Return the names of the input columns that are kept."""
    return list(schema.names if settings.columns is None else settings.columns)


@cache
def output_schema(schema: pa.Schema, settings: TableSettings) -> pa.Schema:
    """Return the schema of the output for the schema of an input.

    Raises:
        ConfigError: If a column is missing or ambiguous, a text column has another type, or a kept column has the name
            of an output column.
    """
    check_columns(schema, settings)
    kept = [schema.field(name) for name in kept_names(schema, settings)]
    types = list(answer_types(settings).values())
    if settings.wide:
        types = types * len(settings.asked)
    elif settings.asked:
        types = [pa.string(), *types]
    added = [pa.field(name, kind) for name, kind in zip(answer_names(settings), types, strict=True)]
    return pa.schema([*kept, *added], metadata=schema.metadata)


def check_columns(schema: pa.Schema, settings: TableSettings) -> None:
    """Check the input columns.

    Raises:
        ConfigError: As in :func:`output_schema`.
    """
    kept = kept_names(schema, settings)
    used = [*settings.text_columns, *kept]
    twice = [name for name, count in Counter(schema.names).items() if count > 1 and name in used]
    if twice or len(set(kept)) < len(kept):
        names = twice or [name for name, count in Counter(kept).items() if count > 1]
        raise ConfigError(
            f"table: column names must differ, but there are several of {', '.join(map(repr, names))}. Rename them, or "
            "keep other columns (columns=, --columns)."
        )
    for name in used:
        if name not in schema.names:
            hint = did_you_mean(name, schema.names, quote="'")
            raise ConfigError(f"table: must have a column {name!r}, but has {listed(schema.names) or 'none'}{hint}")
    for name in settings.text_columns:
        kind = schema.field(name).type
        if not is_text(kind):
            texts = [field.name for field in schema if is_text(field.type)]
            known = listed(texts) or "none"
            raise ConfigError(
                f"table: column {name!r} must contain text, but is of type {kind}. Columns with text: {known}"
            )
    added = answer_names(settings)
    if len(set(added)) < len(added):
        double = next(name for name, count in Counter(added).items() if count > 1)
        raise ConfigError(f"questions: two questions would have a column {double!r}. Give one of them another name.")
    taken = [name for name in kept if name in added]
    if taken:
        raise ConfigError(
            f"table: must not have columns with the names of answer columns, but has {', '.join(taken)}. Set a prefix "
            "for the answer columns (prefix=, --prefix), or keep other columns (columns=, --columns)."
        )


def is_text(kind: pa.DataType) -> bool:
    """Return True if a column of this type may contain texts."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
    )


def answer_columns(outcomes: Sequence[Prediction | RowError], settings: TableSettings) -> list[pa.Array]:
    """Return the columns of answers, in the order of :func:`answer_types`."""
    types = list(answer_types(settings).values())
    rows = [_cells(outcome, settings.top_k > 1) for outcome in outcomes]
    columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * len(types)
    return [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]


def _cells(outcome: Prediction | RowError, has_all: bool) -> tuple[Any, ...]:
    more: tuple[Any, ...] = (None,) if has_all else ()
    if isinstance(outcome, RowError):
        return (None,) * 8 + (outcome.code, outcome.message, *more)
    if has_all:
        more = ([(a.text, a.span.start, a.span.end, a.probability, a.score) for a in outcome.answers],)
    best, null = outcome.best, outcome.null_probability
    if best is None:
        return (None, None, None, None, null, None, outcome.windows, outcome.reason, None, None, *more)
    span = best.span
    return (
        *(best.text, span.start, span.end, best.probability, null, best.score, outcome.windows),
        *(None, None, None),
        *more,
    )


def _wide(name: str) -> str:
    return f"q{name}" if name.isdecimal() else name
