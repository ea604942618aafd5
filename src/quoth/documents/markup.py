"""Extracts the text of an HTML file with the line breaks of a browser, without elements that are not displayed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import Any

from lxml import etree

from quoth.documents.decoding import decode_html
from quoth.errors import DocumentError

_SPACE = re.compile(r"[ \t\n\r\f]+")
_HIDDEN = frozenset(
    re.findall(
        r"\w+",
        "annotation applet audio canvas datalist defs desc head iframe metadata noscript object script select style "
        "template textarea title video",
    )
)
# Elements that are separated by an empty line (blocks) or a line break (lines).
# Source: the HTML standard, section 15.3 (elements whose default style is ``display: block``).
_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        "address article aside blockquote body center details dialog dir dl fieldset figure footer form h1 h2 h3 h4 h5 "
        "h6 header hgroup hr html listing main menu nav noframes ol p plaintext pre search section svg table ul xmp",
    )
)
_LINES = frozenset(
    ("caption", "dd", "div", "dt", "figcaption", "legend", "li", "summary", "tbody", "text", "tfoot", "thead", "tr")
)
_CELLS = ("td", "th")
_PREFORMATTED = ("listing", "plaintext", "pre", "xmp")
# The beginnings of files of other formats, and characters of which a text has hardly any: some, or one in this many.
_OTHER = (b"%PDF-", b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"{\\rtf")
_NO_TEXT, _SOME, _SHARE = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\ufffd]"), 10, 20
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
# The text of a link to a note, and of a link from a note back to the text.
_NOTE_SIGN = re.compile(r"[\[(]?(?:\d{1,4}|[*†‡§¶‖]{1,4}|[a-zivxlc]{1,5})[\])]?")
_BACK_SIGN = re.compile(r"[↩↵⏎↑⇧⤴←^]\ufe0e?")
_LINKED = re.compile(r"""href\s*=\s*["'][^"'#]*#([^"']+)""")
# Where text that is not displayed starts, and where it ends.
_UNCLOSED = {"<!--": "-->"} | {
    rf"<{tag}[\s>]": f"</{tag}|<{tag}[^>]*/>" for tag in ("script", "style", "title", "textarea")
}
# The end of a text to which another digit would belong: that of a number, or of a section such as "1.2".
_NUMBER_END = re.compile(r"\d[.,:/–-]?\Z")


def html_text(data: bytes, linked: frozenset[str] = frozenset()) -> tuple[str, str, list[str]]:
    """Return the title, the text and notes of an HTML file. White space is as displayed; blocks are on separate lines.

    Args:
        data: The file.
        linked: Fragments (``note1`` of ``a.html#note1``) to which other files of the same book link.

    Raises:
        DocumentError: If its elements are nested so deeply that the parser would lose text, or if it is not text.
    """
    text = decode_html(data).replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if data.startswith(_OTHER) or len(_NO_TEXT.findall(text)) > max(_SOME, len(text) // _SHARE):
        raise DocumentError("the .html file has another format than its name says; open it and save it again")
    if text.lstrip("\ufeff").startswith("<?xml"):
        text = _CDATA.sub(lambda section: escape(section[1]), text)
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True, huge_tree=True)
    root = etree.fromstring(text.encode(), parser)
    if any("depth" in str(entry.message).lower() for entry in parser.error_log):
        raise DocumentError("the .html file is nested too deeply to read all of it; save it as text")
    notes = list(_unclosed(text))
    if root is None:
        return "", "", notes
    headings = (root.find(".//title"), root.find(".//h1"))
    title = next(("".join(each.itertext()) for each in headings if each is not None), "")
    # What follows </html> is displayed too; the parser puts it into further elements beside the first one.
    walk = _Walk([root, *root.itersiblings(etree.Element)], linked | linked_in(text))
    return title, walk.text, notes


def linked_in(text: str) -> frozenset[str]:
    """Return the fragments to which the links in a page lead."""
    return frozenset(_LINKED.findall(text))


def _unclosed(text: str) -> Iterator[str]:
    """Yield a note if the rest of a page is within an element or comment without end, so that it is not displayed."""
    for start, end in _UNCLOSED.items():
        last = max((match.start() for match in re.finditer(start, text, re.IGNORECASE)), default=None)
        if last is not None and not re.compile(end, re.IGNORECASE).search(text, last):
            line = text.count("\n", 0, last) + 1
            name = "comment" if start == "<!--" else f"<{start[1:].partition('[')[0]}>"
            yield f"the text from line {line} on is not read, because it is in a {name} that does not end"


class _Walk:
    """Walks through some elements, and collects their text.

    Args:
        roots: The elements.
        linked: The fragments to which links lead, in the same book.
    """

    def __init__(self, roots: list[Any], linked: frozenset[str]) -> None:
        self._linked = linked
        self._layout = _Layout()
        self._hidden = self._preformatted = 0
        self._markers: set[Any] = set()
        for root in roots:
            for event, element in etree.iterwalk(root, events=("start", "end")):
                if isinstance(element.tag, str):
                    (self._start if event == "start" else self._end)(element)

    @property
    def text(self) -> str:
        """The text."""
        return self._layout.text

    def _start(self, element: Any) -> None:
        tag = element.tag
        if tag == "a" and not self._hidden and self._is_marker(element):
            self._markers.add(element)
        self._hidden += self._is_hidden(element)
        self._preformatted += tag in _PREFORMATTED
        if self._hidden:
            return
        self._separate(tag)
        if tag == "br":
            self._layout.line()
        elif tag in _CELLS:
            cells = (each for each in element.itersiblings(*_CELLS, preceding=True) if not self._is_hidden(each))
            self._layout.cell(is_first=next(cells, None) is None)
        self._add(element.text)

    def _end(self, element: Any) -> None:
        self._hidden -= self._is_hidden(element)
        self._preformatted -= element.tag in _PREFORMATTED
        if self._hidden:
            return
        self._separate(element.tag)
        if element.tag in _CELLS:
            self._layout.end_cell()
        # The tail is the text after an element, so it belongs to the parent.
        tail = element.tail
        if element.tag == "a" and tail and tail[0].isalnum() and _is_label(element):
            self._add(" ")
        self._add(tail)

    def _separate(self, tag: str) -> None:
        self._layout.paragraph(2 if tag in _BLOCKS else int(tag in _LINES))

    def _add(self, text: str | None) -> None:
        self._layout.add(text or "", bool(self._preformatted))

    def _is_hidden(self, element: Any) -> bool:
        return element.tag in _HIDDEN or "hidden" in element.attrib or element in self._markers

    def _is_marker(self, link: Any) -> bool:
        """Return True for the sign of a note in the text, which would extend the word before it, or for a link back."""
        if "noteref" in link.get("epub:type", "").split() or link.get("role") in ("doc-noteref", "doc-backlink"):
            return True
        if "#" not in link.get("href", "") or len(sign := _short_text(link)) > 8:
            return False
        if _BACK_SIGN.fullmatch(sign):
            return True
        if not _NOTE_SIGN.fullmatch(sign):
            return False
        around = link.getparent()
        if link.find(".//sup") is not None or (around is not None and around.tag == "sup"):
            return True
        before = self._layout.line_end
        if sign.isalpha() or not before or before[-1].isspace() or before[-1] in "([{":
            return False
        return not _NUMBER_END.search(before) or not self._linked.isdisjoint(_ids(link))


def _is_label(link: Any) -> bool:
    """Return True for the number at the start of a note, which links back to the text."""
    return "#" in link.get("href", "") and bool(_NOTE_SIGN.fullmatch(_short_text(link)))


def _short_text(element: Any) -> str:
    """Return the text of an element; of a long one, only its start."""
    text = ""
    for part in element.itertext():
        text += part
        if len(text) > 100:
            break
    return text.strip()


def _ids(link: Any) -> Iterator[str]:
    """Yield the names by which others can link to a link, or to the element around it."""
    for element in (link, link.getparent()):
        yield from (element.get(name) for name in ("id", "name") if element is not None and element.get(name))


class _Layout:
    """Collects displayed text: white space is collapsed to one space, and removed at line ends."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        # Line feeds before the next text; and, until a table row has some text, those before the row.
        self._feeds = self._feeds_of_row = 0
        self._at_cell = False

    @property
    def text(self) -> str:
        """The text."""
        return "".join(self._parts)

    @property
    def line_end(self) -> str:
        """The last characters of the line that the next text continues; empty at the start of a line."""
        return "" if self._feeds else "".join(self._parts[-2:])[-2:]

    def paragraph(self, feeds: int) -> None:
        """Start a new paragraph before the next text, except at the start of a table cell."""
        if not self._at_cell:
            self._feeds = max(self._feeds, feeds)

    def line(self) -> None:
        """Start a new line before the next text."""
        self._feeds += 1

    def cell(self, is_first: bool) -> None:
        """Start a new table cell before the next text: on the same line, if it is not the first one of its row."""
        if is_first:
            self._feeds_of_row = self._feeds
        else:
            if self._parts:
                self._parts[-1] = self._parts[-1].removesuffix(" ")
            self._feeds = self._feeds_of_row
            self.add("\t", preformatted=True)
        self._at_cell = True

    def end_cell(self) -> None:
        """End a table cell, which may have no text."""
        self._at_cell = False

    def add(self, text: str, preformatted: bool) -> None:
        """Add some text."""
        if not preformatted:
            text = _SPACE.sub(" ", text)
            if self._feeds or self._at_cell or not self._parts or self._parts[-1].endswith((" ", "\t", "\n")):
                text = text.removeprefix(" ")
        if text:
            self._parts.append("\n" * (self._feeds if self._parts else 0) + text)
            self._feeds = self._feeds_of_row = 0
            self._at_cell = False
