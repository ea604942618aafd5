"""Drawings in HTML: for notebooks, and for ``quoth explain --html``.

Every drawing is one self-contained piece: no scripts, no fonts, nothing from elsewhere. All text is escaped.
Records find :func:`draw` through ``quoth.notebook``.
"""

from quoth.drawing.explanation import explanation_html, explanation_page
from quoth.drawing.markup import escaped
from quoth.drawing.prediction import prediction_html
from quoth.drawing.window import window_html
from quoth.reading import Explanation, Window
from quoth.records import Prediction

__all__ = ["draw", "escaped", "explanation_html", "explanation_page", "prediction_html", "window_html"]


def draw(record: object, *, page: bool = False) -> str:
    """Draw a record as a piece of HTML, or as a whole page; only an explanation has a page of its own.

    Raises:
        TypeError: If there is no such drawing of this kind of record.
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
