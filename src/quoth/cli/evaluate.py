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
    data: options.LabelledData,
    reader: options.Reader = None,
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
    streams: options.Streams = None,
    json: options.JsonTotals = False,
) -> None:
    """Evaluate a reader: answer every labelled question and score the answers, in one pass.

    Prints the same scores as [bold]quoth predict[/bold] followed by [bold]quoth score[/bold], the calibration of the
    probabilities (calibration error, area under the risk-coverage curve), and the best null threshold.

    With --corpus, each question is answered from the best passages of the whole corpus. The recall of the search is
    measured too: for how many questions a passage with the answer is among the first 1, 5, 10 and 20.

    Example: [cyan]quoth evaluate dev-v1.1.json --reader runs/1 --slices --errors wrong.jsonl[/cyan]
    """
    from quoth.cli.outputs import check_different, check_outputs
    from quoth.data import read_examples
    from quoth.errors import ConfigError
    from quoth.evaluation.plots import check_plot, check_plot_folder
    from quoth.reader import Reader

    if corpus is not None and (slices or slices_by or errors or html or f1_by):
        raise ConfigError("--corpus and --slices, --slices-by, --errors, --html or --f1-by must not be given together")
    if against and not html:
        raise ConfigError("--against needs --html FILE: the comparison is part of the report")
    outputs = _Outputs(slices, slices_by, errors, html, against, options.unit(f1_by), json)
    check_different(
        {"DATA": data, "--errors": errors, "--plot": None if _is_folder(plot) else plot, "--html": html},
    )
    if plot:  # first, because it makes the folder of plots
        (check_plot_folder if _is_folder(plot) else check_plot)(plot)
    check_outputs(errors, html)
    # Only slices and error analysis need the offsets of golds.
    examples = read_examples(data, places=slices or bool(errors or html or corpus))[::every]
    loaded = Reader.load(reader, engine=engine, precision=precision, streams=streams)
    decision = options.deciding(null_threshold, min_probability)
    if corpus is not None:
        report = _over_corpus(loaded, examples, corpus, passages, decision, json)
    else:
        report = _over_data(loaded, reader, examples, data, decision, outputs)
    if plot:
        _plot(report, plot)


@dataclass(frozen=True, slots=True)
class _Outputs:
    """What the command prints and writes, besides plots; the options of these names."""

    slices: bool
    slices_by: str | None
    errors: Path | None
    html: Path | None
    against: str | None
    f1_by: Unit | None
    json: bool


def _over_data(
    reader: Reader,
    name: str | None,
    examples: Sequence[Example],
    data: str,
    decision: Mapping[str, Any],
    outputs: _Outputs,
) -> Report:
    """Evaluate a reader with each question's own context, and print and write the scores.

    Args:
        reader: The reader.
        name: Its name on the command line.
        examples: The questions.
        data: The name of their data set.
        decision: The null threshold or minimum probability, if one was given.
        outputs: What to print and write.
    """
    from quoth.cli.progress import reading_bar
    from quoth.cli.score import print_report
    from quoth.data.labels import read_labels
    from quoth.drawing.report import Mistakes
    from quoth.evaluation import evaluate as evaluate_reader
    from quoth.evaluation.metrics import rules_of
    from quoth.store.provenance import warn_if_seen

    by, unit = outputs.slices_by, outputs.f1_by
    labels = read_labels(by, data) if by else {}
    rules = rules_of((example.golds for example in examples), unit)
    wrong = Mistakes(rules)
    with _mistakes(outputs.errors, rules) as write, reading_bar(_labelled(examples)) as progress:
        noted = [*([write] if write else []), *([wrong.add] if outputs.html else [])]
        seen = warn_if_seen(reader.made_from, examples, data, purpose=_TOO_HIGH)
        report = evaluate_reader(
            _Deciding(reader, decision), examples, progress=progress, each=_all_of(noted), f1_by=unit
        )
    decided = decision or {"null_threshold": reader.settings.decode.null_threshold}
    more = {Path(by).name: report.sliced_by(labels)} if by else {}
    stated = {**decided, **({"seen_before": seen} if seen and outputs.json else {})}
    print_report(report, outputs.json, outputs.slices, more, stated)
    if outputs.html:
        comparison = _against(outputs.against, examples, report, unit)
        threshold = decided.get("null_threshold")
        _write_page(outputs.html, name, data, report, wrong, threshold, seen, more, comparison)
    return report


def _labelled(examples: Sequence[Example]) -> int:
    return sum(example.golds is not None for example in examples)


def _is_folder(plot: str | None) -> bool:
    """Return True if ``--plot`` names a folder."""
    return plot is not None and (plot.endswith("/") or Path(plot).is_dir())


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
    from quoth.evaluation import compare, evaluate as evaluate_reader
    from quoth.reader import Reader

    with reading_bar(_labelled(examples)) as progress:
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
    """Return the log of a training run, if the reader's folder has one that can be read."""
    from json import loads

    file = Path(reader or "") / "history.json"
    if not reader or not file.is_file():
        return []
    try:
        found = loads(file.read_text(encoding="utf-8"))
    except ValueError as error:  # the scores do not depend on it
        note(f"{file}: must be JSON, but cannot be read: {error}. The report has no curve of the training run.")
        return []
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _over_corpus(
    reader: Reader,
    examples: Sequence[Example],
    path: str,
    passages: int,
    decision: Mapping[str, Any],
    json: bool,
) -> Report:
    """Evaluate a reader with a corpus, and print the scores."""
    from quoth.cli.console import print_json
    from quoth.cli.progress import reading_bar
    from quoth.cli.score import print_report
    from quoth.corpus import Corpus
    from quoth.corpus.corpus import corpus_decode
    from quoth.corpus.evaluation import evaluate_corpus

    decode = corpus_decode(reader, **decision)
    with Corpus.open(path, create=False) as opened, reading_bar(_labelled(examples)) as progress:
        result = evaluate_corpus(opened, reader, examples, decode, passages=passages, progress=progress)
    decided = decision or {"null_threshold": decode.null_threshold}
    if json:
        print_json(result.to_dict() | dict(decided))
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


def _plot(report: Report, plot: str) -> None:
    """Draw one plot, or all of them."""
    from quoth.evaluation.plots import plot_reliability, plot_report

    if report.calibration is None:
        note("No plot: no labelled question has a text.")
    elif _is_folder(plot):
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
