"""Confidence intervals of fitted parameters, by bootstrap over articles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quoth.evaluation.threshold import fit_threshold
from quoth.records import NEVER, NullThreshold

Floats = NDArray[np.float64]
Interval = tuple[float, float]
# Either end of a threshold's interval may be "never".
ThresholdInterval = tuple[NullThreshold, NullThreshold]

RESAMPLES = 200
# Maximum number of groups of articles, so that the losses of all grid points fit in memory.
_GROUPS = 400


def groups(articles: NDArray[np.int_]) -> NDArray[np.int_]:
    """Number the groups of articles that are resampled together: articles, or at most 400 groups of them."""
    return np.asarray(np.unique(articles, return_inverse=True)[1] % _GROUPS)


def resampled(group: NDArray[np.int_], resamples: int = RESAMPLES) -> NDArray[np.int_]:
    """Return how often each group is drawn in each resample, ``(resamples, groups)``. Deterministic."""
    count = int(group.max()) + 1
    return np.random.default_rng(0).multinomial(count, np.full(count, 1.0 / count), size=resamples)


def percentiles(values: ArrayLike, *, on_grid: bool = False) -> Interval:
    """Return the 2.5th and the 97.5th percentile; ``on_grid``: without interpolation, so that they are given values."""
    low, high = np.quantile(np.asarray(values), [0.025, 0.975], method="nearest" if on_grid else "linear")
    return float(low), float(high)


def threshold_interval(
    odds: Floats, f1: Floats, has: NDArray[np.bool_], articles: NDArray[np.int_], max_cost: float | None, share: float
) -> ThresholdInterval:
    """Return the 95 % confidence interval of the best null threshold.

    Args:
        odds: Null odds of each question, ``(n,)``.
        f1: F1 of each best answer, in [0, 1], ``(n,)``.
        has: Whether each question has golds, ``(n,)``.
        articles: The number of each question's article, ``(n,)``.
        max_cost: Maximum loss of F1 points on the answerable questions, as in :func:`fit_threshold`.
        share: The share of unanswerable questions, in (0, 1), as in :func:`fit_threshold`.
    """
    both = [rows for rows in _resampled_rows(articles) if has[rows].any() and not has[rows].all()]
    found = np.array(
        [
            _number(
                fit_threshold(odds[rows], f1[rows], has[rows], max_cost=max_cost, unanswerable_share=share).threshold
            )
            for rows in both or [np.arange(len(odds))]
        ]
    )
    low, high = percentiles(found, on_grid=True)
    return _finite(low), _finite(high)


def _number(threshold: NullThreshold) -> float:
    return np.inf if isinstance(threshold, str) else threshold


def _finite(value: float) -> NullThreshold:
    return NEVER if value == np.inf else value


def _resampled_rows(articles: NDArray[np.int_]) -> Iterator[NDArray[np.int_]]:
    """Yield the indices of the questions of each resample."""
    group = groups(articles)
    for counts in resampled(group):
        yield np.repeat(np.arange(len(group)), counts[group])
