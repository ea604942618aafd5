"""``quoth data pairs``: creates unanswerable questions from answerable ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quoth.cli.console import note
from quoth.cli.data import options
from quoth.cli.data.show import write_part
from quoth.display import count

_SHOWN = 5


def pairs(
    file: options.File,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Output file.", show_default=False)],
    share: Annotated[
        float, typer.Option(metavar="X", help="Number of pairs per answerable question, above 0 and at most 1.")
    ] = 0.3,
    seed: Annotated[int, typer.Option(metavar="N", help="Random seed.")] = 0,
    reader: Annotated[
        str | None,
        typer.Option(metavar="READER", help="Skip pairs that this reader answers with a probability of at least 0.5."),
    ] = None,
    sep: options.Sep = None,
    encoding: options.Encoding = None,
) -> None:
    """Create unanswerable questions: pair questions with a similar paragraph of their article that has no gold.

    Use them to train a reader to abstain, or to measure whether it does. The file is SQuAD v2.0 JSON with only the
    pairs. Questions that occur with several contexts of one article, as in a form, are skipped, because the other
    contexts may answer them too.

    Example: [cyan]quoth data pairs train.json -o pairs.json --share 0.3[/cyan]
    """
    from quoth.cli.outputs import check_different, check_outputs
    from quoth.data import read_examples
    from quoth.data.pairs import draw_pairs
    from quoth.errors import DataError

    check_different({"FILE": file, "--out": out})
    check_outputs(out)
    answer = None
    examples = read_examples(file, sep=sep, encoding=encoding)
    if reader:
        from quoth.reader import Reader

        answer = Reader.load(reader).answer_all
    try:
        drawn = draw_pairs(examples, share=share, seed=seed, answer=answer)
    except DataError as error:
        raise DataError(file, [f"{file}: {problem}" for problem in error.problems]) from None
    write_part(drawn.examples, out)
    for ids, why in (
        (drawn.repeated, "because they occur with several contexts of one article, as in a form"),
        (drawn.answered, "because the reader answers them"),
    ):
        if ids:
            more = ", ..." if len(ids) > _SHOWN else ""
            note(f"{count(len(ids), 'question')} skipped, {why}: {', '.join(ids[:_SHOWN])}{more}")
    if len(drawn.examples) < drawn.wanted:
        asked = f"requested {drawn.wanted:,} pairs, but created only {len(drawn.examples):,}"
        note(f"{asked}: the other questions have no paragraph in their article that does not answer them.")
