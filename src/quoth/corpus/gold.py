"""Where the contexts of a data set stand in a corpus, and which passages hold the annotated answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from quoth.corpus.records import Hit
from quoth.documents import Document
from quoth.records import Example, Span

# Code points by which a context is looked up: paragraphs that begin alike are compared in full.
_PREFIX = 64


class Texts(Protocol):
    """Anything that yields passages and documents, such as a store."""

    def passages(self) -> Iterator[tuple[str, int, str]]:
        """Yield the key of its document, the start and the text of each passage."""

    def document(self, key: str) -> Document:
        """Return a whole document."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Where a context stands: the key of a document, and the code point at which it starts."""

    key: str
    start: int


def find_contexts(texts: Texts, contexts: Iterable[str]) -> dict[str, tuple[Occurrence, ...]]:
    """Find every place of some texts in a corpus, as they are.

    Args:
        texts: The corpus.
        contexts: The texts.

    Returns:
        The places of each text that stands in the corpus; texts that do not are missing.
    """
    wanted: dict[str, list[str]] = {}
    for context in dict.fromkeys(context for context in contexts if context):
        wanted.setdefault(context[:_PREFIX], []).append(context)
    sizes = sorted({len(prefix) for prefix in wanted})
    found: dict[str, dict[Occurrence, None]] = {}
    held = ("", "")  # the last document that a context had to be compared with, since it reaches beyond its passage
    for key, start, text in texts.passages():
        for offset in _line_starts(text):
            for context in (each for size in sizes for each in wanted.get(text[offset : offset + size], ())):
                if not (is_there := text.startswith(context, offset)) and len(context) > len(text) - offset:
                    if held[0] != key:
                        held = (key, texts.document(key).text)
                    is_there = held[1].startswith(context, start + offset)
                if is_there:
                    found.setdefault(context, {})[Occurrence(key, start + offset)] = None
    return {context: tuple(places) for context, places in found.items()}


def _line_starts(text: str) -> Iterator[int]:
    """Yield where the lines of a text start, without the white space before them."""
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
    """Return where the annotated answers of an example stand: the keys of documents, and spans in them."""
    found: dict[tuple[str, Span], None] = {}
    for gold in example.golds or ():
        context = example.contexts[gold.context_index]
        for place in places.get(context, ()):
            span = Span(place.start + gold.start, place.start + gold.start + len(gold.text))
            found[place.key, span] = None
    return list(found)


def first_gold(hits: Sequence[Hit], golds: Sequence[tuple[str, Span]]) -> int | None:
    """Return the rank, from 1, of the first passage that covers an annotated answer; ``None`` if none does."""
    for rank, hit in enumerate(hits, 1):
        if any(key == hit.key and hit.span.start <= span.start and span.end <= hit.span.end for key, span in golds):
            return rank
    return None
