"""Converts documents to rows of a store, and rows to documents."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from quoth.corpus.passages import passages_of
from quoth.documents import EXTRACTION_VERSION, Box, Document
from quoth.errors import InputError
from quoth.records import Span

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# The columns of a document, in the order of the values of `document_row`.
COLUMNS = (
    *("key", "name", "title", "file_hash", "text_hash", "stamp", "extraction"),
    *("text", "pages", "sizes", "boxes", "passages"),
)
# The columns that `document_of` reads.
READ = ("text", "pages", "name", "title", "boxes", "sizes", "file_hash")


@dataclass(frozen=True, slots=True)
class PassageRow:
    """A passage to store: its span in the document, in code points, and its text."""

    span: Span
    text: str


def passage_rows(document: Document) -> list[PassageRow]:
    """Split a document into passages."""
    return [PassageRow(span, span.of(document.text)) for span in passages_of(document.text)]


def pages_of(stored: str) -> tuple[Span, ...]:
    """Return the span of each page from the column ``pages``."""
    return tuple(Span(start, end) for start, end in json.loads(stored))


def document_row(key: str, stamp: str, document: Document, passages: int) -> tuple[Any, ...]:
    """Return the values of :data:`COLUMNS`.

    Raises:
        InputError: If the document has characters that a database cannot store.
    """
    for text in (key, document.name, document.title, document.text):
        if wrong := _UNSTORABLE.search(text):
            raise InputError(
                f"document {document.name!r}: must have no NUL characters and no lone surrogates, but has "
                f"{wrong.group()!r}; remove them"
            )
    boxes = [
        (box.span.start, box.span.end, box.page, box.left, box.top, box.right, box.bottom) for box in document.boxes
    ]
    return (
        *(key, document.name, document.title, document.file_hash, document.text_hash, stamp, EXTRACTION_VERSION),
        document.text,
        json.dumps([(page.start, page.end) for page in document.pages]),
        json.dumps(document.page_sizes),
        zlib.compress(json.dumps(boxes).encode(), 1) if boxes else b"",
        passages,
    )


def document_of(row: Sequence[Any]) -> Document:
    """Create a document from the values of :data:`READ`."""
    text, pages, name, title, boxes, sizes, file_hash = row
    found = json.loads(zlib.decompress(boxes)) if boxes else []
    return Document(
        text,
        pages_of(pages),
        name,
        title,
        tuple(Box(Span(box[0], box[1]), *box[2:]) for box in found),
        tuple((width, height) for width, height in json.loads(sizes)),
        file_hash=file_hash,
    )
