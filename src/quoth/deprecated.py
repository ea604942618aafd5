"""Names of version 0.1 that still work, with a warning, until version 0.3."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

__all__ = ["NamedToJson"]


class NamedToJson:
    """A record whose ``to_dict`` was called ``to_json`` in version 0.1."""

    __slots__ = ()

    to_dict: Callable[..., dict[str, Any]]

    def to_json(self, **options: Any) -> dict[str, Any]:
        """Return ``to_dict(**options)``, with a DeprecationWarning."""
        warnings.warn(f"{type(self).__name__}.to_json is deprecated, use to_dict", DeprecationWarning, stacklevel=2)
        return self.to_dict(**options)
