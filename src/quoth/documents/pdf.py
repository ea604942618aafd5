"""Extracts the text of a PDF's pages, with a box for each word. Runs in the parser process.

Uses pypdfium2, or pypdf (without boxes) if pypdfium2 is not installed or cannot open the file.
"""

from __future__ import annotations

import ctypes
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from quoth.errors import DocumentError, DocumentTooLargeError
from quoth.text import PIECE

LOCKED = "the .pdf file needs a password; save it without one"
# The codes that PDFium returns for a hyphen at the end of a line.
_HYPHENS = (0x02, 0xFFFE)
# PDFium returns device coordinates as integers. This is their number per point.
_SCALE = 100
# A complete file ends with %%EOF, within this many bytes.
_TAIL = 2_048
# Distance of the points by which the transformation of a page is measured, large enough to make rounding irrelevant.
_FAR = 10_000.0


@dataclass(slots=True)
class Page:
    """One page.

    Attributes:
        text: The cleaned text; lines end with a line feed.
        size: Width and height, in points.
        boxes: For each word ``(start, end, left, top, right, bottom)``: its span in code points, and its box in points.
    """

    text: str
    size: tuple[float, float] = (0.0, 0.0)
    boxes: list[tuple[int, int, float, float, float, float]] = field(default_factory=list)


def read_pdf(data: bytes, limits: dict[str, Any], clean: Callable[[str], str]) -> tuple[str, list[Page], list[str]]:
    """Return the title, the pages and notes of a PDF.

    Raises:
        DocumentTooLargeError: If it has too many pages or characters.
        DocumentError: If it needs a password.
    """
    try:
        import pypdfium2
    except ImportError:
        return (*_read_with_pypdf(data, limits, clean), [])
    try:
        file = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise DocumentError(LOCKED) from None
        # PDFium rejects truncated files; pypdf can read some pages of them.
        found = _read_with_pypdf(data, limits, clean)
        return (*found, ["the file is damaged, so that pages or texts may be missing"])
    _check_pages(len(file), limits)
    title = str(file.get_metadata_dict().get("Title", ""))
    pages = list(_bounded((_read_page(load_page(file, index)) for index in range(len(file))), limits))
    is_cut = b"%%EOF" not in data[-_TAIL:]
    return title, pages, ["the file has no end, so that pages or texts may be missing"] if is_cut else []


def load_page(file: Any, index: int) -> Any:
    """Return a page as it is displayed: the values of its form and the texts on it are part of its content.

    Args:
        file: The file, a ``pypdfium2.PdfDocument``.
        index: The index of the page, from 0.
    """
    import pypdfium2.raw as pdfium

    page = file[index]
    shown = (pdfium.FPDF_ANNOT_WIDGET, pdfium.FPDF_ANNOT_FREETEXT, pdfium.FPDF_ANNOT_STAMP)
    if not any(kind in shown for kind in _annotations(page)):
        return page
    # The content is parsed when the page is loaded.
    is_flat = pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY) == pdfium.FLATTEN_SUCCESS
    if not is_flat:
        return page
    page.close()
    return file[index]


def _annotations(page: Any) -> Iterator[int]:
    """Yield the kind of each annotation of a page."""
    import pypdfium2.raw as pdfium

    for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        yield pdfium.FPDFAnnot_GetSubtype(annotation)
        pdfium.FPDFPage_CloseAnnot(annotation)


def _check_pages(count: int, limits: dict[str, Any]) -> None:
    if count > limits["pages"]:
        most = limits["pages"]
        raise DocumentTooLargeError(f"a .pdf file must have at most {most:,} pages, but has {count:,}; split it")


def _bounded(pages: Iterator[Page], limits: dict[str, Any]) -> Iterator[Page]:
    characters = 0
    for page in pages:
        characters += len(page.text)
        if characters > 2 * limits["characters"]:
            raise DocumentTooLargeError(f"a text must have at most {limits['characters']:,} characters; split the file")
        yield page


