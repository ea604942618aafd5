"""Where to abstain: the official best threshold of SQuAD v2.0, and the fit of the threshold that a reader stores.

A reader abstains where its null odds (null score minus the best answer's score) exceed the threshold.
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
    """The best total that any threshold gives.

    Attributes:
        value: The total, in [0, 100].
        threshold: Abstain where the null odds exceed it.
    """

    value: float
    threshold: float


def best_threshold(null_odds: ArrayLike, scores: ArrayLike, answerable: ArrayLike) -> BestThreshold:
    """Find the best threshold as the official SQuAD v2.0 scorer does, to the last digit.

    Args:
        null_odds: One a question, in the order of the data; ``(n,)``.
        scores: Exact match or F1 of the best answer if it is given, in [0, 1]; ``(n,)``. What of an unanswerable
            question has score 1 was no answer from the start, and stays.
        answerable: Whether the question has golds; ``(n,)``.

    Returns:
        The first best of all thresholds between one question and the next, ties in the odds in the order of the data;
        threshold 0, as the scorer has it, if nothing beats abstaining always.

    Source: ``find_best_thresh`` of the official evaluation script; Rajpurkar et al. 2018, section 4.
    """
    odds = np.asarray(null_odds, dtype=np.float64)
    score, has = np.asarray(scores, dtype=np.float64), np.asarray(answerable, dtype=bool)
    gains = np.where(has, score, score - 1.0)
    order = np.argsort(odds, kind="stable")
    nothing = float((~has).sum())
    totals = np.cumsum(np.concatenate([[nothing], gains[order]]))
    best = int(totals.argmax())
    return BestThreshold(float(100.0 * totals[best] / len(odds)), float(odds[order[best - 1]]) if best else 0.0)


@dataclass(frozen=True, slots=True)
class ThresholdFit:
    """A threshold and what it does to the data it was fitted on.

    Attributes:
        threshold: Abstain where the null odds exceed it, or "never".
        f1: F1 of the answerable and of the unanswerable questions, each weighed by its share; in [0, 100].
        never_f1: The same if the reader never abstained.
        cost: F1 points that the answerable questions lose.
        kept: Share of the answerable questions that are still answered, in [0, 1].
        declined: Share of the unanswerable questions where it abstains, in [0, 1].
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
    """Choose the threshold with the best F1, at a share of unanswerable questions.

    Args:
        null_odds: One a question; ``(n,)``.
        f1: Of the best answer if it is given, in [0, 1]; ``(n,)``.
        answerable: Whether the question has golds; ``(n,)``; both kinds must be there.
        max_cost: F1 points that the answerable questions may lose at most; ``None``: any.
        unanswerable_share: What the unanswerable questions weigh as a whole, in (0, 1), whatever their number.

    Returns:
        The best threshold, halfway between two null odds of the data, or 1 below all of them where abstaining always is
        best; of equal ones, the one that abstains least.

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
    # At level k, everything up to levels[k] is answered: nothing at the first. What is answered later only ever adds to
    # these sums.
    answered = np.cumsum(np.bincount(group + 1, np.where(has, score, 0.0))) / has.sum()
    silent = 1.0 - np.cumsum(np.bincount(group + 1, np.where(has, 0.0, 1.0 - score))) / (~has).sum()
    costs = answered[-1] - answered
    totals = (1.0 - unanswerable_share) * answered + unanswerable_share * silent
    means = np.where(costs <= (np.inf if max_cost is None else max_cost / 100 + 1e-12), totals, -1.0)
    best = int(np.flatnonzero(means >= means.max() - 1e-12)[-1])  # equal but for rounding is equal
    threshold: NullThreshold = NEVER if best == len(levels) - 1 else float((levels[best] + levels[best + 1]) / 2)
    given = odds <= levels[best]
    return ThresholdFit(
        threshold=threshold,
        f1=float(100 * means[best]),
        never_f1=float(100 * totals[-1]),
        cost=float(100 * costs[best]),
        kept=float(given[has].mean()),
        declined=float(1 - given[~has].mean()),
    )


def threshold_curve(
    null_odds: ArrayLike, f1: ArrayLike, answerable: ArrayLike
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return what every null threshold would give.

    Args:
        null_odds: One a question; ``(n,)``.
        f1: Of the best answer if it is given, in [0, 1]; ``(n,)``.
        answerable: Whether the question has golds; ``(n,)``; both kinds must be there.

    Returns:
        Thresholds, ascending; and the F1 of the answerable, of the unanswerable and of all questions at each, in
        [0, 100]; each ``(n,)``.
    """
    odds, score = np.asarray(null_odds, dtype=np.float64), np.asarray(f1, dtype=np.float64)
    has = np.asarray(answerable, dtype=bool)
    order = np.argsort(odds, kind="stable")
    answered = np.cumsum(np.where(has, score, 0.0)[order])
    silent = (~has).sum() - np.cumsum((~has)[order])
    return odds[order], 100 * answered / has.sum(), 100 * silent / (~has).sum(), 100 * (answered + silent) / len(odds)
