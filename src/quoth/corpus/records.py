"""The records of a corpus: documents, search results, and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quoth.documents import Box, Unread
from quoth.records import Example, Span, finite


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

    def to_dict(self) -> dict[str, Any]:
        """Return what users see of it, for JSON."""
        return {"name": self.name, "title": self.title, "passages": self.passages, "sha256": self.file_hash}


@dataclass(frozen=True, slots=True)
class Known:
    """The stored facts about the file of a document, by which changes are detected.

    Attributes:
        stamp: Size and modification time of the file when it was read.
        file_hash: SHA-256 of the file.
        extraction: The version of the extraction that read it; 0 if it must be read again.
    """

    stamp: str
    file_hash: str
    extraction: int


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

    def to_dict(self) -> dict[str, Any]:
        """Return the passage for JSON."""
        return {
            "document": self.document,
            "title": self.title,
            "start": self.span.start,
            "end": self.span.end,
            "page": self.page,
            "score": self.score,
            "text": self.text,
        }


@dataclass(slots=True)
class Indexed:
    """Result of adding files.

    Attributes:
        added, changed, unchanged: Number of documents that are new, were read again, or did not change.
        removed: Number of documents whose files are no longer in the given folders.
        problems: Files that could not be read, or of which a part was not read.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    problems: list[Unread] = field(default_factory=list)


@dataclass(frozen=True, slots=True, init=False)
class Searched(Example):
    """A question with the passages that a search found for it; its contexts are the passages to read.

    Attributes:
        asked: The question as it was given.
        hits: All passages that were found, best first.
    """

    asked: Example
    hits: tuple[Hit, ...]

    def __init__(self, asked: Example, hits: Sequence[Hit], read: Sequence[Hit]) -> None:
        """Create it.

        Args:
            asked: The question; its contexts are ignored.
            hits: All passages that were found.
            read: Those of them that are its contexts.
        """
        # `super()` does not work in a class with slots, because `dataclass` makes a second class.
        Example.__init__(self, asked.id, asked.question, [hit.text for hit in read], title=asked.title)
        object.__setattr__(self, "asked", asked)
        object.__setattr__(self, "hits", tuple(hits))


@dataclass(frozen=True, slots=True)
class CorpusAnswer:
    """An answer from a corpus.

    Attributes:
        text: Exactly the document's text at ``span``.
        document: The name of the document.
        title: The title of the document.
        span: Its span in the document, in code points.
        page: Page number, from 1; ``None`` without pages.
        boxes: Rectangles on the pages; empty if the format has none.
        sentence: The sentence that contains it.
        probability: Probability that it is right, in [0, 1]. With ``null_threshold`` "never", it is conditional on the
            assumption that a passage answers the question.
        score: The reader's score.
        passage: Rank of its passage in the search, from 1.
        offsets: What :meth:`to_citation` returns.
    """

    text: str
    document: str
    title: str
    span: Span
    page: int | None
    boxes: tuple[Box, ...]
    sentence: str
    probability: float
    score: float
    passage: int
    offsets: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def to_citation(self) -> dict[str, Any]:
        """Return the answer as a citation object; see :func:`quoth.records.citation`."""
        return dict(self.offsets)

    def to_dict(self) -> dict[str, Any]:
        """Return the answer for JSON."""
        return {
            "text": self.text,
            "document": self.document,
            "title": self.title,
            "start": self.span.start,
            "end": self.span.end,
            "page": self.page,
            "boxes": [box.to_dict() for box in self.boxes],
            "sentence": self.sentence,
            "probability": self.probability,
            "score": self.score,
            "passage": self.passage,
        }


@dataclass(frozen=True, slots=True)
class Found:
    """The result for one question.

    Attributes:
        question: The question.
        answers: The answers, best first; all have different words. If there is no answer, these are the candidates.
        hits: The passages that were read, best first.
        no_answer: Whether no passage seems to answer.
        reason: Why there is no answer, in a sentence; ``None`` if there is one.
        null_probability: Probability that no passage answers, in [0, 1]; ``None`` if nothing was read.
    """

    question: str
    answers: tuple[CorpusAnswer, ...]
    hits: tuple[Hit, ...]
    no_answer: bool
    reason: str | None
    null_probability: float | None = None

    @property
    def best(self) -> CorpusAnswer | None:
        """The best answer, or ``None`` if there is none."""
        return None if self.no_answer or not self.answers else self.answers[0]

    def to_dict(self) -> dict[str, Any]:
        """Return the result for JSON, without the passages."""
        answers = [answer.to_dict() for answer in self.answers]
        return {
            "question": self.question,
            "answers": answers,
            "best": answers[0] if self.best else None,
            "no_answer": self.no_answer,
            "reason": self.reason,
            "null_probability": finite(self.null_probability),
            "passages_read": len(self.hits),
        }
