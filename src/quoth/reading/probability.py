"""From scores to probabilities: shares of a softmax, and what they say of being right.

A softmax over the spans tells what one annotator would mark. An answer that another would have cut otherwise may be
right all the same, so the chance that an answer is right is higher than its share: its odds, given that the text
answers at all, are those of its share times the reader's ``agreement``. With an agreement of 1, both are the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def null_chance(log_null: ArrayLike) -> Floats:
    """Return the probability that the text does not answer.

    Args:
        log_null: Logarithm of what "no answer" weighs against all legal spans together: null score less null bias,
            over the temperature, minus the spans' log sum. Any shape.

    Returns:
        In [0, 1], in that shape.
    """
    return np.asarray(np.exp(-np.logaddexp(0.0, np.negative(log_null))))


def chance(log_share: ArrayLike, log_null: ArrayLike, agreement: ArrayLike) -> Floats:
    """Return the probability that an answer is right; with that of "no answer", at most 1.

    Args:
        log_share: Logarithm of the answer's share among all legal spans, at most 0. Any shape.
        log_null: As :func:`null_chance` takes it.
        agreement: How many times as high as those of its share the odds of an answer are; above 0.

    Returns:
        In [0, 1], in their common shape.

    Source: Platt 1999, "Probabilistic outputs for support vector machines": a line through the log odds. Its slope is
    the temperature here, its offset the logarithm of the agreement.
    """
    share, times = np.exp(np.asarray(log_share)), np.asarray(agreement, dtype=np.float64)
    right = times * share / (1.0 + (times - 1.0) * share)
    return np.asarray(np.exp(-np.logaddexp(0.0, log_null)) * right)
