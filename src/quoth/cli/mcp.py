"""``quoth mcp``: tools for agents on standard input and output."""

from __future__ import annotations

from typing import Annotated

import typer

from quoth.cli import options

app = typer.Typer(add_completion=False)


@app.command()
def mcp(
    corpus: Annotated[
        str | None, typer.Option(metavar="CORPUS", help="The corpus to ask, search and check quotes in.")
    ] = None,
    reader: options.Reader = None,
) -> None:
    """Serve tools for agents with the Model Context Protocol: ask, search and verify.

    An agent starts this command, and communicates with it on standard input and output.
    Without a corpus, each call must contain its texts, and there is no search tool.

    Example: [cyan]quoth mcp --corpus contracts.quoth[/cyan]
    """
    from quoth import __version__
    from quoth.adapters.mcp import create_server

    create_server(corpus, reader, __version__).run("stdio")
