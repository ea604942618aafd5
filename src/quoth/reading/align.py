"""Maps the code points of golds to tokens."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from quoth.reading.tokenizer import Ints
from quoth.records import Span


def covering_tokens(offsets: Ints, span: Span) -> tuple[int, int] | None:
    """Return the smallest range of tokens that covers a span, half-open; ``None`` if no token overlaps it.

    A span that starts or ends inside a token is widened to the whole token. (The training loop of the tutorial requires
    exact boundaries instead, and trains on position 0 if there are none.)

    Args:
        offsets: Code points of each token, ``(T, 2)``; starts and ends are ascending.
        span: Code points of the same text.
    """
    starts, ends = offsets[:, 0], offsets[:, 1]
    first, end = bisect_right(ends, span.start), bisect_left(starts, span.end)
    # Tokens of only white space are empty, so they overlap nothing.
    while first < end and starts[first] >= ends[first]:
        first += 1
    while first < end and starts[end - 1] >= ends[end - 1]:
        end -= 1
    return (first, end) if first < end else None
