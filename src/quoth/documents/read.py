"""Reads one file from its bytes.

Text and Markdown are decoded here. All other formats are parsed in a separate process with limited time and memory, so
a malicious file can only crash that process, and the caller gets an error. The name is used only for its extension,
which determines the format; no file is opened by name.
"""

from __future__ import annotations

import re
from base64 import b64decode
from pathlib import Path, PurePosixPath

from quoth.documents.decoding import decode
from quoth.documents.picture import MAX_WIDTH
from quoth.documents.pool import Pool, shared_pool
from quoth.documents.records import Box, Document, DocumentLimits
from quoth.errors import DocumentError, DocumentKindError, DocumentTooLargeError, InputError
from quoth.files import sha256
from quoth.names import listed
from quoth.records import Span

_PLAIN = {".txt": "text", ".text": "text", ".md": "Markdown", ".markdown": "Markdown"}
PARSED = {".html": "html", ".htm": "html", ".xhtml": "html", ".docx": "docx", ".pdf": "pdf", ".epub": "epub"}
KINDS = (".txt", ".md", ".html", ".docx", ".pdf", ".epub")
# What programs write if they know no title.
_NO_TITLES = ("", "untitled", "untitled document", "(anonymous)", "unknown")
# The marks after a heading are removed later, because matching them here would take quadratic time.
_HEADING = re.compile(r"^#{1,6}[ \t]+(\S.*)$|^(\S.*)\n(?:={3,}|-{3,})[ \t]*$", re.MULTILINE)
# No encoding has more bytes for a character, not even for the two of a line end.
_MAX_BYTES = 8


def read_document(
    data: bytes, name: str | Path, limits: DocumentLimits | None = None, *, pool: Pool | None = None
) -> Document:
    r"""Read a file from its content. Blocks until it is parsed.

    Args:
        data: The content of the file.
        name: Its name, whose extension determines the format; see :data:`KINDS`.
        limits: Limits on size, time and memory.
        pool: The pool of parser processes; this process's shared pool if ``None``.

    Raises:
        DocumentKindError: If the extension is not supported.
        DocumentTooLargeError: If a limit is exceeded.
        DocumentError: If it is damaged, needs a password, has no text, or does not have the format of its extension.
        InputError: If the content is not bytes.

    Example:
        >>> read_document(b"# Keys\n\nIt has 3 keys.", "piano.md").title
        'Keys'
    """
    limits = limits or DocumentLimits()
    if not isinstance(data, bytes | bytearray):
        raise InputError(f'the content of a file must be bytes, but is {type(data).__name__}; open the file as "rb"')
    name = str(name)
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in _PLAIN and suffix not in PARSED:
        known = ", ".join(KINDS[:-1]) + f" or {KINDS[-1]}"
        raise DocumentKindError(f"a file must be {known}, but this one is {suffix[:20] or 'without an extension'}")
    if len(data) > limits.file_bytes:
        raise DocumentTooLargeError(f"a file must have at most {limits.file_bytes:,} bytes, but has {len(data):,}")
    if suffix in _PLAIN:
        if len(data) > _MAX_BYTES * limits.characters:
            raise _too_long(limits, "more")
        document = _plain(data, name, limits)
    else:
        pool = pool or shared_pool(limits.memory_bytes)
        document = _parsed(pool.parse(data, PARSED[suffix], limits), data, name)
    if not document.text.strip():
        scanned = "; if its pages are scanned, run text recognition (OCR) on it" if suffix == ".pdf" else ""
        raise DocumentError(f"the file has no text{scanned}" if data else "the file is empty")
    if len(document.text) > limits.characters:
        raise _too_long(limits, f"{len(document.text):,}")
    return document


def _too_long(limits: DocumentLimits, found: str) -> DocumentTooLargeError:
    return DocumentTooLargeError(
        f"a text must have at most {limits.characters:,} characters, but has {found}; split the file"
    )


def draw_page(data: bytes, page: int, width: int = 1_000, limits: DocumentLimits | None = None) -> bytes:
    """Render a page of a PDF, in a limited process, and return it as PNG.

    Args:
        data: The content of the file.
        page: The page, from 1.
        width: Width of the image, in pixels, up to 2,400; it is narrower if it would have too many pixels.
        limits: Limits on time and memory.

    Raises:
        DocumentTooLargeError: If a limit is exceeded.
        DocumentError: If there is no such page, or it cannot be rendered.
    """
    limits = limits or DocumentLimits()
    if not 1 <= width <= MAX_WIDTH:
        raise DocumentError(f"the width must be from 1 to {MAX_WIDTH}, but is {width}")
    answer = shared_pool(limits.memory_bytes).parse(data, "pdf", limits, (page, width))
    return b64decode(answer["picture"])


def title_of_name(name: str) -> str:
    """Return a file's name without folder and extension, with spaces instead of ``_`` and ``-``."""
    return " ".join(re.sub(r"[_-]+", " ", PurePosixPath(name.replace("\\", "/")).stem).split())


def _plain(data: bytes, name: str, limits: DocumentLimits) -> Document:
    text = decode(data).replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > limits.characters:  # a title is searched only in texts of limited length
        raise _too_long(limits, f"{len(text):,}")
    heading = _HEADING.search(text)
    title = _title(heading) if heading else title_of_name(name)
    return Document(text, name=name, title=title, file_hash=sha256(data))


def _title(heading: re.Match[str]) -> str:
    marked, underlined = heading.groups()
    return (marked.rstrip(" \t#") or marked[0]).strip() if marked else underlined.strip()


def _parsed(answer: dict[str, object], data: bytes, name: str) -> Document:
    pages = tuple(Span(start, end) for start, end in answer["pages"])  # type: ignore[attr-defined]
    blank = [str(number) for number, page in enumerate(pages, 1) if not len(page)]
    title = str(answer["title"])
    notes = [str(note) for note in answer["notes"]]  # type: ignore[attr-defined]
    if blank:
        notes.insert(0, f"without text (scanned?): page {listed(blank)}")
    return Document(
        text=str(answer["text"]),
        pages=pages,
        name=name,
        title=title if title.lower() not in _NO_TITLES else title_of_name(name),
        boxes=tuple(Box(Span(box[0], box[1]), *box[2:]) for box in answer["boxes"]),  # type: ignore[attr-defined]
        page_sizes=tuple((width, height) for width, height in answer["sizes"]),  # type: ignore[attr-defined]
        file_hash=sha256(data),
        notes=tuple(notes),
    )
