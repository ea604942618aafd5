"""``quoth data pairs``: unanswerable questions from answerable ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quoth.cli.data import options
from quoth.cli.data.show import write_part


def pairs(
    file: options.File,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where the pairs go.", show_default=False)],
    share: Annotated[
        float, typer.Option(metavar="X", help="Pairs for each answerable question, above 0 and at most 1.")
    ] = 0.3,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the draw.")] = 0,
) -> None:
    """Make unanswerable questions: each asked of another paragraph of its article that shares its words but no gold.

    They teach a reader to abstain, and measure whether it does. The file is SQuAD v2.0 JSON and holds the pairs alone.

    Example: [cyan]quoth data pairs train.json -o pairs.json --share 0.3[/cyan]
    """
    from quoth.cli.files import check_different
    from quoth.data import read_examples, unanswerable_pairs

    check_different({"FILE": file, "--out": out})
    write_part(unanswerable_pairs(read_examples(file), share=share, seed=seed), out)
