"""Paired comparison of two reports: is the difference significant?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from quoth.errors import ConfigError
from quoth.evaluation.bootstrap import Floats, Ints, clusters, interval, sign_flip_test
from quoth.evaluation.report import Report

_SIGNIFICANCE_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of the second report from the first in one metric.

    Attributes:
        points: Second minus first, in [-100, 100].
        interval: Its 95% confidence interval, by paired bootstrap over articles.
        p: The p-value of a paired sign-flip test over articles, in (0, 1].
    """

    points: float
    interval: tuple[float, float]
    p: float


@dataclass(frozen=True)
class Comparison:
    """Two reports on the same questions.

    Attributes:
        first, second: The reports.
        names: Their names in texts.
    """

    first: Report
    second: Report
    names: tuple[str, str] = ("A", "B")

    @cached_property
    def exact(self) -> Difference:
        """The difference in exact match."""
        return self._difference([row.exact for row in self.first.rows], [row.exact for row in self.second.rows])

    @cached_property
    def f1(self) -> Difference:
        """The difference in F1."""
        return self._difference([row.f1_share for row in self.first.rows], [row.f1_share for row in self.second.rows])

    @cached_property
    def gained(self) -> int:
        """Number of questions that only the second answers exactly."""
        return sum(b.exact > a.exact for a, b in zip(self.first.rows, self.second.rows, strict=True))

    @cached_property
    def lost(self) -> int:
        """Number of questions that only the first answers exactly."""
        return sum(a.exact > b.exact for a, b in zip(self.first.rows, self.second.rows, strict=True))

    @cached_property
    def _articles(self) -> Ints:
        return clusters([row.traits.cluster for row in self.first.rows])

    def _difference(self, first: list[bool] | list[float], second: list[bool] | list[float]) -> Difference:
        differences: Floats = np.array(second, dtype=np.float64) - np.array(first, dtype=np.float64)
        low, high = interval(differences, self._articles)
        return Difference(
            float(100.0 * differences.mean()),
            (100.0 * low, 100.0 * high),
            sign_flip_test(differences, self._articles),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return both totals, the differences, and how many questions only one of them answers exactly."""
        return {
            "names": list(self.names),
            "first": self.first.to_dict(),
            "second": self.second.to_dict(),
            "exact": asdict(self.exact),
            "f1": asdict(self.f1),
            "gained": self.gained,
            "lost": self.lost,
        }

    def __str__(self) -> str:
        width = max(map(len, self.names)) + 2
        lines = [f"{'':<{width}}{'exact match':>12}{'F1':>9}"]
        for name, report in zip(self.names, (self.first, self.second), strict=True):
            lines.append(f"{name:<{width}}{report.exact:>12.2f}{report.f1:>9.2f}")
        return "\n".join([*lines, *self.sentences])

    @property
    def sentences(self) -> list[str]:
        """What the figures mean: who answers more, and whether the difference may be random."""
        counted = (
            f"Of {self.first.total:,} questions, {self.gained:,} are answered exactly only by {self.names[1]}, and "
            f"{self.lost:,} only by {self.names[0]}."
        )
        if [row.text for row in self.first.rows] == [row.text for row in self.second.rows]:
            return [counted, f"{self.names[0]} and {self.names[1]} give the same answer to every question."]
        return [counted, self._sentence("exact match", self.exact), self._sentence("F1", self.f1)]

    def _sentence(self, metric: str, found: Difference) -> str:
        first, second = self.names if found.points < 0 else self.names[::-1]
        low, high = sorted(end if found.points >= 0 else -end for end in found.interval)
        if found.points == 0.0:
            how = f"{first} and {second} have the same {metric}"
        else:
            how = f"{first} is better than {second} by {abs(found.points):.2f} points of {metric}"
        verdict = "not significant" if found.p > _SIGNIFICANCE_LEVEL else f"significant (p < {_SIGNIFICANCE_LEVEL:g})"
        units = len(set(self._articles.tolist()))
        if 2.0 ** (1 - units) > _SIGNIFICANCE_LEVEL:  # the smallest p that the test can have
            texts = "article" if units == 1 else "articles"
            verdict = f"with only {units} {texts}, no difference can be significant; compare on at least six"
        return f"{how} (95% confidence interval {low:.2f} to {high:.2f}, p = {found.p:.2g}): {verdict}."


def compare(first: Report, second: Report, names: tuple[str, str] = ("A", "B")) -> Comparison:
    """Compare two reports question by question.

    Confidence intervals and p-values use articles as units (titles; contexts if there are no titles), because questions
    of one article are not independent. With fewer than six articles no difference can have a p-value below 0.05.

    Args:
        first: A report of ``score`` or ``evaluate``.
        second: Another report on the same data.
        names: Names of the two reports in texts.

    Raises:
        ConfigError: If they are not on the same questions.

    Source: see :func:`quoth.evaluation.bootstrap.interval` and :func:`quoth.evaluation.bootstrap.sign_flip_test`.

    Example:
        >>> from quoth import Example, Gold, score
        >>> data = [Example("1", "Who wrote it?", "Ada Lovelace wrote it.", (Gold("Ada Lovelace", 0),))]
        >>> compare(score(data, {"1": "Ada Lovelace"}), score(data, {"1": "Ada"})).exact.points
        -100.0
    """
    if [row.id for row in first.rows] != [row.id for row in second.rows]:
        raise ConfigError("the reports must be about the same questions, but are about different ones")
    return Comparison(first, second, names)
