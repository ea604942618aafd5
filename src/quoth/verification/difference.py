"""Compares a quote with the text at its place, word by word."""

from __future__ import annotations

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
    rf"\p{{N}}+(?:[.,:/]\p{{N}}+)*(?!{_LETTER})|{_LETTER}+(?:(?:['’]|[-‐‑\u00ad]\s*\n\s*){_LETTER}+)*"
    rf"|[{UNSPACED}]\p{{M}}*|\S",
    regex.V1,
)
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


def forms_of(quote: str, text: str) -> tuple[str, ...]:
    """Return the kinds of differences between two texts whose folded forms are equal."""
    return tuple(form for form in FORMS if folded_text(quote, form) != folded_text(text, form))


def align(quote: Sequence[Token], text: Sequence[Token]) -> list[Step]:
    """Align two lists of tokens with as many equal tokens as possible."""
    from rapidfuzz.distance import Indel

    steps: list[Step] = []
    for op in Indel.opcodes([token.key for token in quote], [token.key for token in text]):
        kind: _Side = "same" if op.tag == "equal" else "added" if op.tag == "delete" else "missing"
        step = Step(kind, op.src_start, op.src_end, op.dest_start, op.dest_end)
        if kind != "same" and steps and steps[-1].kind != "same":
            last = steps.pop()
            step = Step("changed", last.q0, step.q1, last.t0, step.t1)
        steps.append(step)
    return steps


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
    keys = [token.key for token in quote]
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
