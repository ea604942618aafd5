"""``quoth evaluate``: predicts and scores in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quoth.cli import options
from quoth.cli.console import note

if TYPE_CHECKING:
    from quoth.drawing.report import Mistakes
    from quoth.evaluation import Comparison, Report, Slice
    from quoth.evaluation.metrics import Rules, Unit
    from quoth.reader import Reader
    from quoth.records import Example, Prediction

app = typer.Typer(add_completion=False)

_TOO_HIGH = "scores on them are higher than on new questions"


@app.command()
def evaluate(
    data: Annotated[str, typer.Argument(metavar="DATA", help="Labelled data: a file, or hub:NAME:SPLIT.")],
    reader: Annotated[
        str | None,
        typer.Option(metavar="READER", help="Folder or hub name of a reader.", show_default="the shipped reader"),
    ] = None,
    slices: Annotated[
        bool,
        typer.Option("--slices", help="Also score by question word, answer and context length, windows, position."),
    ] = False,
    errors: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write each wrong answer and its likely cause, as JSON lines.")
    ] = None,
    slices_by: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|COLUMN", help="Also score by a label: a file of ids and labels, or a column of DATA."
        ),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|DIR/",
            help="Write the reliability diagram (.svg, .png or .pdf), or all plots to a folder.",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a report as one HTML page, with the wrong answers.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(metavar="READER", help="With --html: compare with this reader.")
    ] = None,
    corpus: Annotated[
        str | None,
        typer.Option(metavar="CORPUS", help="Ask a corpus (quoth index) instead of each question's own context."),
    ] = None,
    passages: Annotated[
        int, typer.Option(metavar="N", min=1, help="With --corpus: number of passages to read for each question.")
    ] = 10,
    every: Annotated[
        int, typer.Option(metavar="N", min=1, help="Evaluate only every Nth question, for a quick estimate.")
    ] = 1,
    null_threshold: options.NullThreshold = None,
    min_probability: options.MinProbability = None,
    f1_by: options.F1By = None,
    engine: options.Engine = "auto",
    precision: options.Precision = None,
    json: Annotated[bool, typer.Option("--json", help="Print the totals as one JSON document.")] = False,
) -> None:
    """Evaluate a reader: answer every labelled question and score the answers, in one pass.

    Prints the same scores as [bold]quoth predict[/bold] followed by [bold]quoth score[/bold], the calibration of the
    probabilities (calibration error, area under the risk-coverage curve), and the best null threshold.

    With --corpus, each question is answered from the best passages of the whole corpus. The recall of the search is
    measured too: for how many questions a passage with the answer is among the first 1, 5, 10 and 20.

    Example: [cyan]quoth evaluate dev-v1.1.json --reader runs/1 --slices --errors wrong.jsonl[/cyan]
    """
    from quoth.cli.outputs import check_different
    from quoth.cli.progress import reading_bar
    from quoth.cli.score import print_report
    from quoth.data import read_examples
    from quoth.data.labels import read_labels
    from quoth.drawing.report import Mistakes
    from quoth.errors import ConfigError
    from quoth.evaluation import evaluate as evaluate_reader
    from quoth.evaluation.metrics import rules_of
    from quoth.evaluation.plots import check_plot, check_plot_folder
    from quoth.reader import Reader
    from quoth.store.provenance import warn_if_seen

    if corpus is not None and (slices or slices_by or errors or html or f1_by):
        raise ConfigError("--corpus and --slices, --slices-by, --errors, --html or --f1-by must not be given together")
    unit = options.unit(f1_by)
    if against and not html:
        raise ConfigError("--against needs --html FILE: the comparison is part of the report")
    into_folder = plot is not None and (plot.endswith("/") or Path(plot).is_dir())
    check_different({"DATA": data, "--errors": errors, "--plot": None if into_folder else plot, "--html": html})
    if plot:
        (check_plot_folder if into_folder else check_plot)(plot)
    labels = read_labels(slices_by, data) if slices_by else {}
    # Only slices and error analysis need the offsets of golds.
    examples = read_examples(data, places=slices or bool(errors or html or corpus))[::every]
    if corpus is not None:
        loaded = Reader.load(reader, engine=engine, precision=precision)
        report = _over_corpus(loaded, examples, corpus, passages, null_threshold, min_probability, json)
        if plot:
            _plot(report, plot, into_folder)
        return
    labelled = sum(example.golds is not None for example in examples)
    rules = rules_of((example.golds for example in examples), unit)
    wrong = Mistakes(rules) if html else None
    with _mistakes(errors, rules) as write, reading_bar(labelled) as progress:
        noted = [one for one in (write, wrong.add if wrong else None) if one]
        loaded = Reader.load(reader, engine=engine, precision=precision)
        seen = warn_if_seen(loaded.made_from, examples, data, purpose=_TOO_HIGH)
        decision = options.deciding(null_threshold, min_probability)
        report = evaluate_reader(
            _Deciding(loaded, decision), examples, progress=progress, each=_all_of(noted), f1_by=unit
        )
    decided = decision or {"null_threshold": loaded.settings.decode.null_threshold}
    more = {Path(slices_by).name: report.sliced_by(labels)} if slices_by else {}
    print_report(report, json, slices, more, {**decided, **({"seen_before": seen} if seen and json else {})})
    if html and wrong:
        threshold = decided.get("null_threshold")
        _write_page(html, reader, data, report, wrong, threshold, seen, more, _against(against, examples, report, unit))
    if plot:
        _plot(report, plot, into_folder)


def _all_of(functions: Sequence[Callable[[Example, Prediction], None]]) -> Callable[[Example, Prediction], None]:
    """Return a function that calls each of some functions."""

    def each(example: Example, prediction: Prediction) -> None:
        for function in functions:
            function(example, prediction)

    return each


def _against(name: str | None, examples: Sequence[Example], report: Report, unit: Unit | None) -> Comparison | None:
    """Compare a report with that of another reader."""
    if name is None:
        return None
    from quoth.cli.progress import reading_bar
    from quoth.evaluation import compare
    from quoth.evaluation import evaluate as evaluate_reader
    from quoth.reader import Reader

    labelled = sum(example.golds is not None for example in examples)
    with reading_bar(labelled) as progress:
        other = evaluate_reader(Reader.load(name), examples, progress=progress, f1_by=unit)
    return compare(other, report, (name, "this reader"))


def _write_page(
    file: Path,
    reader: str | None,
    data: str,
    report: Report,
    wrong: Mistakes,
    threshold: Any,
    seen: Sequence[str],
    slices: Mapping[str, Mapping[str, Slice]],
    comparison: Comparison | None,
) -> None:
    """Write the report as one HTML page."""
    from quoth.drawing.report import ReportParts, write_report

    name = "the included reader" if reader in (None, "shipped") else Path(str(reader)).name
    parts = ReportParts(name, Path(data).name, report, wrong, threshold, seen, _history(reader), slices, comparison)
    write_report(file, parts)
    note(f"Report: {file}")


def _history(reader: str | None) -> list[dict[str, Any]]:
    """Return the log of a training run, if the reader's folder has one."""
    from json import loads

    file = Path(reader or "") / "history.json"
    if not reader or not file.is_file():
        return []
    found = loads(file.read_text(encoding="utf-8"))
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _over_corpus(
    reader: Reader,
    examples: Sequence[Example],
    path: str,
    passages: int,
    null_threshold: str | None,
    min_probability: float | None,
    json: bool,
) -> Report:
    """Evaluate a reader with a corpus, and print the scores."""
    from quoth.cli.console import print_json
    from quoth.cli.progress import reading_bar
    from quoth.cli.score import print_report
    from quoth.corpus import Corpus
    from quoth.corpus.corpus import corpus_decode
    from quoth.corpus.evaluation import evaluate_corpus

    decision = options.deciding(null_threshold, min_probability)
    decode = corpus_decode(reader, **decision)
    labelled = sum(example.golds is not None for example in examples)
    with Corpus.open(path, create=False) as opened, reading_bar(labelled) as progress:
        result = evaluate_corpus(opened, reader, examples, decode, passages=passages, progress=progress)
    decided = decision or {"null_threshold": decode.null_threshold}
    if json:
        print_json(result.to_dict() | decided)
    else:
        print_report(result.report, False, decided=decided)
        typer.echo(result.search_line)
    for sentence in result.notes if json else result.notes[len(result.report.notes) :]:
        note(sentence)
    return result.report


@dataclass(frozen=True, slots=True)
class _Deciding:
    """A reader that abstains according to the command line.

    Attributes:
        reader: The reader.
        decision: Arguments of its ``answer_all``.
    """

    reader: Reader
    decision: Mapping[str, Any]

    def answer_all(self, examples: Iterable[Example], /) -> Iterator[Prediction]:
        """Yield one prediction per example, in order."""
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
def _mistakes(file: Path | None, rules: Rules) -> Iterator[Callable[[Example, Prediction], None] | None]:
    """Open a file for wrong answers; yield a function that writes wrong ones, or ``None`` without a file."""
    if file is None:
        yield None
        return
    from quoth.evaluation.error_analysis import CAUSES, mistake_file

    with mistake_file(file, rules) as (each, counts):
        yield each
    note(f"{sum(counts.values()):,} wrong answers: {file}")
    for cause, count in counts.most_common():
        note(f"{count:>8,}  {cause}: {CAUSES[cause]}")
