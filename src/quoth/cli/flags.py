"""Generates flags from the fields of a configuration."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from quoth.config import settings_of


def parameter(name: str, kind: Any, marker: Any, default: Any = None) -> inspect.Parameter:
    """Return a parameter of a command.

    Args:
        name: Its name in the function.
        kind: Its type.
        marker: Typer's option or argument.
        default: Its default; ``inspect.Parameter.empty`` if it is required.
    """
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, marker])


def flags_of(config: type, environment: str | None = None) -> list[inspect.Parameter]:
    """Return a flag for each field of a configuration; the value of a flag that is not given is ``None``.

    Args:
        config: The configuration.
        environment: Each flag may also be given by a variable of the environment: this prefix, and the field's name in
            upper case. ``None``: it may not.
    """
    found = []
    for item in settings_of(config).values():
        flag = item.name.replace("_", "-")
        names = [f"--{flag}/--no-{flag}"] if item.kind is bool else [f"--{flag}"]
        shown = str(item.default).lower() if isinstance(item.default, bool) else str(item.default)
        variable = None if environment is None else f"{environment}{item.name.upper()}"
        option = typer.Option(
            *names,
            help=item.help,
            show_default=False if item.default is None else shown,
            envvar=variable,
            show_envvar=False,
        )
        found.append(parameter(item.name, item.kind | None, option))
    return found


def add_command(app: typer.Typer, function: Callable[..., None], parameters: Iterable[inspect.Parameter]) -> None:
    """Add a function that takes arbitrary flags as a command with these parameters."""
    parameters = list(parameters)
    # typer reads the signature and the annotations.
    function.__signature__ = inspect.Signature(parameters, return_annotation=None)  # type: ignore[attr-defined]
    function.__annotations__ = {item.name: item.annotation for item in parameters}
    app.command()(function)
