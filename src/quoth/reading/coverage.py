"""Checks whether the vocabulary covers a text: readers are not reliable on a text that is split into single letters."""

from __future__ import annotations

import unicodedata

import numpy as np
from numpy.typing import NDArray

# A text is hardly covered if more than this share of its letters is not covered. Measured with the shipped reader: 0.33
# to 1 in Chinese, Japanese, Thai, Hindi, Arabic, Korean, Hebrew, Greek and Russian, at most 0.2 in Latin letters.
MOST_UNCOVERED = 0.3
# Minimum number of such letters; a few of them may be a name.
FEWEST_LETTERS = 8
# Letters below this code point are ASCII.
_FIRST_OTHER = 0xC0


def hardly_covered(text: str, ids: NDArray[np.int32], offsets: NDArray[np.int32], unknown: int | None) -> bool:
    """Return whether a text has many letters that are not covered: more than ``MOST_UNCOVERED`` of all its letters.

    See :func:`uncovered_share`.
    """
    if text.isascii():
        return False
    points = _points(text)
    other = np.count_nonzero(points >= _FIRST_OTHER)
    if other < FEWEST_LETTERS or other <= MOST_UNCOVERED * (other + _plain_letters(points)):
        return False  # even if none of them is covered
    return uncovered_share(text, ids, offsets, unknown) > MOST_UNCOVERED


def uncovered_share(text: str, ids: NDArray[np.int32], offsets: NDArray[np.int32], unknown: int | None) -> float:
    """Return the share of the letters that the vocabulary does not cover.

    A letter is covered if it is ASCII, or part of a token of at least two code points other than the unknown token. A
    vocabulary contains single letters of many scripts, but longer pieces only of the scripts that it was built for. A
    Han character may be a whole word, so a token of one such character covers it.

    Args:
        text: The text.
        ids: Its token ids, ``(T,)`` int32.
        offsets: Code points of each token, half-open, ``(T, 2)`` int32.
        unknown: Id of the unknown token, or ``None`` if there is none.

    Returns:
        In [0, 1]; 0 for a text without letters.
    """
    if text.isascii():
        return 0.0
    points = _points(text)
    other = np.flatnonzero(points >= _FIRST_OTHER)
    kinds, which = np.unique(points[other], return_inverse=True)
    letters = other[np.array([unicodedata.category(chr(kind))[0] == "L" for kind in kinds], dtype=bool)[which]]
    if not len(letters):
        return 0.0
    lengths = offsets[:, 1] - offsets[:, 0]
    first = points[np.minimum(offsets[:, 0], len(text) - 1)]
    han = (first >= 0x3400) & (first < 0xA000) | (first >= 0x20000)
    whole = (lengths > 1) | (han & (lengths == 1))
    if unknown is not None:
        whole &= ids != unknown
    # +1 where such a token starts, -1 where it ends.
    edges = np.bincount(offsets[whole, 0], minlength=len(text) + 1).astype(np.int64)
    edges -= np.bincount(offsets[whole, 1], minlength=len(text) + 1)
    covered = np.cumsum(edges)[letters] > 0
    return float(np.count_nonzero(~covered) / (_plain_letters(points) + len(letters)))


def _points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _plain_letters(points: NDArray[np.uint32]) -> int:
    """Count the ASCII letters."""
    return int(np.count_nonzero((points | 0x20) - ord("a") < 26))
