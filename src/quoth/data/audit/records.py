"""The records of an audit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from quoth.records import Example
from quoth.text import replace_surrogates

# Kind of finding -> its meaning, in the order of the report.
KINDS = {
    "same context": "two sets have a context in common: scores on one are too high after training on the other",
    "near context": "two sets have contexts that are nearly the same",
    "same question": "two sets have the same question about contexts that are the same or nearly the same",
    "contradiction": "the same question and context have answers without a common word, or an answer and no answer",
    "repeats its sentence": "the sentence of the answer contains nearly all words of the question: too easy",
    "odd length": "the answer is much longer than the others, or the whole context",
    "likely label error": "a reader predicts another answer, or none, with a high probability",
    "answerable unanswerable": "a reader predicts an answer with a high probability, but the label is unanswerable",
}
# Kinds that only a reader's predictions show.
NEED_READER = ("likely label error", "answerable unanswerable")


class Located(NamedTuple):
    """A data set's name, and an example of it."""

    source: str
    example: Example


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    Attributes:
        kind: A key of ``KINDS``.
        found: The example.
        other: The second example, for findings about two.
        note: The measured value, such as a similarity.
        order: Sort key of findings of a kind, in descending order.
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
    """A reader's prediction for one example, compared with its label.

    Attributes:
        example: The example.
        text: The best answer's text, ``""`` for none.
        is_right: Whether it shares a word with a gold; for an unanswerable example, whether the reader abstains.
        probability: Probability of the prediction, in [0, 1].
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
    """The result of an audit.

    Attributes:
        sources: Name -> counts of questions, contexts, articles, unanswerable and unlabelled questions.
        findings: By kind in the order of ``KINDS``, the worst of each kind first.
        lengths: Name -> number of answers with 1, 2, 3-4, 5-8, 9-16, 17-32 and more terms.
        notes: Sentences about skipped checks.
        has_reader: Whether predictions of a reader were given; without them, the kinds in ``NEED_READER`` are not
            searched for.
    """

    sources: dict[str, dict[str, int]]
    findings: tuple[Finding, ...]
    lengths: dict[str, tuple[int, ...]]
    notes: tuple[str, ...]
    has_reader: bool

    def by_kind(self) -> Iterator[tuple[str, list[Finding]]]:
        """Yield each kind that was searched for with its findings, also if there are none."""
        for kind in (kind for kind in KINDS if self.has_reader or kind not in NEED_READER):
            yield kind, [finding for finding in self.findings if finding.kind == kind]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON. The counts of kinds that were not searched for are ``None``."""
        counts: dict[str, int | None] = {**dict.fromkeys(KINDS), **{kind: len(each) for kind, each in self.by_kind()}}
        return {
            "sources": self.sources,
            "counts": counts,
            "answer_lengths": {name: list(counts) for name, counts in self.lengths.items()},
            "notes": list(self.notes),
            "findings": [finding.to_dict() for finding in self.findings],
        }
