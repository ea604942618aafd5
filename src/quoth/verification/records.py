"""The records of a check of quotes: sources, places, changes and verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from quoth.records import Span

Status = Literal["exact", "near", "absent"]
Kind = Literal["same", "form", "changed", "added", "missing"]


class Source(Protocol):
    """A text to search. A ``quoth.documents.Document`` is one."""

    @property
    def name(self) -> str:
        """The name of the source."""

    @property
    def text(self) -> str:
        """Its complete text."""

    def page_at(self, position: int) -> int | None:
        """Return the page of a code point, from 1; ``None`` if the source has no pages."""

    def boxes_of(self, span: Span) -> Sequence[Any]:
        """Return the rectangles of a span on its pages; empty if the source has none."""


@dataclass(frozen=True, slots=True)
class TextSource:
    """A plain text as a source: no pages, no boxes."""

    name: str
    text: str

    def page_at(self, position: int) -> int | None:
        """Return ``None``: a plain text has no pages."""
        return None

    def boxes_of(self, span: Span) -> tuple[()]:
        """Return no boxes: a plain text has none."""
        return ()


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a quote, or of one part of it.

    Attributes:
        source: Name of the source.
        source_index: Its index among the sources.
        span: Its span in the source's text, in code points.
        text: Exactly the source's text at the span.
        whole_words: Whether it starts and ends at word boundaries. "13 months" contains "3 months", but the place
            starts inside the number.
        line: Line number, from 1.
        page: Page number, from 1; ``None`` without pages.
        boxes: Rectangles on the pages, each with a ``to_dict`` method; empty if the source has none.
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
        """Return the place for JSON."""
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
    """One step of a difference, in the order of the text.

    Attributes:
        kind: ``same``; ``form``: the same words in another form; ``changed``: the text has other words;
            ``added``: only in the quote; ``missing``: only in the text.
        quote: The words of the quote.
        text: The words of the text.
    """

    kind: Kind
    quote: str
    text: str

    def to_dict(self) -> dict[str, str]:
        """Return the change for JSON."""
        return {"kind": self.kind, "quote": self.quote, "text": self.text}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result for one claimed quote.

    Attributes:
        quote: The quote, as claimed.
        status: ``exact``: a source contains the quote, code point by code point. ``near``: a source contains it in
            another form, in parts separated by an ellipsis, or with changed words. ``absent``: neither.
        places: If exact, all places (at most ``MAX_PLACES``, whole words first); if near, one for each part.
        difference: If near, the difference word by word; else ``None``.
        forms: If near, the kinds of differences besides words, such as ``("case", "spaces")``.
        closest: If absent, the most similar passage; ``None`` if nothing is similar.
        similarity: Similarity of the quote and the text at its place, in [0, 1]: 1 if exact, 0 if nothing is similar.
        place_count: Total number of places.
        offsets: The check of the offsets of a citation: ``right``; ``repaired``: the first place has the correct
            offsets; ``wrong``: there is no exact match. ``None`` if no offsets were claimed.
        note: An additional remark as a sentence, or ``None``.
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
        """Whether words, numbers or punctuation differ, and not only their form."""
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
