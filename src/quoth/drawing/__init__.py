"""Drawings in HTML: for notebooks, which call ``_repr_html_``, and for ``quoth explain --html``.

Every drawing is one self-contained piece: no scripts, no fonts, nothing from elsewhere. All text is escaped.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from quoth.drawing.markup import escaped, visible

if TYPE_CHECKING:
    from quoth.drawing.explanation import explanation_html, explanation_page
    from quoth.drawing.prediction import prediction_html, window_html

# What the command line never draws is imported when it is asked for.
_HOMES = {
    "explanation_html": "quoth.drawing.explanation",
    "explanation_page": "quoth.drawing.explanation",
    "prediction_html": "quoth.drawing.prediction",
    "window_html": "quoth.drawing.prediction",
}

__all__ = ["escaped", "explanation_html", "explanation_page", "prediction_html", "visible", "window_html"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'quoth.drawing' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
