"""Decodes text files, and HTML files with their declared encodings."""

from __future__ import annotations

import codecs
import re

from quoth.encodings import unicode_encoding
from quoth.errors import DocumentError, DocumentKindError

_DECLARED = re.compile(
    rb"""<(?:meta[^>]{0,200}?charset|\?xml[^>]{0,100}?encoding)\s*=\s*["']?\s*([\w-]{1,40})""", re.IGNORECASE
)
# Encodings that browsers read as a larger one, by their names in Python. Source: the Encoding standard, section 4.2.
_LARGER = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    # A file whose declaration can be read as ASCII is not in UTF-16.
    "utf-16": "utf-8",
    "utf-16-le": "utf-8",
    "utf-16-be": "utf-8",
}
# Declared names that Python does not know, without "x-" before them.
_ALIASES = {"sjis": "cp932", "windows-31j": "cp932", "iso-8859-8-i": "iso-8859-8", "unicode-1-1-utf-8": "utf-8"}

# The first bytes of files that are not text. Some of these files can be decoded: RTF, and those with many NUL bytes.
_KINDS = {
    b"{\\rtf": "RTF; save it as .docx",
    b"%PDF-": "PDF; give it as a file whose name ends in .pdf",
    b"PK\x03\x04": "a ZIP archive, such as .xlsx, .odt, or .docx under another name; save it as .docx or .pdf",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "a .doc, .xls or .ppt file; save it as .docx or .pdf",
    b"\xff\xd8\xff": "an image; run text recognition (OCR) on it",
    b"\x89PNG\r\n": "an image; run text recognition (OCR) on it",
    b"\x1f\x8b": "a compressed file; unpack it",
    b"SQLite format 3\0": "a database; if it is a corpus, give it with --corpus",
}


def decode(data: bytes) -> str:
    """Decode a text file as :func:`decode_any` does, but reject NUL characters.

    Raises:
        DocumentError: If it has another encoding (the message has the line number), or NUL characters.
    """
    text = decode_any(data)
    if "\0" in text:
        raise DocumentError("a text must have no NUL characters, but has some; if it is UTF-16, save the file as UTF-8")
    return text


def decode_any(data: bytes) -> str:
    """Decode text: by its byte order mark, else as UTF-8, or as UTF-16 if its NUL bytes suggest that.

    Raises:
        DocumentKindError: If it is a file of another kind, whatever its name is.
        DocumentError: If it has another encoding; the message has the line number.
    """
    for start, kind in _KINDS.items():
        if data.startswith(start):
            raise DocumentKindError(f"must be text, .html, .docx, .pdf or .epub, but is {kind}")
    encoding = unicode_encoding(data)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        read = error.object  # without the byte order mark of UTF-8
        line = read.count(b"\n", 0, error.start) + 1
        shown = encoding.removesuffix("-sig").upper()
        raise DocumentError(
            f"line {line} must be {shown}, but contains the byte 0x{read[error.start]:02x}; save the file as UTF-8"
        ) from None


def decode_html(data: bytes) -> str:
    """Decode an HTML file as a browser does: bytes that are not in its encoding become U+FFFD.

    The encoding is that of its byte order mark or its NUL bytes, or UTF-8 if the file is valid UTF-8, or the declared
    one, or else windows-1252, the default of old files.

    Source: the HTML standard, "determining the character encoding".
    """
    encoding = unicode_encoding(data)
    if encoding != "utf-8":
        return data.decode(encoding, "replace")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start]
        if error.reason == "unexpected end of data" and not before.isascii():  # a file that was cut off
            return f"{before.decode()}\ufffd"
    declared = _DECLARED.search(data[:4_096])
    try:
        return data.decode(_codec(declared[1].decode("ascii").lower()) if declared else "cp1252", "replace")
    except (LookupError, UnicodeError):
        return data.decode("cp1252", "replace")


def _codec(label: str) -> str:
    """Return Python's name of a declared encoding.

    Raises:
        LookupError: If it is unknown.
    """
    name = re.sub(r"^windows-(?=\d+$)", "cp", label.removeprefix("x-"))
    found = codecs.lookup(_ALIASES.get(name, name)).name
    return _LARGER.get(found, found)
