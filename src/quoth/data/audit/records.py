"""The records of an audit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from quoth.records import Example
from quoth.text import replace_surrogates

# Kind -> what it means; the order is that of the report.
KINDS = {
    "same context": "one set holds a context of another: what is measured there was seen in training",
    "near context": "one set holds nearly a context of another",
    "same question": "one set asks a question of another on a context that is the same or nearly so",
    "contradiction": "one question of one context has answers that share nothing, or an answer and none",
    "repeats its sentence": "nearly all words of the question stand in the sentence of the answer: too easy",
    "odd length": "the answer is much longer than the others, or the whole context",
    "likely label error": "a reader is sure of another answer, or that there is none",
    "answerable unanswerable": "a reader is sure of an answer where the data say that there is none",
}


class Located(NamedTuple):
    """A data set's name, and an example of it."""

    source: str
    example: Example


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        kind: A key of ``KINDS``.
        found: The example.
        other: The other one, of what is about two.
        note: What was measured, such as a similarity.
        order: What findings of a kind are sorted by, the greatest first.
    """

    kind: str
    found: Located
    other: Located | None
    note: str
    order: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        document: dict[str, Any] = {"kind": self.kind, "note": self.note, **_located(self.found)}
        return {**document, "other": _located(self.other) if self.other else None}


@dataclass(frozen=True, slots=True)
class Suspect:
    """What a reader says about one example, as far as the audit needs it.

    Attributes:
        example: The example.
        text: The best answer's text, ``""`` for none.
        is_right: Whether it shares a word with a gold; of an unanswerable example, whether the reader abstains.
        probability: Of what the reader says, 0 to 1.
    """

    example: Example
    text: str
    is_right: bool
    probability: float


def _located(located: Located) -> dict[str, Any]:
    example = located.example
    golds = None if example.golds is None else [replace_surrogates(gold.text) for gold in example.golds]
    texts = {"source": located.source, "id": example.id, "title": example.title, "question": example.question}
    texts["context"] = example.context
    return {**{key: replace_surrogates(text) for key, text in texts.items()}, "golds": golds}


@dataclass(frozen=True, slots=True)
class Audit:
    """The result.

    Attributes:
        sources: Name -> counts of questions, contexts, articles, unanswerable and unlabelled questions.
        findings: By kind in the order of ``KINDS``, the worst of each first.
        lengths: Name -> how many answers have 1, 2, 3-4, 5-8, 9-16, 17-32 and more terms.
        notes: Sentences about what was not looked at.
    """

    sources: dict[str, dict[str, int]]
    findings: tuple[Finding, ...]
    lengths: dict[str, tuple[int, ...]]
    notes: tuple[str, ...]

    def by_kind(self) -> Iterator[tuple[str, list[Finding]]]:
        """Yield each kind with its findings, empty ones too."""
        for kind in KINDS:
            yield kind, [finding for finding in self.findings if finding.kind == kind]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "sources": self.sources,
            "counts": {kind: len(findings) for kind, findings in self.by_kind()},
            "answer_lengths": {name: list(counts) for name, counts in self.lengths.items()},
            "notes": list(self.notes),
            "findings": [finding.to_dict() for finding in self.findings],
        }
