"""Arguments and options that the commands of ``quoth data`` share."""

from __future__ import annotations

from typing import Annotated

import typer

File = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="SQuAD JSON, JSON lines, CSV, TSV, Excel or Parquet, each also gzipped; or hub:NAME:SPLIT.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Sep = Annotated[
    str | None,
    typer.Option("--sep", metavar="X", help="Delimiter of a CSV file.", show_default="inferred from the header"),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        "--encoding", metavar="NAME", help="Encoding of a text file, such as cp1252.", show_default="UTF-8 or UTF-16"
    ),
]
ExcelSafe = Annotated[
    bool,
    typer.Option("--excel-safe", help="In CSV and TSV, put an apostrophe before cells that begin like formulas."),
]
