"""Finds the contexts of a data set in a corpus, and the passages that contain the golds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from quoth.corpus.records import Hit
from quoth.documents import Document
from quoth.records import Example, Span

# Length of the prefix by which a context is looked up, in code points. The rest is compared afterwards.
_PREFIX = 64


class Texts(Protocol):
    """A source of passages and documents, such as a store."""

    def passages(self) -> Iterator[tuple[str, int, str]]:
        """Yield the document key, the start and the text of each passage."""

    def document(self, key: str) -> Document:
        """Return a document with its text."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A place of a context: the key of a document, and the code point at which it starts."""

    key: str
    start: int


def find_contexts(texts: Texts, contexts: Iterable[str]) -> dict[str, tuple[Occurrence, ...]]:
    """Find all occurrences of texts in a corpus.

    Args:
        texts: The corpus.
        contexts: The texts.

    Returns:
        The places of each text that is in the corpus; other texts are missing.
    """
    wanted: dict[str, list[str]] = {}
    for context in dict.fromkeys(context for context in contexts if context):
        wanted.setdefault(context[:_PREFIX], []).append(context)
    sizes = sorted({len(prefix) for prefix in wanted})
    found: dict[str, dict[Occurrence, None]] = {}
    loaded = ("", "")  # key and text of the last document that was loaded, for contexts longer than their passage
    for key, start, text in texts.passages():
        for offset in _line_starts(text):
            for context in (each for size in sizes for each in wanted.get(text[offset : offset + size], ())):
                if not (matches := text.startswith(context, offset)) and len(context) > len(text) - offset:
                    if loaded[0] != key:
                        loaded = (key, texts.document(key).text)
                    matches = loaded[1].startswith(context, start + offset)
                if matches:
                    found.setdefault(context, {})[Occurrence(key, start + offset)] = None
    return {context: tuple(places) for context, places in found.items()}


def _line_starts(text: str) -> Iterator[int]:
    """Yield the starts of the lines of a text, with and without leading white space."""
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end]
        if stripped := line.lstrip():
            yield start
            if len(stripped) < len(line):
                yield start + len(line) - len(stripped)
        start = end + 1


def gold_spans(example: Example, places: Mapping[str, Sequence[Occurrence]]) -> list[tuple[str, Span]]:
    """Return the places of an example's golds: the keys of documents, and spans in them."""
    found: dict[tuple[str, Span], None] = {}
    for gold in example.golds or ():
        context = example.contexts[gold.context_index]
        for place in places.get(context, ()):
            span = Span(place.start + gold.start, place.start + gold.start + len(gold.text))
            found[place.key, span] = None
    return list(found)


def first_gold(hits: Sequence[Hit], golds: Sequence[tuple[str, Span]]) -> int | None:
    """Return the rank, from 1, of the first passage that contains a gold; ``None`` if no passage does."""
    for rank, hit in enumerate(hits, 1):
        if any(key == hit.key and hit.span.start <= span.start and span.end <= hit.span.end for key, span in golds):
            return rank
    return None
