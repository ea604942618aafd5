"""The hook through which records are drawn in notebooks.

Records are in low layers and drawings in a higher one, so records must not import drawings. They inherit
:class:`Drawn`, and :func:`draw` imports ``quoth.drawing`` by name when it is called. No other module refers to a higher
layer.
"""

from __future__ import annotations

from importlib import import_module

__all__ = ["Drawn", "draw"]

_DRAWING = "quoth.drawing"


def draw(record: object, *, page: bool = False) -> str:
    """Draw a record as HTML.

    Args:
        record: A record that ``quoth.drawing`` can draw.
        page: Whether to return a page instead of a fragment.

    Raises:
        TypeError: If this type of record cannot be drawn.
    """
    html: str = import_module(_DRAWING).draw(record, page=page)
    return html


class Drawn:
    """A record that notebooks show as HTML."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return draw(self)
