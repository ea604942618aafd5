"""Near-duplicates: texts that are the same but for a few words.

    text ─▶ shingles of terms ─▶ the least hashes (bottom-k sketch) ─▶ pairs that share one ─▶ similarity, by rapidfuzz

Source: Broder 1997, "On the resemblance and containment of documents". Cost: linear in the texts, and one comparison
for each pair of candidates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quoth.data.terms import terms
from quoth.errors import MissingExtraError

_SKETCH = 8  # hashes of a text; two texts that share half of their shingles share one in 99.6 % of cases
_BUCKET = 30  # texts of one hash that are compared with each other; of more, each with the one before
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class Pair(NamedTuple):
    """Two texts by their index, the lower first, and how similar they are, 0 to 100."""

    first: int
    second: int
    similarity: float


def near_pairs(texts: Sequence[str], *, at_least: float = 85, shingle: int = 4) -> list[Pair]:
    """Find texts that are nearly the same.

    Args:
        texts: All different from each other, but that is not needed.
        at_least: The least similarity: 100 less the share of insertions and deletions, of the terms' characters.
        shingle: Terms that are hashed together; fewer for shorter texts.

    Returns:
        In order. Of more than thirty texts that share a passage, pairs may be missing that a chain of others joins.

    Raises:
        MissingExtraError: Without rapidfuzz.
    """
    try:
        from rapidfuzz import fuzz
    except ImportError:
        raise MissingExtraError("finding near-duplicates", "audit") from None
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
    """Return the least hashes of a text's shingles."""
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
    # The finaliser of splitmix64, so that the least hashes are as good as drawn.
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


class Groups:
    """Things that belong together, by union and find."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def find(self, index: int) -> int:
        """Return the group of a thing: the lowest index in it."""
        while self._parent[index] != index:
            self._parent[index] = self._parent[self._parent[index]]
            index = self._parent[index]
        return index

    def join(self, first: int, second: int) -> None:
        """Put the groups of two things together."""
        low, high = sorted((self.find(first), self.find(second)))
        self._parent[high] = low
