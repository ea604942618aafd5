"""The records of a corpus: documents and search results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quoth.records import Span


@dataclass(frozen=True, slots=True)
class Entry:
    """A document in a corpus, without its text.

    Attributes:
        key: Its identifier: the absolute path of the file.
        name: Its path, as given.
        title: Its title.
        file_hash: SHA-256 of the file.
        stamp: Size and modification time of the file when it was read.
        passages: Number of passages.
    """

    key: str
    name: str
    title: str
    file_hash: str
    stamp: str
    passages: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found by a search.

    Attributes:
        document: The name of its document.
        key: The key of its document.
        title: The title of its document.
        span: Its span in the text of the document.
        text: The text of the passage.
        score: Score of the search; higher is better. Comparable within one search.
        page: The page on which it starts; ``None`` without pages.
    """

    document: str
    key: str
    title: str
    span: Span
    text: str
    score: float
    page: int | None = None


def page_of(pages: Sequence[Sequence[int]], position: int) -> int | None:
    """Return the page of a code point, from 1; ``None`` without pages."""
    return max(1, sum(1 for start, _ in pages if start <= position)) if pages else None
