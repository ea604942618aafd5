"""``quoth answer``: a resumable job over tables of any size."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quoth.cli import options
from quoth.cli.console import note, print_json, stderr

if TYPE_CHECKING:
    from quoth.tables.job import Counts, Job, Status, Summary
    from quoth.tables.job.run import Engine

app = typer.Typer(add_completion=False)

# How often a line tells of the progress where there is no terminal for a bar, in seconds.
_EVERY = 30


@app.command()
def answer(
    tables: Annotated[
        list[str],
        typer.Argument(
            metavar="TABLE...",
            help="Parquet, CSV, JSON lines or Arrow files; folders or globs of them; s3:// and gs:// too.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The folder of the shards.")],
    question_column: Annotated[str, typer.Option(metavar="NAME", help="The column of the questions.")] = "question",
    context_column: Annotated[str, typer.Option(metavar="NAME", help="The column of the texts.")] = "context",
    ask: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Questions for every text, instead: one per line, or JSON with names."),
    ] = None,
    wide: Annotated[bool, typer.Option("--wide", help="With --ask: one row per text, not per question.")] = False,
    columns: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="Columns to keep.", show_default="all")
    ] = None,
    prefix: Annotated[str, typer.Option(metavar="TEXT", help="Put before the name of each new column.")] = "",
    top_k: Annotated[int, typer.Option(metavar="N", min=1, help="How many answers: above 1, a column of lists.")] = 1,
    min_probability: Annotated[
        float | None, typer.Option(metavar="P", help="Abstain if the best answer is less probable.")
    ] = None,
    max_context_chars: Annotated[
        int | None, typer.Option(metavar="N", help="A longer text is an error.", show_default="no limit")
    ] = None,
    reader: Annotated[
        str | None,
        typer.Option(metavar="READER", help="Folder or hub name of a reader.", show_default="the shipped reader"),
    ] = None,
    engine: options.Engine = "auto",
    precision: options.Precision = None,
    threads: Annotated[int, typer.Option(metavar="N", min=1, help="Threads of each worker.")] = 1,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="How many workers.", show_default="as cores and threads allow"),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Do the shards on a Ray cluster: its address, auto, or local."),
    ] = None,
    num_cpus: Annotated[
        float | None,
        typer.Option(metavar="N", help="With --ray: cores that are reserved for a worker.", show_default="--threads"),
    ] = None,
    rows_per_shard: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Rows in each file.", show_default="about 4,096 questions")
    ] = None,
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="Do shards that hold errors again; --max-context-chars may differ.")
    ] = False,
    fail_on_errors: Annotated[
        bool, typer.Option("--fail-on-errors", help="Exit with 1 if a row could not be read.")
    ] = False,
    output_format: Annotated[
        str | None,
        typer.Option(metavar="csv|jsonl", help="At the end, join all shards into DIR/answers.csv or .jsonl."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Answer the questions of a table of any size: in shards, by several workers, and resumable.

    The rows come out in their order, with their answers as new columns, in one Parquet file per shard. The same command
    goes on where it was stopped: by a signal, a crash or a full disk. A row that cannot be read has an error_code.

    Example: [cyan]quoth answer contracts.parquet --context-column body --ask questions.txt -o answers[/cyan]
    """
    from quoth.tables import ReaderChoice, TableSettings
    from quoth.tables.ask import read_questions
    from quoth.tables.job import Job, look
    from quoth.tables.job.merge import check_format, merge

    if output_format is not None:
        check_format(output_format)
    settings = TableSettings(
        question=question_column,
        context=context_column,
        questions=() if ask is None else read_questions(ask),
        wide=wide,
        columns=None if columns is None else [name for name in columns.split(",") if name],
        prefix=prefix,
        top_k=top_k,
        min_probability=min_probability,
        max_context_chars=max_context_chars,
        reader=ReaderChoice(reader, engine, precision, threads),
    )
    job = Job(tuple(tables), output, settings, rows_per_shard, workers, retry_errors)
    if dry_run:
        _print_plan(look(job), job, as_json)
        return
    summary = _run(job, ray, num_cpus or threads)
    if output_format is not None:
        note(f"joined: {merge(look(job).plan, output_format)}")
    _print_summary(summary, output, as_json)
    if fail_on_errors and summary.counts.failed:
        raise typer.Exit(1)


