"""A file that somebody uploads -> its text, with the place of each page.

Text and Markdown are decoded here. HTML, Word and PDF are parsed in a process of their own, with bounded time and
memory: whatever a hostile file does to a parser, it ends there, and the caller gets a sentence. Only the end of the
file's name is looked at; nothing is ever opened by name.
"""

from __future__ import annotations

import codecs
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import PurePosixPath

from quoth.errors import DocumentError, DocumentKindError, DocumentTooLargeError, MissingExtraError
from quoth.records import Span

_PLAIN = {".txt": "text", ".text": "text", ".md": "Markdown", ".markdown": "Markdown"}
_PARSED = {".html": "html", ".htm": "html", ".docx": "docx", ".pdf": "pdf"}
_LIBRARY = {"html": "lxml", "docx": "docx", "pdf": "pypdf"}
KINDS = (".txt", ".md", ".html", ".docx", ".pdf")
# Longest first: the mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """What a file may cost.

    Attributes:
        file_bytes: Of the file itself.
        unpacked_bytes: Of all that a .docx file, which is a zip, unpacks to.
        characters: Of its text, in code points.
        pages: Of a PDF.
        seconds: For parsing.
        memory_bytes: For parsing, as address space; held where the system can.
    """

    file_bytes: int = 20_000_000
    unpacked_bytes: int = 100_000_000
    characters: int = 2_000_000
    pages: int = 1_000
    seconds: float = 20.0
    memory_bytes: int = 1_500_000_000


@dataclass(frozen=True, slots=True)
class Document:
    """The text of a file.

    Attributes:
        text: What the file says; lines end with a line feed. Never empty.
        pages: The place of each page in the text, in order; empty if the file has no pages.
    """

    text: str
    pages: tuple[Span, ...] = ()


def read_document(data: bytes, name: str, limits: DocumentLimits | None = None) -> Document:
    """Read a file. Blocks for as long as parsing takes.

    Args:
        data: The whole file.
        name: Its name, of which only the end counts: one of :data:`KINDS`.
        limits: What it may cost.

    Raises:
        DocumentKindError: If files of that name are not read.
        DocumentTooLargeError: If a limit is exceeded.
        DocumentError: If it is damaged, locked by a password, holds no text, or is not what its name says.
        MissingExtraError: If the library for its kind is not installed.

    Example:
        >>> read_document(b"It has 3 keys.", "piano.txt").text
        'It has 3 keys.'
    """
    limits = limits or DocumentLimits()
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in _PLAIN and suffix not in _PARSED:
        known = ", ".join(KINDS[:-1]) + f" or {KINDS[-1]}"
        raise DocumentKindError(f"a file must be {known}, but this one is {suffix[:20] or 'without an ending'}")
    if len(data) > limits.file_bytes:
        raise DocumentTooLargeError(f"a file must have at most {limits.file_bytes:,} bytes, but has {len(data):,}")
    if suffix in _PARSED:
        document = _parse(data, _PARSED[suffix], limits)
    else:
        document = Document(_decode(data).replace("\r\n", "\n").replace("\r", "\n"))
    if not document.text.strip():
        raise DocumentError("the file holds no text; if it holds scanned pages, run text recognition (OCR) over it")
    if len(document.text) > limits.characters:
        raise DocumentTooLargeError(
            f"a text must have at most {limits.characters:,} characters, but has {len(document.text):,}; split the file"
        )
    return document


def _decode(data: bytes) -> str:
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        shown = encoding.removesuffix("-sig").upper()
        raise DocumentError(
            f"line {line} must be {shown}, but holds the byte 0x{data[error.start]:02x}; save the file as UTF-8"
        ) from None
    if "\0" in text:
        raise DocumentError("a text must hold no NUL characters, but does; if it is UTF-16, save the file as UTF-8")
    return text


def _parse(data: bytes, kind: str, limits: DocumentLimits) -> Document:
    """Parse in a process of its own, and believe nothing but a whole answer."""
    if find_spec(_LIBRARY[kind]) is None:
        raise MissingExtraError(f"Reading .{kind} files", "serve")
    # -P: the folder that the server was started in is no place to import from.
    command = [sys.executable, "-P", "-m", "quoth.documents.parsing", kind, json.dumps(asdict(limits))]
    try:
        done = subprocess.run(
            command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=limits.seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise DocumentTooLargeError(
            f"a file must be read within {limits.seconds:g} s, but this .{kind} file takes longer; split it, or save "
            "it as text"
        ) from None
    if done.returncode != 0:
        raise DocumentError(f"the .{kind} file is damaged, or not what its name says; open it and save it anew")
    answer = json.loads(done.stdout)
    if "too_large" in answer:
        raise DocumentTooLargeError(answer["too_large"])
    if "error" in answer:
        raise DocumentError(answer["error"])
    return Document(answer["text"], tuple(Span(start, end) for start, end in answer["pages"]))
