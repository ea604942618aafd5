"""The process that parses HTML, Word, PDF and EPUB files. It reads requests from stdin and writes results to stdout.

It limits its memory before it reads anything. An error that a parser raises is reported as a damaged file. If a file
takes too long, :mod:`quoth.documents.pool` kills the process and starts another one.
"""

from __future__ import annotations

import io
import json
import math
import re
import struct
import sys
import warnings
from base64 import b64encode
from pathlib import Path
from typing import Any, BinaryIO

from quoth.errors import DocumentError, DocumentTooLargeError
from quoth.text import replace_surrogates

# Control characters, except tab and line feed.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# A message starts with the lengths of its JSON header and of its data, in bytes.
LENGTHS = struct.Struct("<QQ")
# Unit of the peak memory from getrusage, in bytes: KiB on Linux, bytes on macOS.
RSS_UNIT = 1 if sys.platform == "darwin" else 1_024
# If a process fails after using this share of its memory limit, it is assumed to have run out of memory. The peak does
# not include the allocation that failed.
MOST_USED = 0.5


def main() -> None:
    """Process requests until stdin ends. The command-line argument is the memory limit in bytes."""
    _limit_memory(int(sys.argv[1]))
    warnings.simplefilter("ignore")
    with open(0, "rb") as stdin, open(1, "wb") as stdout:
        send(stdout, {"started_bytes": _started_bytes()})
        while (request := receive(stdin)) is not None:
            head, data = request
            answer = _answer(head["kind"], data, head["limits"], head["page"])
            del request, data
            send(stdout, {**answer, "peak_bytes": _peak_bytes()})


def send(file: BinaryIO, head: Any, data: bytes = b"") -> None:
    """Write one message."""
    packed = json.dumps(head).encode()
    file.write(LENGTHS.pack(len(packed), len(data)) + packed)
    file.write(data)
    file.flush()


def receive(file: BinaryIO) -> tuple[Any, bytes] | None:
    """Read one message; ``None`` at the end of the file."""
    lengths = file.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    head, data = LENGTHS.unpack(lengths)
    packed = file.read(head)
    return (json.loads(packed), file.read(data)) if len(packed) == head else None


def _limit_memory(memory_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit. Only the time limit applies there.
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = math.ceil(memory_bytes)
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def memory_exceeded(kind: str, memory_bytes: int) -> str:
    """Return the error for a file that needs more memory than a parser may use."""
    return (
        f"a file must be read within {memory_bytes / 1e6:,.0f} MB of memory, but this .{kind} file needs more; split "
        "it, or save it as text"
    )


def _started_bytes() -> int:
    """Return the peak memory of this process at its start, in bytes: on Linux, it includes that of its parent."""
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT


def _peak_bytes() -> int:
    """Return the peak memory of this process, in bytes; 0 on systems where it is unknown.

    ``getrusage`` cannot be used, because it includes the memory of the parent process.
    """
    try:
        facts = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0
    peak = re.search(r"^VmHWM:\s+(\d+) kB", facts, re.MULTILINE)
    return int(peak[1]) * 1_024 if peak else 0


def _answer(kind: str, data: bytes, limits: dict[str, Any], page: list[int] | None) -> dict[str, Any]:
    try:
        if page is not None:
            from quoth.documents.picture import draw_page

            return {"picture": b64encode(draw_page(data, *page)).decode()}
        return _parse(kind, data, limits)
    except DocumentTooLargeError as error:
        return {"too_large": str(error)}
    except DocumentError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"too_large": memory_exceeded(kind, limits["memory_bytes"])}
    except ImportError as error:
        return {"missing": str(error)}
    except Exception as error:  # noqa: BLE001 - a parser may raise anything on a damaged file
        # Parsers in C report a lack of memory as a syntax error.
        if _peak_bytes() > MOST_USED * limits["memory_bytes"]:
            return {"too_large": memory_exceeded(kind, limits["memory_bytes"])}
        return {"damaged": f"{type(error).__name__}: {error}"[:200]}


def _parse(kind: str, data: bytes, limits: dict[str, Any]) -> dict[str, Any]:
    if kind == "pdf":
        from quoth.documents.pdf import read_pdf

        title, pages, notes = read_pdf(data, limits, _clean)
        return {"title": _line(title), **_join(pages), "notes": notes}
    if kind == "html":
        from quoth.documents.markup import html_text

        title, text, notes = html_text(data)
    elif kind == "docx":
        from quoth.documents.word import read_docx

        title, text, notes = read_docx(data, limits)
    else:
        from quoth.documents.archives import read_epub

        title, text, notes = read_epub(data, limits)
    return {"title": _line(title), "text": _clean(text), "pages": [], "boxes": [], "sizes": [], "notes": notes}


def _line(title: str) -> str:
    return " ".join(_clean(title).split())[:300]


def _clean(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    lines = replace_surrogates(_CONTROLS.sub("", text)).split("\n")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines)).strip()


def _join(pages: list[Any]) -> dict[str, Any]:
    """Concatenate the pages, and return the spans of the pages and of the boxes in the text."""
    text, spans, boxes = io.StringIO(), [], []
    for number, page in enumerate(pages, 1):
        if text.tell() and page.text:
            text.write("\n\n")
        start = text.tell()
        text.write(page.text)
        spans.append((start, text.tell()))
        boxes += [(first + start, last + start, number, *sides) for first, last, *sides in page.boxes]
    return {"text": text.getvalue(), "pages": spans, "boxes": boxes, "sizes": [page.size for page in pages]}


if __name__ == "__main__":
    main()
