"""``quoth calibrate``: fits a reader's temperature and null threshold, and stores them in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quoth.cli.console import note, print_json

app = typer.Typer(add_completion=False)


@app.command()
def calibrate(
    reader: Annotated[str, typer.Argument(metavar="READER", help="Folder of the reader.", show_default=False)],
    data: Annotated[
        str, typer.Option(metavar="DATA", help="Labelled data that the reader was not trained on.", show_default=False)
    ],
    unanswerable: Annotated[
        str | None, typer.Option(metavar="PAIRS", help="Unanswerable questions, as `quoth data pairs` makes them.")
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(metavar="F1", min=0, help="F1 points that abstaining may cost answerable questions.")
    ] = None,
    right_f1: Annotated[
        float, typer.Option(metavar="F1", help="An answer counts as right from this F1 on, of 1; 1: an exact match.")
    ] = 1.0,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="A new folder for the result.", show_default="READER itself"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Fit what a reader's scores mean: what its probability is made with, and when it abstains.

    All go into its quoth.json, and from there to every command, interface and engine. The threshold needs unanswerable
    questions, in DATA or in PAIRS; without them it stays as it is.

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
        result = fit(loaded, examples, pairs, max_cost=max_cost, right_f1=right_f1, progress=progress)
    document = {
        "data": Path(data).name,
        "pairs": Path(unanswerable).name if unanswerable else None,
        "max_cost": max_cost,
        **result.to_json(),
    }
    written = folder.with_settings(result.settings(loaded.settings), {"calibration": document}, out)
    if json:
        print_json({"folder": str(written.path), **document})
        return
    found = result.probability
    note(
        f"Temperature {found.temperature:.3f}, agreement {found.agreement:.2f}: expected calibration error "
        f"{found.ece_after:.4f}, before {found.ece_before:.4f}; {found.ece_crossvalidated:.4f} on articles that it was "
        "not fitted on"
    )
    if threshold := result.threshold:
        value = "none" if threshold.threshold is None else f"{threshold.threshold:.3f}"
        note(
            f"Null threshold {value}: abstains from {threshold.declined:.1%} of the unanswerable questions and from "
            f"{1 - threshold.kept:.1%} of the others, which costs them {threshold.cost:.2f} F1"
        )
    typer.echo(str(written.path))
