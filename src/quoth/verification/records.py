"""What a check of quotes works with and says: sources, places, changes, verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from quoth.records import Span

Status = Literal["exact", "near", "absent"]
Kind = Literal["same", "form", "changed", "added", "missing"]


class Source(Protocol):
    """A text to look in. A ``quoth.documents.Document`` is one."""

    @property
    def name(self) -> str:
        """What the source is called."""

    @property
    def text(self) -> str:
        """Its whole text."""

    def page_at(self, position: int) -> int | None:
        """Return the page of a code point, from 1; ``None`` if the source has no pages."""

    def boxes_of(self, span: Span) -> Sequence[Any]:
        """Return the rectangles that a span covers on its pages; empty where they are not known."""


@dataclass(frozen=True, slots=True)
class TextSource:
    """A plain text as a source: no pages, no boxes."""

    name: str
    text: str

    def page_at(self, position: int) -> int | None:
        """Return ``None``: a plain text has no pages."""
        return None

    def boxes_of(self, span: Span) -> tuple[()]:
        """Return nothing: a plain text has no boxes."""
        return ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a quote, or one part of it, stands.

    Attributes:
        source: Name of the source.
        source_index: Its index among the sources.
        span: In code points of the source's text.
        text: Exactly what stands there.
        whole_words: Whether no word or number is cut at either end: "3 months" stands in "13 months", but cuts it.
        line: From 1.
        page: From 1; ``None`` without pages.
        boxes: Rectangles on the pages, each with a ``to_dict`` method; empty where they are not known.
        utf16: The span in UTF-16 code units, half-open.
    """

    source: str
    source_index: int
    span: Span
    text: str
    whole_words: bool = True
    line: int = 1
    page: int | None = None
    boxes: tuple[Any, ...] = ()
    utf16: tuple[int, int] = (0, 0)

    def to_dict(self) -> dict[str, Any]:
        """Return the place as JSON has it."""
        return {
            "source": self.source,
            "source_index": self.source_index,
            "start": self.span.start,
            "end": self.span.end,
            "start_utf16": self.utf16[0],
            "end_utf16": self.utf16[1],
            "line": self.line,
            "page": self.page,
            "boxes": [box.to_dict() for box in self.boxes],
            "text": self.text,
            "whole_words": self.whole_words,
        }


@dataclass(frozen=True, slots=True)
class Change:
    """One step of a difference, read from left to right.

    Attributes:
        kind: ``same``; ``form``: the same word, written otherwise; ``changed``: other words stand in the text;
            ``added``: only the quote has it; ``missing``: only the text has it.
        quote: What the quote says.
        text: What the text says.
    """

    kind: Kind
    quote: str
    text: str

    def to_dict(self) -> dict[str, str]:
        """Return the change as JSON has it."""
        return {"kind": self.kind, "quote": self.quote, "text": self.text}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is true of one claimed quote.

    Attributes:
        quote: As it was claimed.
        status: ``exact``: it stands there, code point by code point. ``near``: it stands there in another form, in
            parts with an ellipsis between them, or with words changed. ``absent``: neither.
        places: Every place if exact (at most ``MAX_PLACES``, whole words first); if near, one for each part.
        difference: Of a near quote: word by word. ``None`` otherwise.
        forms: Of a near quote: what differs besides words, such as ``("case", "spaces")``.
        closest: Of an absent quote: the passage most like it, with ``similarity`` in [0, 1]; ``None`` if nothing is.
        similarity: Of the quote and what stands at its place: 1 if exact, 0 if nothing is like it.
        place_count: How many places there are in all.
        offsets: Of a citation with offsets: ``right``, or ``repaired``: the first place is where it really stands; or
            ``wrong``: it stands nowhere. ``None`` if none were claimed.
        note: A sentence on anything else to know, or ``None``.
    """

    quote: str
    status: Status
    places: tuple[Place, ...] = ()
    difference: tuple[Change, ...] | None = None
    forms: tuple[str, ...] = ()
    closest: Place | None = None
    similarity: float = 0.0
    place_count: int = field(default=0)
    offsets: Literal["right", "repaired", "wrong"] | None = None
    note: str | None = None

    @property
    def words_changed(self) -> bool:
        """Whether words, numbers or punctuation differ, not only the form in which they are written."""
        return any(change.kind not in ("same", "form") for change in self.difference or ())

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as ``quoth verify --json`` prints it."""
        difference = None
        if self.difference is not None:
            steps = [change.to_dict() for change in self.difference]
            difference = {"words_changed": self.words_changed, "forms": list(self.forms), "steps": steps}
        closest = None
        if self.closest is not None:
            closest = {**self.closest.to_dict(), "similarity": round(self.similarity, 4)}
        return {
            "quote": self.quote,
            "status": self.status,
            "places": [place.to_dict() for place in self.places],
            "place_count": self.place_count,
            "difference": difference,
            "closest": closest,
            "offsets": self.offsets,
            "note": self.note,
        }
