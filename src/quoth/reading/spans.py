"""The exact search for the best span: of each window of a batch at once, and of an example with several windows.

With it comes what all legal spans weigh together. Neither asks for a look at each of them. The best span that starts at
a token ends at the greatest of the next ``longest`` end logits. And since the exponential of a sum is a product, the
weight of all spans that start there is that of the start times the sum of those of the next ``longest`` ends. Such
running maxima and sums take passes over the batch whose number is the logarithm of ``longest``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from quoth.reading.batches import WindowLogits

Floats = NDArray[np.float64]
Logits = NDArray[np.float32]

_NEVER = np.float32(-np.inf)
# Weights are relative to the best start and the best end, and never below e to the -300: exponentials of less take
# long, and their products vanish. Where the best span weighs less than e to the -200, this would show.
_LEAST, _STEEP = -300.0, 200.0


class BestSpan(NamedTuple):
    """The best span of an example.

    Attributes:
        item: The window that gives it its score.
        first, last: Its first and its last token (inclusive) in the whole context.
        score: Sum of its two logits.
        log_sum: Logarithm of the sum, over all its legal spans, of the exponential of score over temperature.
    """

    item: WindowLogits
    first: int
    last: int
    score: float
    log_sum: float


class BestSpans(NamedTuple):
    """The best span of each window of a batch.

    Attributes:
        scores: Sum of its two logits, ``(B,)`` float64; minus infinity where no span is legal.
        firsts, lasts: Its first and its last token (inclusive), ``(B,)``; of equals the earlier, then the shorter.
        log_sums: Logarithm of the sum, over all legal spans, of the exponential of score over temperature, ``(B,)``
            float64; infinity where it takes another way, and where no span is legal.
    """

    scores: Floats
    firsts: NDArray[np.intp]
    lasts: NDArray[np.intp]
    log_sums: Floats


def best_spans(start: Logits, end: Logits, legal: NDArray[np.bool_], longest: int, temperature: float) -> BestSpans:
    """Find the best span of each window.

    Args:
        start: Logits of all tokens, ``(B, T)`` float32.
        end: As many.
        legal: Where a span may start and end, ``(B, T)``.
        longest: Most tokens of a span.
        temperature: Divides scores; above 0.
    """
    rows, tokens = start.shape
    longest = min(longest, tokens)
    # After each row comes a gap that no span reaches over: so a batch is one long row, and all passes are over that.
    gap = longest - 1
    flat = np.full((2, rows * (tokens + gap) + gap), _NEVER)
    both = flat[:, : rows * (tokens + gap)].reshape(2, rows, tokens + gap)
    np.copyto(both[0, :, :tokens], start, where=legal)
    np.copyto(both[1, :, :tokens], end, where=legal)
    starts, ends = both
    tops = np.add(starts, _running(np.maximum, flat[1], longest).reshape(starts.shape), dtype=np.float64)
    firsts = tops.argmax(axis=1)
    row = np.arange(rows)
    scores = tops[row, firsts]
    # Ends that differ may give equal sums, once rounded: the first of them counts.
    near = ends[row[:, None], firsts[:, None] + np.arange(longest)]
    lasts = firsts + np.add(starts[row, firsts][:, None], near, dtype=np.float64).argmax(axis=1)

    # Finite, also where nothing is legal.
    peaks = np.maximum(both.max(axis=2), np.finfo(np.float32).min).astype(np.float64)
    known = peaks[0] + peaks[1] - scores <= _STEEP * temperature
    weights = np.full((2, flat.shape[1]), _LEAST)
    rise = weights[:, : rows * (tokens + gap)].reshape(both.shape)
    np.subtract(both, peaks[:, :, None], out=rise)
    rise *= 1 / temperature
    np.exp(np.maximum(weights, _LEAST, out=weights), out=weights)
    sums = np.vecdot(rise[0], _running(np.add, weights[1], longest).reshape(starts.shape))
    log_sums = np.log(sums, out=np.full(rows, np.inf), where=known) + (peaks[0] + peaks[1]) / temperature
    return BestSpans(scores, firsts, lasts, log_sums)


def best_span(windows: Sequence[WindowLogits], longest: int, temperature: float) -> BestSpan | None:
    """Find the best span of an example over all windows of all its contexts.

    Args:
        windows: As for :func:`quoth.reading.decode`.
        longest: Most tokens of a span.
        temperature: Divides scores; above 0.

    Returns:
        The best span, ties as in :func:`quoth.reading.decode`; ``None`` where it takes the grid of all: if a window has
        no legal span, or only such as are far below its best logits, or if a token stands in three windows.
    """
    if not windows or any(_shared(before, after) > 0 for before, after in zip(windows, windows[2:], strict=False)):
        return None
    start, end = np.zeros((2, len(windows), max(len(item.start) for item in windows)), dtype=np.float32)
    legal = np.zeros(start.shape, dtype=np.bool_)
    for row, item in enumerate(windows):
        size = len(item.start)
        start[row, :size], end[row, :size], legal[row, :size] = item.start, item.end, item.window.legal
    best = best_spans(start, end, legal, longest, temperature)
    if not (best.log_sums < np.inf).all():
        return None
    log_sum = float(np.logaddexp.reduce(best.log_sums))
    for before, after in pairwise(windows):
        if (shared := _shared(before, after)) > 0:
            # A span in both counts with its better score. The lesser weight is at most half of what it is taken from.
            lesser = _lesser_scores(before, after, shared, longest) / temperature
            log_sum += math.log1p(-math.exp(log_sum_exp(lesser.ravel()) - log_sum))
    columns = best.scores.tolist(), best.firsts.tolist(), best.lasts.tolist()
    found = [
        BestSpan(item, item.first_token + first, item.first_token + last, score, log_sum)
        for item, score, first, last in zip(windows, *columns, strict=True)
    ]
    return min(found, key=lambda each: (-each.score, each.item.context_index, each.first, each.last))


def span_scores(start: Logits, end: Logits, legal: NDArray[np.bool_], longest: int) -> Floats:
    """Return the scores of all spans of some tokens.

    Args:
        start: Logits of the tokens, ``(T,)`` float32.
        end: As many.
        legal: Where a span may start and end, ``(T,)``.
        longest: Most tokens of a span, L.

    Returns:
        The score of the span of ``k + 1`` tokens from token ``i`` on at ``[i, k]``, ``(T, L)``; minus infinity where it
        is not legal.
    """
    # Past the last token nothing can end.
    ends = np.full(len(end) + longest - 1, -np.inf)
    ends[: len(end)] = np.where(legal, end, -np.inf)
    scores: Floats = np.where(legal, start, -np.inf)[:, None] + sliding_window_view(ends, longest)
    return scores


def log_sum_exp(values: Floats) -> float:
    """Return the logarithm of the sum of the exponentials of some values; minus infinity if they all are."""
    top = values.max()
    return float(top + np.log(np.exp(values - top).sum())) if top > -np.inf else -math.inf


def _shared(before: WindowLogits, after: WindowLogits) -> int:
    """Return how many tokens two windows have in common; less than 1 if none."""
    return before.end_token - after.first_token if before.context_index == after.context_index else 0


def _lesser_scores(before: WindowLogits, after: WindowLogits, shared: int, longest: int) -> Floats:
    """Return the lesser of the two scores of each span in two windows, ``(shared, L)``; minus infinity: not legal."""
    legal, longest = after.window.legal[:shared], min(longest, shared)
    sides = (before.start[-shared:], before.end[-shared:]), (after.start[:shared], after.end[:shared])
    one, other = (span_scores(start, end, legal, longest) for start, end in sides)
    return np.minimum(one, other)


def _running(combine: np.ufunc, values: NDArray[Any], length: int) -> NDArray[Any]:
    """Combine each value with the next ``length - 1``, by runs of 1, 2, 4, ... values; those at the end fall away."""
    result, done = values, 0
    run, size = values, 1
    while True:
        if length & size:
            result = combine(run[: len(result) - size], result[size:]) if done else run
            done += size
        if 2 * size > length:
            return result
        run = combine(run[:-size], run[size:])
        size *= 2
