"""``quoth evaluate``: predicts and scores in one pass."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from quoth.cli.console import stderr

app = typer.Typer(add_completion=False)


@app.command()
def evaluate(
    data: Annotated[str, typer.Argument(metavar="DATA", help="Labelled data: a file, or hub:NAME:SPLIT.")],
    reader: Annotated[
        str | None,
        typer.Option(metavar="READER", help="Folder or hub name of a reader.", show_default="the shipped reader"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the totals as one JSON document.")] = False,
) -> None:
    """Measure a reader: answer every labelled question and score the answers, in one pass.

    The same figures as [bold]quoth predict[/bold] and then [bold]quoth score[/bold], without a file between them.

    Example: [cyan]quoth evaluate dev-v1.1.json --reader runs/1/reader[/cyan]
    """
    from rich.progress import Progress

    from quoth.cli.score import print_report
    from quoth.data import read_examples
    from quoth.evaluation import evaluate as evaluate_reader
    from quoth.reader import Reader

    examples = read_examples(data, places=False)
    labelled = sum(example.golds is not None for example in examples)
    loaded = Reader.load(reader)
    # Answers come in bursts, a batch at a time: the time left is judged by many of them.
    bar = Progress(console=stderr(), disable=not sys.stderr.isatty(), transient=True, speed_estimate_period=600)
    with bar:
        task = bar.add_task("Reading", total=labelled)
        report = evaluate_reader(loaded, examples, progress=lambda done: bar.update(task, completed=done))
    print_report(report, json)
