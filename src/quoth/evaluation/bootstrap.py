"""Intervals and tests that take articles as what they are: many questions of one text, which stand and fall together.

Questions of one article share its text and often its difficulty. Resampled one by one they would look like more
evidence than they are, so whole articles are resampled, or change sides, at a time. Where an article has no title, its
contexts are taken for articles.
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
_FLIPPED_AT_ONCE = 1_000_000  # signs held in memory
_SEED = 2016


def cluster(example: Example) -> str | bytes:
    """Return what the questions that stand and fall with this one share: their title, else a short hash of the context.

    Contexts are long, and a stream of examples must not leave them behind.
    """
    texts = "\0".join(example.contexts).encode("utf-8", "surrogatepass")
    return example.title or blake2b(texts, digest_size=8).digest()


def clusters(keys: Sequence[str | bytes]) -> Ints:
    """Number the articles that questions are of, ``(questions,)``.

    Args:
        keys: What :func:`cluster` gives for each question. One with an empty key is an article of its own.

    Returns:
        Numbers from 0. If all are of one article, there is nothing to resample but the questions: each stands alone.
    """
    numbers: dict[object, int] = {}
    index = np.array([numbers.setdefault(key or (place,), len(numbers)) for place, key in enumerate(keys)])
    return index.astype(np.intp) if len(numbers) > 1 else np.arange(len(keys))


def interval(values: Sequence[float] | Floats, articles: Ints) -> tuple[float, float]:
    """Return the 95 % interval of the mean of some values, by bootstrap over articles.

    Args:
        values: One a question, at least one; ``(questions,)``.
        articles: The number of each question's article, from 0; ``(questions,)``.

    Returns:
        The 2.5th and 97.5th percentile of the means of 2,000 resamples. The same values give the same interval.

    Source: Efron 1979, "Bootstrap methods: another look at the jackknife"; Field and Welsh 2007, "Bootstrapping
        clustered data", section 3.1 (the cluster bootstrap).
    """
    counts = np.bincount(articles)
    sums = np.bincount(articles, weights=np.asarray(values, dtype=np.float64))
    # Articles alike in count and sum are interchangeable: one multinomial draw says how often each kind of them comes,
    # which is the same distribution as drawing them one by one, at a fraction of the cost.
    kinds, number = np.unique(np.stack([sums, counts], axis=1)[counts > 0], axis=0, return_counts=True)
    draws = np.random.default_rng(_SEED).multinomial(number.sum(), number / number.sum(), size=_RESAMPLES)
    low, high = np.percentile((draws @ kinds[:, 0]) / (draws @ kinds[:, 1]), [2.5, 97.5])
    return float(low), float(high)


def sign_flip_test(differences: Sequence[float] | Floats, articles: Ints) -> float:
    """Return how often a difference of means as large as this one would come by chance, in (0, 1].

    If the two sides were equally good, they could be exchanged, article by article, without harm. So the signs of all
    differences of an article are turned at random together: in every way for up to 13 articles, else in 9,999 ways.

    Args:
        differences: Of the two sides, one a question; ``(questions,)``.
        articles: The number of each question's article, from 0; ``(questions,)``.

    Returns:
        The two-sided p-value.

    Source: Fisher 1935, "The design of experiments", section 21; for systems over questions, Smucker et al. 2007, "A
        comparison of statistical significance tests for information retrieval evaluation"; the 1 added to both counts
        is of Phipson and Smyth 2010, "Permutation p-values should never be zero".
    """
    sums = np.bincount(articles, weights=np.asarray(differences, dtype=np.float64))
    sums = sums[sums != 0.0]
    if not len(sums):
        return 1.0
    # Sums of floats in another order differ in their last digits; that is no smaller difference.
    least = abs(sums.sum()) - 1e-9 * np.abs(sums).sum()
    total = extreme = 0
    for signs in _signs(len(sums)):
        total += len(signs)
        extreme += int((np.abs(signs @ sums) >= least).sum())
    exact = 2 ** len(sums) == total
    return extreme / total if exact else (1 + extreme) / (1 + total)


def _signs(count: int) -> Iterator[Floats]:
    """Yield rows of ``count`` signs, ``(rows, count)``: every pattern once if there are few, else drawn at random."""
    if 2**count <= _FLIPS:
        yield _as_signs((np.arange(2**count)[:, None] >> np.arange(count)) & 1)
        return
    draw = np.random.default_rng(_SEED)
    step = max(1, _FLIPPED_AT_ONCE // count)
    for first in range(0, _FLIPS, step):
        yield _as_signs(draw.integers(0, 2, size=(min(step, _FLIPS - first), count)))


def _as_signs(bits: NDArray[np.int64]) -> Floats:
    return np.where(bits == 1, -1.0, 1.0).astype(np.float64)
