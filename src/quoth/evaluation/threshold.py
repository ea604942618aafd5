"""Null thresholds: the official best threshold of SQuAD v2.0, and the fit of the threshold that a reader stores.

A reader abstains if its null odds (null score minus the best answer's score) exceed the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quoth.errors import ConfigError
from quoth.records import NEVER, NullThreshold

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BestThreshold:
    """The best score over all thresholds.

    Attributes:
        value: The score, in [0, 100].
        threshold: The threshold of the null odds, as the official scorer prints it: 0 if always abstaining is best.
        usable: A threshold with this score that a reader can use: ``threshold``, or 1 below all null odds if always
            abstaining is best.
    """

    value: float
    threshold: float
    usable: float

    def __str__(self) -> str:
        """Return the score and its threshold."""
        return f"{self.value:.2f} " + (
            f"at {self.threshold:.2f}" if self.usable == self.threshold else "by always abstaining"
        )


def best_threshold(null_odds: ArrayLike, scores: ArrayLike, answerable: ArrayLike) -> BestThreshold:
    """Find the best threshold, identical to the official SQuAD v2.0 scorer.

    Args:
        null_odds: Null odds of each question, in the order of the data; ``(n,)``.
        scores: Exact match or F1 of the best answer, in [0, 1]; ``(n,)``. An unanswerable question with score 1 has
            the prediction "no answer" at any threshold.
        answerable: Whether the question has golds; ``(n,)``.

    Returns:
        The first best threshold, with ties of the odds in the order of the data; 0, as in the official scorer, if
        always abstaining is best.

    Source: ``find_best_thresh`` of the official evaluation script; Rajpurkar et al. 2018, section 4.
    """
    odds = np.asarray(null_odds, dtype=np.float64)
    score, has = np.asarray(scores, dtype=np.float64), np.asarray(answerable, dtype=bool)
    gains = np.where(has, score, score - 1.0)
    order = np.argsort(odds, kind="stable")
    nothing = float((~has).sum())
    totals = np.cumsum(np.concatenate([[nothing], gains[order]]))
    best = int(totals.argmax())
    threshold = float(odds[order[best - 1]]) if best else 0.0
    return BestThreshold(
        float(100.0 * totals[best] / len(odds)), threshold, threshold if best else float(odds[order[0]]) - 1.0
    )


@dataclass(frozen=True, slots=True)
class ThresholdFit:
    """A fitted null threshold and its metrics on the data it was fitted on.

    Attributes:
        threshold: The reader abstains if the null odds exceed it, or "never".
        f1: F1 of answerable and unanswerable questions, weighted by their shares; in [0, 100].
        never_f1: The same if the reader never abstains.
        cost: Loss of F1 points on the answerable questions.
        kept: Share of the answerable questions that are answered, in [0, 1].
        declined: Share of the unanswerable questions on which the reader abstains, in [0, 1].
    """

    threshold: NullThreshold
    f1: float
    never_f1: float
    cost: float
    kept: float
    declined: float


def fit_threshold(
    null_odds: ArrayLike,
    f1: ArrayLike,
    answerable: ArrayLike,
    *,
    max_cost: float | None = None,
    unanswerable_share: float = 0.5,
) -> ThresholdFit:
    """Fit the threshold with the best F1 for a given share of unanswerable questions.

    Args:
        null_odds: Null odds of each question; ``(n,)``.
        f1: F1 of the best answer, in [0, 1]; ``(n,)``.
        answerable: Whether the question has golds; ``(n,)``; both kinds must occur.
        max_cost: Maximum loss of F1 points on the answerable questions; ``None``: no limit.
        unanswerable_share: Total weight of the unanswerable questions, in (0, 1), independent of their number.

    Returns:
        The best threshold: the midpoint of two null odds of the data, or 1 below all of them if always abstaining is
        best. Of equally good thresholds, the one that abstains least.

    Raises:
        ConfigError: If one kind of question is missing, or a number is out of its range.
    """
    odds, score = np.asarray(null_odds, dtype=np.float64), np.asarray(f1, dtype=np.float64)
    has = np.asarray(answerable, dtype=bool)
    if not has.any() or has.all():
        kind = "unanswerable" if has.any() else "answerable"
        raise ConfigError(f"a null threshold is fitted on answerable and unanswerable questions, but none is {kind}")
    if max_cost is not None and not max_cost >= 0:
        raise ConfigError(f"max_cost must be at least 0 F1 points, but is {max_cost}")
    if not 0 < unanswerable_share < 1:
        raise ConfigError(f"unanswerable_share must be between 0 and 1, but is {unanswerable_share}")
    levels, group = np.unique(odds, return_inverse=True)
    levels = np.concatenate([[levels[0] - 2.0], levels])  # below all odds
    # At level k, all questions with odds up to levels[k] are answered; none at the first level.
    answered = np.cumsum(np.bincount(group + 1, np.where(has, score, 0.0))) / has.sum()
    silent = 1.0 - np.cumsum(np.bincount(group + 1, np.where(has, 0.0, 1.0 - score))) / (~has).sum()
    costs = answered[-1] - answered
    totals = (1.0 - unanswerable_share) * answered + unanswerable_share * silent
    means = np.where(costs <= (np.inf if max_cost is None else max_cost / 100 + 1e-12), totals, -1.0)
    best = int(np.flatnonzero(means >= means.max() - 1e-12)[-1])  # equal up to rounding errors
    threshold: NullThreshold = NEVER if best == len(levels) - 1 else float((levels[best] + levels[best + 1]) / 2)
    return threshold_at(odds, score, has, threshold, unanswerable_share=unanswerable_share)


def threshold_at(
    null_odds: ArrayLike,
    f1: ArrayLike,
    answerable: ArrayLike,
    threshold: NullThreshold,
    *,
    unanswerable_share: float = 0.5,
) -> ThresholdFit:
    """Return the metrics at a given threshold.

    Args:
        null_odds: As for :func:`fit_threshold`, like all others.
        f1: F1 of the best answer, in [0, 1]; ``(n,)``.
        answerable: Whether the question has golds; ``(n,)``; both kinds must occur.
        threshold: The null threshold.
        unanswerable_share: Total weight of the unanswerable questions, in (0, 1).
    """
    odds, score = np.asarray(null_odds, dtype=np.float64), np.asarray(f1, dtype=np.float64)
    has = np.asarray(answerable, dtype=bool)
    given = np.ones(len(odds), dtype=bool) if threshold == NEVER else odds <= threshold

    def shares(answered: NDArray[np.bool_]) -> tuple[float, float]:
        """Return F1 of the answerable questions, and of both kinds, in [0, 1]."""
        found = float((score * answered)[has].mean())
        # An unanswerable question with score 1 has nothing to quote.
        silent = float(1.0 - ((1.0 - score) * answered)[~has].mean())
        return found, (1.0 - unanswerable_share) * found + unanswerable_share * silent

    (found, both), (most, never) = shares(given), shares(np.ones(len(odds), dtype=bool))
    return ThresholdFit(
        threshold=threshold,
        f1=100 * both,
        never_f1=100 * never,
        cost=100 * (most - found),
        kept=float(given[has].mean()),
        declined=float(1 - given[~has].mean()),
    )


def threshold_curve(
    null_odds: ArrayLike, f1: ArrayLike, answerable: ArrayLike
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return F1 as a function of the null threshold.

    Args:
        null_odds: Null odds of each question; ``(n,)``.
        f1: F1 of the best answer, in [0, 1]; ``(n,)``.
        answerable: Whether the question has golds; ``(n,)``; both kinds must occur.

    Returns:
        Thresholds in ascending order; and F1 of the answerable, the unanswerable and all questions at each of them, in
        [0, 100]; each ``(n,)``.
    """
    odds, score = np.asarray(null_odds, dtype=np.float64), np.asarray(f1, dtype=np.float64)
    has = np.asarray(answerable, dtype=bool)
    order = np.argsort(odds, kind="stable")
    answered = np.cumsum(np.where(has, score, 0.0)[order])
    silent = (~has).sum() - np.cumsum((~has)[order])
    return odds[order], 100 * answered / has.sum(), 100 * silent / (~has).sum(), 100 * (answered + silent) / len(odds)
