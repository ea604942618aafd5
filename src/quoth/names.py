"""Names in messages: suggestions for misspelt ones, and lists of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

# Minimum similarity of two names, as computed by difflib, from 0 to 1.
_ALIKE = 0.6


def nearest(name: str, known: Iterable[str], *, alike: float = _ALIKE) -> str | None:
    """Return the known name that is most similar to a misspelt one, or ``None`` if none is similar.

    Args:
        name: The misspelt name.
        known: The known names.
        alike: Minimum similarity, from 0 to 1.
    """
    return next(iter(get_close_matches(name, list(known), 1, alike)), None)


def did_you_mean(name: str, known: Iterable[str], *, quote: str = "", alike: float = _ALIKE) -> str:
    """Return the end of a message about a misspelt name: ``; did you mean base?``, or ``""`` if none is similar."""
    near = nearest(name, known, alike=alike)
    return "" if near is None else f"; did you mean {quote}{near}{quote}?"


def unknown_name(name: str, known: Iterable[str]) -> str:
    """Return the message that a name is unknown, with a suggestion or all known names."""
    known = list(known)
    return f"{name} is unknown" + (did_you_mean(name, known) or f"; known are {', '.join(known)}")


def listed(names: Sequence[str], most: int = 10) -> str:
    """Return the first names, and the number of the others.

    Example:
        >>> listed(["a", "b", "c"], most=2)
        'a, b and 1 more'
    """
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def suggests_names(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function so that a TypeError for an unknown argument suggests known ones.

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
