"""Selects the best distinct answers from all spans of an example.

Two spans are the same answer if they overlap, or if their texts are equal after SQuAD's normalization, even in
different contexts. Spans are selected greedily, best score first; a span that is the same answer as a better one is
added to that one.
The result is the same as that of a loop over all spans in the order of their scores.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quoth.reading.grid import Candidate, Grids, candidate_at, largest
from quoth.reading.places import Places
from quoth.reading.spans import Floats
from quoth.records import Span
from quoth.text import normalize_answer

# Maximum number of variants, and of places, of an answer: in a short text, nearly every span is a variant.
MOST_FOLDED = 10


class Distinct(NamedTuple):
    """A selected span with its variants and places.

    Attributes:
        best: The span.
        variants: Other spans that overlap it, best first.
        places: Spans elsewhere with the same normalized text, best first.
    """

    best: Candidate
    variants: Sequence[Candidate]
    places: Sequence[Candidate]


def distinct_candidates(grids: Grids, scores: Floats, top_k: int, whole_words: bool) -> list[Distinct]:
    """Select the best distinct answers.

    Args:
        grids: The grids from :func:`quoth.reading.grid.score_grids`.
        scores: The scores from the same function.
        top_k: Maximum number of answers; there are fewer only if the text has no more.
        whole_words: Widen answers to whole words.

    Returns:
        Best first; each with its best variants and places that have a higher score than the last answer, at most
        ``MOST_FOLDED`` of each kind.
    """
    search = _Search(grids, scores, whole_words)
    while len(search.chosen) < top_k and search.advance(top_k):
        pass
    return search.finished(is_full=len(search.chosen) == top_k)


class _Search:
    """A greedy search; ``left`` has the scores of the spans that can still be selected."""

    def __init__(self, grids: Grids, scores: Floats, whole_words: bool) -> None:
        self.chosen: list[Candidate] = []
        self._grids, self._scores = grids, scores
        self._left = scores.copy()
        self._places = [Places(group[0].window, whole_words) for group, _ in grids]
        self._ends = list(accumulate(grid.size for _, grid in grids))
        # Normalized text -> the other places of the selected span with that text.
        self._elsewhere: dict[str, list[Candidate]] = {}
        # For each selected span, the spans that overlap it.
        self._overlapping: list[NDArray[np.intp]] = []
        self._wanted = 256

    def advance(self, top_k: int) -> bool:
        """Process the best remaining spans until there are enough answers; return False if none is left."""
        order = largest(self._left, self._wanted)
        self._wanted *= 4
        for flat in order.tolist():
            if self._left[flat] > -np.inf:
                self._take(flat)
                if len(self.chosen) == top_k:
                    break
        return len(order) > 0

    def _take(self, flat: int) -> None:
        """Select a span, or add it to the selected one with the same text."""
        index = bisect_right(self._ends, flat)
        window, span, score = self._candidate(flat)
        text = normalize_answer(span.of(window.text))
        elsewhere = self._elsewhere.get(text)
        if elsewhere is None:
            self._elsewhere[text] = []
            self.chosen.append((window, span, score))
            self._overlapping.append(self._drop(index, span, overlapping=True))
            return
        if len(elsewhere) < MOST_FOLDED:
            elsewhere.append((window, span, score))
        self._drop(index, span, overlapping=False)

    def _candidate(self, flat: int) -> Candidate:
        return candidate_at(self._grids, self._ends, self._places, self._scores, flat)

    def _drop(self, index: int, span: Span, *, overlapping: bool) -> NDArray[np.intp]:
        """Remove spans of one context from the remaining ones; return their indices in the scores.

        Args:
            index: Index of the context.
            span: A widened span, so that a token overlaps it if and only if the token's whole piece does.
            overlapping: Whether to remove all spans that overlap this one, or only those that are widened to exactly
                this one.
        """
        grid = self._grids[index][1]
        offsets = self._grids[index][0][0].window.context.offsets
        # Tokens that start before the span's end, and tokens that end after its start; offsets are ascending.
        first_end = int(offsets[:, 0].searchsorted(span.end, side="left"))
        last_start = int(offsets[:, 1].searchsorted(span.start, side="right"))
        longest = grid.shape[1]
        first = max(0, last_start - longest + 1)
        begin = self._ends[index] - grid.size
        left = self._left[begin + first * longest : begin + first_end * longest].reshape(-1, longest)
        reaches = np.arange(first, first_end)[:, None] + np.arange(longest) >= last_start
        flat: NDArray[np.intp] = np.flatnonzero(reaches & (left > -np.inf)) + (begin + first * longest)
        if not overlapping:
            starts, ends = self._spans(index, flat)
            flat = flat[(starts == span.start) & (ends == span.end)]
        self._left[flat] = -np.inf
        return flat

    def finished(self, *, is_full: bool) -> list[Distinct]:
        """Return the selected spans with their variants and places."""
        floor = self.chosen[-1][2] if is_full else -np.inf
        folded = zip(self._overlapping, self._elsewhere.values(), strict=True)
        return [
            Distinct(chosen, self._variants(chosen, overlapping, floor), places)
            for chosen, (overlapping, places) in zip(self.chosen, folded, strict=True)
        ]

    def _variants(self, chosen: Candidate, overlapping: NDArray[np.intp], floor: float) -> list[Candidate]:
        """Return the best spans that overlap a selected one and have a score above the floor."""
        flat = overlapping[self._scores[overlapping] > floor]
        if not len(flat):
            return []
        flat = flat[np.argsort(-self._scores[flat], kind="stable")]
        index = bisect_right(self._ends, int(flat[0]))
        itself = chosen[1].start, chosen[1].end
        found: dict[tuple[int, int], int] = {}
        # Only a few are examined, unless many are widened to the same place; the first of those has the best score.
        begin, size = 0, 2 * MOST_FOLDED
        while begin < len(flat) and len(found) < MOST_FOLDED:
            some = flat[begin : begin + size]
            for each, *place in zip(*map(np.ndarray.tolist, (some, *self._spans(index, some))), strict=True):
                if (key := tuple(place)) != itself:
                    found.setdefault(key, each)
            begin, size = begin + size, 4 * size
        return list(map(self._candidate, islice(found.values(), MOST_FOLDED)))

    def _spans(self, index: int, flat: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the starts and ends of widened spans of one context, given by their indices in the scores."""
        grid = self._grids[index][1]
        firsts, extra = np.divmod(flat - (self._ends[index] - grid.size), grid.shape[1])
        return self._places[index].spans(firsts, firsts + extra)
