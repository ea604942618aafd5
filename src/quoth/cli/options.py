"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

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
