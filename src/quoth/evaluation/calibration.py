"""Whether a probability means something: calibration error, reliability, risk against coverage.

One definition everywhere: each question gets one decision, an answer or "no answer". Its probability is that of what
was decided, and the event is that the decision is right: the answer matches a gold exactly, or there is no gold.
A reader that never abstains decides for an answer every time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 15
# The precisions at which coverage is reported.
PRECISIONS = (0.8, 0.9, 0.95)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Confidence:
    """How sure a reader is of its best answer and of "no answer", and how right both are.

    Attributes:
        probability: Of the best answer, even where the reader abstains; in [0, 1].
        null_odds: Null score minus the best answer's score: the higher, the likelier no answer.
        exact: Whether the best answer matches a gold; never where the question is unanswerable.
        f1: Overlap of the best answer with the best gold, in [0, 1].
        null_probability: That the text does not answer, in [0, 1].
        abstains: Whether the reader decided for "no answer".
        answerable: Whether the question has golds.
    """

    probability: float
    null_odds: float
    exact: bool
    f1: float
    null_probability: float = 0.0
    abstains: bool = False
    answerable: bool = True

    @property
    def decision_probability(self) -> float:
        """How sure the reader is of what it decided, in [0, 1]."""
        return self.null_probability if self.abstains else self.probability

    @property
    def decision_exact(self) -> bool:
        """Whether what it decided is right by exact match."""
        return not self.answerable if self.abstains else self.exact

    @property
    def decision_f1(self) -> float:
        """F1 of what it decided, in [0, 1]."""
        return float(not self.answerable) if self.abstains else self.f1


@dataclass(frozen=True, slots=True)
class Bin:
    """The questions whose probability is above ``low`` and at most ``high``.

    Attributes:
        low, high: Edges; the first bin holds 0, too.
        total: How many questions.
        probability: Their mean probability; ``None`` of none.
        accuracy: The share of them whose best answer matches exactly; ``None`` of none.
    """

    low: float
    high: float
    total: int
    probability: float | None
    accuracy: float | None

    @property
    def gap(self) -> float:
        """How far probability and accuracy are apart, in [0, 1]."""
        return 0.0 if self.probability is None or self.accuracy is None else abs(self.probability - self.accuracy)


@dataclass(frozen=True)
class Calibration:
    """How far the probabilities of some answers can be trusted.

    Attributes:
        answers: One for each question with something to quote, at least one.
    """

    answers: tuple[Confidence, ...]

    @property
    def total(self) -> int:
        """How many questions."""
        return len(self.answers)

    def __repr__(self) -> str:
        """Say the totals; answers may be many."""
        return f"Calibration(questions={self.total:,}, error={self.error:.3f})"

    @cached_property
    def bins(self) -> tuple[Bin, ...]:
        """The reliability diagram: 15 bins of equal width, also where empty."""
        return reliability(*self._probability_and_exact())

    @cached_property
    def error(self) -> float:
        """Expected calibration error, in [0, 1]: see :func:`calibration_error`."""
        return calibration_error(self.bins)

    @cached_property
    def exact_risk_area(self) -> float:
        """Area under the risk-coverage curve, in [0, 1], where risk is the share of decisions that are wrong."""
        probability, exact = self._probability_and_exact()
        return risk_coverage_area(probability, 1 - exact)

    @cached_property
    def f1_risk_area(self) -> float:
        """Area under the risk-coverage curve, in [0, 1], where risk is 1 - F1."""
        return risk_coverage_area(self._probability_and_exact()[0], [1 - answer.decision_f1 for answer in self.answers])

    def coverage(self, precision: float) -> float:
        """Return the share of questions, surest decisions first, that can be decided at a precision; in [0, 1].

        Args:
            precision: Share of these decisions that must be right by exact match, in [0, 1].

        Source: Kamath et al. 2020, "Selective question answering under domain shift", section 2.2.
        """
        probability, exact = self._probability_and_exact()
        return coverage_at(probability, exact, precision)

    def quote_coverage(self, precision: float) -> float:
        """Return the share of questions that can be answered with a quote at a precision, in [0, 1].

        As :meth:`coverage`, but only answers count, surest first by the probability of the best answer: abstaining
        never adds to it.
        """
        sure, right = zip(*((answer.probability, answer.exact) for answer in self.answers), strict=True)
        return coverage_at(sure, right, precision)

    @cached_property
    def odds_risk_area(self) -> float:
        """As :attr:`f1_risk_area`, with answers in the order of their null odds, as a null threshold takes them."""
        sureness = [-answer.null_odds for answer in self.answers]
        return risk_coverage_area(sureness, [1 - answer.f1 for answer in self.answers])

    def to_json(self) -> dict[str, Any]:
        """Return the figures in [0, 1] (``ece``, ``aurc_...``) and ``reliability``, the bins."""
        return {
            "ece": self.error,
            "aurc_exact": self.exact_risk_area,
            "aurc_f1": self.f1_risk_area,
            "aurc_f1_by_null_odds": self.odds_risk_area,
            "coverage": {f"{100 * each:.0f}": self.coverage(each) for each in PRECISIONS},
            "quote_coverage": {f"{100 * each:.0f}": self.quote_coverage(each) for each in PRECISIONS},
            "reliability": [asdict(each) for each in self.bins],
        }

    def _probability_and_exact(self) -> tuple[Floats, Floats]:
        probability = np.array([answer.decision_probability for answer in self.answers], dtype=np.float64)
        return probability, np.array([answer.decision_exact for answer in self.answers], dtype=np.float64)


def reliability(probabilities: ArrayLike, events: ArrayLike, bins: int = BINS) -> tuple[Bin, ...]:
    """Sort probabilities into bins of equal width, and compare each bin's mean with how often the event came.

    Args:
        probabilities: In [0, 1], ``(n,)``.
        events: Whether the event came, 0 or 1, ``(n,)``.
        bins: How many.

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
    """Return the expected calibration error: the mean gap between probability and accuracy, each bin by its questions.

    Source: Guo et al. 2017, section 2, equation 3.
    """
    total = sum(each.total for each in bins)
    return sum(each.total * each.gap for each in bins) / total if total else 0.0


