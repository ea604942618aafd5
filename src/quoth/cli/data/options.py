"""Arguments and options that the commands of ``quoth data`` share."""

from __future__ import annotations

from typing import Annotated

import typer

from quoth.cli.options import ExcelSafe, Json

__all__ = ["Encoding", "ExcelSafe", "File", "Json", "Sep"]

File = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="SQuAD JSON, JSON lines, CSV, TSV, Excel or Parquet, each also gzipped; or hub:NAME:SPLIT.",
        show_default=False,
    ),
]
Sep = Annotated[
    str | None,
    typer.Option(
        "--sep",
        metavar="X",
        help="Delimiter of a CSV file: one character, or tab.",
        show_default="inferred from the header",
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        "--encoding", metavar="NAME", help="Encoding of a text file, such as cp1252.", show_default="UTF-8 or UTF-16"
    ),
]
