"""The report of an evaluation: one row per question, and totals computed from the rows.

A question without a prediction has a row too, and counts as wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import Any

from quoth.deprecated import NamedToJson, renamed
from quoth.evaluation.bootstrap import clusters, interval
from quoth.evaluation.calibration import PRECISIONS, Calibration, Confidence
from quoth.evaluation.metrics import Rules, about_rules
from quoth.evaluation.slices import DIMENSIONS, Traits
from quoth.evaluation.threshold import BestThreshold, best_threshold
from quoth.names import listed

_NAME_WIDTH = 24
# Null odds of a text without any span: certainly no answer, but finite, because JSON has no infinity.
NOTHING_READ = 1e9

__getattr__ = renamed(__name__, {"Row": "ScoredRow"})


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """Scores of one question.

    Attributes:
        id: The question's id.
        exact: Whether the prediction matches a gold exactly, after normalization.
        f1_share: F1 with the best gold, in [0, 1], as in the official scorers.
        text: The prediction, ``""`` for no answer; ``None`` if there is no prediction, which counts as wrong.
        answerable: Whether the question has golds.
        traits: Properties of the question and its context. Ignored by ``==``.
        confidence: Probabilities of the decision, even if the reader abstains; ``None`` if the prediction is only a
            text, or the context has no span to quote. Ignored by ``==``.
        null_odds: The higher, the less likely there is an answer; ``None`` if unknown. Ignored by ``==``.
    """

    id: str
    exact: bool
    f1_share: float
    text: str | None
    answerable: bool
    traits: Traits = field(default=Traits(), compare=False)
    confidence: Confidence | None = field(default=None, compare=False)
    null_odds: float | None = field(default=None, compare=False)

    @property
    def f1(self) -> float:
        """F1 with the best gold, in [0, 100]."""
        return 100.0 * self.f1_share


@dataclass(frozen=True)
class Slice:
    """One or more rows, and their totals in per cent."""

    rows: tuple[ScoredRow, ...]

    @property
    def total(self) -> int:
        """Number of questions."""
        return len(self.rows)

    @cached_property
    def exact(self) -> float:
        """Exact match, in [0, 100]."""
        return 100.0 * sum(row.exact for row in self.rows) / self.total

    @cached_property
    def f1(self) -> float:
        """F1, in [0, 100]."""
        return 100.0 * sum(row.f1_share for row in self.rows) / self.total

    @cached_property
    def exact_interval(self) -> tuple[float, float]:
        """95% confidence interval of the exact match, by bootstrap over articles."""
        return self._interval([row.exact for row in self.rows])

    @cached_property
    def f1_interval(self) -> tuple[float, float]:
        """95% confidence interval of F1, by bootstrap over articles."""
        return self._interval([row.f1_share for row in self.rows])

    def __repr__(self) -> str:
        """Return the totals only, because there may be many rows."""
        return f"Slice(questions={self.total:,}, exact={self.exact:.2f}, f1={self.f1:.2f})"

    def _interval(self, values: list[float]) -> tuple[float, float]:
        low, high = interval(values, clusters([row.traits.cluster for row in self.rows]))
        return 100.0 * low, 100.0 * high

    def to_dict(self) -> dict[str, Any]:
        """Return the totals and their confidence intervals."""
        return {
            "total": self.total,
            "exact": self.exact,
            "exact_interval": list(self.exact_interval),
            "f1": self.f1,
            "f1_interval": list(self.f1_interval),
        }


@dataclass(frozen=True)
class Report(Slice, NamedToJson):
    """Scores of all questions of a data set.

    Attributes:
        rows: One per labelled question, in the order of the data.
        rules: The scoring rules: ``"v2.0"`` if the data have unanswerable questions, else ``"v1.1"``; with
            ``" by characters"`` if the answers are in scripts without spaces.
        unknown: Number of predictions that were ignored because the data do not have their ids.
        unlabelled: Number of questions that were skipped because they are unlabelled.
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

    @cached_property
    def slices(self) -> Mapping[str, Mapping[str, Slice]]:
        """Slices by question word, answer length, context length, number of windows and answer position.

        Dimension -> label -> slice, without empty slices and dimensions.
        """
        found: dict[str, dict[str, Slice]] = {}
        for name, dimension in DIMENSIONS.items():
            rows: dict[str | None, list[ScoredRow]] = {}
            for row in self.rows:
                rows.setdefault(dimension.label(row.traits), []).append(row)
            if parts := {label: Slice(tuple(rows[label])) for label in dimension.labels if label in rows}:
                found[name] = parts
        return found

    def sliced_by(self, labels: Mapping[str, str]) -> dict[str, Slice]:
        """Slice by a label of each question, given by its id; questions without a label are in no slice.

        Returns:
            Label -> slice, in the order of the labels' names.
        """
        rows: dict[str, list[ScoredRow]] = {}
        for row in self.rows:
            if row.id in labels:
                rows.setdefault(labels[row.id], []).append(row)
        return {label: Slice(tuple(rows[label])) for label in sorted(rows)}

    @cached_property
    def calibration(self) -> Calibration | None:
        """Calibration of the probabilities; ``None`` if the predictions have none."""
        answers = tuple(row.confidence for row in self.rows if row.confidence)
        return Calibration(answers) if answers else None

    @cached_property
    def best_exact(self) -> BestThreshold | None:
        """The best exact match of any null threshold; ``None`` without null scores or unanswerable questions."""
        return self._best([known.exact if (known := _known(row)) else row.exact for row in self.rows])

    @cached_property
    def best_f1(self) -> BestThreshold | None:
        """The best F1 of any null threshold; ``None`` without null scores or unanswerable questions."""
        return self._best([known.f1_share if (known := _known(row)) else row.f1_share for row in self.rows])

    def _best(self, scores: Sequence[float]) -> BestThreshold | None:
        if self.no_answer is None or self.missing or all(row.null_odds is None for row in self.rows):
            return None
        odds = [NOTHING_READ if row.null_odds is None else row.null_odds for row in self.rows]
        return best_threshold(odds, scores, [row.answerable for row in self.rows])

    @property
    def notes(self) -> list[str]:
        """Notes on missing, unknown and unlabelled questions, one line each."""
        notes = []
        if self.missing:
            count = f"{len(self.missing):,} of {self.total:,}"
            notes.append(f"questions without a prediction, counted as wrong: {count} ({listed(self.missing)})")
        if self.unknown:
            notes.append(f"predictions for unknown ids, ignored: {self.unknown:,}")
        if hidden := sum(row.confidence is not None and not row.confidence.known for row in self.rows):
            notes.append(
                f'"no answer" predictions without the best answer: {hidden:,}; they count as "no answer" at every '
                "threshold"
            )
        if self.unlabelled:
            notes.append(f"unlabelled questions, not scored: {self.unlabelled:,}")
        return notes

    def to_dict(self, *, slices: bool = False) -> dict[str, Any]:
        """Return the totals with the official keys, and ``missing`` (ids), ``unknown``, ``unlabelled``, ``rules``.

        For predictions with probabilities, also the keys of the calibration; and with unanswerable questions,
        ``best_exact``, ``best_exact_thresh``, ``best_f1`` and ``best_f1_thresh``, as in the official scorer.

        Args:
            slices: Add ``slices``: dimension -> label -> totals with intervals.
        """
        document: dict[str, Any] = {
            **_totals(self, ""),
            **_totals(self.has_answer, "HasAns_"),
            **_totals(self.no_answer, "NoAns_"),
            "missing": list(self.missing),
            "unknown": self.unknown,
            "unlabelled": self.unlabelled,
            "rules": self.rules,
        }
        if self.best_exact and self.best_f1:
            document |= {"best_exact": self.best_exact.value, "best_exact_thresh": self.best_exact.threshold}
            document |= {"best_f1": self.best_f1.value, "best_f1_thresh": self.best_f1.threshold}
        if self.calibration:
            document |= self.calibration.to_dict()
        if slices:
            document["slices"] = {
                name: {label: part.to_dict() for label, part in parts.items()} for name, parts in self.slices.items()
            }
        return document

    @property
    def table(self) -> str:
        """The totals with their confidence intervals, one line each, and the calibration of the probabilities."""
        slices: dict[str, Slice] = {"all questions": self}
        if self.has_answer and self.no_answer:
            slices |= {"answerable": self.has_answer, "unanswerable": self.no_answer}
        rules = f"{about_rules(self.rules)}; in brackets, 95% intervals"
        return "\n".join([_head(""), *map(_line, slices, slices.values()), rules, *self._confidence_lines()])

    def _confidence_lines(self) -> list[str]:
        lines = []
        if self.best_exact and self.best_f1:
            lines.append(f"best null threshold: exact match {self.best_exact}, F1 {self.best_f1}")
        if found := self.calibration:
            lines.append(
                f"probability: expected calibration error {found.error:.3f}; area under the risk-coverage curve "
                f"{found.exact_risk_area:.3f} (exact match), {found.f1_risk_area:.3f} (F1)"
            )
            for kind, share in (("decided", found.coverage), ("answered with a quote", found.quote_coverage)):
                shares = "; ".join(f"{each:.0%}: {share(each):.1%}" for each in PRECISIONS)
                lines.append(f"share of questions {kind} at a precision of {shares}")
        return lines

    @property
    def slice_table(self) -> str:
        """The slices with their confidence intervals, one block of lines per dimension."""
        return "\n\n".join(slice_lines(name, parts) for name, parts in self.slices.items())

    def __str__(self) -> str:
        return "\n".join([self.table, *self.notes])

    def __repr__(self) -> str:
        return f"Report(questions={self.total:,}, exact={self.exact:.2f}, f1={self.f1:.2f}, rules={self.rules!r})"

    def _repr_html_(self) -> str:
        """Show the tables in a notebook."""
        return f"<pre>{escape(str(self))}\n\n{escape(self.slice_table)}</pre>"


