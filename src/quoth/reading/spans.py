"""The exact search for the best span, in all windows of a batch at once, and in an example with several windows.

It also computes the sum of the exponentials of all legal spans' scores. Neither needs to enumerate the spans. The best
span that starts at a token ends at the maximum of the next ``longest`` end logits. The exponential of a sum is a
product, so the total weight of all spans that start there is the weight of the start times the sum of the weights of
the next ``longest`` ends. These running maxima and sums need log2(``longest``) passes over the batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import count, pairwise, repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quoth.reading.batches import SpanLogits, WindowBatch, WindowLogits, null_scores
from quoth.reading.settings import DecodeSettings
from quoth.reading.windows import Window

Floats = NDArray[np.float64]
Logits = NDArray[np.float32]

_NEVER = np.float32(-np.inf)
# Limit of score over temperature. If no logit is above it, and no window's best span is below its negative, then no
# weight overflows, and a span whose weight underflows has less than e^-108 of the weight of the best span.
_REACH = 300.0


class SearchedWindow(NamedTuple):
    """A window with its search result, to which a batch is reduced.

    Attributes:
        window: The window.
        null: Sum of the two logits of its CLS token.
        score: Sum of the two logits of its best span; minus infinity if no span is legal.
        first, last: Its first and last token (inclusive), among the context's tokens in the window.
        log_sum: As in :class:`BestSpans`.
        batch: The logits of all windows that were searched together.
        row: Its row there.
    """

    window: Window
    null: float
    score: float
    first: int
    last: int
    log_sum: float
    batch: SpanLogits
    row: int

    @property
    def logits(self) -> WindowLogits:
        """The window with its logits."""
        start, end = self.window.context_tokens.start, self.window.context_tokens.end
        both = self.batch.start[self.row, start:end], self.batch.end[self.row, start:end]
        return WindowLogits(self.window, *both, self.null)


class BestSpans(NamedTuple):
    """The best span of each window of a batch.

    Attributes:
        scores: Sum of its two logits, ``(B,)`` float64; minus infinity where no span is legal.
        firsts, lasts: Its first and its last token (inclusive), ``(B,)``; ties go to the earlier start, then to the
            shorter span.
        log_sums: Logarithm of the sum, over all legal spans, of the exponential of score over temperature, ``(B,)``
            float64; infinity if it must be computed from the grid (``grid.py``), and if no span is legal.
    """

    scores: Floats
    firsts: NDArray[np.intp]
    lasts: NDArray[np.intp]
    log_sums: Floats


def search_batch(batch: WindowBatch, logits: SpanLogits, settings: DecodeSettings) -> list[SearchedWindow]:
    """Search all windows of a batch at once, so that the batch can be freed.

    Args:
        batch: The windows.
        logits: Its logits.
        settings: The decoding settings.

    Returns:
        The result of each window, in order; :func:`quoth.reading.decide` creates predictions from them.

    Raises:
        ReaderError: As :func:`quoth.reading.unbatch`.
    """
    nulls, bounds = null_scores(batch, logits), batch.context_bounds
    return _search(batch.windows, nulls, logits, batch.legal_within(bounds), bounds[:, 0], settings)


def search_windows(windows: Sequence[WindowLogits], settings: DecodeSettings) -> list[SearchedWindow]:
    """Search windows without their batches, like :func:`search_batch`."""
    if not windows:
        return []
    start, end = np.zeros((2, len(windows), max(len(item.window) for item in windows)), dtype=np.float32)
    legal = np.zeros(start.shape, dtype=np.bool_)
    for row, item in enumerate(windows):
        tokens = slice(item.window.context_tokens.start, item.window.context_tokens.end)
        start[row, tokens], end[row, tokens], legal[row, tokens] = item.start, item.end, item.window.legal
    firsts = np.array([item.window.context_tokens.start for item in windows])
    nulls = [item.null for item in windows]
    return _search([item.window for item in windows], nulls, SpanLogits(start, end), legal, firsts, settings)


def _search(
    windows: Sequence[Window],
    nulls: Sequence[float],
    logits: SpanLogits,
    legal: NDArray[np.bool_],
    firsts: NDArray[np.intp],
    settings: DecodeSettings,
) -> list[SearchedWindow]:
    """Search windows whose contexts begin at the tokens ``firsts``."""
    best = best_spans(logits.start, logits.end, legal, settings.max_answer_tokens, settings.temperature)
    found = (best.scores, best.firsts - firsts, best.lasts - firsts, best.log_sums)
    return list(map(SearchedWindow, windows, nulls, *map(np.ndarray.tolist, found), repeat(logits), count()))


def best_spans(start: Logits, end: Logits, legal: NDArray[np.bool_], longest: int, temperature: float) -> BestSpans:
    """Find the best span of each window.

    Args:
        start: Logits of all tokens, ``(B, T)`` float32.
        end: As ``start``.
        legal: Where a span may start and end, ``(B, T)``.
        longest: Maximum length of a span, in tokens.
        temperature: Divides scores; above 0.
    """
    rows, tokens = start.shape
    longest = min(longest, tokens)
    # The rows are concatenated, with gaps that no legal span crosses, so that each pass is over a single row.
    gap = longest - 1
    width, used = tokens + gap, rows * (tokens + gap)
    flat = np.full((2, used + gap), _NEVER)
    both = flat[:, :used].reshape(2, rows, width)
    np.copyto(both[0, :, :tokens], start, where=legal)
    np.copyto(both[1, :, :tokens], end, where=legal)
    tops = np.add(both[0], _next_greatest(flat[1], longest).reshape(rows, width), dtype=np.float64)
    firsts = tops.argmax(axis=1)
    places = np.arange(0, used, width) + firsts
    scores = tops.take(places)
    # Different ends may have equal sums after rounding: the first one counts.
    near = flat[1].take(places[:, None] + np.arange(longest))
    lasts = firsts + np.add(flat[0].take(places)[:, None], near, dtype=np.float64).argmax(axis=1)
    del tops  # frees memory before the weights are allocated, which are twice as large

    log_sums = np.full(rows, np.inf)
    known = (scores >= -_REACH * temperature) & (flat.max() <= _REACH * temperature)
    if known.any():
        weights = np.zeros(flat.shape)
        inside = weights[:, :used].reshape(both.shape)[:, :, :tokens]
        np.multiply(both[:, :, :tokens], 1 / temperature, out=inside, dtype=np.float64)
        np.exp(inside, out=inside)
        sums = np.vecdot(weights[0, :used].reshape(rows, width), _next_sum(weights[1], longest).reshape(rows, width))
        np.log(sums, out=log_sums, where=known)
    return BestSpans(scores, firsts, lasts, log_sums)


def best_window(
    windows: Sequence[SearchedWindow], longest: int, temperature: float
) -> tuple[SearchedWindow, float] | None:
    """Find the window with the best span of an example, over all windows of all its contexts.

    Args:
        windows: The result of each window, in order; at least one.
        longest: Maximum length of a span, in tokens, as in the search.
        temperature: Divides scores, as in the search.

    Returns:
        The window, with ties broken as in :func:`quoth.reading.decode`, and the logarithm of the sum, over all legal
        spans of the example, of the exponential of score over temperature. ``None`` if the grid of all spans is needed:
        if a window has no legal span, or only legal spans far below its best logits, or if a token is in three windows.
    """
    if len(windows) == 1:
        only = windows[0]
        return None if only.log_sum == math.inf else (only, only.log_sum)
    items = [item.logits for item in windows]
    log_sums = [item.log_sum for item in windows]
    if math.inf in log_sums or any(_shared(before, after) > 0 for before, after in zip(items, items[2:], strict=False)):
        return None
    log_sum = float(np.logaddexp.reduce(log_sums))
    for before, after in pairwise(items):
        if (shared := _shared(before, after)) > 0:
            # A span in both windows counts with its higher score, so the lower weight is subtracted. It is at most half
            # of the sum.
            lesser = _lesser_scores(before, after, shared, longest) / temperature
            log_sum += math.log1p(-math.exp(log_sum_exp(lesser.ravel()) - log_sum))
    return min(windows, key=_order), log_sum


def _order(item: SearchedWindow) -> tuple[float, int, int, int]:
    """Sort better scores first, then earlier contexts, earlier starts and shorter spans."""
    window = item.window
    return -item.score, window.context_index, window.first_token + item.first, item.last - item.first


def span_scores(start: Logits, end: Logits, legal: NDArray[np.bool_], longest: int) -> Floats:
    """Return the scores of all spans of some tokens.

    Args:
        start: Logits of the tokens, ``(..., T)`` float32.
        end: As ``start``.
        legal: Where a span may start and end, ``(T,)``.
        longest: Maximum length of a span, in tokens, L.

    Returns:
        Scores, ``(..., T, L)`` float64: ``[..., i, k]`` is the score of the span of ``k + 1`` tokens that starts at
        token ``i``; minus infinity if it is not legal.
    """
    *rows, tokens = end.shape
    # No span ends after the last token.
    ends = np.full((*rows, tokens + longest - 1), -np.inf)
    np.copyto(ends[..., :tokens], end, where=legal)
    # Same as sliding_window_view, which would take longer than the rest of this function.
    next_ends: Floats = np.ndarray((*rows, tokens, longest), ends.dtype, ends, 0, (*ends.strides, ends.strides[-1]))
    scores: Floats = np.where(legal, start, -np.inf)[..., None] + next_ends
    return scores


def log_sum_exp(values: Floats) -> float:
    """Return the logarithm of the sum of the exponentials of some values; minus infinity if all values are."""
    top = values.max()
    return float(top + np.log(np.exp(values - top).sum())) if top > -np.inf else -math.inf


def _shared(before: WindowLogits, after: WindowLogits) -> int:
    """Return how many tokens two windows share; at most 0 if they share none."""
    return before.end_token - after.first_token if before.context_index == after.context_index else 0


def _lesser_scores(before: WindowLogits, after: WindowLogits, shared: int, longest: int) -> Floats:
    """Return the lower of the two scores of each shared span, ``(shared, L)``; minus infinity if it is not legal."""
    start = np.stack([before.start[-shared:], after.start[:shared]])
    end = np.stack([before.end[-shared:], after.end[:shared]])
    lesser: Floats = span_scores(start, end, after.window.legal[:shared], min(longest, shared)).min(axis=0)
    return lesser


def _next_greatest(values: Logits, length: int) -> Logits:
    """Return the maximum of each value and the ``length - 1`` values after it, for all but the last ``length - 1``."""
    run, size = values, 1
    while 2 * size <= length:
        run = np.maximum(run[:-size], run[size:])
        size *= 2
    # The last step combines two runs that overlap.
    rest = length - size
    return np.maximum(run[: len(run) - rest], run[rest:])


def _next_sum(values: Floats, length: int) -> Floats:
    """Return the sum of each value and the ``length - 1`` values after it, for all but the last ``length - 1``."""
    result, done = values, 0
    run, size = values, 1
    while True:
        if length & size:
            result = run[: len(result) - size] + result[size:] if done else run
            done += size
        if 2 * size > length:
            return result
        run = run[:-size] + run[size:]
        size *= 2
