"""``quoth data``: inspect, repair, split and convert data sets. One module per command."""

from __future__ import annotations

import typer

from quoth.cli.data.audit import audit
from quoth.cli.data.check import check
from quoth.cli.data.convert import convert
from quoth.cli.data.describe import describe
from quoth.cli.data.pairs import pairs
from quoth.cli.data.repair import repair
from quoth.cli.data.select import select
from quoth.cli.data.split import split
from quoth.cli.data.windows import windows

app = typer.Typer(
    help="Inspect, repair, split and convert your own data.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
)
for command in (check, repair, convert, audit, describe, windows, split, pairs, select):
    app.command()(command)
