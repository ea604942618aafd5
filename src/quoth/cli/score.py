"""``quoth score``: scores any system's predictions; needs no model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quoth.cli.console import note, print_json

if TYPE_CHECKING:
    from quoth.evaluation import Report

app = typer.Typer(add_completion=False)


@app.command()
def score(
    data: Annotated[str, typer.Argument(metavar="DATA", help="Labelled data: a file, or hub:NAME:SPLIT.")],
    predictions: Annotated[
        Path, typer.Argument(metavar="PREDICTIONS", help="JSON of texts by id; null or an empty text is no answer.")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print the totals as one JSON document.")] = False,
) -> None:
    """Score predictions: SQuAD's exact match and F1, equal to the official scorers.

    Data with unanswerable questions are scored by the rules of SQuAD v2.0, others by those of v1.1.

    A question without a prediction counts as wrong; a prediction with an unknown id is ignored. Both are noted.

    Example: [cyan]quoth score dev-v1.1.json predictions.json --json[/cyan]
    """
    from quoth.data import read_examples
    from quoth.evaluation import read_predictions
    from quoth.evaluation import score as score_predictions

    report = score_predictions(read_examples(data, places=False), read_predictions(predictions, note=note))
    print_report(report, json)


def print_report(report: Report, json: bool) -> None:
    """Print totals on stdout and notes on stderr; ``quoth evaluate`` prints the same."""
    if json:
        print_json(report.to_json())
    else:
        typer.echo(report.table)
    for sentence in report.notes:
        note(sentence)
