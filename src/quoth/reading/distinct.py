"""The best answers that are not spellings of each other, of all spans of an example.

Two spans are one answer if they overlap, or if their texts are equal after SQuAD's normalization, also in different
contexts. Spans are taken greedily, the best score first; a span that is one answer with a better one is folded into it.
The result is that of a loop over all spans in the order of their scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quoth.reading.grid import Candidate, Grids, candidate_at, largest
from quoth.reading.places import Places
from quoth.reading.spans import Floats
from quoth.records import Span
from quoth.text import normalize_answer

# How many variants, and how many places, an answer has at most: in a short text, nearly every span is a variant.
MOST_FOLDED = 10


class Distinct(NamedTuple):
    """A chosen span with what was folded into it.

    Attributes:
        best: The span.
        variants: Spans that overlap it, of other places, best first.
        places: Spans elsewhere with the same text, but for SQuAD's normalization, best first.
    """

    best: Candidate
    variants: Sequence[Candidate]
    places: Sequence[Candidate]


def distinct_candidates(grids: Grids, scores: Floats, top_k: int, whole_words: bool) -> list[Distinct]:
    """Choose the best distinct answers.

    Args:
        grids: As :func:`quoth.reading.grid.score_grids` returns them.
        scores: With them.
        top_k: How many to choose at most; there are fewer only if the text has no more.
        whole_words: Widen answers to whole words.

    Returns:
        Best first; each with the best spans that score above the last one and were folded into it, at most
        ``MOST_FOLDED`` of each kind.
    """
    search = _Search(grids, scores, whole_words)
    while len(search.chosen) < top_k and search.advance(top_k):
        pass
    return search.finished(is_full=len(search.chosen) == top_k)


class _Search:
    """A greedy search; ``left`` holds the scores of the spans that may still be chosen."""

    def __init__(self, grids: Grids, scores: Floats, whole_words: bool) -> None:
        self.chosen: list[Candidate] = []
        self._grids, self._scores = grids, scores
        self._left = scores.copy()
        self._places = [Places(group[0].window, whole_words) for group, _ in grids]
        self._ends = np.cumsum([grid.size for _, grid in grids])
        # Normalized text -> the places of the chosen span with that text, itself not counted.
        self._elsewhere: dict[str, list[Candidate]] = {}
        # For each chosen span, the spans that overlap it.
        self._overlapping: list[list[int]] = []
        self._wanted = 256

    def advance(self, top_k: int) -> bool:
        """Look at the best spans that are left, until there are enough answers; return False if none is left."""
        order = largest(self._left, self._wanted)
        self._wanted *= 4
        for flat in order.tolist():
            if self._left[flat] > -np.inf:
                self._take(flat)
                if len(self.chosen) == top_k:
                    break
        return len(order) > 0

    def _take(self, flat: int) -> None:
        """Choose a span, or fold it into the one with the same text."""
        index = int(np.searchsorted(self._ends, flat, side="right"))
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

    def _drop(self, index: int, span: Span, *, overlapping: bool) -> list[int]:
        """Take spans of one context out of those that are left; return their places in the scores.

        Args:
            index: Of the context.
            span: A widened span: a token touches it if and only if the token's whole piece does.
            overlapping: Drop all that overlap the span, or only those that are widened to exactly this place.
        """
        grid = self._grids[index][1]
        offsets = self._grids[index][0][0].window.context.offsets
        # Tokens that start before the span's end, and tokens that end after its start; offsets never go back.
        first_end = int(np.searchsorted(offsets[:, 0], span.end, side="left"))
        last_start = int(np.searchsorted(offsets[:, 1], span.start, side="right"))
        rows = np.arange(max(0, last_start - grid.shape[1] + 1), first_end)
        lasts = rows[:, None] + np.arange(grid.shape[1])
        chosen = lasts >= last_start
        begin = int(self._ends[index]) - grid.size
        flat = (begin + rows[:, None] * grid.shape[1] + np.arange(grid.shape[1]))[chosen]
        flat = flat[np.isfinite(self._left[flat])]
        if not overlapping:
            starts, ends = self._spans(index, flat)
            flat = flat[(starts == span.start) & (ends == span.end)]
        self._left[flat] = -np.inf
        return list(flat.tolist()) if overlapping else []

    def finished(self, *, is_full: bool) -> list[Distinct]:
        """Return what was chosen, with what was folded into it."""
        floor = self.chosen[-1][2] if is_full else -np.inf
        folded = zip(self._overlapping, self._elsewhere.values(), strict=True)
        return [
            Distinct(chosen, self._variants(chosen, overlapping, floor), places)
            for chosen, (overlapping, places) in zip(self.chosen, folded, strict=True)
        ]

    def _variants(self, chosen: Candidate, overlapping: list[int], floor: float) -> list[Candidate]:
        """Return the best of the spans that overlap a chosen one and score above the floor."""
        flat = np.array(overlapping, dtype=np.intp)
        flat = flat[self._scores[flat] > floor]
        if not len(flat):
            return []
        flat = flat[np.argsort(-self._scores[flat], kind="stable")]
        index = int(np.searchsorted(self._ends, flat[0], side="right"))
        starts, ends = self._spans(index, flat)
        others = np.flatnonzero((starts != chosen[1].start) | (ends != chosen[1].end))
        # Of the spans that are widened to one place, the first has the best score.
        places = starts[others] * (int(ends.max()) + 1) + ends[others]
        firsts = np.sort(np.unique(places, return_index=True)[1])
        return [self._candidate(int(flat[each])) for each in others[firsts[:MOST_FOLDED]]]

    def _spans(self, index: int, flat: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where spans of one context, given by their places in the scores, start and end once widened."""
        grid = self._grids[index][1]
        firsts, extra = np.divmod(flat - (int(self._ends[index]) - grid.size), grid.shape[1])
        return self._places[index].spans(firsts, firsts + extra)
