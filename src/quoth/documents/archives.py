"""Opens ZIP archives, and parses e-books. Runs in the parser process."""

from __future__ import annotations

import io
import posixpath
import zipfile
from typing import Any
from urllib.parse import unquote

from quoth.errors import DocumentError, DocumentTooLargeError
from quoth.names import listed

# Media types of the pages of an e-book.
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml", "image/svg+xml")


def read_epub(data: bytes, limits: dict[str, Any]) -> tuple[str, str, list[str]]:
    """Return the title, the text and notes of an e-book, its chapters in reading order, without the table of contents.

    Raises:
        DocumentTooLargeError: If its unpacked content is too large.
        DocumentError: If it is encrypted.

    Source: EPUB 3.3, sections 4.2.6 (container) and 5 (package document).
    """
    from quoth.documents.markup import html_text, linked_in

    with open_archive(data, "epub", limits) as archive:
        [root, *_] = _tree(archive, "META-INF/container.xml").xpath("//*[local-name()='rootfile']/@full-path")
        package, folder = _tree(archive, root), posixpath.dirname(root)
        files = {each.get("id"): each for each in package.iterfind(".//{*}manifest/{*}item")}
        spine = [files[each.get("idref")] for each in package.iterfind(".//{*}spine/{*}itemref")]
        names = [posixpath.normpath(posixpath.join(folder, unquote(each.get("href")))) for each in spine]
        if not _encrypted(archive).isdisjoint(names):
            raise DocumentError("the .epub file is encrypted (DRM); save it without encryption")
        contents = {each.get("href") for each in package.iterfind(".//{*}guide/{*}reference[@type='toc']")}
        chapters = [name for name, item in zip(names, spine, strict=True) if _is_chapter(item, contents)]
        pages = [archive.read(name) for name in chapters]
        linked = linked_in("\n".join(page.decode("utf-8", "replace") for page in pages))
        found = [html_text(page, linked) for page in pages]
        title = package.findtext(".//{http://purl.org/dc/elements/1.1/}title")
    notes = [note for *_, notes_of_page in found for note in notes_of_page]
    if outside := [each.get("href") for each in files.values() if _is_chapter(each, contents) and each not in spine]:
        notes.append(f"not read, because not in the reading order: {listed(outside, 3)}")
    return (title or "").strip(), "\n\n".join(text for _, text, _ in found if text), notes


def _tree(archive: zipfile.ZipFile, name: str) -> Any:
    from lxml import etree

    return etree.fromstring(archive.read(name), etree.XMLParser(resolve_entities=False, no_network=True))


def _encrypted(archive: zipfile.ZipFile) -> set[str]:
    """Return the names of the encrypted files of a book, without fonts, which are often only obfuscated.

    Source: EPUB 3.3, section 4.2.6.3.2 (encryption.xml).
    """
    if "META-INF/encryption.xml" not in archive.namelist():
        return set()
    references = _tree(archive, "META-INF/encryption.xml").xpath("//*[local-name()='CipherReference']/@URI")
    return {posixpath.normpath(unquote(each)) for each in references}


def _is_chapter(item: Any, contents: set[str]) -> bool:
    """Return True for a page of text that is not the table of contents (EPUB 3.3, section 5.6.2.1; OPF 2.0.1, 2.6)."""
    kind, name = item.get("media-type") or "", item.get("href")
    is_contents = "nav" in item.get("properties", "").split() or name in contents
    return (kind in _PAGES or name.lower().endswith(("html", "htm"))) and not is_contents


def open_archive(data: bytes, kind: str, limits: dict[str, Any]) -> zipfile.ZipFile:
    """Open a ZIP archive.

    Raises:
        DocumentTooLargeError: If its unpacked content is too large.
    """
    # zipfile never unpacks more of a member than its header states, so the sum is an upper bound.
    archive = zipfile.ZipFile(io.BytesIO(data))
    unpacked, most = sum(member.file_size for member in archive.infolist()), limits["unpacked_bytes"]
    if unpacked > most:
        raise DocumentTooLargeError(
            f"a .{kind} file must unpack to at most {most:,} bytes, but unpacks to {unpacked:,}"
        )
    return archive
