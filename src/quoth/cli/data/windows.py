"""``quoth data windows``: shows how a data set is split into windows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quoth.cli.console import print_json, stdout
from quoth.cli.data import options
from quoth.cli.data.show import table_of, value_text


def windows(
    file: options.File,
    tokenizer: Annotated[
        str,
        typer.Option(
            metavar="DIR", help="Folder with tokenizer.json, such as a reader's; or shipped.", show_default=False
        ),
    ],
    max_tokens: Annotated[
        int, typer.Option(metavar="N", min=1, help="Maximum length of a window, question included.")
    ] = 384,
    overlap: Annotated[
        int, typer.Option(metavar="N", min=0, help="Context tokens that neighbouring windows share.")
    ] = 128,
    json: options.Json = False,
) -> None:
    """Show how a data set is split into windows, and which golds are lost.

    A reader reads a long context in several overlapping windows. A gold that no window contains completely is lost for
    training; a larger overlap avoids this.

    Example: [cyan]quoth data windows train.json --tokenizer my-reader --max-tokens 384 --overlap 128[/cyan]
    """
    from quoth.data import read_examples
    from quoth.reading import Tokenizer, Windower, survey
    from quoth.store import SHIPPED, find_folder

    folder = find_folder(tokenizer).path if tokenizer == SHIPPED else Path(tokenizer)
    windower = Windower(Tokenizer.load(folder), max_tokens=max_tokens, overlap=overlap)
    document = survey(read_examples(file), windower).to_dict()
    if json:
        print_json(document)
    else:
        stdout().print(
            table_of("Windows", {name.replace("_", " "): value_text(value) for name, value in document.items()})
        )
