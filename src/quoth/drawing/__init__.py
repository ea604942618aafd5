"""Drawings in HTML: for notebooks, and for ``quoth explain --html``.

Drawings are self-contained: no scripts, fonts or external resources. All text is escaped. Records find :func:`draw`
through ``quoth.notebook``.
"""

from quoth.drawing.explanation import explanation_html, explanation_page
from quoth.drawing.markup import escaped
from quoth.drawing.prediction import prediction_html
from quoth.drawing.window import window_html
from quoth.reading import Explanation, Window
from quoth.records import Prediction

__all__ = ["draw", "escaped", "explanation_html", "explanation_page", "prediction_html", "window_html"]


def draw(record: object, *, page: bool = False) -> str:
    """Draw a record as an HTML fragment or page; only an explanation can be drawn as a page.

    Raises:
        TypeError: If this type of record cannot be drawn in this way.
    """
    if isinstance(record, Explanation):
        return explanation_page(record) if page else explanation_html(record)
    if isinstance(record, Prediction) and not page:
        return prediction_html(record)
    if isinstance(record, Window) and not page:
        return window_html(record)
    raise TypeError(
        f"a record to draw must be a Prediction, a Window or an Explanation, but is a {type(record).__name__}"
    )
