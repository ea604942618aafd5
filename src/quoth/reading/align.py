"""From a gold's code points to the tokens that hold them."""

from __future__ import annotations

import numpy as np

from quoth.reading.tokenizer import Ints
from quoth.records import Span


def covering_tokens(offsets: Ints, span: Span) -> tuple[int, int] | None:
    """Return the least run of whole tokens that holds a span, half-open; ``None`` if no token touches it.

    A span that starts or ends inside a token is widened to the whole token. The seed's loop asks for exact boundaries
    instead, and trains on position 0 where it finds none.

    Args:
        offsets: Code points of each token, ``(T, 2)``.
        span: Code points of the same text.
    """
    starts, ends = offsets[:, 0], offsets[:, 1]
    touching = np.flatnonzero((ends > span.start) & (starts < span.end) & (starts < ends))
    return (int(touching[0]), int(touching[-1]) + 1) if len(touching) else None
