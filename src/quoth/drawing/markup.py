"""Values as HTML shows them."""

from __future__ import annotations

import html

from quoth.display import visible


def escaped(text: object) -> str:
    """Return a text as HTML shows it, in an element or in a quoted attribute."""
    return html.escape(visible(str(text)))


def number(value: float | None) -> str:
    """Write a score with two decimals and a true minus sign; a dash for none."""
    return "–" if value is None else f"{value:.2f}".replace("-", "−")
