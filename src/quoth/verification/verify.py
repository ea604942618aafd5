"""Verifies quotes: exact by code points, near by folded text or alignment, else absent.

The time is linear in the length of the sources, for any number of quotes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from quoth.errors import InputError
from quoth.names import listed, suggests_names
from quoth.records import Span
from quoth.verification.check import MAX_PLACES, Check
from quoth.verification.claims import Claim, claim_of
from quoth.verification.difference import forget_texts
from quoth.verification.fold import codes_of
from quoth.verification.grams import Ints, find_all
from quoth.verification.haystack import Haystack
from quoth.verification.near import near_matches
from quoth.verification.quotation import quoted
from quoth.verification.records import Source, TextSource, Verdict

# Sources are searched in batches of this many code points, to limit memory use.
BATCH = 16_000_000
# Maximum number of places of a quote among which those on its claimed pages are searched.
_MOST_PAGES = 10_000


@suggests_names
def verify(
    quotes: str | Claim | Mapping[str, object] | Iterable[str | Claim | Mapping[str, object]],
    texts: str | Source | Mapping[str, str] | Iterable[str | Source],
    *,
    before_each: Callable[[], object] = lambda: None,
) -> tuple[Verdict, ...]:
    """Check whether texts contain claimed quotes.

    Args:
        quotes: A text whose parts in quotation marks are checked (the whole text if there are none); a :class:`Claim`;
            a mapping (``quote`` and ``source``, or a citation object); or several quotes, each a string or one of these
            two.
        texts: One or several texts or documents, or a mapping of names to texts.
        before_each: Called before each quote that is not found exactly is aligned. It may raise to stop the check.

    Returns:
        One verdict for each quote, in order.

    Raises:
        InputError: If a quote is empty or has no valid form, its source does not exist, or a text is not a text.

    Example:
        >>> [verdict] = verify("the notice period is three months", "The notice period is two months.")
        >>> verdict.status, [(change.quote, change.text) for change in verdict.difference if change.kind == "changed"]
        ('near', [('three', 'two')])
    """
    claims = [claim_of(quote) for quote in _quotes(quotes)]
    for number, claim in enumerate(claims, 1):
        if not claim.quote:
            raise InputError(f"quote {number} must have text, but is empty")
    checks = [Check(claim) for claim in claims]
    names: list[tuple[str, str]] = []
    try:
        for batch in _batches(_sources(texts)):
            haystack = Haystack(batch, len(names))
            names += [(source.name, str(getattr(source, "title", ""))) for source in batch]
            _find_exact(checks, haystack, names)
            _find_near(checks, haystack, names, before_each)
    finally:
        forget_texts()
    _raise_if_unknown(claims, names)
    return tuple(check.verdict() for check in checks)


def _quotes(quotes: object) -> Iterable[object]:
    if isinstance(quotes, str):
        return quoted(quotes)
    if isinstance(quotes, Claim | Mapping):
        return [quotes]
    if isinstance(quotes, bytes) or not isinstance(quotes, Iterable):
        raise InputError(f"quotes must be text, or one or several quotes, but is {type(quotes).__name__}")
    return quotes


def _sources(texts: object) -> Iterator[Source]:
    if isinstance(texts, Mapping):
        for name, text in texts.items():
            if not isinstance(text, str):
                raise InputError(f"text {name!r} must be text, but is {type(text).__name__}")
            yield TextSource(name, text)
        return
    if isinstance(texts, str) or hasattr(texts, "boxes_of"):
        texts = [texts]
    if isinstance(texts, bytes) or not isinstance(texts, Iterable):
        raise InputError(f"texts must be one or several texts or documents, but is {type(texts).__name__}")
    for number, text in enumerate(texts, 1):
        if not isinstance(text, str) and not hasattr(text, "boxes_of"):
            raise InputError(f"text {number} must be text or a document, but is {type(text).__name__}")
        yield TextSource(f"text {number}", text) if isinstance(text, str) else text


def _batches(sources: Iterable[Source]) -> Iterator[list[Source]]:
    batch: list[Source] = []
    size = 0
    for source in sources:
        if batch and size + len(source.text) > BATCH:
            yield batch
            batch, size = [], 0
        batch.append(source)
        size += len(source.text)
    if batch:
        yield batch


def _raise_if_unknown(claims: Sequence[Claim], names: Sequence[tuple[str, str]]) -> None:
    known = listed([name for name, _ in names])
    problems = [
        f"quote {number}: source must be one of {known}, but is {claim.source}"
        for number, claim in enumerate(claims, 1)
        if claim.source is not None and not any(claim.may_be_in(index, *name) for index, name in enumerate(names))
    ]
    if problems:
        raise InputError("\n".join(problems))


def _find_exact(checks: Sequence[Check], haystack: Haystack, names: Sequence[tuple[str, str]]) -> None:
    """Find all exact places of every quote."""
    found = find_all(haystack.codes, [codes_of(check.claim.quote) for check in checks])
    for check, starts in zip(checks, found, strict=True):
        size = len(check.claim.quote)
        sources = haystack.sources_at(starts)
        for source in np.unique(sources).tolist():
            of_source = starts[sources == source]
            if not check.claim.may_be_in(source, *names[source]):
                check.elsewhere = check.elsewhere or names[source][0]
                continue
            check.count += len(of_source)
            for start in _nearest(check.claim, of_source, haystack)[: MAX_PLACES - len(check.places)].tolist():
                check.places.append(haystack.place(Span(start, start + size)))


def _nearest(claim: Claim, starts: Ints, haystack: Haystack) -> Ints:
    """Return the starts of a quote in one source, those at its claimed place first."""
    if not claim.has_place or len(starts) <= 1:
        return starts
    base, _ = haystack.bounds(haystack.source_at(int(starts[0])))
    if claim.start is not None:
        claimed = min(base + claim.start, len(haystack.codes))  # a claimed start may exceed the integers of NumPy
        return starts[np.argsort(np.abs(starts - claimed), kind="stable")]
    first, last = claim.pages or (0, 0)
    pages = [haystack.page_at(start) for start in starts[:_MOST_PAGES].tolist()]
    right = np.array([page is not None and first <= page < last for page in pages], np.bool_)
    return np.concatenate([starts[: len(right)][right], starts[: len(right)][~right]])


def _find_near(
    checks: Sequence[Check], haystack: Haystack, names: Sequence[tuple[str, str]], before_each: Callable[[], object]
) -> None:
    """Find the best near match of each quote without an exact match so far."""
    open_checks = [check for check in checks if not check.count]
    claims = [check.claim for check in open_checks]
    for check, near in zip(open_checks, near_matches(claims, haystack, names, before_each), strict=True):
        if near is not None:
            check.offer(near)
