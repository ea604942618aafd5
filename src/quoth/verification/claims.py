"""Reads claimed quotes: from text with quotation marks, JSON, or citation objects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from quoth.errors import InputError
from quoth.verification.quotation import quoted

# Without the white space around it, which would take quadratic time to match.
_ELLIPSIS = re.compile(r"[\[(]?(?:…|\.\s?\.\s?\.\.?)[\])]?")
# JSON keys of a quote, of its source, and of a list of claims.
_QUOTE_KEYS = ("quote", "cited_text", "text")
_SOURCE_KEYS = ("source", "document_title", "document_index")
_LIST_KEYS = ("quotes", "citations", "claims", "content")


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed quote.

    Attributes:
        quote: The text that is claimed to be in a source, word for word.
        source: Name, title or index of the only source to search; ``None``: all sources.
        start: Claimed start, in code points; ``None`` if unknown.
        end: Claimed end, in code points, exclusive; ``None`` if unknown.
        pages: Claimed pages, half-open, counted from 1; ``None`` if unknown.
    """

    quote: str
    source: str | int | None = None
    start: int | None = None
    end: int | None = None
    pages: tuple[int, int] | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts between ellipses that contain a letter or a digit."""
        first, *others = _ELLIPSIS.split(self.quote)
        if others:
            first, others = first.rstrip(), [*(part.strip() for part in others[:-1]), others[-1].lstrip()]
        return tuple(part for part in (first, *others) if any(map(str.isalnum, part)))

    @property
    def has_place(self) -> bool:
        """Whether it has offsets or pages."""
        return self.start is not None or self.pages is not None

    def may_be_in(self, index: int, name: str, title: str) -> bool:
        """Return True if ``source`` is ``None``, or is this source by its name, end of its path, title or index."""
        wanted = self.source
        if wanted is None or wanted in (index, name):
            return True
        return isinstance(wanted, str) and bool(wanted) and (wanted == title or name.endswith(f"/{wanted}"))


def read_claims(text: str) -> tuple[Claim, ...]:
    """Read claims from JSON, or from text with quotation marks.

    JSON is a list of quotes, of objects ``{"quote", "source"}``, or of citation objects (``cited_text`` with
    ``start_char_index`` and ``end_char_index``, or with ``start_page_number`` and ``end_page_number``); or an object
    that contains such a list, such as a complete response.

    Raises:
        InputError: If the JSON contains other items; the message lists all of them.
    """
    if not text.lstrip("\ufeff \t\r\n").startswith(("[", "{")):
        return tuple(map(Claim, quoted(text)))
    try:
        data = json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError):  # not JSON, or nested too deeply
        return tuple(map(Claim, quoted(text)))
    claims, problems = [], []
    for number, item in enumerate(_items(data), 1):
        try:
            claims.append(claim_of(item))
        except InputError as error:
            problems.append(f"quote {number}: {error}")
    if problems:
        raise InputError("\n".join(problems))
    return tuple(claims)


def _items(data: Any) -> Iterator[Any]:
    """Yield the claims of a JSON document, at any depth."""
    if isinstance(data, Mapping):
        lists = [data[key] for key in _LIST_KEYS if isinstance(data.get(key), list)]
        if not lists:
            yield data
        for each in lists:
            yield from _items(each)
        return
    if not isinstance(data, list):
        yield data
        return
    for item in data:
        if isinstance(item, Mapping) and any(isinstance(item.get(key), list) for key in _LIST_KEYS):
            yield from _items(item)
        elif not (isinstance(item, Mapping) and item.get("type") == "text" and "quote" not in item):
            # A text block of a response without citations is not a claim.
            yield item


def claim_of(item: Any) -> Claim:
    """Read one claim.

    Args:
        item: A quote, a claim, an object ``{"quote", "source"}``, or a citation object; see :func:`read_claims`.

    Raises:
        InputError: If it is not a claim.
    """
    if isinstance(item, Claim):
        return item
    if isinstance(item, str):
        item = {"quote": item}
    if not isinstance(item, Mapping):
        raise InputError(f"must be text or an object with a quote, but is {type(item).__name__}")
    quote = next((item[key] for key in _QUOTE_KEYS if key in item), None)
    if not isinstance(quote, str) or not quote:
        raise InputError(
            f'must have a text under "quote" or "cited_text", but has the keys: {", ".join(map(str, item))}'
        )
    source = next((item[key] for key in _SOURCE_KEYS if item.get(key) is not None), None)
    if not isinstance(source, str | int | None) or isinstance(source, bool):
        raise InputError(f"source must be a name or an index, but is {source!r}")
    start, end = _number(item, "start_char_index", "start"), _number(item, "end_char_index", "end")
    first, last = _number(item, "start_page_number"), _number(item, "end_page_number")
    pages = None if first is None else (first, last if last is not None else first + 1)
    return Claim(quote, source, start, end, pages)


def _number(item: Mapping[str, Any], *keys: str) -> int | None:
    """Return the value of the first key that is given; ``None`` if none is."""
    for key in keys:
        if item.get(key) is not None:
            if not isinstance(item[key], int) or isinstance(item[key], bool) or item[key] < 0:
                raise InputError(f"{key} must be a whole number from 0, but is {item[key]!r}")
            return int(item[key])
    return None
