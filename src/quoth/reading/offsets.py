"""Checks a tokenizer's offsets: some tokenizers on the hub lose the first letter of words, so answers would too."""

from __future__ import annotations

from quoth.reading.tokenizer import Tokenizer

_SAMPLE = "The keeper lit the lamp at nine. He said: every ship, in every storm, must see it."


def lost_letters(tokenizer: Tokenizer) -> tuple[str, ...]:
    """Return the words of a sample text with a letter that is in no token or in two; empty for a correct tokenizer."""
    (tokens,) = tokenizer.encode([_SAMPLE])
    held = [0] * len(_SAMPLE)
    for start, end in tokens.offsets.tolist():
        for position in range(start, end):
            held[position] += 1
    found, position = [], 0
    for word in _SAMPLE.split():
        start = _SAMPLE.index(word, position)
        position = start + len(word)
        if any(count != 1 for count in held[start:position]):
            found.append(word)
    return tuple(found)
