"""Finds many short texts in a long one at once, in time linear in the length of the long one, by hashes of n-grams.

A gram is a sequence of 8 code points, or of fewer for shorter texts. A first pass over the long text counts the grams
of all short texts. A second pass finds the places of each text's rarest grams. Only these places are compared.

Source: Karp and Rabin, "Efficient randomized pattern-matching algorithms", 1987.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from quoth.verification.fold import Codes

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]

_GRAM = 8
# Code points per chunk, few enough that the arrays of a chunk fit into the processor's cache.
_CHUNK = 1 << 16
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
# A table of this many bits of a hash tells at once that most hashes of the long text are not wanted.
_TABLE_BITS = 21
_TABLE_SHIFT = np.uint64(64 - _TABLE_BITS)
# Up to this many places are compared one by one. More places are compared together, one code point after another.
_SINGLY = 16
# With more comparisons of code points than this, places are compared by hashes modulo these primes.
_BY_HASHES = 30_000_000
_PRIMES = (2**31 - 1, 2**31 - 19)


def find_all(text: Codes, wanted: Sequence[Codes]) -> list[Ints]:
    """Return the starts of each wanted text, ascending, including overlapping matches. An empty text has none."""
    places = [np.empty(0, np.int64) for _ in wanted]
    by_size: defaultdict[int, list[int]] = defaultdict(list)
    first: dict[bytes, int] = {}
    for index, codes in enumerate(wanted):
        if 0 < len(codes) <= len(text) and first.setdefault(codes.tobytes(), index) == index:
            by_size[min(len(codes), _GRAM)].append(index)
    for size, indices in by_size.items():
        grams = Grams(text, [wanted[index] for index in indices], size)
        anchors = [grams.rarest(index, 1) for index in range(len(indices))]
        for index, (starts, _) in zip(indices, grams.places(anchors), strict=True):
            places[index] = _verified(text, wanted[index], starts)
    return [places[first.get(codes.tobytes(), index)] for index, codes in enumerate(wanted)]


class Grams:
    """Counts the grams of some wanted texts in a long text.

    Args:
        text: The long text.
        wanted: The wanted texts, each of at least ``size`` code points.
        size: Length of a gram, in code points.
    """

    def __init__(self, text: Codes, wanted: Sequence[Codes], size: int) -> None:
        self._text = text
        self._size = size
        own = [_hashes(codes, size) for codes in wanted]
        joined = np.concatenate(own) if own else np.empty(0, np.uint64)
        self._known, which = np.unique(joined, return_inverse=True)
        self._own = np.split(which, np.cumsum([len(each) for each in own])[:-1])
        self._counts = np.zeros(len(self._known), np.int64)
        for found, _ in self._found(self._known):
            self._counts += np.bincount(found, minlength=len(self._known))

    def rarest(self, index: int, budget: int) -> Ints:
        """Choose grams of one wanted text that occur in the long text, rarest first.

        Returns:
            Their offsets in the wanted text: at least one if any gram occurs, and more as long as all of them
            together have at most ``budget`` places.
        """
        counts = self._counts[self._own[index]]
        order = np.argsort(counts, kind="stable")
        order = order[counts[order] > 0]
        enough = int(np.searchsorted(np.cumsum(counts[order]), budget, side="right"))
        return order[: max(1, enough)].astype(np.int64)

    def places(self, chosen: Sequence[Ints]) -> list[tuple[Ints, Ints]]:
        """Return the possible starts of each wanted text, and for each start the offset of the gram that was found."""
        ids = [np.unique(own[offsets]) for own, offsets in zip(self._own, chosen, strict=True)]
        needed = np.unique(np.concatenate(ids)) if ids else np.empty(0, np.int64)
        found = list(self._found(self._known[needed]))
        which = needed[np.concatenate([each for each, _ in found])] if found else np.empty(0, np.int64)
        where = np.concatenate([each for _, each in found]) if found else np.empty(0, np.int64)
        order = np.argsort(which, kind="stable")
        which, where = which[order], where[order]
        result = []
        for own, offsets in zip(self._own, chosen, strict=True):
            starts, by = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
            for offset in offsets.tolist():
                low, high = np.searchsorted(which, [own[offset], own[offset] + 1])
                starts.append(where[low:high] - offset)
                by.append(np.full(high - low, offset, np.int64))
            result.append((np.concatenate(starts), np.concatenate(by)))
        return result

    def _found(self, known: Hashes) -> Iterator[tuple[Ints, Ints]]:
        """Yield, chunk by chunk, the indices of sorted hashes that occur in the text, and their positions."""
        if not len(known):
            return
        slots = np.zeros(1 << _TABLE_BITS, np.bool_)
        slots[(known >> _TABLE_SHIFT).astype(np.int64)] = True
        for start in range(0, len(self._text), _CHUNK):
            hashes = _hashes(self._text[start : start + _CHUNK + self._size - 1], self._size)
            maybe = np.flatnonzero(slots[(hashes >> _TABLE_SHIFT).astype(np.int64)])
            hashes = hashes[maybe]
            index = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
            right = known[index] == hashes
            yield index[right], maybe[right] + start


def _hashes(codes: Codes, size: int) -> Hashes:
    """Return a hash of each sequence of ``size`` code points, uint64, shape ``(len(codes) - size + 1,)``."""
    count = max(0, len(codes) - size + 1)
    wide = codes.astype(np.uint64)
    total = np.zeros(count, np.uint64)
    for offset in range(size):
        total += wide[offset : offset + count]
        total *= _FACTOR
        total ^= total >> np.uint64(29)
    return total


def _verified(text: Codes, wanted: Codes, starts: Ints) -> Ints:
    """Return the starts at which the complete wanted text occurs."""
    starts = np.sort(starts[(starts >= 0) & (starts <= len(text) - len(wanted))])
    for offset, code in enumerate(wanted.tolist()):
        if len(starts) < _SINGLY:
            right = [np.array_equal(text[start : start + len(wanted)], wanted) for start in starts.tolist()]
            return starts[np.array(right, np.bool_)]
        if (len(wanted) - offset) * len(starts) > _BY_HASHES:
            return _verified_by_hashes(text, wanted, starts)
        starts = starts[text[starts + offset] == code]
    return starts


def _verified_by_hashes(text: Codes, wanted: Codes, starts: Ints) -> Ints:
    """Compare a long text that repeats itself with many places in linear time, by hashes of the complete text.

    A hash is the sum of ``code * base**position`` modulo a prime. The bases are random, so that nobody can construct
    two texts with the same hashes; the probability that it happens is below 1e-9 for each place.
    """
    low, high = int(starts[0]), int(starts[-1]) + len(wanted)
    for prime in _PRIMES:
        powers = _powers(secrets.randbelow(prime - 1_000) + 500, high - low, prime)
        sums = np.concatenate(([0], np.cumsum(text[low:high].astype(np.uint64) * powers % prime))).astype(np.uint64)
        own = np.uint64(int(np.sum(wanted.astype(np.uint64) * powers[: len(wanted)] % prime)) % prime)
        at = starts - low
        right = (sums[at + len(wanted)] - sums[at]) % prime == own * powers[at] % prime
        starts = starts[right]
        if not len(starts):
            break
    return starts


def _powers(base: int, count: int, prime: int) -> Hashes:
    """Return ``base ** n % prime`` for each ``n`` below ``count``."""
    powers = np.ones(1, np.uint64)
    while len(powers) < count:
        factor = np.uint64(pow(base, len(powers), prime))
        powers = np.concatenate([powers, powers * factor % prime])
    return powers[:count]