def slice_lines(name: str, parts: Mapping[str, Slice]) -> str:
    """Return a block of lines: the name of the dimension, and each slice with its confidence intervals."""
    return "\n".join([_head(name), *map(_line, parts, parts.values())])


def _known(row: ScoredRow) -> Confidence | None:
    """Return the confidence of a row if it is known what the best answer is, even if the reader abstains."""
    return row.confidence if row.confidence and row.confidence.known else None


def _slice(rows: Iterable[ScoredRow]) -> Slice | None:
    kept = tuple(rows)
    return Slice(kept) if kept else None


def _totals(part: Slice | None, prefix: str) -> dict[str, float]:
    if part is None:
        return {}
    return {f"{prefix}exact": part.exact, f"{prefix}f1": part.f1, f"{prefix}total": part.total}


def _head(name: str) -> str:
    return f"{name:<{_NAME_WIDTH}}{'number':>8}   {'exact match':<24}F1"


def _line(name: str, part: Slice) -> str:
    exact = _figure(part.exact, part.exact_interval)
    f1 = _figure(part.f1, part.f1_interval)
    return f"{name:<{_NAME_WIDTH}}{part.total:>8,}   {exact:<24}{f1}"


def _figure(value: float, interval: tuple[float, float]) -> str:
    return f"{value:6.2f} [{interval[0]:.2f}, {interval[1]:.2f}]"
