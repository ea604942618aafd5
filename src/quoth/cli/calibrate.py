"""``quoth calibrate``: fits a reader's probabilities and null threshold, and stores them in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quoth.cli.console import note, print_json

if TYPE_CHECKING:
    from quoth.calibrate.fit import Fit

app = typer.Typer(add_completion=False)


@app.command()
def calibrate(
    reader: Annotated[str, typer.Argument(metavar="READER", help="Folder of the reader.", show_default=False)],
    data: Annotated[
        str, typer.Option(metavar="DATA", help="Labelled data that the reader was not trained on.", show_default=False)
    ],
    unanswerable: Annotated[
        str | None, typer.Option(metavar="PAIRS", help="Unanswerable questions, such as from `quoth data pairs`.")
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option(metavar="F1", min=0, help="Maximum loss of F1 points on answerable questions by abstaining."),
    ] = None,
    right_f1: Annotated[
        float, typer.Option(metavar="F1", help="Minimum F1 of a right answer, above 0 and at most 1; 1: exact match.")
    ] = 1.0,
    unanswerable_share: Annotated[
        float, typer.Option(metavar="SHARE", help="Share of unanswerable questions to fit for, between 0 and 1.")
    ] = 0.5,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="A new folder for the result.", show_default="READER itself"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Calibrate a reader: fit its probabilities, its null threshold, and operating points.

    All values are stored in its quoth.json, which every command, interface and engine uses. The threshold needs
    unanswerable questions, in DATA or in PAIRS; without them it does not change.

    Example: [cyan]quoth calibrate reader --data held-out.json --unanswerable pairs.json --max-cost 0.3[/cyan]
    """
    from quoth.calibrate.fit import fit
    from quoth.cli.evaluate import reading_bar
    from quoth.data import read_examples
    from quoth.reader import Reader
    from quoth.store import ReaderFolder, check_new_folder

    if out:
        check_new_folder(out)
    folder = ReaderFolder.open(reader)
    examples = read_examples(data, places=False)
    pairs = read_examples(unanswerable, places=False) if unanswerable else []
    loaded = Reader.load(reader)
    with reading_bar(len(examples) + len(pairs)) as progress:
        result = fit(
            loaded,
            examples,
            pairs,
            progress=progress,
            max_cost=max_cost,
            right_f1=right_f1,
            unanswerable_share=unanswerable_share,
        )
    document = {
        "data": Path(data).name,
        "pairs": Path(unanswerable).name if unanswerable else None,
        "max_cost": max_cost,
        **result.to_dict(),
    }
    written = folder.with_settings(result.settings(loaded.settings), {"calibration": document}, out)
    if json:
        print_json({"folder": str(written.path), **document})
        return
    _say(result)
    typer.echo(str(written.path))


def _say(result: Fit) -> None:
    """Print a summary of the fit."""
    found, (low, high) = result.probability, result.probability.ece_interval
    note(
        f"Temperature {found.temperature:.3f}, odds scale {found.odds_scale:.2f}: expected calibration error "
        f"{found.ece_after:.4f}, before {found.ece_before:.4f}; {found.ece_crossvalidated:.4f} [{low:.4f}, {high:.4f}] "
        "in cross-validation"
    )
    if threshold := result.threshold:
        value = threshold.threshold if isinstance(threshold.threshold, str) else f"{threshold.threshold:.3f}"
        note(
            f"Null threshold {value}: abstains from {threshold.declined:.1%} of the unanswerable questions and from "
            f"{1 - threshold.kept:.1%} of the others, a loss of {threshold.cost:.2f} F1"
        )
    note(f"Operating points, with {result.unanswerable_share:.0%} of the questions unanswerable:")
    note(f"{'precision':>10}  {'--min-probability':>17}  questions answered")
    for point in result.points:
        if point.min_probability is None or point.answered_interval is None:
            note(f"{point.precision:>10.0%}  {'not reached':>17}")
            continue
        low, high = point.answered_interval
        note(f"{point.precision:>10.0%}  {point.min_probability:>17.3f}  {point.answered:.1%} [{low:.1%}, {high:.1%}]")
    for warning in result.warnings:
        note(f"Warning: {warning}")
