"""Parses Word files and e-books, which are ZIP archives of XML. Runs in the parser process."""

from __future__ import annotations

import io
import posixpath
import zipfile
from typing import Any
from urllib.parse import unquote

from quoth.errors import DocumentError, DocumentTooLargeError

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
# Media types of the pages of an e-book.
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")
# Elements of a Word paragraph that represent a character.
_CHARACTERS = {f"{_W}tab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "\u2011"}


def read_docx(data: bytes, limits: dict[str, Any]) -> tuple[str, str]:
    """Return the title and the text of a Word file.

    Raises:
        DocumentTooLargeError: If its unpacked content is too large.
    """
    from docx import Document

    with _open_archive(data, "docx", limits):
        pass
    file = Document(io.BytesIO(data))
    body = file.element.body
    text = "".join(_paragraph(paragraph) for paragraph in body.iter(f"{_W}p") if not _is_repeated(paragraph))
    headings = (each.text for each in file.paragraphs if each.style and each.style.name in ("Title", "Heading 1"))
    return file.core_properties.title or next(filter(None, headings), ""), text


def read_epub(data: bytes, limits: dict[str, Any]) -> tuple[str, str]:
    """Return the title and the text of an e-book, its chapters in reading order, without the table of contents.

    Raises:
        DocumentTooLargeError: If its unpacked content is too large.
        DocumentError: If it is encrypted.

    Source: EPUB 3.3, sections 4.2.6 (container) and 5 (package document).
    """
    from lxml import etree

    from quoth.documents.markup import html_text

    def tree(name: str) -> Any:
        return etree.fromstring(archive.read(name), etree.XMLParser(resolve_entities=False, no_network=True))

    with _open_archive(data, "epub", limits) as archive:
        if "META-INF/encryption.xml" in archive.namelist() and "META-INF/rights.xml" in archive.namelist():
            raise DocumentError("the .epub file is encrypted (DRM); save it without encryption")
        [root, *_] = tree("META-INF/container.xml").xpath("//*[local-name()='rootfile']/@full-path")
        package = tree(root)
        files = {each.get("id"): each for each in package.iterfind(".//{*}manifest/{*}item")}
        spine = [files[each.get("idref")] for each in package.iterfind(".//{*}spine/{*}itemref")]
        folder = posixpath.dirname(root)
        texts = [
            html_text(archive.read(posixpath.normpath(posixpath.join(folder, unquote(each.get("href"))))))[1]
            for each in spine
            if _is_chapter(each)
        ]
        title = package.findtext(".//{http://purl.org/dc/elements/1.1/}title")
    return (title or "").strip(), "\n\n".join(filter(None, texts))


def _is_chapter(item: Any) -> bool:
    """Return True for a page of text that is not the table of contents (EPUB 3.3, section 5.6.2.1)."""
    kind, name = item.get("media-type") or "", item.get("href").lower()
    return (kind in _PAGES or name.endswith(("html", "htm"))) and "nav" not in item.get("properties", "").split()


def _open_archive(data: bytes, kind: str, limits: dict[str, Any]) -> zipfile.ZipFile:
    # zipfile never unpacks more of a member than its header states, so the sum is an upper bound.
    archive = zipfile.ZipFile(io.BytesIO(data))
    unpacked, most = sum(member.file_size for member in archive.infolist()), limits["unpacked_bytes"]
    if unpacked > most:
        raise DocumentTooLargeError(
            f"a .{kind} file must unpack to at most {most:,} bytes, but unpacks to {unpacked:,}"
        )
    return archive


def _is_repeated(element: Any) -> bool:
    """Return True for content that is repeated elsewhere: an alternative form of an element, or moved text."""
    return any(above.tag in (_FALLBACK, f"{_W}moveFrom") for above in element.iterancestors())


def _paragraph(paragraph: Any) -> str:
    """Return a paragraph's text, including insertions, with the separator after it."""
    text = "".join(
        (node.text or "") if node.tag == f"{_W}t" else _CHARACTERS[node.tag]
        for node in paragraph.iter(f"{_W}t", *_CHARACTERS)
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
