"""The one hook through which records are drawn in notebooks.

Records belong to low layers, drawings to a high one: a record imports no drawing. It inherits :class:`Drawn`, and
:func:`draw` looks for ``quoth.drawing`` by name at the moment of the call. No other module refers to a higher layer.
"""

from __future__ import annotations

from importlib import import_module

__all__ = ["Drawn", "draw"]

_DRAWING = "quoth.drawing"


def draw(record: object, *, page: bool = False) -> str:
    """Draw a record as HTML.

    Args:
        record: A record that ``quoth.drawing`` can draw.
        page: Whether to return a whole page rather than a piece of one.

    Raises:
        TypeError: If there is no drawing of such a record.
    """
    html: str = import_module(_DRAWING).draw(record, page=page)
    return html


class Drawn:
    """A record that a notebook shows as its drawing."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return draw(self)
