"""The scores of all spans of an example, for cases in which the best span of each window is not enough.

``grid[i, k]`` is the score of the span of ``k + 1`` tokens that starts at the context's token ``i``: the maximum over
the windows that contain the span.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from quoth.reading.batches import WindowLogits
from quoth.reading.places import Places
from quoth.reading.spans import Floats, span_scores
from quoth.reading.windows import Window
from quoth.records import Span

Grids = list[tuple[list[WindowLogits], Floats]]
# A candidate: the window of its score, its span in the context, and its score.
Candidate = tuple[Window, Span, float]


def score_grids(windows: Sequence[WindowLogits], longest: int) -> tuple[Grids, Floats]:
    """Return the windows and the grid of each context, and all scores in one row; minus infinity where illegal.

    Args:
        windows: All windows of the example, grouped by context.
        longest: Maximum length of a span, in tokens.
    """
    grids = [_grid(group, longest) for group in _by_context(windows)]
    return grids, np.concatenate([grid.ravel() for _, grid in grids]) if grids else np.empty(0)


def _by_context(windows: Sequence[WindowLogits]) -> list[list[WindowLogits]]:
    groups: list[list[WindowLogits]] = []
    for window in windows:
        if groups and groups[-1][0].context_index == window.context_index:
            groups[-1].append(window)
        else:
            groups.append([window])
    return groups


def _grid(group: list[WindowLogits], longest: int) -> tuple[list[WindowLogits], Floats]:
    """Return the scores of all spans of one context, ``(tokens, longest)`` float64; minus infinity where illegal."""
    longest = min(longest, max(len(item.start) for item in group))
    grid = np.full((len(group[0].window.context), longest), -np.inf)
    for item in group:
        part = grid[item.first_token : item.end_token]
        np.maximum(part, span_scores(item.start, item.end, item.window.legal, longest), out=part)
    return group, grid


def best_candidates(grids: Grids, scores: Floats, top_k: int, whole_words: bool) -> list[Candidate]:
    """Return the best spans with ``top_k`` distinct places.

    Args:
        grids: The grids from :func:`score_grids`.
        scores: The scores from :func:`score_grids`.
        top_k: Number of places to find.
        whole_words: Widen answers to whole words.
    """
    places = [Places(group[0].window, whole_words) for group, _ in grids]
    sizes = list(accumulate(grid.size for _, grid in grids))
    taken: dict[tuple[int, Span], Candidate] = {}
    wanted = 4 * top_k
    found = order = largest(scores, wanted)
    while True:
        for flat in order.tolist():
            candidate = candidate_at(grids, sizes, places, scores, flat)
            taken.setdefault((candidate[0].context_index, candidate[1]), candidate)
            if len(taken) == top_k:
                return list(taken.values())
        if len(found) < wanted:
            return list(taken.values())
        wanted *= 4
        # In texts without spaces, many spans are widened to the same place, so most spans can be skipped.
        found = largest(scores, wanted)
        order = _first_of_each_place(found, grids, sizes, places)


def candidate_at(grids: Grids, ends: Sequence[int], places: Sequence[Places], scores: Floats, flat: int) -> Candidate:
    """Return the span at one index of all scores.

    Args:
        grids: The grids from :func:`score_grids`.
        ends: The end of each grid in the scores.
        places: The places of each grid's context.
        scores: All scores.
        flat: The index.
    """
    index = bisect_right(ends, flat)
    group, grid = grids[index]
    first, extra = divmod(flat - ends[index] + grid.size, grid.shape[1])
    score = float(scores[flat])
    span = places[index].span(first, first + extra)
    return _window_of(group, first, first + extra, score), span, score


def _first_of_each_place(
    order: NDArray[np.intp], grids: Grids, sizes: Sequence[int], places: Sequence[Places]
) -> NDArray[np.intp]:
    """Return the first span of each distinct place; spans are indices of the scores."""
    indices = np.searchsorted(sizes, order, side="right")
    kept = []
    for index in np.unique(indices).tolist():
        mine, grid = np.flatnonzero(indices == index), grids[index][1]
        firsts, extra = np.divmod(order[mine] - sizes[index] + grid.size, grid.shape[1])
        starts, ends = places[index].spans(firsts, firsts + extra)
        kept.append(mine[np.unique(starts * (ends.max() + 1) + ends, return_index=True)[1]])
    return order[np.sort(np.concatenate(kept))]


def largest(scores: Floats, count: int) -> NDArray[np.intp]:
    """Return the indices of the ``count`` largest finite scores, best first, ties by index."""
    if count < len(scores):
        least = np.partition(scores, -count)[-count]
        candidates = np.flatnonzero(scores >= least)
    else:
        candidates = np.arange(len(scores))
    candidates = candidates[np.isfinite(scores[candidates])]
    return candidates[np.argsort(-scores[candidates], kind="stable")][:count]


def _window_of(group: list[WindowLogits], first: int, last: int, score: float) -> Window:
    """Return the first window that gives the span this score."""
    for item in group:
        start, end = first - item.first_token, last - item.first_token
        if start >= 0 and end < len(item.start) and float(item.start[start]) + float(item.end[end]) == score:
            return item.window
    raise AssertionError("no window has this score")  # pragma: no cover
