"""Parses Word files. Runs in the parser process.

The text is in the order of a printed page: headers, the body, footnotes and endnotes, footers. A header or footer that
several sections share is read once.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from quoth.documents.archives import open_archive
from quoth.errors import DocumentError

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
# Elements of a paragraph with text, and those that represent a character.
_TEXTS = (f"{_W}t", _MATH)
_CHARACTERS = {
    f"{_W}tab": "\t",
    f"{_W}ptab": "\t",
    f"{_W}br": "\n",
    f"{_W}cr": "\n",
    f"{_W}noBreakHyphen": "\u2011",
    f"{_W}softHyphen": "\u00ad",
}
_SYMBOL = f"{_W}sym"
# Files that Office encrypts, and old .doc files, begin with these bytes.
_COMPOUND_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Parts of a file whose text is not read: the end of their content type, and their name for users.
_UNREAD = {
    "comments+xml": "comments",
    "drawingml.chart+xml": "charts",
    "drawingml.diagramData+xml": "diagrams",
    "oleObject": "embedded objects",
    "package": "embedded files",
}


def read_docx(data: bytes, limits: dict[str, Any]) -> tuple[str, str, list[str]]:
    """Return the title, the text and notes of a Word file.

    Raises:
        DocumentTooLargeError: If its unpacked content is too large.
        DocumentError: If it needs a password.
    """
    from docx import Document

    if data.startswith(_COMPOUND_FILE):
        raise DocumentError("the .docx file needs a password, or is a .doc file; save it as .docx without a password")
    with open_archive(data, "docx", limits):
        pass
    file = Document(io.BytesIO(data))
    headings = (each.text for each in file.paragraphs if each.style and each.style.name in ("Title", "Heading 1"))
    title = file.core_properties.title or next(filter(None, headings), "")
    body = file.element.body
    parts = [
        *_repeating(file, f"{_W}headerReference"),
        _text(body),
        *(_text(note) for kind in ("foot", "end") for note in _notes(file, kind)),
        *_repeating(file, f"{_W}footerReference"),
    ]
    return title, "\n\n".join(each for each in map(str.strip, parts) if each), list(_not_read(file))


def _repeating(file: Any, reference: str) -> list[str]:
    """Return the different texts of the headers or footers, without those that have no letter, such as page numbers."""
    ids = [each.get(_ID) for each in file.element.body.iter(reference)]
    found = dict.fromkeys(_text(file.part.related_parts[each].element) for each in ids if each in file.part.rels)
    return [each for each in found if any(map(str.isalpha, each))]


def _notes(file: Any, kind: str) -> Iterator[Any]:
    """Yield the footnotes or endnotes in the order of the text, without those that are separators."""
    from lxml import etree

    for relation in file.part.rels.values():
        if relation.is_external or not relation.reltype.endswith(f"/{kind}notes"):
            continue
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        root = etree.fromstring(relation.target_part.blob, parser)
        by_id = {note.get(f"{_W}id"): note for note in root.iter(f"{_W}{kind}note")}
        for mark in file.element.body.iter(f"{_W}{kind}noteReference"):
            if (note := by_id.pop(mark.get(f"{_W}id"), None)) is not None:
                yield note


def _not_read(file: Any) -> Iterator[str]:
    """Yield a note for each kind of part whose text is not read."""
    parts = list(file.part.package.iter_parts())
    for ending, name in _UNREAD.items():
        found = [part for part in parts if part.content_type.endswith(ending)]
        count = len(found)
        if ending.startswith("comments"):
            count = sum(part.blob.count(b"<w:comment ") for part in found)
        if count:
            yield f"not read: {name} ({count})"
    if chunks := sum(1 for _ in file.element.body.iter(f"{_W}altChunk")):
        yield f"not read: embedded documents ({chunks})"


def _text(root: Any) -> str:
    """Return the text of the paragraphs below an element."""
    return "".join(_paragraph(paragraph) for paragraph in root.iter(f"{_W}p") if not _is_repeated(paragraph))


def _is_repeated(element: Any) -> bool:
    """Return True for content that is repeated elsewhere: an alternative form of an element, or moved text."""
    return any(above.tag in (_FALLBACK, f"{_W}moveFrom") for above in element.iterancestors())


def _paragraph(paragraph: Any) -> str:
    """Return a paragraph's text, including insertions, with the separator after it."""
    text = "".join(
        _character(node) if node.tag not in _TEXTS else node.text or ""
        for node in paragraph.iter(*_TEXTS, _SYMBOL, *_CHARACTERS)
        if next(node.iterancestors(f"{_W}p")) is paragraph
        and not _is_repeated(node)
        and node.getparent().tag != f"{_W}tabs"
    )
    cell = next(paragraph.iterancestors(f"{_W}tc"), None)
    if cell is None:
        return f"{text}\n\n"
    if cell.getnext() is not None:
        return f"{text}\t"
    return f"{text}\n" if cell.getparent().getnext() is not None else f"{text}\n\n"


def _character(node: Any) -> str:
    """Return the character that an element represents; U+FFFD for a sign of a symbol font."""
    if node.tag != _SYMBOL:
        return _CHARACTERS[node.tag]
    code = int(node.get(f"{_W}char", "fffd"), 16)
    return "\ufffd" if 0xE000 <= code < 0xF900 or code > 0x10FFFF else chr(code)
