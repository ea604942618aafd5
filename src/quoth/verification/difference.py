"""Compares a quote with the text at its place, word by word."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Literal

import regex

from quoth.records import Span
from quoth.text import UNSPACED
from quoth.verification.fold import FORMS, fold_text
from quoth.verification.records import Change

# Words (also those hyphenated at a line end), numbers with their separators, and single other characters. In scripts
# without spaces, each character is a token.
_LETTER = rf"[[\p{{L}}\p{{M}}\p{{N}}\p{{Cf}}]--[{UNSPACED}]]"
_TOKEN = regex.compile(
    rf"\p{{N}}+(?:[.,:/]\p{{N}}+)*(?!{_LETTER})|{_LETTER}+(?:(?:['’]|[-‐‑\u00ad][^\S\n]*\n\s*){_LETTER}+)*"
    rf"|[{UNSPACED}]\p{{M}}*|\S",
    regex.V1,
)
# Pairs of tokens up to which two lists are aligned as a whole; the size of a piece of longer ones, and of an anchor.
_MOST_PAIRS, _PIECE, _ANCHOR = 100_000_000, 2_000, 8
_Side = Literal["same", "added", "missing"]


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number or other character: its span in the text, and its folded form."""

    span: Span
    key: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an alignment: tokens ``q0`` to ``q1`` of the quote correspond to ``t0`` to ``t1`` of the text."""

    kind: Literal["same", "changed", "added", "missing"]
    q0: int
    q1: int
    t0: int
    t1: int


@lru_cache(maxsize=65_536)
def folded_text(text: str, skip: str = "") -> str:
    """Return the folded form of a short text."""
    if not skip and text.isascii() and text.isalnum():
        return text.lower()
    return fold_text(text, skip)


@lru_cache(maxsize=4_096)
def tokens_of(text: str) -> tuple[Token, ...]:
    """Split a text into words, numbers and other characters."""
    spans = [Span(*match.span()) for match in _TOKEN.finditer(text)]
    return tuple([Token(span, folded_text(span.of(text))) for span in spans])


def forget_texts() -> None:
    """Remove all texts from the caches of this module, so that they need no memory after a check."""
    for cached in (folded_text, tokens_of, similarities):
        cached.cache_clear()


def forms_of(quote: str, text: str) -> tuple[str, ...]:
    """Return the kinds of differences between two texts whose folded forms are equal."""
    return tuple(form for form in FORMS if folded_text(quote, form) != folded_text(text, form))


def align(quote: Sequence[Token], text: Sequence[Token]) -> list[Step]:
    """Align two lists of tokens with as many equal tokens as possible.

    Long lists are first split at sequences of tokens that both have once, so that time and memory stay linear.
    """
    ours, theirs = [token.key for token in quote], [token.key for token in text]
    steps: list[Step] = []
    for q0, q1, t0, t1 in _pieces(ours, theirs):
        for step in _aligned(ours[q0:q1], theirs[t0:t1]):
            _append(steps, Step(step.kind, q0 + step.q0, q0 + step.q1, t0 + step.t0, t0 + step.t1))
    return steps


def _aligned(ours: Sequence[str], theirs: Sequence[str]) -> Iterator[Step]:
    from rapidfuzz.distance import Indel

    start = _common_start(ours, theirs)
    end = _common_start(ours[start:][::-1], theirs[start:][::-1])
    q1, t1 = len(ours) - end, len(theirs) - end
    if (q1 - start) * (t1 - start) > _MOST_PAIRS:
        yield from (Step("same", 0, start, 0, start), Step("changed", start, q1, start, t1))
        yield Step("same", q1, len(ours), t1, len(theirs))
        return
    for op in Indel.opcodes(ours, theirs):
        kind: _Side = "same" if op.tag == "equal" else "added" if op.tag == "delete" else "missing"
        yield Step(kind, op.src_start, op.src_end, op.dest_start, op.dest_end)


def _append(steps: list[Step], step: Step) -> None:
    """Add a step; combine it with the last one if both are the same tokens, or both are not."""
    if (step.q0, step.t0) == (step.q1, step.t1):
        return
    if steps and (steps[-1].kind == "same") is (step.kind == "same"):
        last = steps.pop()
        kind = step.kind if step.kind == last.kind else "changed"
        step = Step(kind, last.q0, step.q1, last.t0, step.t1)
    steps.append(step)


def _common_start(ours: Sequence[str], theirs: Sequence[str]) -> int:
    return next(
        (n for n, (one, other) in enumerate(zip(ours, theirs, strict=False)) if one != other),
        min(len(ours), len(theirs)),
    )


def _pieces(ours: Sequence[str], theirs: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """Yield the ranges of both lists that are aligned with each other.

    Source: the anchors of "patience diff" (Bram Cohen), here only the longest run of them in both orders.
    """
    q0 = t0 = 0
    if len(ours) * len(theirs) > _MOST_PAIRS:
        for q1, t1 in _anchors(ours, theirs):
            if q1 - q0 >= _PIECE:
                yield q0, q1, t0, t1
                q0, t0 = q1, t1
    yield q0, len(ours), t0, len(theirs)


def _anchors(ours: Sequence[str], theirs: Sequence[str]) -> list[tuple[int, int]]:
    """Return places of both lists at which the same tokens stand, which stand nowhere else, ascending in both."""
    places = []
    for keys in (ours, theirs):
        grams = [tuple(keys[n : n + _ANCHOR]) for n in range(len(keys) - _ANCHOR + 1)]
        counts = Counter(grams)
        places.append({gram: n for n, gram in enumerate(grams) if counts[gram] == 1})
    pairs = [(n, places[1][gram]) for gram, n in places[0].items() if gram in places[1]]
    # The longest ascending sequence of the second numbers.
    ends: list[int] = []
    tails: list[int] = []
    before: list[int] = []
    for index, (_, other) in enumerate(pairs):
        at = bisect_left(ends, other)
        before.append(tails[at - 1] if at else -1)
        ends[at : at + 1], tails[at : at + 1] = [other], [index]
    chosen: list[tuple[int, int]] = []
    index = tails[-1] if tails else -1
    while index >= 0:
        chosen.append(pairs[index])
        index = before[index]
    return chosen[::-1]


def best_match(quote: Sequence[Token], text: Sequence[Token]) -> tuple[int, int] | None:
    """Return the range of the text's tokens, half-open, that best matches the quote; ``None`` if no token is equal.

    The range covers the run of alignment steps with the highest gain: the number of common tokens minus the number of
    other tokens of the text between them. It is extended by the tokens that correspond to the rest of the quote before
    and after the run.
    """
    steps = align(quote, text)
    low, high = _best_run(steps)
    if low == high:
        return None
    first, last = steps[low].t0, steps[high - 1].t1
    first -= _extension(steps[low - 1] if low else None, quote[: steps[low].q0][::-1], text[:first][::-1])
    q1, after = steps[high - 1].q1, steps[high] if high < len(steps) else None
    return first, last + _extension(after, quote[q1:], text[last:])


def _best_run(steps: Sequence[Step]) -> tuple[int, int]:
    """Return the run of steps with the highest gain, half-open; see :func:`best_match`."""
    best, run = (0, 0, 0), (0, 0)  # gain, first, end; gain so far, first
    for index, step in enumerate(steps):
        if step.kind == "same":
            run = (run[0] + step.q1 - step.q0, run[1])
            if run[0] > best[0]:
                best = (*run, index + 1)
            continue
        # Replaced words count only if the text has more of them than the quote.
        extra = (step.t1 - step.t0) - (step.q1 - step.q0 if step.kind == "changed" else 0)
        run = (run[0] - max(0, extra), run[1])
        if run[0] <= 0:
            run = (0, index + 1)
    return best[1], best[2]


def _extension(step: Step | None, quote: Sequence[Token], text: Sequence[Token]) -> int:
    """Return the number of tokens next to a run that correspond to the rest of the quote.

    Args:
        step: The alignment step next to the run.
        quote: The rest of the quote, starting at the run.
        text: The rest of the text, starting at the run.
    """
    neighbours = text[: len(quote)]
    keys = {token.key for token in quote}
    shared = [number for number, token in enumerate(neighbours, 1) if token.key in keys]
    changed = min(step.t1 - step.t0, step.q1 - step.q0) if step is not None and step.kind == "changed" else 0
    return max([changed, *shared])


def changes(quote: str, text: str) -> tuple[Change, ...]:
    """Return the changes that turn a quote into a text, in order."""
    ours, theirs = tokens_of(quote), tokens_of(text)
    found: list[Change] = []
    for step in align(ours, theirs):
        if step.kind == "same":
            found.extend(_same(quote, ours[step.q0 : step.q1], text, theirs[step.t0 : step.t1]))
            continue
        in_quote, in_text = _covered(quote, ours[step.q0 : step.q1]), _covered(text, theirs[step.t0 : step.t1])
        same = step.kind == "changed" and folded_text(in_quote) == folded_text(in_text)
        found.append(Change("form" if same else step.kind, in_quote, in_text))
    return tuple(found)


def _same(quote: str, ours: Sequence[Token], text: str, theirs: Sequence[Token]) -> Iterator[Change]:
    """Yield runs of words that are identical, and runs of words that differ only in form."""
    pairs = zip(ours, theirs, strict=True)
    for identical, run in groupby(pairs, lambda pair: pair[0].span.of(quote) == pair[1].span.of(text)):
        one, other = zip(*run, strict=True)
        in_quote, in_text = _covered(quote, one), _covered(text, other)
        yield Change("same" if identical and in_quote == in_text else "form", in_quote, in_text)


def _covered(text: str, tokens: Sequence[Token]) -> str:
    """Return the text from the first to the last token."""
    return text[tokens[0].span.start : tokens[-1].span.end] if tokens else ""


@lru_cache(maxsize=4_096)
def similarities(quote: str, text: str) -> tuple[float, float]:
    """Return the share of words, and of folded characters, that two texts have in common in order, each in [0, 1]."""
    from rapidfuzz.distance import Indel

    ours, theirs = [token.key for token in tokens_of(quote)], [token.key for token in tokens_of(text)]
    words = Indel.normalized_similarity(ours, theirs)
    return words, Indel.normalized_similarity(folded_text(quote), folded_text(text))
