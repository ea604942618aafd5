"""Confidence intervals and significance tests with articles as units, because questions of one article are dependent.

Questions of one article share its text and often its difficulty. Treating them as independent would make intervals
too narrow and p-values too small, so whole articles are resampled or have their signs flipped. If an article has no
title, each of its contexts counts as an article.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from quoth.records import Example

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_RESAMPLES = 2000
_FLIPS = 9999
_FEW = 20
_SIGNS_IN_MEMORY = 1_000_000
_SEED = 2016


def cluster(example: Example) -> str | bytes:
    """Return the key of a question's article: its title, else a short hash of the context, to keep memory small."""
    texts = "\0".join(example.contexts).encode("utf-8", "surrogatepass")
    return example.title or blake2b(texts, digest_size=8).digest()


def clusters(keys: Sequence[str | bytes]) -> Ints:
    """Number the articles of questions, ``(questions,)``.

    Args:
        keys: The result of :func:`cluster` for each question. A question with an empty key is its own article.

    Returns:
        Article numbers from 0. If there is only one article, each question counts as its own article.
    """
    numbers: dict[object, int] = {}
    index = np.array([numbers.setdefault(key or (place,), len(numbers)) for place, key in enumerate(keys)])
    return index.astype(np.intp) if len(numbers) > 1 else np.arange(len(keys))


def interval(values: Sequence[float] | Floats, articles: Ints) -> tuple[float, float]:
    """Return the 95 % confidence interval of a mean, by bootstrap over articles.

    Few articles say little about how much articles differ: two similar ones would give an interval of almost no width.
    So with fewer than 20, the interval also covers that of a bootstrap over questions.

    Args:
        values: One value per question, at least one; ``(questions,)``.
        articles: The number of each question's article, from 0; ``(questions,)``.

    Returns:
        The 2.5th and 97.5th percentile of the means of 2,000 resamples. Deterministic.

    Source: Efron 1979, "Bootstrap methods: another look at the jackknife"; Field and Welsh 2007, "Bootstrapping
        clustered data", section 3.1 (the cluster bootstrap).
    """
    low, high = _bootstrap(values, articles)
    number = len(np.unique(articles))
    if number < min(_FEW, len(articles)):
        alone = _bootstrap(values, np.arange(len(articles)))
        return min(low, alone[0]), max(high, alone[1])
    return low, high


def _bootstrap(values: Sequence[float] | Floats, articles: Ints) -> tuple[float, float]:
    counts = np.bincount(articles)
    sums = np.bincount(articles, weights=np.asarray(values, dtype=np.float64))
    # Articles with the same count and sum are interchangeable. One multinomial draw of how often each kind occurs has
    # the same distribution as drawing the articles one by one, and is much faster.
    kinds, number = np.unique(np.stack([sums, counts], axis=1)[counts > 0], axis=0, return_counts=True)
    draws = np.random.default_rng(_SEED).multinomial(number.sum(), number / number.sum(), size=_RESAMPLES)
    low, high = np.percentile((draws @ kinds[:, 0]) / (draws @ kinds[:, 1]), [2.5, 97.5])
    return float(low), float(high)


def sign_flip_test(differences: Sequence[float] | Floats, articles: Ints) -> float:
    """Return the p-value of a paired sign-flip (permutation) test for a difference of means, in (0, 1].

    Under the null hypothesis that both sides are equally good, the sides of an article can be exchanged. So the signs
    of all differences of an article are flipped together: all patterns for up to 13 articles, else 9,999 random ones.

    Args:
        differences: Difference of the two sides for each question; ``(questions,)``.
        articles: The number of each question's article, from 0; ``(questions,)``.

    Returns:
        The two-sided p-value.

    Source: Fisher 1935, "The design of experiments", section 21; for systems over questions, Smucker et al. 2007, "A
        comparison of statistical significance tests for information retrieval evaluation"; for the 1 added to both
        counts, Phipson and Smyth 2010, "Permutation p-values should never be zero".
    """
    sums = np.bincount(articles, weights=np.asarray(differences, dtype=np.float64))
    sums = sums[sums != 0.0]
    if not len(sums):
        return 1.0
    # Tolerance for rounding errors: the order of summation changes the last digits.
    least = abs(sums.sum()) - 1e-9 * np.abs(sums).sum()
    total = extreme = 0
    for signs in _signs(len(sums)):
        total += len(signs)
        extreme += int((np.abs(signs @ sums) >= least).sum())
    exact = 2 ** len(sums) == total
    return extreme / total if exact else (1 + extreme) / (1 + total)


def _signs(count: int) -> Iterator[Floats]:
    """Yield rows of ``count`` signs, ``(rows, count)``: all patterns once if there are few, else random ones."""
    if 2**count <= _FLIPS:
        yield _as_signs((np.arange(2**count)[:, None] >> np.arange(count)) & 1)
        return
    draw = np.random.default_rng(_SEED)
    step = max(1, _SIGNS_IN_MEMORY // count)
    for first in range(0, _FLIPS, step):
        yield _as_signs(draw.integers(0, 2, size=(min(step, _FLIPS - first), count)))


def _as_signs(bits: NDArray[np.int64]) -> Floats:
    return np.where(bits == 1, -1.0, 1.0).astype(np.float64)
