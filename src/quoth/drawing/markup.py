"""Text from anywhere, made safe to show."""

from __future__ import annotations

import html
import re

# What could move the cursor, change colours or turn the reading direction of all that follows; and lone surrogates,
# which no encoding can hold. Line feed and tab stay.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    r"""Replace, one for one, each character that a terminal would obey rather than show.

    Control characters become their pictures, the others U+FFFD.

    Example:
        >>> visible("\x1b[31m")
        '␛[31m'
    """
    return _UNSAFE.sub(_picture, text)


def escaped(text: object) -> str:
    """Return a text as HTML shows it, in an element or in a quoted attribute."""
    return html.escape(visible(str(text)))


def number(value: float | None) -> str:
    """Write a score with two decimals and a true minus sign; a dash for none."""
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def percent(probability: float) -> str:
    """Write a probability with one decimal, never rounded to 0 or 1 unless it is: ``<0.1%``, ``97.3%``, ``>99.9%``."""
    if 0 < probability < 0.001:
        return "<0.1%"
    return ">99.9%" if 0.999 < probability < 1 else f"{probability:.1%}"


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"
