"""The names of the rules, and the record of a change."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from quoth.errors import ConfigError
from quoth.names import did_you_mean

# Name -> what it repairs; the order is that in which they are tried.
RULES = {
    "question-id": "an id under the name question_id, query_id or qid",
    "values": 'numbers and truth values as text ("255", "false")',
    "scalars": "a single text or place where a list belongs",
    "empty": "an empty answer, which means that there is none",
    "edges": "white space around an answer",
    "starts": "a missing or negative answer_start of an answer that stands in one place",
    "bytes": "answer_start counted in bytes of UTF-8",
    "utf-16": "answer_start counted in units of UTF-16",
    "line-ends": "answer_start counted with other line ends",
    "near": "answer_start off by a few characters",
    "elsewhere": "an answer that stands in one place, another one",
    "look-alikes": "an answer in another Unicode form, or with other quotes, dashes or spaces than the context",
    "entities": "an answer with HTML entities that the context has not, or the other way round",
    "case": "an answer in another case than the context",
    "words": "an answer that cuts a word of Latin, Greek or Cyrillic letters",
    "golds": "the same answer at the same place twice",
    "rows": "the same row twice",
    "ids": "ids that are missing or repeated",
}


class Change(NamedTuple):
    """One change of one row.

    Attributes:
        where: The row's place in the file.
        id: Its id before the change, ``""`` without one.
        rule: A key of ``RULES``, or ``drop``.
        field: What is changed: a column, ``answer 1`` (counted from 1), or ``row``.
        before: Its value; ``None`` if there was none.
        after: Its new value; ``None`` if it is taken out.
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
        only: These alone, if any are named.
        without: Not these.

    Raises:
        ConfigError: If a name is of no rule.
    """
    for name in [*only, *without]:
        if name not in RULES:
            meant = did_you_mean(name, RULES) or "."
            raise ConfigError(f"a rule must be one of {', '.join(RULES)}, but is {name!r}{meant}")
    return frozenset(only or RULES) - frozenset(without)
