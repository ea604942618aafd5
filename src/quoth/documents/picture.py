"""Renders a page of a PDF as a PNG image. Runs in the parser process."""

from __future__ import annotations

import struct
import zlib
from typing import Any

from quoth.documents.pdf import load_page
from quoth.errors import DocumentError

# Maximum width, and maximum number of pixels, of an image.
MAX_WIDTH, _MAX_PIXELS = 2_400, 12_000_000


def draw_page(data: bytes, number: int, width: int) -> bytes:
    """Return a page as a PNG image of the given width, or narrower if it would have too many pixels.

    Args:
        data: The file.
        number: The page, from 1.
        width: The width, in pixels.

    Raises:
        DocumentError: If there is no such page, or it cannot be rendered.
    """
    import pypdfium2

    try:
        file = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise DocumentError(f"the pages of the .pdf file cannot be rendered: {error}") from None
    if not 1 <= number <= len(file):
        raise DocumentError(f"the page must be from 1 to {len(file)}, but is {number}")
    page = load_page(file, number - 1)
    across, down = page.get_size()
    if across <= 0 or down <= 0:
        raise DocumentError(f"page {number} has no area")
    scale = min(width / across, (_MAX_PIXELS / (across * down)) ** 0.5)
    bitmap = page.render(scale=scale, rev_byteorder=True)
    return _png(bitmap)


def _png(bitmap: Any) -> bytes:
    """Encode a bitmap with 8 bits per channel as PNG.

    Source: PNG specification (third edition), sections 11.2.2 (IHDR) and 9.2 (filter type 0).
    """
    color, channels = {1: (0, 1), 3: (2, 3), 4: (6, 4)}[bitmap.n_channels]
    buffer, length = memoryview(bitmap.buffer), bitmap.width * channels
    rows = b"".join(
        b"\0" + bytes(buffer[row * bitmap.stride : row * bitmap.stride + length]) for row in range(bitmap.height)
    )
    head = struct.pack(">IIBBBBB", bitmap.width, bitmap.height, 8, color, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 4)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks))


def _chunk(chunk: tuple[bytes, bytes]) -> bytes:
    name, content = chunk
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
