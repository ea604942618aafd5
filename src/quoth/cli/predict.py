"""``quoth predict``: writes a reader's answers in SQuAD's prediction formats."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from quoth.cli import options
from quoth.cli.console import note, stderr

app = typer.Typer(add_completion=False)


@app.command()
def predict(
    data: Annotated[str, typer.Argument(metavar="DATA", help="Questions, labelled or not: a file, or hub:NAME:SPLIT.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the answers go: texts by id.")],
    reader: Annotated[
        str | None,
        typer.Option(metavar="READER", help="Folder or hub name of a reader.", show_default="the shipped reader"),
    ] = None,
    nbest: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the best answers of each question here, too.")
    ] = None,
    null_odds: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write null score minus best score: the higher, the likelier no answer."),
    ] = None,
    engine: options.Engine = "auto",
    precision: options.Precision = None,
    top_k: Annotated[
        int, typer.Option(metavar="N", min=1, help="Most answers of one question in the n-best file.")
    ] = 20,
) -> None:
    """Answer every question of a data set, and write SQuAD's prediction files.

    A text is empty where the reader abstains. The files appear when all is done.

    Example: [cyan]quoth predict dev-v2.0.json -o predictions.json --nbest nbest.json --top-k 5[/cyan]
    """
    from rich.progress import Progress

    from quoth.cli.outputs import check_different
    from quoth.data import read_examples
    from quoth.evaluation import prediction_files
    from quoth.reader import Reader

    check_different({"DATA": data, "--output": output, "--nbest": nbest, "--null-odds": null_odds})
    examples = read_examples(data, places=False)  # golds are not looked at
    loaded = Reader.load(reader, engine=engine, precision=precision)
    predictions = loaded.answer_all(examples, top_k=top_k if nbest else 1)
    # Answers come in bursts, a batch at a time: the time left is judged by many of them.
    bar = Progress(console=stderr(), disable=not sys.stderr.isatty(), transient=True, speed_estimate_period=600)
    with prediction_files(output, nbest, null_odds) as write, bar:
        for prediction in bar.track(predictions, total=len(examples), description="Reading"):
            write(prediction)
    note(f"{len(examples):,} questions answered: {output}")
