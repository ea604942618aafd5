"""``quoth train``: trains a reader; the flags are generated from the configuration."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from quoth.cli.console import note, stderr
from quoth.cli.flags import add_command, flags_of, parameter
from quoth.training.config import TrainConfig, load_recipe
from quoth.training.sweep.plan import SweepPlan

app = typer.Typer(add_completion=False)


def train(**flags: Any) -> None:
    """Fine-tune an encoder on SQuAD-style data, and write a reader folder.

    Settings can also be in a recipe (TOML); flags override it. To continue a stopped run, use the same command with
    --resume. For several processes, use torchrun -m quoth train, or accelerate launch.

    Example: [cyan]quoth train train.json --dev dev.json --base distilbert-base-cased --out runs/1[/cyan]
    """
    data, dev, out = flags.pop("data"), flags.pop("dev"), flags.pop("out")
    recipe, resume, sweep, html = (flags.pop(name) for name in ("recipe", "resume", "sweep", "html"))
    _check_html(html, data, dev, sweep)
    values = load_recipe(recipe) if recipe else {}
    values.update({name: value for name, value in flags.items() if value is not None})
    TrainConfig.of(values, str(recipe) if recipe else "train")
    if sweep:
        _sweep(sweep, data, dev=dev, out=out, resume=resume, **values)
        return
    from quoth.training import train as run

    with _progress_shown() as draw:
        result = run(data, dev=dev, out=out, resume=resume, html=html, progress=draw, **values)
    if not _is_main_process():
        return
    if result.lost:
        note(
            f"{len(result.lost)} questions were trained as unanswerable, because no window contains their whole answer."
        )
    if result.f1 is not None:
        note(f"EM {result.exact:.2f}, F1 {result.f1:.2f} on {dev} (step {result.step}).")
    if result.before is not None and result.f1 is not None and result.f1 < result.before:
        note(f"Warning: before the first step, F1 on {dev} was {result.before:.2f}: training made the reader worse.")
    if "null_threshold" in result.scores:
        note(_about_threshold(result.scores))
    if html:
        note(f"Report: {html}")
    typer.echo(str(result.folder))


def _check_html(html: Path | None, data: list[str], dev: str | None, sweep: Path | None) -> None:
    """Check that a report can be written."""
    if html is None:
        return
    from quoth.cli.outputs import check_different
    from quoth.errors import ConfigError

    if sweep:
        raise ConfigError(
            "--html and --sweep cannot be used together: quoth evaluate --html reports on the best reader"
        )
    if dev is None:
        raise ConfigError("--html reports on the data of --dev: give both")
    inputs = {f"TRAIN {number}": file for number, file in enumerate(data, 1)}
    for name, file in {**inputs, "--dev": dev}.items():
        check_different({name: file, "--html": html})


def _about_threshold(scores: Mapping[str, float]) -> str:
    """Return a sentence about the null threshold that was chosen on dev."""
    always = "" if scores["HasAns_f1"] or scores["NoAns_f1"] < 100 else " There, this reader always abstains."
    return (
        f"These are at the best null threshold, {scores['null_threshold']:.2f}: F1 {scores['HasAns_f1']:.2f} on "
        f"answerable and {scores['NoAns_f1']:.2f} on unanswerable questions; without abstaining, "
        f"{scores['never_f1']:.2f} on all.{always} The threshold is stored in the reader. It was chosen on dev, so "
        "fit it on other questions with quoth calibrate."
    )


def _is_main_process() -> bool:
    """Return True in the main process of torchrun or accelerate, which prints messages."""
    return os.environ.get("RANK", "0") == "0"


def _sweep(file: Path, data: list[str], *, out: Path, **settings: Any) -> None:
    plan = SweepPlan.load(file)
    from quoth.training import run_sweep

    with _progress_shown() as draw:
        result = run_sweep(plan, data, out=out, progress=draw, **settings)
    note(result.table)
    best = result.rows[0]
    note(f"The best of {len(result.rows)} trials: EM {best.exact:.2f}, F1 {best.f1:.2f}.")
    typer.echo(str(result.folder))


@contextmanager
def _progress_shown() -> Iterator[Callable[[Any], None]]:
    """Show the progress as a bar on a terminal; elsewhere as a line after each new loss or evaluation."""
    if not sys.stderr.isatty():
        shown: list[Any] = [None]

        def line(progress: Any) -> None:
            state = (progress.loss, progress.evaluated)
            if state != shown[0]:
                note(str(progress))
            shown[0] = state

        yield line
        return
    from rich.progress import BarColumn, Progress, TextColumn

    with Progress(BarColumn(), TextColumn("{task.description}"), console=stderr()) as bar:
        task = bar.add_task("starting")
        yield lambda now: bar.update(task, total=now.steps, completed=now.step, description=str(now))


def _parameters() -> list[inspect.Parameter]:
    """Return the parameters of the command: the files, then a flag for each setting."""
    data = typer.Argument(metavar="TRAIN...", help="Training data: files, or hub:NAME:SPLIT.")
    out = typer.Option(help="Folder of the reader; checkpoints are stored below it.")
    dev = typer.Option(help="Data to evaluate on while training.")
    html = typer.Option(metavar="FILE", help="Write a report on --dev as one HTML page, with the learning curve.")
    recipe = typer.Option(help="TOML file of settings.")
    sweep = typer.Option(
        metavar="FILE", help="TOML file of a sweep: the fields to vary; the run with the best F1 on --dev is selected."
    )
    resume = typer.Option("--resume", help="Continue from the newest checkpoint.")
    return [
        parameter("data", list[str], data, inspect.Parameter.empty),
        parameter("out", Path, out, inspect.Parameter.empty),
        parameter("dev", str | None, dev),
        parameter("html", Path | None, html),
        parameter("recipe", Path | None, recipe),
        parameter("sweep", Path | None, sweep),
        parameter("resume", bool, resume, False),
        *flags_of(TrainConfig),
    ]


add_command(app, train, _parameters())
