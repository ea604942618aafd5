"""Calibration metrics: expected calibration error, reliability diagram, risk-coverage curve.

All of them use one definition. Each question has one decision: an answer or "no answer". The probability is that of
the decision, and the event is that the decision is correct: the answer matches a gold exactly, or there is no gold.
A reader that never abstains always decides for an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 15
# Precisions for which coverage is reported.
PRECISIONS = (0.8, 0.9, 0.95)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Confidence:
    """The probabilities of the best answer and of "no answer", and whether each is correct.

    Attributes:
        probability: Probability of the best answer, even if the reader abstains; in [0, 1].
        null_odds: Null score minus the best answer's score; higher means that "no answer" is more likely;
            NaN if unknown.
        exact: Whether the best answer matches a gold exactly; False if the question is unanswerable.
        f1_share: F1 of the best answer as a share, in [0, 1].
        null_probability: Probability that the text does not answer the question, in [0, 1].
        abstains: Whether the reader decided for "no answer".
        answerable: Whether the question has golds.
        known: Whether the best answer is known. Of a file it is not where it abstains; then ``exact`` is False.
    """

    probability: float
    null_odds: float
    exact: bool
    f1_share: float
    null_probability: float = 0.0
    abstains: bool = False
    answerable: bool = True
    known: bool = True

    @property
    def decision_probability(self) -> float:
        """Probability of the decision, in [0, 1]."""
        return self.null_probability if self.abstains else self.probability

    @property
    def decision_exact(self) -> bool:
        """Whether the decision is correct by exact match."""
        return not self.answerable if self.abstains else self.exact

    @property
    def decision_f1_share(self) -> float:
        """F1 of the decision as a share, in [0, 1]."""
        return float(not self.answerable) if self.abstains else self.f1_share


@dataclass(frozen=True, slots=True)
class Bin:
    """The questions whose probability is above ``low`` and at most ``high``.

    Attributes:
        low, high: Edges of the bin; the first bin also contains 0.
        total: Number of questions.
        probability: Their mean probability; ``None`` if the bin is empty.
        accuracy: Share of correct decisions, in [0, 1]; ``None`` if the bin is empty.
    """

    low: float
    high: float
    total: int
    probability: float | None
    accuracy: float | None

    @property
    def gap(self) -> float:
        """Absolute difference of probability and accuracy, in [0, 1]."""
        return 0.0 if self.probability is None or self.accuracy is None else abs(self.probability - self.accuracy)


@dataclass(frozen=True)
class Calibration:
    """The calibration of a reader's probabilities.

    Attributes:
        answers: One item per question whose text has at least one span, at least one item.
    """

    answers: tuple[Confidence, ...]

    @property
    def total(self) -> int:
        """Number of questions."""
        return len(self.answers)

    def __repr__(self) -> str:
        """Return the totals only, because there may be many answers."""
        return f"Calibration(questions={self.total:,}, error={self.error:.3f})"

    @cached_property
    def bins(self) -> tuple[Bin, ...]:
        """The reliability diagram: 15 bins of equal width, including empty ones."""
        return reliability(*self._probability_and_exact())

    @cached_property
    def error(self) -> float:
        """Expected calibration error, in [0, 1]: see :func:`calibration_error`."""
        return calibration_error(self.bins)

    @cached_property
    def exact_risk_area(self) -> float:
        """Area under the risk-coverage curve, in [0, 1]; risk is the share of wrong decisions."""
        probability, exact = self._probability_and_exact()
        return risk_coverage_area(probability, 1 - exact)

    @cached_property
    def f1_risk_area(self) -> float:
        """Area under the risk-coverage curve, in [0, 1]; risk is 1 - F1."""
        return risk_coverage_area(
            self._probability_and_exact()[0], [1 - answer.decision_f1_share for answer in self.answers]
        )

    def coverage(self, precision: float) -> float:
        """Return the coverage at a precision: the largest share of the most confident decisions that reaches it.

        Args:
            precision: Share of these decisions that must be correct by exact match, in [0, 1].

        Source: Kamath et al. 2020, "Selective question answering under domain shift", section 2.2.
        """
        probability, exact = self._probability_and_exact()
        return coverage_at(probability, exact, precision)

    def quote_coverage(self, precision: float) -> float:
        """Return the share of questions that can be answered with a quote at a precision, in [0, 1].

        Like :meth:`coverage`, but only answers count, ranked by the probability of the best answer. Abstaining does not
        increase it.
        """
        sure, right = zip(*((answer.probability, answer.exact) for answer in self.answers), strict=True)
        return coverage_at(sure, right, precision)

    @cached_property
    def odds_risk_area(self) -> float | None:
        """Like :attr:`f1_risk_area`, but answers are ranked by null odds, as a null threshold does.

        ``None`` if they are unknown.
        """
        sureness = [-answer.null_odds for answer in self.answers]
        if np.isnan(sureness).any():
            return None
        return risk_coverage_area(sureness, [1 - answer.f1_share for answer in self.answers])

    def to_dict(self) -> dict[str, Any]:
        """Return the metrics in [0, 1] (``ece``, ``aurc_...``) and the bins (``reliability``)."""
        return {
            "ece": self.error,
            "aurc_exact": self.exact_risk_area,
            "aurc_f1": self.f1_risk_area,
            **({} if self.odds_risk_area is None else {"aurc_f1_by_null_odds": self.odds_risk_area}),
            "coverage": {f"{100 * each:.0f}": self.coverage(each) for each in PRECISIONS},
            "quote_coverage": {f"{100 * each:.0f}": self.quote_coverage(each) for each in PRECISIONS},
            "reliability": [asdict(each) for each in self.bins],
        }

    def _probability_and_exact(self) -> tuple[Floats, Floats]:
        probability = np.array([answer.decision_probability for answer in self.answers], dtype=np.float64)
        return probability, np.array([answer.decision_exact for answer in self.answers], dtype=np.float64)


def reliability(probabilities: ArrayLike, events: ArrayLike, bins: int = BINS) -> tuple[Bin, ...]:
    """Group probabilities into bins of equal width, with the mean probability and event frequency of each bin.

    Args:
        probabilities: In [0, 1], ``(n,)``.
        events: Whether the event occurred, 0 or 1, ``(n,)``.
        bins: Number of bins.

    Source: Guo et al. 2017, "On calibration of modern neural networks", section 2.
    """
    p, came = np.asarray(probabilities, dtype=np.float64), np.asarray(events, dtype=np.float64)
    edges = np.arange(bins + 1) / bins
    index = np.clip(np.searchsorted(edges, p, side="left") - 1, 0, bins - 1)
    totals = np.bincount(index, minlength=bins)
    sums, hits = np.bincount(index, p, bins), np.bincount(index, came, bins)
    return tuple(
        Bin(
            float(edges[number]),
            float(edges[number + 1]),
            int(total),
            float(sums[number] / total) if total else None,
            float(hits[number] / total) if total else None,
        )
        for number, total in enumerate(totals.tolist())
    )


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error: the gap between probability and accuracy, weighted by bin size.

    Source: Guo et al. 2017, section 2, equation 3.
    """
    total = sum(each.total for each in bins)
    return sum(each.total * each.gap for each in bins) / total if total else 0.0


