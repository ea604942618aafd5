"""One claim while the sources are searched, and the verdict at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from quoth.verification.claims import Claim
from quoth.verification.records import Change, Place, Verdict

# Places of one quote that are described; the rest are counted.
MAX_PLACES = 100


@dataclass(frozen=True, slots=True)
class Near:
    """Where a claim nearly stands.

    Attributes:
        places: One for each of its parts, in order.
        is_near: Whether it is like enough to be called near.
        similarity: In [0, 1].
        difference: Word by word.
        forms: What differs besides words.
    """

    places: tuple[Place, ...]
    is_near: bool
    similarity: float
    difference: tuple[Change, ...]
    forms: tuple[str, ...]


@dataclass(slots=True)
class Check:
    """What is known so far of one claim.

    Attributes:
        claim: The claim.
        places: Where it stands word for word, at most :data:`MAX_PLACES`.
        count: How many such places there are.
        elsewhere: Name of a source in which it stands, though the claim names another.
        near: Its best near match.
    """

    claim: Claim
    places: list[Place] = field(default_factory=list)
    count: int = 0
    elsewhere: str | None = None
    near: Near | None = None

    def offer(self, near: Near) -> None:
        """Take a near match if it is the best so far."""
        old = self.near
        if old is None or (near.is_near, near.similarity) > (old.is_near, old.similarity):
            self.near = near

    def verdict(self) -> Verdict:
        """Return what is true of the claim, now that every source was searched."""
        if self.places:
            return self._exact()
        claim, near = self.claim, self.near
        offsets: Literal["wrong"] | None = "wrong" if claim.has_place else None
        note = f"it stands word for word in {self.elsewhere}, not in {claim.source}" if self.elsewhere else None
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
        note = None if places[0].whole_words else "it begins or ends inside a longer word or number there"
        offsets: Literal["right", "repaired"] | None = None
        if self.claim.has_place:
            offsets = "right" if self._is_claimed(places[0]) else "repaired"
        quote = self.claim.quote
        return Verdict(quote, "exact", places, similarity=1.0, place_count=self.count, offsets=offsets, note=note)

    def _order(self, place: Place) -> tuple[int, bool, int, int]:
        """Put what is nearest to the claimed place first, then whole words, then the order of the sources."""
        claim = self.claim
        far = 0 if claim.start is None else abs(place.span.start - claim.start)
        if claim.start is None and claim.pages is not None:
            far = int(not self._is_claimed(place))
        return far, not place.whole_words, place.source_index, place.span.start

    def _is_claimed(self, place: Place) -> bool:
        claim = self.claim
        if claim.start is not None:
            return place.span.start == claim.start and claim.end in (None, place.span.end)
        first, last = claim.pages or (0, 0)
        return place.page is not None and first <= place.page < last
