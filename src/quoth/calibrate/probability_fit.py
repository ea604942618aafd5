"""Fits the two probabilities: that the best answer is right, given that the text answers; and that it does not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quoth.evaluation.calibration import BINS, calibration_error, reliability
from quoth.reading import no_answer_probability, right_given_answerable

Floats = NDArray[np.float64]

# From a fourth to four, and from a fourth to 32: neighbours change no probability by more than 0.02.
TEMPERATURES: Floats = np.exp2(np.arange(-24, 25) / 12)
ODDS_SCALES: Floats = np.exp2(np.arange(-24, 61) / 12)
# From an eighth to 32: null odds spread further than scores.
NULL_TEMPERATURES: Floats = np.exp2(np.arange(-36, 61) / 12)
_FOLDS = 5
_RESAMPLES = 200


@dataclass(frozen=True, slots=True)
class ProbabilityFit:
    """What the probability of an answer is made with, and what that does to the data it was fitted on.

    Attributes:
        temperature: Divides scores before the softmax.
        odds_scale: Factor from the odds of the best answer's share to its odds of being right.
        ece_before: Expected calibration error with what was stored before, in [0, 1].
        ece_after: The same with what was fitted.
        ece_crossvalidated: The same where each fifth of the articles has it fitted on the others: what to expect of new
            articles of the kind.
        ece_interval: 95 % interval of the last, by bootstrap over questions.
        right_f1: An answer counts as right from this F1 on; 1: if it matches exactly.
        questions: Answerable questions that it was fitted on.
    """

    temperature: float
    odds_scale: float
    ece_before: float
    ece_after: float
    ece_crossvalidated: float
    ece_interval: tuple[float, float]
    right_f1: float
    questions: int

    @property
    def index(self) -> int:
        """Which of the temperatures that were tried it is."""
        return int(np.abs(TEMPERATURES - self.temperature).argmin())

    def at_the_ends(self) -> list[str]:
        """Name what stands at an end of the values that were tried."""
        tried = {"temperature": (self.temperature, TEMPERATURES), "odds scale": (self.odds_scale, ODDS_SCALES)}
        return [_at_an_end(name, value) for name, (value, grid) in tried.items() if value in (grid[0], grid[-1])]


@dataclass(frozen=True, slots=True)
class NullFit:
    """How the probability of "no answer" grows with the null odds above the threshold.

    Attributes:
        temperature: Divides null odds above the null bias.
        ece: Expected calibration error of the probability of "no answer", in [0, 1], on the data it was fitted on.
        ece_crossvalidated: The same where each fifth of the articles has the null temperature fitted on the others.
    """

    temperature: float
    ece: float
    ece_crossvalidated: float

    def at_the_ends(self) -> list[str]:
        """Say if it stands at an end of the values that were tried."""
        ends = (NULL_TEMPERATURES[0], NULL_TEMPERATURES[-1])
        return [_at_an_end("null temperature", self.temperature)] if self.temperature in ends else []


def _at_an_end(name: str, value: float) -> str:
    return f"the {name} ({value:g}) is at the end of the values that were tried: a better one may lie beyond"


def fit_probability(
    shares: Floats, right: Floats, articles: NDArray[np.int_], before: Floats, right_f1: float
) -> ProbabilityFit:
    """Fit the probability that the best answer is right, on answerable questions.

    Args:
        shares: Logarithm of the best answer's share at each of ``TEMPERATURES``, ``(n, len(TEMPERATURES))``.
        right: Whether the best answer is right, 0 or 1, ``(n,)``.
        articles: A number for each question's article, ``(n,)``.
        before: The probability with what is stored, ``(n,)``.
        right_f1: Goes into the result.
    """
    fold_of = _folds(articles)
    losses = np.empty((len(TEMPERATURES), len(ODDS_SCALES), _FOLDS))
    for index in range(len(TEMPERATURES)):
        found = right_given_answerable(shares[:, index], ODDS_SCALES[:, None])
        losses[index] = _log_loss(found, right) @ np.eye(_FOLDS)[fold_of]

    def fitted(folds: NDArray[np.bool_]) -> tuple[int, float]:
        """Return which temperature, and the odds scale, of the least loss on some folds."""
        best = np.unravel_index(losses[:, :, folds].sum(axis=2).argmin(), losses.shape[:2])
        return int(best[0]), float(ODDS_SCALES[best[1]])

    best, scale = fitted(np.ones(_FOLDS, dtype=bool))
    after = right_given_answerable(shares[:, best], scale)
    honest = after.copy()
    for fold in range(_FOLDS):
        inside = fold_of == fold
        if inside.any() and not inside.all():
            other, its = fitted(np.arange(_FOLDS) != fold)
            honest[inside] = right_given_answerable(shares[inside, other], its)
    return ProbabilityFit(
        temperature=float(TEMPERATURES[best]),
        odds_scale=scale,
        ece_before=_error(before, right),
        ece_after=_error(after, right),
        ece_crossvalidated=_error(honest, right),
        ece_interval=_error_interval(honest, right),
        right_f1=right_f1,
        questions=len(right),
    )


def fit_null(
    best_right: Floats, excess: Floats, answerable: NDArray[np.bool_], weights: Floats, articles: NDArray[np.int_]
) -> tuple[NullFit, Floats]:
    """Fit the probability that the text does not answer, on questions of both kinds.

    Args:
        best_right: Probability that the best answer is right, given that the text answers, ``(n,)``.
        excess: Null odds less the null bias, ``(n,)``.
        answerable: Whether the question has golds, ``(n,)``.
        weights: What each question weighs, ``(n,)``.
        articles: A number for each question's article, ``(n,)``.

    Returns:
        The fit; and the probability of "no answer" of each question, ``(n,)``.
    """
    fold_of = _folds(articles)
    tried = no_answer_probability(best_right, excess / NULL_TEMPERATURES[:, None])
    losses = (_log_loss(tried, (~answerable).astype(np.float64)) * weights) @ np.eye(_FOLDS)[fold_of]
    best = int(losses.sum(axis=1).argmin())
    honest = tried[best].copy()
    for fold in range(_FOLDS):
        inside = fold_of == fold
        if inside.any() and not inside.all():
            honest[inside] = tried[losses[:, np.arange(_FOLDS) != fold].sum(axis=1).argmin(), inside]
    return NullFit(
        float(NULL_TEMPERATURES[best]),
        _null_error(tried[best], answerable, weights),
        _null_error(honest, answerable, weights),
    ), tried[best]


def _null_error(probabilities: Floats, answerable: NDArray[np.bool_], weights: Floats) -> float:
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights * (probabilities - ~answerable))
    return float(np.abs(gaps).sum() / weights.sum())


def _log_loss(probabilities: Floats, came: Floats) -> Floats:
    """Return what each probability costs, as a logarithm; a certain one that is wrong costs much, not all."""
    kept = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return -np.log(np.where(came > 0, kept, 1 - kept))


def _folds(articles: NDArray[np.int_]) -> NDArray[np.intp]:
    """Deal the articles out into folds: shuffled, so that neighbours need not be in one; always alike."""
    dealt = np.random.default_rng(0).permutation(int(articles.max()) + 1)
    return np.asarray(dealt[articles] % _FOLDS)


def _error(probabilities: Floats, right: Floats) -> float:
    return calibration_error(reliability(probabilities, right))


def _error_interval(probabilities: Floats, right: Floats) -> tuple[float, float]:
    draws = np.random.default_rng(0).integers(0, len(right), (_RESAMPLES, len(right)))
    errors = [_error(probabilities[draw], right[draw]) for draw in draws]
    low, high = np.quantile(errors, [0.025, 0.975])
    return float(low), float(high)
