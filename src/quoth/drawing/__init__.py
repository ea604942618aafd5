"""Drawings in HTML: for notebooks, which call ``_repr_html_``, and for ``quoth explain --html``.

Every drawing is one self-contained piece: no scripts, no fonts, nothing from elsewhere. All text is escaped.
"""

from quoth.drawing.explanation import explanation_html, explanation_page
from quoth.drawing.prediction import prediction_html, window_html
from quoth.drawing.safe import escaped, visible

__all__ = ["escaped", "explanation_html", "explanation_page", "prediction_html", "visible", "window_html"]
