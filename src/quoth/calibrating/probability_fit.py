"""Fits two probabilities: that the best answer is correct if there is an answer, and that there is no answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quoth.calibrating.intervals import Interval, groups, percentiles, resampled
from quoth.evaluation.calibration import BINS, calibration_error, reliability
from quoth.reading import no_answer_probability, right_given_answerable

Floats = NDArray[np.float64]

# Grids from 1/4 to 4, and from 1/4 to 32: between neighbours no probability changes by more than 0.02.
TEMPERATURES: Floats = np.exp2(np.arange(-24, 25) / 12)
ODDS_SCALES: Floats = np.exp2(np.arange(-24, 61) / 12)
# Grid from 1/8 to 32: null odds have a wider range than scores.
NULL_TEMPERATURES: Floats = np.exp2(np.arange(-36, 61) / 12)
_FOLDS = 5
_RESAMPLES = 200


@dataclass(frozen=True, slots=True)
class ProbabilityFit:
    """Fitted parameters of an answer's probability, and the calibration error on the data they were fitted on.

    Attributes:
        temperature: Divides scores before the softmax.
        odds_scale: Factor from the odds of the best answer's share to its odds of being correct.
        ece_before: Expected calibration error with the stored parameters, in [0, 1].
        ece_after: Expected calibration error with the fitted parameters, in [0, 1].
        ece_crossvalidated: Expected calibration error in five-fold cross-validation over articles, in [0, 1]: the
            estimate for new articles of the same kind.
        ece_interval: 95 % confidence interval of ``ece_crossvalidated``, by bootstrap over questions.
        right_f1: Minimum F1 of an answer that counts as correct, in (0, 100]; 100: only exact matches.
        questions: Number of answerable questions.
        temperature_interval, odds_scale_interval: 95 % confidence intervals, by bootstrap over articles.
    """

    temperature: float
    odds_scale: float
    ece_before: float
    ece_after: float
    ece_crossvalidated: float
    ece_interval: tuple[float, float]
    right_f1: float
    questions: int
    temperature_interval: Interval
    odds_scale_interval: Interval

    @property
    def index(self) -> int:
        """Index of the temperature in the grid."""
        return int(np.abs(TEMPERATURES - self.temperature).argmin())

    def at_the_ends(self) -> list[str]:
        """Return a warning for each parameter at an end of its grid."""
        tried = {"temperature": (self.temperature, TEMPERATURES), "odds scale": (self.odds_scale, ODDS_SCALES)}
        return [_at_an_end(name, value) for name, (value, grid) in tried.items() if value in (grid[0], grid[-1])]


@dataclass(frozen=True, slots=True)
class NullFit:
    """Fitted slope of the probability of "no answer" over the null odds.

    Attributes:
        temperature: Divides null odds minus the null bias.
        ece: Expected calibration error of the probability of "no answer" on the data it was fitted on, in [0, 1].
        ece_crossvalidated: The same in five-fold cross-validation over articles.
    """

    temperature: float
    ece: float
    ece_crossvalidated: float

    def at_the_ends(self) -> list[str]:
        """Return a warning if the null temperature is at an end of its grid."""
        ends = (NULL_TEMPERATURES[0], NULL_TEMPERATURES[-1])
        return [_at_an_end("null temperature", self.temperature)] if self.temperature in ends else []


def _at_an_end(name: str, value: float) -> str:
    return f"the {name} ({value:g}) is at the end of the search grid; a better value may be outside of it"


def fit_probability(
    shares: Floats, right: Floats, articles: NDArray[np.int_], before: Floats, right_f1: float
) -> tuple[ProbabilityFit, Floats]:
    """Fit the probability that the best answer is correct, on answerable questions.

    Args:
        shares: Logarithm of the best answer's share at each of ``TEMPERATURES``, ``(n, len(TEMPERATURES))``.
        right: Whether the best answer is correct, 0 or 1, ``(n,)``.
        articles: The number of each question's article, ``(n,)``.
        before: The probability with the stored parameters, ``(n,)``.
        right_f1: Copied to the result.

    Returns:
        The fit, and the probability of each question in cross-validation, ``(n,)``.
    """
    fold_of, group = _folds(articles), groups(articles)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    losses = np.empty((len(TEMPERATURES), len(ODDS_SCALES), _FOLDS))
    by_group = np.empty((len(TEMPERATURES), len(ODDS_SCALES), len(starts)), dtype=np.float32)
    for index in range(len(TEMPERATURES)):
        found = _log_loss(right_given_answerable(shares[:, index], ODDS_SCALES[:, None]), right)
        losses[index] = found @ np.eye(_FOLDS)[fold_of]
        by_group[index] = np.add.reduceat(found[:, order], starts, axis=1)

    def fitted(folds: NDArray[np.bool_]) -> tuple[int, float]:
        """Return the index of the temperature and the odds scale with the lowest loss on some folds."""
        best = np.unravel_index(losses[:, :, folds].sum(axis=2).argmin(), losses.shape[:2])
        return int(best[0]), float(ODDS_SCALES[best[1]])

    best, scale = fitted(np.ones(_FOLDS, dtype=bool))
    after = right_given_answerable(shares[:, best], scale)
    crossvalidated = after.copy()
    for fold in range(_FOLDS):
        inside = fold_of == fold
        if inside.any() and not inside.all():
            other, its = fitted(np.arange(_FOLDS) != fold)
            crossvalidated[inside] = right_given_answerable(shares[inside, other], its)
    drawn = (by_group.reshape(-1, len(starts)) @ resampled(group).T.astype(np.float32)).argmin(axis=0)
    temperatures, scales = np.unravel_index(drawn, losses.shape[:2])
    fit = ProbabilityFit(
        temperature=float(TEMPERATURES[best]),
        odds_scale=scale,
        ece_before=_error(before, right),
        ece_after=_error(after, right),
        ece_crossvalidated=_error(crossvalidated, right),
        ece_interval=_error_interval(crossvalidated, right),
        right_f1=right_f1,
        questions=len(right),
        temperature_interval=percentiles(TEMPERATURES[temperatures], on_grid=True),
        odds_scale_interval=percentiles(ODDS_SCALES[scales], on_grid=True),
    )
    return fit, crossvalidated


def fit_null(
    best_right: Floats, excess: Floats, answerable: NDArray[np.bool_], weights: Floats, articles: NDArray[np.int_]
) -> tuple[NullFit, Floats]:
    """Fit the probability that the text does not answer, on answerable and unanswerable questions.

    Args:
        best_right: Probability that the best answer is correct, given that the question is answerable, ``(n,)``.
        excess: Null odds minus the null bias, ``(n,)``.
        answerable: Whether the question has golds, ``(n,)``.
        weights: Weight of each question, ``(n,)``.
        articles: The number of each question's article, ``(n,)``.

    Returns:
        The fit, and the probability of "no answer" for each question, ``(n,)``.
    """
    fold_of = _folds(articles)
    tried = no_answer_probability(best_right, excess / NULL_TEMPERATURES[:, None])
    losses = (_log_loss(tried, (~answerable).astype(np.float64)) * weights) @ np.eye(_FOLDS)[fold_of]
    best = int(losses.sum(axis=1).argmin())
    crossvalidated = tried[best].copy()
    for fold in range(_FOLDS):
        inside = fold_of == fold
        if inside.any() and not inside.all():
            crossvalidated[inside] = tried[losses[:, np.arange(_FOLDS) != fold].sum(axis=1).argmin(), inside]
    return NullFit(
        float(NULL_TEMPERATURES[best]),
        _null_error(tried[best], answerable, weights),
        _null_error(crossvalidated, answerable, weights),
    ), tried[best]


def _null_error(probabilities: Floats, answerable: NDArray[np.bool_], weights: Floats) -> float:
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights * (probabilities - ~answerable))
    return float(np.abs(gaps).sum() / weights.sum())


def _log_loss(probabilities: Floats, came: Floats) -> Floats:
    """Return the log loss of each probability, clipped so that it is finite."""
    kept = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return -np.log(np.where(came > 0, kept, 1 - kept))


def _folds(articles: NDArray[np.int_]) -> NDArray[np.intp]:
    """Assign shuffled articles to folds; deterministic."""
    dealt = np.random.default_rng(0).permutation(int(articles.max()) + 1)
    return np.asarray(dealt[articles] % _FOLDS)


def _error(probabilities: Floats, right: Floats) -> float:
    return calibration_error(reliability(probabilities, right))


def _error_interval(probabilities: Floats, right: Floats) -> tuple[float, float]:
    draws = np.random.default_rng(0).integers(0, len(right), (_RESAMPLES, len(right)))
    return percentiles([_error(probabilities[draw], right[draw]) for draw in draws])
