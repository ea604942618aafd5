"""Finds near matches: the same words in another form, parts separated by ellipses, or texts with changed words."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from quoth.records import Span
from quoth.text import widen_to_words
from quoth.verification.check import Near
from quoth.verification.claims import Claim
from quoth.verification.difference import best_match, changes, folded_text, forms_of, similarities, tokens_of
from quoth.verification.fold import Bools, Codes, codes_of, fold_text
from quoth.verification.grams import Grams, Ints, find_all
from quoth.verification.haystack import Haystack
from quoth.verification.records import Change

# Minimum share of common words, or of common folded characters, in order, for a near match.
NEAR_WORDS, NEAR_CHARACTERS = 0.6, 0.8
# Pairs of the minimum length of a folded part and its gram size, in code points; and sizes to try if nothing is found.
_GRAM_SIZES = ((30, 6), (12, 4), (6, 3), (3, 2))
_SMALL_GRAMS = (3, 2)
# Maximum numbers of exact places of a folded part, of places of its grams, and of passages that are aligned.
_MAX_MATCHES, _MAX_GRAM_PLACES, _MAX_ALIGNED = 1_000, 2_000, 3
# A part that is longer, in code points, is not compared character by character, which takes quadratic time.
_LONG_PART = 1_000

Names = Sequence[tuple[str, str]]
Before = Callable[[], object]


def near_matches(claims: Sequence[Claim], haystack: Haystack, names: Names, before_each: Before) -> list[Near | None]:
    """Return the best near match of each claim in some sources; ``None`` if nothing is similar.

    Args:
        claims: Claims without an exact match.
        haystack: The sources.
        names: Name and title of every source so far.
        before_each: Called before each part of a claim is searched and aligned, and before each claim is compared.
    """
    parts_of = [claim.parts for claim in claims]
    parts = [(claim, part) for claim, own in zip(claims, parts_of, strict=True) for part in own]
    is_only = [len(own) == 1 for own in parts_of for _ in own]
    codes = [codes_of(fold_text(part)) for _, part in parts]
    found = find_all(haystack.folded.codes, codes) if parts else []
    known: dict[tuple[bytes, str | int | None, bool], list[Span]] = {}
    spans = []
    for (claim, _), only, starts, each in zip(parts, is_only, found, codes, strict=True):
        before_each()
        key = each.tobytes(), claim.source, only
        if key not in known:
            known[key] = _whole_spans(claim, starts, len(each), haystack, names, only)
        spans.append(known[key])
    unmatched = [index for index, each in enumerate(spans) if not each]
    for index, span in _aligned([(*parts[index], codes[index]) for index in unmatched], haystack, names, before_each):
        spans[unmatched[index]] = [span]
    result: list[Near | None] = []
    first = 0
    for claim, own in zip(claims, parts_of, strict=True):
        before_each()
        result.append(_near(claim.quote, own, spans[first : first + len(own)], haystack))
        first += len(own)
    return result


def _whole_spans(claim: Claim, starts: Ints, size: int, haystack: Haystack, names: Names, is_only: bool) -> list[Span]:
    """Return the original spans of a part's folded text, ascending, without those that split a word.

    For the only part of a claim, this is at most one.
    """
    spans = []
    starts = starts[_allowed(claim, haystack, names, starts)]
    for start in starts[:_MAX_MATCHES].tolist():
        span = haystack.unfolded(start, start + size)
        if span is not None:
            spans.append(span)
            if is_only:
                break
    return spans


def _allowed(claim: Claim, haystack: Haystack, names: Names, folded: Ints) -> Bools:
    """Return whether each of some positions of the folded text is in a source of the claim."""
    if claim.source is None:
        return np.ones(len(folded), np.bool_)
    known, which = np.unique(haystack.sources_at(haystack.folded.origin[folded]), return_inverse=True)
    return np.array([claim.may_be_in(source, *names[source]) for source in known.tolist()], np.bool_)[which]


def _near(quote: str, parts: Sequence[str], spans: Sequence[Sequence[Span]], haystack: Haystack) -> Near | None:
    """Combine the matches of a quote's parts."""
    if not any(spans):
        return None
    chain = _tightest(spans, haystack) if all(spans) else None
    if chain is None:
        # Show the place of the longest part that was found.
        matched = [(part, each[0]) for part, each in zip(parts, spans, strict=True) if each]
        part, span = max(matched, key=lambda pair: len(pair[0]))
        _, similarity, _, _ = _compared([part], [span], haystack)
        return Near((haystack.place(span),), False, similarity / len(parts), (), ())
    is_near, similarity, difference, forms = _compared(parts, chain, haystack)
    if len(parts) > 1 or parts[0] != quote:
        forms = (*forms, "ellipsis")
    return Near(tuple(map(haystack.place, chain)), is_near, similarity, difference, forms)


def _tightest(spans: Sequence[Sequence[Span]], haystack: Haystack) -> list[Span] | None:
    """Return the closest places of all parts, in order and in one source; ``None`` if there are none."""
    best: list[Span] | None = None
    for first in spans[0]:
        _, end = haystack.bounds(haystack.source_at(first.start))
        chain = [first]
        for each in spans[1:]:
            index = bisect_left(each, chain[-1].end, key=lambda span: span.start)
            if index == len(each) or each[index].end > end:
                break
            chain.append(each[index])
        if len(chain) == len(spans) and (best is None or chain[-1].end - first.start < best[-1].end - best[0].start):
            best = chain
    return best


