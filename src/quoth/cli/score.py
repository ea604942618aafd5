"""``quoth score``: scores any system's predictions; needs no model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quoth.cli import options
from quoth.cli.console import note, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quoth.evaluation import Report, Slice

app = typer.Typer(add_completion=False)


@app.command()
def score(
    data: options.LabelledData,
    predictions: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTIONS", help="Texts by id: JSON, JSON lines, CSV, TSV, Parquet; an empty one is no answer."
        ),
    ],
    null_odds: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Null odds for the best threshold: JSON of numbers by id."),
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option(metavar="OTHER", help="Other predictions, to test whether the difference is significant."),
    ] = None,
    slices: Annotated[
        bool, typer.Option("--slices", help="Also score by question word, answer and context length, position.")
    ] = False,
    f1_by: options.F1By = None,
    json: options.JsonTotals = False,
) -> None:
    """Score predictions with SQuAD's exact match and F1, identical to the official scorers.

    Data with unanswerable questions are scored by the rules of SQuAD v2.0, others by those of v1.1. For answers in
    scripts without spaces, such as Chinese, F1 compares characters, not words; the output says so.

    Where the file has probabilities, their calibration is measured, too; with null odds, in the file or in --null-odds,
    the best null threshold.

    A question without a prediction counts as wrong; a prediction with an unknown id is ignored. Both are noted.

    With --compare, a second file is scored on the same questions. The output has the differences of both metrics, their
    95% confidence intervals (paired bootstrap over articles) and p-values (sign-flip test over articles).

    Example: [cyan]quoth score dev-v1.1.json predictions.json --json[/cyan]
    """
    from quoth.cli.outputs import check_different
    from quoth.data import read_examples
    from quoth.errors import ConfigError
    from quoth.evaluation import compare as compare_reports, read_predicted, score as score_predictions

    if compare and null_odds:
        raise ConfigError("--compare and --null-odds cannot be used together: score each file separately")
    if compare and slices:
        raise ConfigError("--compare and --slices cannot be used together: use --slices with each file separately")
    check_different({"DATA": data, "PREDICTIONS": predictions})
    # Only slices need the offsets of golds.
    examples = read_examples(data, places=slices)
    unit = options.unit(f1_by)
    report = score_predictions(examples, read_predicted(predictions, null_odds, note=note), f1_by=unit)
    if compare is None:
        print_report(report, json, slices)
        return
    other = score_predictions(examples, read_predicted(compare, note=note), f1_by=unit)
    comparison = compare_reports(report, other, _names(predictions, compare))
    if json:
        print_json(comparison.to_dict())
    else:
        typer.echo(str(comparison))
    for name, each in zip(comparison.names, (report, other), strict=True):
        for sentence in each.notes:
            note(f"{name}: {sentence}")


def _names(first: Path, second: Path) -> tuple[str, str]:
    """Return names of two files, with as many parent folders as are needed to distinguish them."""
    names = ((first.name, second.name), (str(first), str(second)), ("A", "B"))
    return next(pair for pair in names if pair[0] != pair[1])


def print_report(
    report: Report,
    json: bool,
    slices: bool = False,
    more: Mapping[str, Mapping[str, Slice]] | None = None,
    decided: Mapping[str, Any] | None = None,
) -> None:
    """Print totals on stdout and notes on stderr; ``quoth evaluate`` prints the same.

    Args:
        report: The report.
        json: Print one JSON document.
        slices: Also print the report's own slices.
        more: Additional slices: dimension -> label -> slice.
        decided: The null threshold or minimum probability in use: ``null_threshold`` or ``min_probability``.
    """
    from quoth.evaluation.report import slice_lines

    if json:
        document = report.to_dict(slices=slices)
        for name, parts in (more or {}).items():
            document.setdefault("slices", {})[name] = {label: part.to_dict() for label, part in parts.items()}
        print_json(document | dict(decided or {}))
    else:
        blocks = [report.table, *([report.slice_table] if slices else [])]
        typer.echo("\n\n".join([*blocks, *(slice_lines(name, parts) for name, parts in (more or {}).items())]))
        for name, value in (decided or {}).items():
            note(f"measured at {name.replace('_', ' ')} {value if isinstance(value, str) else format(value, '.3g')}")
    for sentence in report.notes:
        note(sentence)