def _read_with_pypdf(data: bytes, limits: dict[str, Any], clean: Callable[[str], str]) -> tuple[str, list[Page]]:
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise DocumentError(LOCKED)
    _check_pages(len(reader.pages), limits)
    title = str((reader.metadata and reader.metadata.title) or "")
    pages = (
        Page(clean(page.extract_text()), (float(page.mediabox.width), float(page.mediabox.height)))
        for page in reader.pages
    )
    return title, list(_bounded(pages, limits))


def _read_page(page: Any) -> Page:
    import pypdfium2.raw as pdfium

    text_page = page.get_textpage()
    codes = [pdfium.FPDFText_GetUnicode(text_page, index) for index in range(text_page.count_chars())]
    characters, places = _cleaned(codes)
    result = Page("".join(characters), page.get_size())
    display = _Display.of(page, result.size)
    # A character of a script without spaces has a box of its own; otherwise, a word has.
    for word in PIECE.finditer(result.text):
        first, last = places[word.start()], places[word.end() - 1]
        for rectangle in range(text_page.count_rects(first, last - first + 1)):
            sides = display.rectangle(text_page.get_rect(rectangle))
            result.boxes.append((word.start(), word.end(), *sides))
    text_page.close()
    page.close()
    return result


def _cleaned(codes: list[int]) -> tuple[list[str], list[int]]:
    """Return the characters of a page and their indices, without control characters and white space at line ends."""
    characters: list[str] = []
    places: list[int] = []

    def end_line() -> None:
        while characters and characters[-1] in " \t\u00a0":
            characters.pop()
            places.pop()
        if characters[-2:] != ["\n", "\n"] and characters:
            characters.append("\n")
            places.append(index)

    for index, code in enumerate(codes):
        if code in (0x0A, 0x0C) or (code == 0x0D and codes[index + 1 : index + 2] != [0x0A]):
            end_line()
        elif code in _HYPHENS:
            characters.append("-")
            places.append(index)
        elif 0xDC00 <= code < 0xE000 and characters and 0xD800 <= ord(characters[-1]) < 0xDC00:
            characters[-1] = chr(0x10000 + ((ord(characters[-1]) - 0xD800) << 10) + code - 0xDC00)
        elif (code >= 0x20 and code != 0x7F and code <= 0x10FFFF) or code == 0x09:
            characters.append(chr(code))
            places.append(index)
    while characters and characters[-1].isspace():
        characters.pop()
        places.pop()
    blanks = next((index for index, character in enumerate(characters) if not character.isspace()), 0)
    return ["\ufffd" if 0xD800 <= ord(each) < 0xE000 else each for each in characters[blanks:]], places[blanks:]


@dataclass(frozen=True, slots=True)
class _Display:
    """The affine transformation from page coordinates to those of the displayed page, in points.

    A point ``(x, y)`` is displayed at ``(a x + b y + c, d x + e y + f)``.
    """

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float

    @classmethod
    def of(cls, page: Any, size: tuple[float, float]) -> _Display:
        """Measure the transformation of a page with three points, because pages can be rotated and cropped."""
        import pypdfium2.raw as pdfium

        width, height = (round(side * _SCALE) for side in size)

        def device(x: float, y: float) -> tuple[float, float]:
            across, down = ctypes.c_int(), ctypes.c_int()
            pdfium.FPDF_PageToDevice(page, 0, 0, width, height, 0, x, y, across, down)
            return across.value / _SCALE, down.value / _SCALE

        (c, f), (right, under), (beside, above) = device(0, 0), device(_FAR, 0), device(0, _FAR)
        return cls((right - c) / _FAR, (beside - c) / _FAR, c, (under - f) / _FAR, (above - f) / _FAR, f)

    def rectangle(self, sides: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """Return a rectangle (left, bottom, right, top) as displayed: left, top, right, bottom."""
        left, bottom, right, top = sides
        across = (self.a * left + self.b * top + self.c, self.a * right + self.b * bottom + self.c)
        down = (self.d * left + self.e * top + self.f, self.d * right + self.e * bottom + self.f)
        return min(across), min(down), max(across), max(down)