def risk_coverage(confidences: ArrayLike, risks: ArrayLike) -> Floats:
    """Return the mean risk of the k surest answers, for every k: ``(n,)``.

    Args:
        confidences: Anything that grows with being sure: a probability, or minus the null odds; ``(n,)``.
        risks: What it costs to give the answer, in [0, 1]: 1 - exact match, or 1 - F1; ``(n,)``.

    Returns:
        The risk at coverage k / n, for k from 1 to n. Answers of one confidence share their mean risk, so that their
        order does not matter.

    Source: El-Yaniv and Wiener 2010, "On the foundations of noise-free selective classification", section 2.
    """
    order = np.argsort(-np.asarray(confidences, dtype=np.float64), kind="stable")
    sure = np.asarray(confidences, dtype=np.float64)[order]
    risk = np.asarray(risks, dtype=np.float64)[order]
    _, group, counts = np.unique(-sure, return_inverse=True, return_counts=True)
    risk = (np.bincount(group, weights=risk) / counts)[group]
    return np.asarray(np.cumsum(risk) / np.arange(1, len(risk) + 1))


def coverage_at(confidences: ArrayLike, right: ArrayLike, precision: float) -> float:
    """Return the largest share of decisions, surest first, of which a share is right.

    Args:
        confidences: ``(n,)``; equal ones are taken together.
        right: Whether each decision is right, 0 or 1; ``(n,)``.
        precision: The share that must be right, in [0, 1].

    Returns:
        In [0, 1]; 0 if not even the surest decisions are that precise.
    """
    sure = -np.sort(-np.asarray(confidences, dtype=np.float64))
    risk = risk_coverage(confidences, 1.0 - np.asarray(right, dtype=np.float64))
    ends = np.append(sure[1:] < sure[:-1], True)
    enough = np.flatnonzero(ends & (risk <= 1.0 - precision + 1e-12))
    return float(enough[-1] + 1) / len(sure) if len(enough) else 0.0


def risk_coverage_area(confidences: ArrayLike, risks: ArrayLike) -> float:
    """Return the area under the risk-coverage curve: the mean of :func:`risk_coverage` over all coverages."""
    return float(risk_coverage(confidences, risks).mean())