def risk_coverage(confidences: ArrayLike, risks: ArrayLike) -> Floats:
    """Return the mean risk of the k most confident answers, for each k: ``(n,)``.

    Args:
        confidences: Any confidence score, such as a probability or minus the null odds; ``(n,)``.
        risks: Risk of each answer, in [0, 1]: 1 - exact match, or 1 - F1; ``(n,)``.

    Returns:
        The risk at coverage k / n, for k from 1 to n. Answers with equal confidence share their mean risk, so the
        result does not depend on their order.

    Source: El-Yaniv and Wiener 2010, "On the foundations of noise-free selective classification", section 2.
    """
    order = np.argsort(-np.asarray(confidences, dtype=np.float64), kind="stable")
    sure = np.asarray(confidences, dtype=np.float64)[order]
    risk = np.asarray(risks, dtype=np.float64)[order]
    _, group, counts = np.unique(-sure, return_inverse=True, return_counts=True)
    risk = (np.bincount(group, weights=risk) / counts)[group]
    return np.asarray(np.cumsum(risk) / np.arange(1, len(risk) + 1))


def coverage_at(confidences: ArrayLike, right: ArrayLike, precision: float) -> float:
    """Return the largest share of the most confident decisions that reaches a precision.

    Args:
        confidences: Any confidence score, ``(n,)``; equal ones are taken together.
        right: Whether each decision is correct, 0 or 1; ``(n,)``.
        precision: The required share of correct decisions, in [0, 1].

    Returns:
        In [0, 1]; 0 if no share of the decisions reaches the precision.
    """
    sure = -np.sort(-np.asarray(confidences, dtype=np.float64))
    risk = risk_coverage(confidences, 1.0 - np.asarray(right, dtype=np.float64))
    ends = np.append(sure[1:] < sure[:-1], True)
    enough = np.flatnonzero(ends & (risk <= 1.0 - precision + 1e-12))
    return float(enough[-1] + 1) / len(sure) if len(enough) else 0.0


def risk_coverage_area(confidences: ArrayLike, risks: ArrayLike) -> float:
    """Return the area under the risk-coverage curve: the mean of :func:`risk_coverage` over all coverages."""
    return float(risk_coverage(confidences, risks).mean())
