"""Finds near-duplicates: texts that differ only in a few words.

    text ─▶ shingles of terms ─▶ lowest hashes (bottom-k sketch) ─▶ pairs that share a hash ─▶ similarity, by rapidfuzz

The time is linear in the length of the texts, plus one comparison for each pair of candidates.

Source: Broder 1997, "On the resemblance and containment of documents".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quoth.data.terms import terms

_SKETCH = 8  # hashes per text; two texts that share half of their shingles have a common hash in 99.6 % of cases
_BUCKET = 30  # if more texts have the same hash, each is compared only with the previous one, instead of with all
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class Pair(NamedTuple):
    """The indices of two texts, the lower first, and their similarity, 0 to 100."""

    first: int
    second: int
    similarity: float


def near_pairs(texts: Sequence[str], *, at_least: float = 85, shingle: int = 4) -> list[Pair]:
    """Find pairs of texts that are nearly the same.

    Args:
        texts: The texts.
        at_least: Minimum similarity: 100 minus the percentage of characters of the terms that are inserted or deleted.
        shingle: Number of terms that are hashed together; fewer for shorter texts.

    Returns:
        The pairs, in order. If more than thirty texts share a passage, some pairs may be missing, but a chain of other
        pairs connects their texts.
    """
    from rapidfuzz import fuzz

    split = [terms(text) for text in texts]
    joined = [" ".join(each) for each in split]
    pairs: list[Pair] = []
    for first, second in sorted(set(_candidates(split, shingle))):
        similarity = fuzz.ratio(joined[first], joined[second], score_cutoff=at_least)
        if similarity:
            pairs.append(Pair(first, second, float(similarity)))
    return pairs


def _candidates(texts: Sequence[list[str]], shingle: int) -> Iterator[tuple[int, int]]:
    numbers: dict[str, int] = {}
    buckets: defaultdict[int, list[int]] = defaultdict(list)
    for index, each in enumerate(texts):
        ids = np.fromiter((numbers.setdefault(term, len(numbers)) for term in each), np.uint64, len(each))
        for value in _sketch(ids, shingle).tolist():
            buckets[value].append(index)
    for bucket in buckets.values():
        if len(bucket) > _BUCKET:
            yield from pairwise(bucket)
        else:
            for place, first in enumerate(bucket):
                yield from ((first, second) for second in bucket[place + 1 :])


def _sketch(ids: NDArray[np.uint64], shingle: int) -> NDArray[np.uint64]:
    """Return the lowest hashes of a text's shingles."""
    width = max(1, min(shingle, len(ids)))
    count = len(ids) - width + 1
    if count < 1:
        return np.empty(0, np.uint64)
    hashes = np.zeros(count, np.uint64)
    for place in range(width):
        hashes = (hashes ^ _mixed(ids[place : place + count] + np.uint64(place << 40))) * _MULTIPLIER
    hashes = np.unique(_mixed(hashes))
    return hashes[:_SKETCH]


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    # The finaliser of splitmix64, so that the lowest hashes are a random sample.
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


class Groups:
    """Groups of items, by union-find."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def find(self, index: int) -> int:
        """Return the group of an item: the lowest index in it."""
        while self._parent[index] != index:
            self._parent[index] = self._parent[self._parent[index]]
            index = self._parent[index]
        return index

    def join(self, first: int, second: int) -> None:
        """Merge the groups of two items."""
        low, high = sorted((self.find(first), self.find(second)))
        self._parent[high] = low
