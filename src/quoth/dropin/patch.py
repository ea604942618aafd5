"""Restores the task in ``transformers.pipeline``, for programs that cannot be changed."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType, TracebackType
from typing import Any

from quoth.dropin.pipeline import TASK, QuestionAnsweringPipeline
from quoth.errors import ConfigError, MissingExtraError

_NAME = "QuestionAnsweringPipeline"
# The default model of the old pipeline.
_DEFAULT = {"model": ("distilbert/distilbert-base-cased-distilled-squad", "564e9b5")}
_ABSENT = object()


class Patch:
    """The changes made to transformers; :meth:`undo` or the end of a ``with`` block reverts them."""

    def __init__(self) -> None:
        self._before: list[tuple[dict[str, Any] | type, str, Any]] = []

    def set(self, table: dict[str, Any] | type, key: str, value: Any = _ABSENT) -> None:
        """Set or remove an entry of a table or an attribute of a class, and store its previous value."""
        before = table if isinstance(table, dict) else vars(table)
        self._before.append((table, key, before.get(key, _ABSENT)))
        _put(table, key, value)

    def undo(self) -> None:
        """Revert all changes; a second call does nothing."""
        while self._before:
            _put(*self._before.pop())

    def __enter__(self) -> Patch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()


def patch_transformers(*, compat: bool = False) -> Patch:
    """Restore ``question-answering`` in ``transformers.pipeline``, and its class in transformers.

    transformers rejects removed tasks before it looks up registered ones, so the patch removes this check too. It does
    nothing if the installed transformers still has the task.

    Args:
        compat: Return the scores and n-best lists of transformers 4.57.

    Returns:
        A handle: ``patch.undo()`` or the end of a ``with`` block reverts the patch.

    Raises:
        MissingExtraError: If transformers is not installed.
        ConfigError: If this version of transformers registers tasks differently.

    Example:
        >>> with patch_transformers():  # doctest: +SKIP
        ...     from transformers import pipeline
        ...     qa = pipeline("question-answering", model="deepset/roberta-base-squad2")
    """
    try:
        pipelines, auto = import_module("transformers.pipelines"), import_module("transformers.models.auto")
    except ImportError as error:
        raise MissingExtraError("patch_transformers", "torch") from error
    patch = Patch()
    tasks = getattr(pipelines, "SUPPORTED_TASKS", None)
    if not isinstance(tasks, dict):
        raise ConfigError(
            f"transformers {sys.modules['transformers'].__version__} registers tasks differently from 5.23, which "
            "Quoth supports. Call quoth.pipeline instead"
        )
    if TASK in tasks:
        return patch
    impl = _Compat if compat else QuestionAnsweringPipeline
    entry = {"impl": impl, "pt": (auto.AutoModelForQuestionAnswering,), "default": _DEFAULT, "type": "text"}
    patch.set(tasks, TASK, entry)
    patch.set(getattr(pipelines, "REMOVED_TASKS", {}), TASK)
    top = sys.modules["transformers"]
    patch.set(vars(pipelines), _NAME, impl)
    # transformers may exist as several module objects, and a program may hold any of them, so all are patched.
    patch.set(vars(top) if type(top) is ModuleType else type(top), _NAME, impl)
    return patch


class _Compat(QuestionAnsweringPipeline):
    """The pipeline with the scores of transformers 4.57."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"compat": True, **kwargs})


def _put(table: dict[str, Any] | type, key: str, value: Any) -> None:
    if isinstance(table, dict):
        if value is _ABSENT:
            table.pop(key, None)
        else:
            table[key] = value
    elif value is not _ABSENT:
        setattr(table, key, value)
    elif key in vars(table):
        delattr(table, key)
