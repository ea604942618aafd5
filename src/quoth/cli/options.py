"""Options that several commands share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from quoth import records

Engine = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="Engine: openvino, onnxruntime, torch; auto: the fastest on this kind of CPU.",
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="NAME",
        help="Precision of operations that are not quantized: float32, bfloat16 or float16.",
        show_default="the fastest",
    ),
]
NullThreshold = Annotated[
    str | None,
    typer.Option(
        "--null-threshold",
        metavar="X|never",
        help="Abstain if the null score exceeds the best answer's score by more than X, or never.",
        show_default="the reader's",
    ),
]


def null_threshold(given: str | None) -> records.NullThreshold | None:
    """Return the value of ``--null-threshold``. Infinity also means "never", as it did before version 0.2.

    Raises:
        ConfigError: If it is neither a number nor "never".
    """
    if given is None or given == "never":
        return given  # type: ignore[return-value]
    from quoth.errors import ConfigError

    try:
        number = float(given)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise ConfigError(f"--null-threshold must be a number or never, but is {given}")
    return "never" if number == math.inf else number
