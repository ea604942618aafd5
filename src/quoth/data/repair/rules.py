"""The names of the rules, and the log record of a change."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from quoth.errors import ConfigError
from quoth.names import did_you_mean

# Name -> what it repairs, in the order of application.
RULES = {
    "names": "a key or column with another name for question, context, answers or answer_start",
    "question-id": "an id with the name question_id, query_id or qid",
    "values": 'numbers and truth values as text ("255", "false")',
    "scalars": "a single text or position instead of a list",
    "empty": "an empty answer, QuAC's CANNOTANSWER, or a text such as N/A without a place, which mean no answer",
    "edges": "white space around an answer",
    "starts": "a missing or negative answer_start of an answer that occurs exactly once",
    "bytes": "answer_start in UTF-8 bytes",
    "utf-16": "answer_start in UTF-16 code units",
    "line-ends": "answer_start counted with other line ends",
    "near": "answer_start off by a few characters",
    "elsewhere": "an answer that occurs exactly once, at another place",
    "look-alikes": "an answer in another Unicode form, or with other quotes, dashes or spaces than the context",
    "entities": "an answer with HTML entities that the context does not have, or vice versa",
    "case": "an answer that differs from the context in case",
    "words": "an answer that starts or ends inside a word of Latin, Greek or Cyrillic letters",
    "golds": "the same answer at the same place twice",
    "rows": "the same row twice",
    "ids": "ids that are missing or repeated",
}


class Change(NamedTuple):
    """A change of a row.

    Attributes:
        where: The row's place in the file.
        id: Its id before the change; ``""`` if it had none.
        rule: A key of ``RULES``, or ``drop``.
        field: The changed field: a column, ``answer 1`` (counted from 1), or ``row``.
        before: The old value; ``None`` if there was none.
        after: The new value; ``None`` if it is removed.
    """

    where: str
    id: str
    rule: str
    field: str
    before: Any
    after: Any

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return self._asdict()


def chosen_rules(only: Collection[str] = (), without: Collection[str] = ()) -> frozenset[str]:
    """Return the rules to apply.

    Args:
        only: If not empty, only these.
        without: All except these.

    Raises:
        ConfigError: If there is no rule of a name.
    """
    for name in [*only, *without]:
        if name not in RULES:
            meant = did_you_mean(name, RULES) or "."
            raise ConfigError(f"a rule must be one of {', '.join(RULES)}, but is {name!r}{meant}")
    return frozenset(only or RULES) - frozenset(without)
