"""The process that parses one HTML, Word or PDF file: the file on stdin, one JSON document on stdout.

It limits its own time and memory before it reads a byte. An error that a parser raises ends it with a status other
than 0, which :mod:`quoth.documents.read` takes for a damaged file.
"""

from __future__ import annotations

import io
import json
import math
import re
import sys
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

from quoth.errors import DocumentError, DocumentTooLargeError
from quoth.text import replace_surrogates

# Characters that no text means: controls, but for tab and line feed.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
# What a paragraph of Word says besides its text.
_SAYS = {f"{_W}tab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "\u2011"}


def main() -> None:
    """Parse what stdin holds, as the two arguments say: the kind, and the limits as JSON."""
    kind, limits = sys.argv[1], json.loads(sys.argv[2])
    _limit_this_process(limits)
    warnings.simplefilter("ignore")
    with open(0, "rb") as stdin:
        data = stdin.read()
    try:
        pages = list({"html": _html, "docx": _docx, "pdf": _pdf}[kind](data, limits))
        answer = _join(pages, limits) if kind == "pdf" else {"text": _clean(pages[0]), "pages": []}
    except DocumentTooLargeError as error:
        answer = {"too_large": str(error)}
    except DocumentError as error:
        answer = {"error": str(error)}
    except MemoryError:
        answer = {"too_large": f"reading the .{kind} file takes more memory than there is for it; split it"}
    with open(1, "wb") as stdout:
        stdout.write(json.dumps(answer).encode())


def _limit_this_process(limits: dict[str, Any]) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits; the caller's timeout holds there too.
        return
    for what, value in ((resource.RLIMIT_AS, limits["memory_bytes"]), (resource.RLIMIT_CPU, limits["seconds"])):
        _, hard = resource.getrlimit(what)
        wanted = math.ceil(value)
        resource.setrlimit(what, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _clean(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    lines = replace_surrogates(_CONTROLS.sub("", text)).split("\n")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines)).strip()


def _join(pages: list[str], limits: dict[str, Any]) -> dict[str, Any]:
    """Put the pages one after the other, and note where each of them stands."""
    text, spans = io.StringIO(), []
    for page in pages:
        cleaned = _clean(page)
        if text.tell() and cleaned:
            text.write("\n\n")
        start = text.tell()
        text.write(cleaned)
        spans.append((start, text.tell()))
    return {"text": text.getvalue(), "pages": spans}


def _pdf(data: bytes, limits: dict[str, Any]) -> Iterator[str]:
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise DocumentError("the .pdf file is locked by a password; save it without one")
    if len(reader.pages) > limits["pages"]:
        raise DocumentTooLargeError(
            f"a .pdf file must have at most {limits['pages']:,} pages, but has {len(reader.pages):,}; split it"
        )
    characters = 0
    for page in reader.pages:
        text = page.extract_text()
        characters += len(text)
        if characters > 2 * limits["characters"]:
            raise DocumentTooLargeError(f"a text must have at most {limits['characters']:,} characters; split the file")
        yield text


def _docx(data: bytes, limits: dict[str, Any]) -> Iterator[str]:
    from docx import Document

    # A member unpacks to no more than its header says: zipfile stops there. So the sum bounds what is to come.
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > limits["unpacked_bytes"]:
        raise DocumentTooLargeError(
            f"a .docx file must unpack to at most {limits['unpacked_bytes']:,} bytes, but unpacks to {unpacked:,}"
        )
    body = Document(io.BytesIO(data)).element.body
    yield "".join(_paragraph(paragraph) for paragraph in body.iter(f"{_W}p") if not _repeated(paragraph))


def _repeated(element: Any) -> bool:
    """Tell whether an element is an older form of its neighbour, or has been moved elsewhere."""
    return any(above.tag in (_FALLBACK, f"{_W}moveFrom") for above in element.iterancestors())


def _paragraph(paragraph: Any) -> str:
    """Return a paragraph's text, insertions included, and what parts it from the next."""
    said = "".join(
        (node.text or "") if node.tag == f"{_W}t" else _SAYS[node.tag]
        for node in paragraph.iter(f"{_W}t", *_SAYS)
        if next(node.iterancestors(f"{_W}p")) is paragraph
        and not _repeated(node)
        and node.getparent().tag != f"{_W}tabs"
    )
    cell = next(paragraph.iterancestors(f"{_W}tc"), None)
    if cell is None:
        return f"{said}\n\n"
    if cell.getnext() is not None:
        return f"{said}\t"
    return f"{said}\n" if cell.getparent().getnext() is not None else f"{said}\n\n"


def _html(data: bytes, limits: dict[str, Any]) -> Iterator[str]:
    from quoth.documents.markup import html_text

    yield html_text(data)


if __name__ == "__main__":
    main()
