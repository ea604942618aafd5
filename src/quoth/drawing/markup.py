"""Values as HTML."""

from __future__ import annotations

import html

from quoth.display import visible


def escaped(text: object) -> str:
    """Return a text escaped for an HTML element or a quoted attribute."""
    return html.escape(visible(str(text)))


def number(value: float | None) -> str:
    """Return a score with two decimals and a typographic minus sign; a dash for ``None``."""
    return "–" if value is None else f"{value:.2f}".replace("-", "−")
