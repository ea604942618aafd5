"""The exact search over a batch at once: the best span of each window, and what all of its spans weigh together.

Neither asks for a look at each span. The best span that starts at a token ends at the greatest of the next ``longest``
end logits. And since the exponential of a sum is a product, the weight of all spans that start there is that of the start
times the sum of the weights of the next ``longest`` ends. Such running maxima and sums take passes over the batch whose
number is the logarithm of ``longest``.

Source: the doubling of runs is that of suffix arrays (Manber and Myers 1993, section 3), here over values.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Logits = NDArray[np.float32]

_NEVER = np.float32(-np.inf)
# Weights are relative to the best start and the best end, and never below e to the -300: exponentials of less take long,
# and their products vanish. Where the best span weighs less than e to the -200, this would show.
_LEAST, _STEEP = -300.0, 200.0


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


def best_spans(
    start: Logits, end: Logits, legal: NDArray[np.bool_], longest: int, temperature: float
) -> BestSpans:
    """Find the best span of each window.

    Args:
        start, end: Logits of all tokens, ``(B, T)`` float32.
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


def _running(combine: np.ufunc, values: NDArray[Any], length: int) -> NDArray[Any]:
    """Combine each value with the next ``length - 1``, by runs of 1, 2, 4, ... values; the last of them have too few."""
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
