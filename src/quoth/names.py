"""Misspelt names, answered with the one that may be meant."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

# How alike two names must be, as difflib measures it, from 0 to 1.
_ALIKE = 0.6


def nearest(name: str, known: Iterable[str], *, alike: float = _ALIKE) -> str | None:
    """Return the known name that is most like a misspelt one, or ``None`` if none is like it.

    Args:
        name: The misspelt name.
        known: The names that there are.
        alike: How alike they must be, from 0 to 1.
    """
    return next(iter(get_close_matches(name, list(known), 1, alike)), None)


def did_you_mean(name: str, known: Iterable[str], *, quote: str = "", alike: float = _ALIKE) -> str:
    """Return the end of a sentence about a misspelt name: ``; did you mean base?``, or ``""`` if none is like it."""
    near = nearest(name, known, alike=alike)
    return "" if near is None else f"; did you mean {quote}{near}{quote}?"


def unknown_name(name: str, known: Iterable[str]) -> str:
    """Return the sentence that a name is unknown, and which one may be meant, or which there are."""
    known = list(known)
    return f"{name} is unknown" + (did_you_mean(name, known) or f"; known are {', '.join(known)}")


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
                meant = did_you_mean(name, known, quote="'") or "."
                raise TypeError(f"{function.__name__}() has no argument {name!r}{meant} It has: {', '.join(known)}")
        return function(*args, **kwargs)

    return checked
