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
        help="What runs the network: openvino, onnxruntime, torch; auto: what measured best on such a processor.",
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="NAME",
        help="What it computes in where the reader's file leaves it open: float32, bfloat16 or float16.",
        show_default="what measured best",
    ),
]
NullThreshold = Annotated[
    str | None,
    typer.Option(
        "--null-threshold",
        metavar="X|never",
        help="Say 'no answer' where its score is above the best answer's by more than X, or never.",
        show_default="the reader's",
    ),
]


def null_threshold(given: str | None) -> records.NullThreshold | None:
    """Return what ``--null-threshold`` says; infinity, which was its word for "never" until version 0.2, too.

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
