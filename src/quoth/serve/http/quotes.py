"""The claimed quotes of a request."""

from __future__ import annotations

from typing import Any

from quoth.errors import InputError
from quoth.serve.errors import ApiError, too_large
from quoth.verification import Claim, claim_of, read_claims


def claims_of(quotes: str | list[Any], most: int, longest: int) -> list[Claim]:
    """Return the claims of a request.

    Args:
        quotes: A text with quotes in quotation marks, or a list of texts, ``{quote, source}`` and citation objects.
        most: Maximum number of claims.
        longest: Maximum length of a claim, in code points. Time and memory grow with its square.

    Raises:
        ApiError: If a quote is invalid, empty or too long, or there are too many.
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
    if (found := max(len(claim.quote) for claim in claims)) > longest:
        raise too_large("characters of a quote", longest, found, "quote_characters", "body.quotes")
    return claims
