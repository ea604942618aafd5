"""``quoth calibrate``: fits a reader's probabilities and null threshold, and stores them in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quoth.cli import options
from quoth.cli.console import note, print_json

if TYPE_CHECKING:
    from quoth.calibrating import Fit
    from quoth.calibrating.corpus_fit import CorpusFit

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
        float,
        typer.Option(metavar="F1", help="Minimum F1 of a correct answer, above 0; 100: exact match."),
    ] = 100.0,
    unanswerable_share: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Share of unanswerable questions to fit for, between 0 and 1.",
            show_default="0.5",
        ),
    ] = None,
    null_threshold: options.NullThreshold = None,
    min_probability: Annotated[
        float | None,
        typer.Option(metavar="P", min=0, max=1, help="Also report the operating point at this minimum probability."),
    ] = None,
    corpus: Annotated[
        str | None,
        typer.Option(
            metavar="CORPUS",
            help="Fit only the settings for a corpus, which must contain the contexts of DATA.",
        ),
    ] = None,
    every: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="With --corpus: every Nth question of DATA only.", show_default="1"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="A new folder for the result.", show_default="READER itself"),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the reliability diagram in cross-validation (.svg, .png or .pdf)."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Calibrate a reader: fit its probabilities, its null threshold, and operating points.

    All values are stored in its quoth.json, which every command, interface and engine uses. The threshold needs
    unanswerable questions, in DATA or in PAIRS; without them it does not change. --null-threshold stores the given
    threshold instead of the one with the best F1.

    With --corpus, only the settings of quoth ask --corpus are fitted: how answers from several passages are compared,
    their probabilities, and their null threshold.

    Example: [cyan]quoth calibrate reader --data held-out.json --unanswerable pairs.json --max-cost 0.3[/cyan]
    """
    from quoth.calibrating import calibrate as run, calibrate_for_corpus
    from quoth.cli.progress import reading_bar
    from quoth.errors import ConfigError
    from quoth.evaluation.plots import check_plot, plot_bins

    if corpus is not None:
        others = (unanswerable, max_cost, unanswerable_share, null_threshold, min_probability, plot)
        if any(value is not None for value in others):
            raise ConfigError(
                "--corpus and --unanswerable, --max-cost, --unanswerable-share, --null-threshold, --min-probability or "
                "--plot must not be given together"
            )
        with reading_bar() as progress:
            fitted = calibrate_for_corpus(
                reader, data, corpus, every=every or 1, right_f1=right_f1, out=out, progress=progress
            )
        if json:
            print_json({"folder": str(fitted.folder), **fitted.to_dict()})
        else:
            _print_corpus_fit(fitted.fit)
            typer.echo(str(fitted.folder))
        return
    if every is not None:
        raise ConfigError("--every must be given with --corpus, but is given without it")
    if plot:
        check_plot(plot)
    with reading_bar() as progress:
        result = run(
            reader,
            data,
            unanswerable=unanswerable or (),
            max_cost=max_cost,
            right_f1=right_f1,
            unanswerable_share=0.5 if unanswerable_share is None else unanswerable_share,
            null_threshold=options.null_threshold(null_threshold),
            min_probability=min_probability,
            out=out,
            progress=progress,
        )
    if plot:
        plot_bins(result.fit.bins, plot, title="answerable questions, in cross-validation")
    if json:
        print_json({"folder": str(result.folder), **result.to_dict()})
    else:
        _print_fit(result.fit)
        typer.echo(str(result.folder))


def _print_corpus_fit(result: CorpusFit) -> None:
    """Print a summary of the fit for a corpus."""
    found = result.settings
    note(
        f"Search weight {found.search_weight:g}, null weight {found.null_weight:g}: exact match {result.exact:.1f}, "
        f"before {result.exact_before:.1f}; {result.questions:,} questions, {result.passages} passages each"
    )
    fitted = result.probability
    note(
        f"Temperature {found.temperature:.3f}, odds scale {found.odds_scale:.2f}: expected calibration error "
        f"{fitted.ece_after:.4f}; {fitted.ece_crossvalidated:.4f} in cross-validation"
    )
    if result.threshold:
        note(
            f"Null threshold {found.null_threshold}: abstains from {result.threshold.declined:.1%} of the questions "
            f"if no passage contains the answer, and from {1 - result.threshold.kept:.1%} of the others"
        )
    for warning in result.warnings:
        note(f"Warning: {warning}")


def _between(interval: Sequence[float | str] | None) -> str:
    """Return an interval in brackets; an end may be "never"."""
    ends = (end if isinstance(end, str) else f"{end:.2f}" for end in interval or ())
    return f"[{', '.join(ends)}]"


def _print_fit(result: Fit) -> None:
    """Print a summary of the fit."""
    found, (low, high) = result.probability, result.probability.ece_interval
    note(
        f"Temperature {found.temperature:.3f} {_between(found.temperature_interval)}, odds scale "
        f"{found.odds_scale:.2f} {_between(found.odds_scale_interval)}; in brackets, 95% intervals"
    )
    note(
        f"Expected calibration error on {found.questions:,} questions: {found.ece_crossvalidated:.3f} [{low:.3f}, "
        f"{high:.3f}] in cross-validation, {found.ece_before:.3f} before"
    )
    if threshold := result.threshold:
        value = threshold.threshold if isinstance(threshold.threshold, str) else f"{threshold.threshold:.3f}"
        note(
            f"Null threshold {value} {_between(result.threshold_interval)}: abstains from {threshold.declined:.1%} of "
            f"the unanswerable questions and from {1 - threshold.kept:.1%} of the others, a loss of "
            f"{threshold.cost:.2f} F1"
        )
    note(f"Operating points, with {result.unanswerable_share:.0%} of the questions unanswerable:")
    note(f"{'precision':>10}  {'--min-probability':>17}  questions answered")
    for point in result.points:
        if point.min_probability is None or point.answered_interval is None:
            note(f"{point.precision:>10.0%}  {'not reached':>17}")
            continue
        low, high = point.answered_interval
        note(f"{point.precision:>10.0%}  {point.min_probability:>17.3f}  {point.answered:.1%} [{low:.1%}, {high:.1%}]")
    if chosen := result.chosen:
        right = "no answer" if chosen.reached is None else f"{chosen.reached:.1%} of the answers are correct"
        note(
            f"At --min-probability {chosen.min_probability:g}: {right}, {chosen.answered:.1%} of the questions answered"
        )
    for warning in result.warnings:
        note(f"Warning: {warning}")
