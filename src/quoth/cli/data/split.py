"""``quoth data split``: splits a data set by articles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quoth.cli.data import options
from quoth.cli.data.show import stem, write_part

if TYPE_CHECKING:
    from quoth.records import Example

_NAMES = {2: ("train", "dev"), 3: ("train", "dev", "test")}


def split(
    file: options.File,
    titles: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Titles of articles, one per line.", show_default=False)
    ] = None,
    share: Annotated[
        float | None, typer.Option(metavar="X", help="Hold out this share of the questions, above 0 and below 1.")
    ] = None,
    parts: Annotated[
        str | None, typer.Option(metavar="A,B,C", help="Relative sizes of several parts, such as 80,10,10.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Random seed of --share and --parts.")] = 0,
    list_titles: Annotated[
        bool, typer.Option("--list-titles", help="Also write the titles of each part, for --titles.")
    ] = False,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the files; created if it does not exist.")
    ] = Path(),
    sep: options.Sep = None,
    encoding: options.Encoding = None,
) -> None:
    """Split a data set into parts, so that held-out data has no text in common with the training data.

    With --titles, the named articles are written to NAME.inside.json, all others to NAME.outside.json. With --share or
    --parts, articles are drawn at random (contexts, if there are no titles), and articles with nearly the same contexts
    are in the same part: NAME.train.json and NAME.dev.json, with three parts also NAME.test.json, with more NAME.1.json
    and so on.

    Example: [cyan]quoth data split mine.json --share 0.1 -o parts[/cyan]
    """
    from quoth.cli.outputs import check_different
    from quoth.data import read_examples, read_titles, split as split_examples
    from quoth.data.split import split_by_shares
    from quoth.errors import ConfigError

    if sum(option is not None for option in (titles, share, parts)) != 1:
        raise ConfigError("one of --titles, --share and --parts must be given")
    shares = _shares(share, parts)
    sides = ("inside", "outside") if titles else _NAMES.get(len(shares), tuple(map(str, range(1, len(shares) + 1))))
    paths = {side: out / f"{stem(file)}.{side}.json" for side in sides}
    check_different({"FILE": file, "--titles": titles, **{f"the part {side}": path for side, path in paths.items()}})
    wanted = read_titles(titles) if titles else []
    every = read_examples(file, sep=sep, encoding=encoding)
    if titles:
        found: dict[str, list[Example]] = dict(zip(sides, split_examples(every, wanted), strict=True))
        if empty := [side for side, examples in found.items() if not examples]:
            raise ConfigError(f"{titles}: must have some but not all articles of {file}, but no article is {empty[0]}")
    else:
        found = dict(zip(sides, split_by_shares(every, shares, seed=seed), strict=True))
    out.mkdir(parents=True, exist_ok=True)
    for side, examples in found.items():
        write_part(examples, paths[side])
        if list_titles:
            _write_titles(examples, paths[side].with_suffix(".titles.txt"))


def _shares(share: float | None, parts: str | None) -> list[float]:
    from quoth.errors import ConfigError

    if share is not None:
        if not 0 < share < 1:
            raise ConfigError(f"--share must be above 0 and below 1, but is {share}")
        return [1 - share, share]
    try:
        return [float(size) for size in (parts or "").split(",") if parts]
    except ValueError:
        raise ConfigError(f"--parts must be numbers separated by commas, such as 80,10,10, but is {parts}") from None


def _write_titles(examples: list[Example], path: Path) -> None:
    from quoth.files import atomic_text

    with atomic_text(path) as file:
        file.writelines(f"{title}\n" for title in dict.fromkeys(example.title for example in examples) if title)
