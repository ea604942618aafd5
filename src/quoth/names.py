"""Wrong argument names, answered with the right one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from difflib import get_close_matches
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def suggests_names(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function that is called with an unknown argument say which one may be meant, and which there are.

    Example:
        >>> @suggests_names
        ... def answer(question, *, top_k=1): ...
        >>> answer("Who?", topk=3)
        Traceback (most recent call last):
        TypeError: answer() has no argument 'topk'; did you mean 'top_k'? It has: question, top_k
    """
    known = [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in known:
                close = get_close_matches(name, known, 1)
                meant = f"; did you mean {close[0]!r}?" if close else "."
                raise TypeError(f"{function.__name__}() has no argument {name!r}{meant} It has: {', '.join(known)}")
        return function(*args, **kwargs)

    return checked
