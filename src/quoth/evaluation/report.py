"""What a scoring found: one row a question first, then totals from the rows.

A question without a prediction has a row too, so that silence counts as failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from quoth.evaluation.metrics import Rules

_RESAMPLES = 2000
_SEED = 2016
_NAMED = 10  # how many ids a sentence names


@dataclass(frozen=True, slots=True)
class Row:
    """How one question went.

    Attributes:
        id: The question's id.
        exact: Whether the prediction matches a gold exactly, after normalisation.
        f1: Overlap with the best gold, in [0, 1].
        text: The prediction, ``""`` for no answer; ``None`` if there is none, which counts as wrong.
        answerable: Whether the question has golds.
    """

    id: str
    exact: bool
    f1: float
    text: str | None
    answerable: bool


@dataclass(frozen=True)
class Slice:
    """Some rows, at least one, and their totals in per cent."""

    rows: tuple[Row, ...]

    @property
    def total(self) -> int:
        """How many questions."""
        return len(self.rows)

    @cached_property
    def exact(self) -> float:
        """Exact match, in [0, 100]."""
        return 100.0 * sum(row.exact for row in self.rows) / self.total

    @cached_property
    def f1(self) -> float:
        """F1, in [0, 100]."""
        return 100.0 * sum(row.f1 for row in self.rows) / self.total

    @cached_property
    def exact_interval(self) -> tuple[float, float]:
        """95 % interval of the exact match, by bootstrap over questions."""
        return _interval([row.exact for row in self.rows])

    @cached_property
    def f1_interval(self) -> tuple[float, float]:
        """95 % interval of F1, by bootstrap over questions."""
        return _interval([row.f1 for row in self.rows])


@dataclass(frozen=True)
class Report(Slice):
    """How well all questions were answered.

    Attributes:
        rows: One for each labelled question, in the order of the data.
        rules: Whose rules scored it: ``"v2.0"`` where the data hold unanswerable questions, else ``"v1.1"``.
        unknown: How many predictions were ignored, since the data do not hold their ids.
        unlabelled: How many questions were left out of all totals, since nobody annotated them.
    """

    rules: Rules = "v1.1"
    unknown: int = 0
    unlabelled: int = 0

    @cached_property
    def has_answer(self) -> Slice | None:
        """The answerable questions, or ``None`` if there are none."""
        return _slice(row for row in self.rows if row.answerable)

    @cached_property
    def no_answer(self) -> Slice | None:
        """The unanswerable questions, or ``None`` if there are none."""
        return _slice(row for row in self.rows if not row.answerable)

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """Ids of the questions without a prediction, in the order of the data."""
        return tuple(row.id for row in self.rows if row.text is None)

    @property
    def notes(self) -> list[str]:
        """What to know beside the totals, a line each: missing, unknown and unlabelled questions."""
        notes = []
        if self.missing:
            count = f"{len(self.missing):,} of {self.total:,}"
            notes.append(f"questions without a prediction, counted as wrong: {count} ({some(self.missing)})")
        if self.unknown:
            notes.append(f"predictions for unknown ids, ignored: {self.unknown:,}")
        if self.unlabelled:
            notes.append(f"unlabelled questions, left out: {self.unlabelled:,}")
        return notes

    def to_json(self) -> dict[str, Any]:
        """Return the totals under the official keys, and ``missing`` (ids), ``unknown``, ``unlabelled``, ``rules``."""
        return {
            **_totals(self, ""),
            **_totals(self.has_answer, "HasAns_"),
            **_totals(self.no_answer, "NoAns_"),
            "missing": list(self.missing),
            "unknown": self.unknown,
            "unlabelled": self.unlabelled,
            "rules": self.rules,
        }

    @property
    def table(self) -> str:
        """The totals with their intervals, a line for each part."""
        slices: dict[str, Slice] = {"all questions": self}
        if self.has_answer and self.no_answer:
            slices |= {"answerable": self.has_answer, "unanswerable": self.no_answer}
        head = f"{'':<15}{'number':>9}   {'exact match':<24}F1"
        rules = f"SQuAD {self.rules} rules; in brackets, 95 % intervals"
        return "\n".join([head, *map(_line, slices, slices.values()), rules])

    def __str__(self) -> str:
        return "\n".join([self.table, *self.notes])


def some(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED:,} more"


def _slice(rows: Iterable[Row]) -> Slice | None:
    kept = tuple(rows)
    return Slice(kept) if kept else None


def _totals(part: Slice | None, prefix: str) -> dict[str, float]:
    if part is None:
        return {}
    return {f"{prefix}exact": part.exact, f"{prefix}f1": part.f1, f"{prefix}total": part.total}


def _line(name: str, part: Slice) -> str:
    exact = _figure(part.exact, part.exact_interval)
    f1 = _figure(part.f1, part.f1_interval)
    return f"{name:<15}{part.total:>9,}   {exact:<24}{f1}"


def _figure(value: float, interval: tuple[float, float]) -> str:
    return f"{value:6.2f} [{interval[0]:.2f}, {interval[1]:.2f}]"


def _interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 2.5th and 97.5th percentile of the mean of resampled values, in per cent.

    Values are few and often equal, so a resample of n of them is one multinomial draw of how often each level comes:
    the same distribution as drawing rows one by one, at a fraction of the cost.

    Source: Efron 1979, "Bootstrap methods: another look at the jackknife".
    """
    levels, counts = np.unique(np.asarray(values, dtype=np.float64), return_counts=True)
    draws = np.random.default_rng(_SEED).multinomial(len(values), counts / len(values), size=_RESAMPLES)
    low, high = np.percentile(100.0 * (draws @ levels) / len(values), [2.5, 97.5])
    return float(low), float(high)
