"""``quoth evaluate``: predicts and scores in one pass."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quoth.cli import options
from quoth.cli.console import note, stderr

if TYPE_CHECKING:
    from quoth.evaluation import Report
    from quoth.reader import Reader
    from quoth.records import Example, Prediction

app = typer.Typer(add_completion=False)


@app.command()
def evaluate(
    data: Annotated[str, typer.Argument(metavar="DATA", help="Labelled data: a file, or hub:NAME:SPLIT.")],
    reader: Annotated[
        str | None,
        typer.Option(metavar="READER", help="Folder or hub name of a reader.", show_default="the shipped reader"),
    ] = None,
    slices: Annotated[
        bool,
        typer.Option("--slices", help="Also by question word, length of answer and context, windows, answer position."),
    ] = False,
    errors: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write each wrong answer and its likely cause here: JSON lines.")
    ] = None,
    slices_by: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|COLUMN", help="Also by a label of each question: a file of ids and labels, a column."
        ),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|DIR/",
            help="Write the reliability diagram (.svg, .png or .pdf), or all plots to a folder.",
        ),
    ] = None,
    null_threshold: options.NullThreshold = None,
    min_probability: options.MinProbability = None,
    engine: options.Engine = "auto",
    precision: options.Precision = None,
    json: Annotated[bool, typer.Option("--json", help="Print the totals as one JSON document.")] = False,
) -> None:
    """Measure a reader: answer every labelled question and score the answers, in one pass.

    The same figures as [bold]quoth predict[/bold] and then [bold]quoth score[/bold], without a file between them; and
    the calibration of the probabilities (calibration error, risk-coverage area), and the best null threshold.

    Example: [cyan]quoth evaluate dev-v1.1.json --reader runs/1 --slices --errors wrong.jsonl[/cyan]
    """
    from quoth.cli.outputs import check_different
    from quoth.cli.score import print_report
    from quoth.data import read_examples
    from quoth.data.labels import read_labels
    from quoth.evaluation import evaluate as evaluate_reader
    from quoth.evaluation.plots import check_plot, check_plot_folder
    from quoth.reader import Reader

    into_folder = plot is not None and (plot.endswith("/") or Path(plot).is_dir())
    check_different({"DATA": data, "--errors": errors, "--plot": None if into_folder else plot})
    if plot:
        (check_plot_folder if into_folder else check_plot)(plot)
    labels = read_labels(slices_by, data) if slices_by else {}
    # Only slices and error analysis need the offsets of golds.
    examples = read_examples(data, places=slices or errors is not None)
    labelled = sum(example.golds is not None for example in examples)
    with _mistakes(errors, examples) as each, reading_bar(labelled) as progress:
        loaded = Reader.load(reader, engine=engine, precision=precision)
        decision = options.deciding(null_threshold, min_probability)
        report = evaluate_reader(_Deciding(loaded, decision), examples, progress=progress, each=each)
    decided = decision or {"null_threshold": loaded.settings.decode.null_threshold}
    more = {Path(slices_by).name: report.sliced_by(labels)} if slices_by else {}
    print_report(report, json, slices, more, decided)
    if plot:
        _plot(report, plot, into_folder)


@dataclass(frozen=True, slots=True)
class _Deciding:
    """A reader that abstains as the command line says.

    Attributes:
        reader: The reader.
        decision: Arguments of its ``answer_all``.
    """

    reader: Reader
    decision: Mapping[str, Any]

    def answer_all(self, examples: Iterable[Example], /) -> Iterator[Prediction]:
        """Yield one prediction an example, in their order."""
        return self.reader.answer_all(examples, **self.decision)


def _plot(report: Report, plot: str, into_folder: bool) -> None:
    """Draw one plot, or all of them."""
    from quoth.evaluation.plots import plot_reliability, plot_report

    if report.calibration is None:
        note("No plot: no labelled question has a text.")
    elif into_folder:
        for file in plot_report(report, plot):
            note(f"Plot: {file}")
    else:
        plot_reliability(report.calibration, plot)
        note(f"Reliability diagram: {plot}")


@contextmanager
def reading_bar(total: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal; yield a function that takes the number of examples so far."""
    from rich.progress import Progress

    # Answers arrive in batches, so the remaining time is estimated from many of them.
    bar = Progress(console=stderr(), disable=not sys.stderr.isatty(), transient=True, speed_estimate_period=600)
    with bar:
        task = bar.add_task("Reading", total=total)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def _mistakes(file: Path | None, examples: Sequence[Example]) -> Iterator[Callable[[Example, Prediction], None] | None]:
    """Open a file for wrong answers; yield a function that writes wrong ones, or ``None`` without a file."""
    if file is None:
        yield None
        return
    from quoth.evaluation.error_analysis import CAUSES, mistake_file
    from quoth.evaluation.metrics import rules_of

    with mistake_file(file, rules_of(example.golds for example in examples)) as (each, counts):
        yield each
    note(f"{sum(counts.values()):,} wrong answers: {file}")
    for cause, count in counts.most_common():
        note(f"{count:>8,}  {cause}: {CAUSES[cause]}")
