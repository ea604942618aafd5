"""``quoth.export.export``, as version 0.1 had it, until version 0.3. Use ``quoth.export``, which is the function."""

from __future__ import annotations

import sys
import warnings
from types import ModuleType
from typing import Any

from quoth.exporting import __getattr__

__all__ = ["__getattr__"]

warnings.warn(
    "the module quoth.export is deprecated: use `from quoth import export`, or the package quoth.exporting",
    DeprecationWarning,
    stacklevel=2,
)


class _Callable(ModuleType):
    """A callable module: once it is imported, ``quoth.export`` is this module and no longer the function."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return __getattr__("export")(*args, **options)


sys.modules[__name__].__class__ = _Callable
