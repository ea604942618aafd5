"""Probabilities: that an answer is right, and that the context does not answer the question.

The probability of an answer is not its share among all spans. The share in a softmax over all legal spans estimates how
often an annotator would mark exactly this span. Annotators disagree on span boundaries, so an answer is right more
often than that. Given that the context answers the question, the answer's odds of being right are the odds of its share
times the odds scale.

The odds of "no answer" against the best answer are exp((null odds - null bias) / null temperature); the null odds are
the null score minus the best answer's score. At the null bias, both are equally probable. So a reader whose null bias
equals its null threshold abstains exactly if "no answer" is more probable than the best answer.

Both formulas are implemented twice, for arrays and for floats, because numpy is ten times slower than plain floats for
the few numbers of one prediction; a test checks that they agree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_TINY = float(np.finfo(np.float64).tiny)


def right_given_answerable(log_share: ArrayLike, odds_scale: ArrayLike) -> Floats:
    """Return the probability that an answer is right, given that the context answers the question.

    Args:
        log_share: Logarithm of the answer's share among all legal spans, at most 0. Any shape.
        odds_scale: Factor from the odds of the share to the odds of being right; above 0.

    Returns:
        Probabilities in [0, 1], in the broadcast shape of the arguments.

    Source: Platt 1999, "Probabilistic outputs for support vector machines": a line through the log odds. Its slope is
    the temperature of the softmax, its offset the logarithm of the odds scale.
    """
    share, scale = np.exp(np.asarray(log_share)), np.asarray(odds_scale, dtype=np.float64)
    return np.asarray(scale * share / (1.0 + (scale - 1.0) * share))


def no_answer_probability(best_right: ArrayLike, excess: ArrayLike) -> Floats:
    """Return the probability that the context does not answer the question.

    Its sum with the best answer's probability, ``best_right * (1 - this)``, is at most 1; the two are equal if
    ``excess`` is 0.

    Args:
        best_right: Probability that the best answer is right, given that the context answers the question; in [0, 1].
            Any shape.
        excess: Null odds minus the null bias, divided by the null temperature. Any shape.

    Returns:
        Probabilities in [0, 1], in the broadcast shape of the arguments.
    """
    right = np.maximum(np.asarray(best_right, dtype=np.float64), _TINY)
    log_odds = np.log(right) + np.asarray(excess)
    return np.asarray(np.exp(-np.logaddexp(0.0, -log_odds)))


def right_of(log_share: float, odds_scale: float) -> float:
    """Compute :func:`right_given_answerable` for one answer, in plain floats."""
    share = math.exp(log_share)
    return odds_scale * share / (1.0 + (odds_scale - 1.0) * share)


def no_answer_of(best_right: float, excess: float) -> float:
    """Compute :func:`no_answer_probability` for one example, in plain floats."""
    log_odds = math.log(max(best_right, _TINY)) + excess
    less = math.exp(-abs(log_odds))
    return less / (1.0 + less) if log_odds < 0 else 1.0 / (1.0 + less)


def limited(probabilities: Sequence[float], limit: float) -> list[float]:
    """Limit the sum of the probabilities of answers, best first, by scaling down all except the first one."""
    first, rest = probabilities[0], probabilities[1:]
    total, remaining = sum(rest), max(0.0, limit - first)
    scaled = rest if total <= remaining else [each * remaining / total for each in rest]
    return [first, *scaled]


def reason_below(probability: float, least: float) -> str | None:
    """Return why a reader with a minimum probability abstains; ``None`` if it answers.

    Args:
        probability: The probability of the best answer.
        least: The minimum probability.
    """
    return None if probability >= least else f"the best answer's probability is {probability:.3f}, below {least:g}"
