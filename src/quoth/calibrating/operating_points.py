"""Operating points: the minimum probability of an answer that reaches a given precision, such as 90 %."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quoth.calibrating.intervals import percentiles, resampled

Floats = NDArray[np.float64]

# Precisions of the table.
PRECISIONS = (0.70, 0.75, 0.80, 0.85, 0.90, 0.95)
_RESAMPLES = 500


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """One row of the table: a minimum probability, and the precision that it reaches.

    Attributes:
        precision: Required share of correct answers among those given, by exact match, in (0, 1); ``None`` if the
            minimum probability was given instead.
        min_probability: The lowest probability threshold that reaches it; ``None`` if none does.
        answered: Share of all questions that are then answered, in [0, 1].
        reached: The precision on the data it was fitted on, in [0, 1]; ``None`` without a threshold.
        precision_interval, answered_interval: 95 % confidence intervals of both, by bootstrap over articles.
    """

    precision: float | None
    min_probability: float | None
    answered: float = 0.0
    reached: float | None = None
    precision_interval: tuple[float, float] | None = None
    answered_interval: tuple[float, float] | None = None


def question_weights(answerable: ArrayLike, unanswerable_share: float) -> Floats:
    """Return weights of questions such that the unanswerable ones have a given total weight.

    Args:
        answerable: Whether each question has golds, ``(n,)``. If all or none have, all weights are equal.
        unanswerable_share: Total weight of the unanswerable questions, in (0, 1).

    Returns:
        ``(n,)``, with a sum of 1.
    """
    has = np.asarray(answerable, dtype=bool)
    if has.all() or not has.any():
        return np.full(len(has), 1.0 / len(has))
    return np.asarray(np.where(has, (1.0 - unanswerable_share) / has.sum(), unanswerable_share / (~has).sum()))


def operating_points(
    probabilities: ArrayLike, right: ArrayLike, weights: ArrayLike, articles: ArrayLike
) -> tuple[OperatingPoint, ...]:
    """Find the lowest probability threshold for each precision.

    Args:
        probabilities: Probabilities of the best answers, in [0, 1], ``(n,)``.
        right: Whether each matches a gold, 0 or 1, ``(n,)``.
        weights: Weight of each question, ``(n,)``.
        articles: The number of each question's article, ``(n,)`` int; the bootstrap resamples articles.
    """
    p, correct = np.asarray(probabilities, dtype=np.float64), np.asarray(right, dtype=np.float64)
    weight, group = np.asarray(weights, dtype=np.float64), np.asarray(articles)
    levels = [_lowest_threshold(p, correct, weight, precision) for precision in PRECISIONS]
    draws = _draws(group)
    return tuple(
        _point(precision, level, p, correct, weight, draws) for precision, level in zip(PRECISIONS, levels, strict=True)
    )


def operating_point_at(
    min_probability: float,
    probabilities: ArrayLike,
    right: ArrayLike,
    weights: ArrayLike,
    articles: ArrayLike,
) -> OperatingPoint:
    """Return the operating point of a given minimum probability; other arguments are as in :func:`operating_points`."""
    p, correct = np.asarray(probabilities, dtype=np.float64), np.asarray(right, dtype=np.float64)
    weight = np.asarray(weights, dtype=np.float64)
    return _point(None, min_probability, p, correct, weight, _draws(np.asarray(articles)))


def _lowest_threshold(p: Floats, correct: Floats, weight: Floats, precision: float) -> float | None:
    order = np.argsort(-p, kind="stable")
    hits, given = np.cumsum((correct * weight)[order]), np.cumsum(weight[order])
    ends = np.append(p[order][1:] < p[order][:-1], True)
    enough = np.flatnonzero(ends & (hits >= precision * given - 1e-12))
    return float(p[order][enough[-1]]) if len(enough) else None


def _draws(group: NDArray[np.int_]) -> NDArray[np.int_]:
    """Return how often each question's article was drawn, ``(resamples, n)``."""
    return resampled(group, _RESAMPLES)[:, group]


def _point(
    precision: float | None, level: float | None, p: Floats, correct: Floats, weight: Floats, draws: NDArray[np.int_]
) -> OperatingPoint:
    if level is None:
        return OperatingPoint(precision, None)
    given = (p >= level).astype(np.float64)
    if not given.any():
        return OperatingPoint(precision, level)
    answered, hits = (weight * given).sum() / weight.sum(), (weight * given * correct).sum()
    shares = draws @ (weight * given)
    precisions = np.divide(draws @ (weight * given * correct), shares, where=shares > 0, out=np.ones(len(draws)))
    return OperatingPoint(
        precision,
        level,
        float(answered),
        float(hits / (weight * given).sum()),
        percentiles(precisions),
        percentiles(shares / (draws @ weight)),
    )
