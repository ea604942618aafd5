"""Names of version 0.1 that still work, with a warning, until version 0.3."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["NamedToJson", "renamed"]


def renamed(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a module with renamed attributes; using an old name gives a DeprecationWarning.

    Args:
        module: The name of the module.
        names: Old name -> new name.

    Example:
        >>> __getattr__ = renamed(__name__, {"Row": "ScoredRow"})
    """

    def found(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}", name=name, obj=sys.modules[module])
        warnings.warn(f"{module}.{name} is deprecated, use {names[name]}", DeprecationWarning, stacklevel=2)
        return getattr(sys.modules[module], names[name])

    return found


class NamedToJson:
    """A record whose ``to_dict`` was called ``to_json`` in version 0.1."""

    __slots__ = ()

    to_dict: Callable[..., dict[str, Any]]

    def to_json(self, **options: Any) -> dict[str, Any]:
        """Return ``to_dict(**options)``, with a DeprecationWarning."""
        warnings.warn(f"{type(self).__name__}.to_json is deprecated, use to_dict", DeprecationWarning, stacklevel=2)
        return self.to_dict(**options)