def _run(job: Job, ray: str | None, num_cpus: float) -> Summary:
    """Run the job with a bar on a terminal, or a line now and then elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from quoth.tables.job import run
    from quoth.tables.job.local import run_local

    engine: Engine = run_local
    if ray is not None:
        from quoth.tables.ray import RayEngine

        engine = RayEngine(ray, num_cpus)
    bar = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows · {task.fields[rate]:,.0f} a second · {task.fields[errors]:,} errors ·"),
        TimeRemainingColumn(),
        console=stderr(),
        disable=not sys.stderr.isatty(),
        transient=True,
        speed_estimate_period=600,
    )
    with bar:
        return run(job, _Follower(bar), engine)


class _Follower:
    """Adds up what the workers tell."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._begun = self._told = time.monotonic()
        self._done: Counts | None = None
        self._now: Counts | None = None
        self._open: dict[int, Counts] = {}

    def __call__(self, status: Status, news: Any) -> None:
        from quoth.tables.job import Counts

        if news is None:
            self._done, self._now = sum(status.done.values(), Counts()), Counts()
            rows = self._done.rows
            if status.done:
                note(f"{len(status.done):,} of {status.plan.shards:,} shards are done already ({rows:,} rows)")
            self._task = self._bar.add_task(
                "", total=status.plan.table.rows, completed=rows, rate=0.0, errors=self._done.failed
            )
            return
        assert self._done is not None
        assert self._now is not None
        self._open[news.shard] = news.counts
        if news.is_done:
            self._now += self._open.pop(news.shard)
        counts = sum(self._open.values(), self._now)
        self._tell(status, counts, self._done + counts)

    def _tell(self, status: Status, now: Counts, everything: Counts) -> None:
        clock = time.monotonic()
        rate = now.rows / max(clock - self._begun, 1e-9)
        self._bar.update(self._task, completed=everything.rows, rate=rate, errors=everything.failed)
        if self._bar.disable and clock - self._told > _EVERY:
            self._told = clock
            total = status.plan.table.rows
            left = (total - everything.rows) / rate / 60 if rate else 0.0
            note(
                f"{everything.rows:,} of {total:,} rows, {rate:,.0f} a second, {everything.failed:,} errors, "
                f"{left:,.0f} minutes left"
            )


def _print_plan(status: Status, job: Job, as_json: bool) -> None:
    plan = status.plan
    facts = {
        "files": len(plan.table.files),
        "rows": plan.table.rows,
        "questions": plan.table.rows * max(1, len(job.settings.asked)),
        "shards": plan.shards,
        "rows_per_shard": plan.rows_per_shard,
        "shards_done": len(status.done),
        "workers": job.crew,
        "threads": job.settings.reader.threads,
    }
    if as_json:
        print_json(facts)
        return
    typer.echo(
        f"{facts['rows']:,} rows in {facts['files']:,} files, {facts['questions']:,} questions: "
        f"{plan.shards:,} shards of {plan.rows_per_shard:,} rows, {len(status.done):,} of them done; "
        f"{job.crew} workers of {job.settings.reader.threads} threads. Nothing was done."
    )


def _print_summary(summary: Summary, output: Path, as_json: bool) -> None:
    if as_json:
        print_json(summary.to_dict())
        return
    counts = summary.counts
    errors = "".join(f"; {code} {number:,}" for code, number in counts.errors.items())
    note(
        f"{counts.rows:,} rows in {summary.shards:,} shards: {counts.answered:,} questions answered, "
        f"{counts.abstained:,} without an answer, {counts.failed:,} errors{errors}: {output}"
    )
