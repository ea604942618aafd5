"""``quoth data split``: parts of a data set, by whole articles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quoth.cli.data import options
from quoth.cli.data.show import stem, write_part


def split(
    file: options.File,
    titles: Annotated[Path, typer.Option(metavar="FILE", help="Titles of articles, one a line.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the two files; made if there is none.")
    ] = Path(),
) -> None:
    """Cut a data set in two: the named articles go to NAME.inside.json, all others to NAME.outside.json.

    Whole articles change sides, so that what is held out of training stays unseen.

    Example: [cyan]quoth data split train.json --titles held-out-titles.txt -o parts[/cyan]
    writes parts/train.inside.json and parts/train.outside.json.
    """
    from quoth.cli.files import check_different
    from quoth.data import read_examples, read_titles
    from quoth.data import split as split_examples
    from quoth.errors import ConfigError

    sides = ("inside", "outside")
    paths = {side: out / f"{stem(file)}.{side}.json" for side in sides}
    check_different({"FILE": file, "--titles": titles, **{f"the part {side}": path for side, path in paths.items()}})
    wanted = read_titles(titles)
    parts = dict(zip(sides, split_examples(read_examples(file), wanted), strict=True))
    if empty := [side for side, examples in parts.items() if not examples]:
        raise ConfigError(f"{titles}: must name some articles of {file} and not all, but nothing is {empty[0]}")
    out.mkdir(parents=True, exist_ok=True)
    for side, examples in parts.items():
        write_part(examples, paths[side])
