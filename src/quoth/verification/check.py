"""The state of one claim during the search, and its final verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from quoth.verification.claims import Claim
from quoth.verification.records import Change, Place, Verdict

# Maximum number of places that are returned for one quote; further places are only counted.
MAX_PLACES = 100


@dataclass(frozen=True, slots=True)
class Near:
    """A near match of a claim.

    Attributes:
        places: One place for each part of the claim, in order.
        is_near: Whether it is similar enough for the status ``near``.
        similarity: The similarity, in [0, 1].
        difference: The difference, word by word.
        forms: Kinds of differences besides changed words, such as "case".
    """

    places: tuple[Place, ...]
    is_near: bool
    similarity: float
    difference: tuple[Change, ...]
    forms: tuple[str, ...]


@dataclass(slots=True)
class Check:
    """The matches of one claim that have been found so far.

    Attributes:
        claim: The claim.
        places: The exact matches, at most :data:`MAX_PLACES`.
        count: The number of exact matches.
        elsewhere: Name of a source with an exact match, although the claim names another source.
        near: The best near match.
    """

    claim: Claim
    places: list[Place] = field(default_factory=list)
    count: int = 0
    elsewhere: str | None = None
    near: Near | None = None

    def offer(self, near: Near) -> None:
        """Keep a near match if it is the best so far."""
        old = self.near
        if old is None or (near.is_near, near.similarity) > (old.is_near, old.similarity):
            self.near = near

    def verdict(self) -> Verdict:
        """Return the verdict, after all sources have been searched."""
        if self.places:
            return self._exact()
        claim, near = self.claim, self.near
        offsets: Literal["wrong"] | None = "wrong" if claim.has_place else None
        note = f"the exact quote is in {self.elsewhere}, not in {claim.source}" if self.elsewhere else None
        if near is None:
            return Verdict(claim.quote, "absent", offsets=offsets, note=note)
        if not near.is_near:
            closest, similarity = near.places[0], near.similarity
            return Verdict(claim.quote, "absent", closest=closest, similarity=similarity, offsets=offsets, note=note)
        return Verdict(
            claim.quote,
            "near",
            near.places,
            near.difference,
            near.forms,
            similarity=near.similarity,
            place_count=len(near.places),
            offsets=offsets,
            note=note,
        )

    def _exact(self) -> Verdict:
        places = tuple(sorted(self.places, key=self._order))
        note = None if places[0].whole_words else "the quote begins or ends inside a longer word or number of the text"
        offsets: Literal["right", "repaired"] | None = None
        if self.claim.has_place:
            offsets = "right" if self._is_claimed(places[0]) else "repaired"
        quote = self.claim.quote
        return Verdict(quote, "exact", places, similarity=1.0, place_count=self.count, offsets=offsets, note=note)

    def _order(self, place: Place) -> tuple[int, bool, int, int]:
        """Sort key: the distance from the claimed place, then whole words first, then the order of the sources."""
        claim = self.claim
        distance = 0 if claim.start is None else abs(place.span.start - claim.start)
        if claim.start is None and claim.pages is not None:
            distance = int(not self._is_claimed(place))
        return distance, not place.whole_words, place.source_index, place.span.start

    def _is_claimed(self, place: Place) -> bool:
        claim = self.claim
        if claim.start is not None:
            return place.span.start == claim.start and claim.end in (None, place.span.end)
        first, last = claim.pages or (0, 0)
        return place.page is not None and first <= place.page < last
