"""The claimed quotes of a request, and the texts in which they are searched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quoth.errors import InputError
from quoth.records import Span
from quoth.serve.errors import ApiError, too_large
from quoth.serve.texts import Text
from quoth.verification import Claim, claim_of, read_claims


@dataclass(frozen=True, slots=True)
class NamedText:
    """A text of a request as a source of quotes."""

    name: str
    stored: Text

    @property
    def text(self) -> str:
        """The whole text."""
        return self.stored.text

    def page_at(self, position: int) -> int | None:
        """Return the page of a code point, from 1."""
        return self.stored.page(position)

    def boxes_of(self, span: Span) -> tuple[()]:
        """Return no boxes: texts of requests have none."""
        return ()


def claims_of(quotes: str | list[Any], most: int) -> list[Claim]:
    """Return the claims of a request.

    Args:
        quotes: A text with quotes in quotation marks, or a list of texts, ``{quote, source}`` and citation objects.
        most: Maximum number of claims.

    Raises:
        ApiError: If a quote is invalid or empty, or there are too many.
    """
    try:
        claims = list(read_claims(quotes)) if isinstance(quotes, str) else [claim_of(item) for item in quotes]
    except InputError as error:
        raise ApiError(
            422, "bad_quote", str(error), "Send texts, {quote, source}, or citation objects.", "body.quotes"
        ) from None
    if not claims or not all(claim.quote for claim in claims):
        raise ApiError(422, "bad_quote", "a quote must not be empty", "Send at least one quote.", "body.quotes")
    if len(claims) > most:
        raise too_large("quotes of a request", most, len(claims), "rows", "body.quotes")
    return claims
