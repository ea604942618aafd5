"""What an HTML file says: its text as a browser would lay it out, without what is not shown."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from quoth.errors import DocumentError

_SPACE = re.compile(r"[ \t\n\r\f]+")
_SILENT = frozenset(
    re.findall(
        r"\w+",
        "applet audio canvas datalist head iframe math noscript object script select style svg template textarea title "
        "video",
    )
)
# Elements that stand apart from their neighbours, by an empty line or on a line of their own.
_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        "address article aside blockquote body dl fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr main nav ol "
        "p pre section table ul",
    )
)
_LINES = frozenset(("caption", "dd", "div", "dt", "figcaption", "li", "tbody", "tfoot", "thead", "tr"))
_MARKED = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w-]{1,40})""", re.IGNORECASE)


def html_text(data: bytes) -> tuple[str, str]:
    """Return the title and the text of an HTML file; white space as shown, blocks on lines of their own.

    Raises:
        DocumentError: If it is nested deeper than the parser goes: the rest would be lost.
    """
    parser = etree.HTMLParser(
        encoding=_encoding(data), remove_comments=True, remove_pis=True, no_network=True, huge_tree=True
    )
    root = etree.fromstring(data, parser)
    if any("depth" in str(entry.message).lower() for entry in parser.error_log):
        raise DocumentError("the .html file is nested too deeply to read all of it; save it as text")
    if root is None:
        return "", ""
    named = (root.find(".//title"), root.find(".//h1"))
    title = next(("".join(each.itertext()) for each in named if each is not None), "")
    return title, _walk(root)


def _encoding(data: bytes) -> str | None:
    """Return UTF-8 where the bytes are that, else what the file says, else what old files without a word meant.

    Source: the HTML standard, "determining the character encoding": windows-1252 is the fallback of most locales.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        data.decode()
    except UnicodeDecodeError:
        said = _MARKED.search(data[:4096])
        name = said.group(1).decode("ascii").lower() if said else "windows-1252"
        return name if _known(name) else "windows-1252"
    return "utf-8"


def _known(name: str) -> bool:
    try:
        etree.HTMLParser(encoding=name)
    except LookupError:
        return False
    return not name.startswith("utf")


def _walk(root: Any) -> str:
    flow = _Flow()
    silent = preformatted = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        step = 1 if event == "start" else -1
        tag = element.tag
        silent += step * (tag in _SILENT)
        preformatted += step * (tag == "pre")
        # A tail stands behind its element, and so belongs to what is around it.
        said = element.text if event == "start" else element.tail
        if not silent:
            flow.part(2 if tag in _BLOCKS else int(tag in _LINES))
            if event == "start" and tag == "br":
                flow.line()
            elif event == "start" and tag in ("td", "th") and element.getprevious() is not None:
                flow.cell()
            flow.say(said or "", bool(preformatted))
    return flow.text


class _Flow:
    """Text as it is laid out: runs of white space are one space, and gone at the ends of lines."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self._feeds = 0

    @property
    def text(self) -> str:
        return "".join(self._said)

    def part(self, feeds: int) -> None:
        """Have what follows stand apart."""
        self._feeds = max(self._feeds, feeds)

    def line(self) -> None:
        """Have what follows stand on the next line."""
        self._feeds += 1

    def cell(self) -> None:
        """Have what follows stand in the next column."""
        if self._said:
            self._said[-1] = self._said[-1].removesuffix(" ")
        self.say("\t", preformatted=True)

    def say(self, text: str, preformatted: bool) -> None:
        """Add some text."""
        if not preformatted:
            text = _SPACE.sub(" ", text)
            if self._feeds or not self._said or self._said[-1].endswith((" ", "\t", "\n")):
                text = text.removeprefix(" ")
        if text:
            self._said.append("\n" * (self._feeds if self._said else 0) + text)
            self._feeds = 0