def _compared(
    parts: Sequence[str], spans: Sequence[Span], haystack: Haystack
) -> tuple[bool, float, tuple[Change, ...], tuple[str, ...]]:
    """Compare parts with the text at their places.

    Returns:
        Whether they are similar enough for a near match, the similarity in [0, 1], the difference, and the kinds of
        differences besides changed words.
    """
    steps: list[Change] = []
    forms: dict[str, None] = {}
    words, characters = 1.0, 1.0
    for part, span in zip(parts, spans, strict=True):
        text = haystack.text_of(span)
        if folded_text(part) == folded_text(text):
            forms.update(dict.fromkeys(forms_of(part, text)))
        else:
            both = similarities(part, text)
            words, characters = min(words, both[0]), min(characters, both[1])
        if steps:
            steps.append(Change("form", "…", ""))
        steps.extend(changes(part, text))
    is_near = words >= NEAR_WORDS or characters >= NEAR_CHARACTERS
    return is_near, max(words, characters), tuple(steps), tuple(forms)


def _aligned(
    parts: Sequence[tuple[Claim, str, Codes]], haystack: Haystack, names: Names, before_each: Before
) -> list[tuple[int, Span]]:
    """Return the most similar passage for each part, among those that share a gram with it; parts are indices."""
    by_size: defaultdict[int, list[int]] = defaultdict(list)
    for index, (_, _, codes) in enumerate(parts):
        if len(codes) > 2:
            by_size[next(size for least, size in _GRAM_SIZES if len(codes) >= least)].append(index)
    found: dict[int, Span] = {}
    for size, indices in by_size.items():
        found.update(_aligned_by(size, parts, indices, haystack, names, before_each))
    for size in _SMALL_GRAMS:
        rest = [index for index, (_, _, codes) in enumerate(parts) if index not in found and len(codes) >= size]
        found.update(_aligned_by(size, parts, rest, haystack, names, before_each))
    return sorted(found.items())


def _aligned_by(
    size: int,
    parts: Sequence[tuple[Claim, str, Codes]],
    indices: Sequence[int],
    haystack: Haystack,
    names: Names,
    before_each: Before,
) -> Iterator[tuple[int, Span]]:
    """Align some of the parts, using grams of one size."""
    if not indices:
        return
    grams = Grams(haystack.folded.codes, [parts[index][2] for index in indices], size)
    chosen = [grams.rarest(index, _MAX_GRAM_PLACES) for index in range(len(indices))]
    for index, (starts, _) in zip(indices, grams.places(chosen), strict=True):
        before_each()
        claim, part, codes = parts[index]
        regions = _regions(claim, starts, len(codes), haystack, names)
        spans = [span for region in regions if (span := _best_in(part, region, haystack)) is not None]
        if spans:
            yield index, max(spans, key=lambda span: sum(similarities(part, haystack.text_of(span))))


def _regions(claim: Claim, starts: Ints, size: int, haystack: Haystack, names: Names) -> list[Span]:
    """Return the regions of the sources with the most grams of a part, best first."""
    origin = haystack.folded.origin
    starts = np.sort(starts)
    middles = np.clip(starts + size // 2, 0, len(origin) - 1)
    allowed = _allowed(claim, haystack, names, middles)
    starts, places = starts[allowed], origin[middles[allowed]]
    slack = max(8, size // 4)
    votes = np.searchsorted(starts, starts + slack, side="right") - np.arange(len(starts))
    regions: list[Span] = []
    tried = 0
    for index in np.argsort(-votes, kind="stable").tolist():
        if len(regions) == _MAX_ALIGNED or tried == 20 * _MAX_ALIGNED:
            break
        tried += 1
        low = int(starts[index])
        middle = int(places[index])
        if any(region.start <= middle < region.end for region in regions):
            continue
        margin = max(30, size // 2)
        lower, upper = haystack.bounds(haystack.source_at(middle))
        start = int(origin[max(0, low - margin)])
        end = int(origin[min(low + size + slack + margin, len(origin) - 1)])
        if max(start, lower) < min(end, upper):
            regions.append(Span(max(start, lower), min(end, upper)))
    return regions


def _best_in(part: str, region: Span, haystack: Haystack) -> Span | None:
    """Return the words of a region that are most similar to a part."""
    text = haystack.text_of(region)
    quote, tokens = tokens_of(part), tokens_of(text)
    if not quote or not tokens:
        return None
    chosen = best_match(quote, tokens)
    if chosen is None:
        return _by_characters(part, text, region.start)
    first, last = chosen
    return Span(region.start + tokens[first].span.start, region.start + tokens[last - 1].span.end)


def _by_characters(part: str, text: str, start: int) -> Span | None:
    """Return the most similar span for a part that has no word in common with the region."""
    from rapidfuzz.fuzz import partial_ratio_alignment

    if len(part) > _LONG_PART:
        return Span(start, start + len(text))
    found = partial_ratio_alignment(part, text)
    if found is None or found.dest_start == found.dest_end:
        return None
    own = widen_to_words(text, Span(found.dest_start, found.dest_end))
    return Span(start + own.start, start + own.end)
