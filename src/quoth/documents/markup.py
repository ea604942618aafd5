"""Extracts the text of an HTML file with the line breaks of a browser, without elements that are not displayed."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from quoth.errors import DocumentError

_SPACE = re.compile(r"[ \t\n\r\f]+")
_HIDDEN = frozenset(
    re.findall(
        r"\w+",
        "applet audio canvas datalist head iframe math noscript object script select style svg template textarea title "
        "video",
    )
)
# Elements that are separated by an empty line (blocks) or a line break (lines).
_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        "address article aside blockquote body dl fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr main nav ol "
        "p pre section table ul",
    )
)
_LINES = frozenset(("caption", "dd", "div", "dt", "figcaption", "li", "tbody", "tfoot", "thead", "tr"))
_DECLARED = re.compile(
    rb"""<(?:meta[^>]{0,200}?charset|\?xml[^>]{0,100}?encoding)\s*=\s*["']?\s*([\w-]{1,40})""", re.IGNORECASE
)


def html_text(data: bytes) -> tuple[str, str]:
    """Return the title and the text of an HTML file. White space is as displayed; blocks are on separate lines.

    Raises:
        DocumentError: If its elements are nested so deeply that the parser would lose text.
    """
    parser = etree.HTMLParser(
        encoding=_encoding(data), remove_comments=True, remove_pis=True, no_network=True, huge_tree=True
    )
    root = etree.fromstring(data, parser)
    if any("depth" in str(entry.message).lower() for entry in parser.error_log):
        raise DocumentError("the .html file is nested too deeply to read all of it; save it as text")
    if root is None:
        return "", ""
    headings = (root.find(".//title"), root.find(".//h1"))
    title = next(("".join(each.itertext()) for each in headings if each is not None), "")
    return title, _walk(root)


def _encoding(data: bytes) -> str | None:
    """Return UTF-8 if the bytes are valid UTF-8, else the declared encoding, else the default of old files.

    Source: the HTML standard, "determining the character encoding": windows-1252 is the fallback of most locales.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        data.decode()
    except UnicodeDecodeError:
        declared = _DECLARED.search(data[:4096])
        name = declared.group(1).decode("ascii").lower() if declared else "windows-1252"
        return name if _is_supported(name) else "windows-1252"
    return "utf-8"


def _is_supported(name: str) -> bool:
    """Return True if an encoding is known, and is not one of the UTF family, which was already ruled out."""
    try:
        etree.HTMLParser(encoding=name)
    except LookupError:
        return False
    return not name.startswith("utf")


def _is_note_marker(element: Any) -> bool:
    """Return True for the sign of a footnote in the text of an e-book, which would extend the word before it."""
    return "noteref" in element.get("epub:type", "").split() or element.get("role") == "doc-noteref"


def _walk(root: Any) -> str:
    layout = _Layout()
    hidden = preformatted = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        step = 1 if event == "start" else -1
        tag = element.tag
        hidden += step * (tag in _HIDDEN or "hidden" in element.attrib or _is_note_marker(element))
        preformatted += step * (tag == "pre")
        # The tail is the text after an element, so it belongs to the parent.
        text = element.text if event == "start" else element.tail
        if not hidden:
            layout.paragraph(2 if tag in _BLOCKS else int(tag in _LINES))
            if event == "start" and tag == "br":
                layout.line()
            elif event == "start" and tag in ("td", "th") and element.getprevious() is not None:
                layout.cell()
            layout.add(text or "", bool(preformatted))
    return layout.text


class _Layout:
    """Collects displayed text: white space is collapsed to one space, and removed at line ends."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._feeds = 0

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def paragraph(self, feeds: int) -> None:
        """Start a new paragraph before the next text."""
        self._feeds = max(self._feeds, feeds)

    def line(self) -> None:
        """Start a new line before the next text."""
        self._feeds += 1

    def cell(self) -> None:
        """Start a new table cell before the next text."""
        if self._parts:
            self._parts[-1] = self._parts[-1].removesuffix(" ")
        self.add("\t", preformatted=True)

    def add(self, text: str, preformatted: bool) -> None:
        """Add some text."""
        if not preformatted:
            text = _SPACE.sub(" ", text)
            if self._feeds or not self._parts or self._parts[-1].endswith((" ", "\t", "\n")):
                text = text.removeprefix(" ")
        if text:
            self._parts.append("\n" * (self._feeds if self._parts else 0) + text)
            self._feeds = 0
