"""``quoth answer``: a resumable job over tables of any size."""

from __future__ import annotations

import inspect
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quoth.cli.console import note, print_json, stderr
from quoth.cli.flags import add_command, flags_of, parameter
from quoth.config import ABOVE_ZERO, COUNT, SHARE, OneOf, rule_problems
from quoth.display import count
from quoth.errors import ConfigError

if TYPE_CHECKING:
    from quoth.tables import TableSettings
    from quoth.tables.job import Counts, Job, Status, Summary
    from quoth.tables.job.run import Engine

app = typer.Typer(add_completion=False)

# Interval of progress messages without a terminal, in seconds.
_EVERY = 30
_FORMATS = ("csv", "jsonl")


@dataclass(frozen=True, slots=True)
class JobFlags:
    """The settings of a job; the text of each field is the help of its flag.

    Raises:
        ConfigError: If a value is out of its range.
    """

    question_column: Annotated[str, "The column of the questions."] = "question"
    context_column: Annotated[str, "The column of the texts."] = "context"
    ask: Annotated[Path | None, "Ask these questions about every text: one per line, or JSON with names."] = None
    wide: Annotated[bool, "With --ask: one row per text, not per question."] = False
    columns: Annotated[str | None, "Columns to keep, separated by commas; default: all."] = None
    prefix: Annotated[str | None, "Prefix of the name of each new column."] = None
    top_k: Annotated[int, "Maximum number of answers; above 1, there is also a column of lists.", COUNT] = 1
    min_probability: Annotated[float | None, "Abstain if the best answer's probability is below this.", SHARE] = None
    max_context_chars: Annotated[int | None, "Maximum length of a text; a longer one is an error.", COUNT] = None
    reader: Annotated[str | None, "Folder or hub name of a reader; default: the shipped reader."] = None
    engine: Annotated[str, "Engine: openvino, onnxruntime, torch; auto: the fastest on this kind of CPU."] = "auto"
    precision: Annotated[str | None, "float32, bfloat16 or float16; default: the fastest on this kind of CPU."] = None
    threads: Annotated[int, "Number of threads of each worker.", COUNT] = 1
    workers: Annotated[int | None, "Number of workers; default: as many as cores and threads allow.", COUNT] = None
    ray: Annotated[str | None, "Run the shards on a Ray cluster: its address, auto, or local."] = None
    num_cpus: Annotated[
        float | None, "With --ray: number of cores to reserve for a worker; default: --threads.", ABOVE_ZERO
    ] = None
    rows_per_shard: Annotated[int | None, "Number of rows per file; default: about 4,096 questions.", COUNT] = None
    retry_errors: Annotated[bool, "Repeat shards with errors; --max-context-chars may differ."] = False
    fail_on_errors: Annotated[bool, "Exit with status 1 if a row could not be read."] = False
    output_format: Annotated[
        str | None, "Also merge all shards into DIR/_answers.csv (csv) or .jsonl (jsonl).", OneOf(_FORMATS)
    ] = None
    excel_safe: Annotated[bool, "In CSV, put an apostrophe before cells that begin like formulas."] = False
    dry_run: Annotated[bool, "Only print what would be done."] = False
    json: Annotated[bool, "Print the summary as JSON."] = False

    def __post_init__(self) -> None:
        if problems := rule_problems(self, lambda name: f"--{name.replace('_', '-')}"):
            raise ConfigError("; ".join(problems))

    def settings(self) -> TableSettings:
        """Return the settings of the table."""
        from quoth.tables import ReaderChoice, TableSettings
        from quoth.tables.ask import read_questions

        return TableSettings(
            question=self.question_column,
            context=self.context_column,
            questions=() if self.ask is None else read_questions(self.ask),
            wide=self.wide,
            columns=None
            if self.columns is None
            else [name.strip() for name in self.columns.split(",") if name.strip()],
            prefix=self.prefix or "",
            top_k=self.top_k,
            min_probability=self.min_probability,
            max_context_chars=self.max_context_chars,
            reader=ReaderChoice(self.reader, self.engine, self.precision, self.threads),
        )


def answer(**flags: Any) -> None:
    """Answer the questions of a table of any size, with several workers; a stopped job can be resumed.

    The output has the rows in the same order, with the answers as new columns, in one Parquet file per shard. If the
    job is stopped by a signal, a crash or a full disk, the same command resumes it. A row that cannot be read has an
    error_code.

    Example: [cyan]quoth answer contracts.parquet --context-column body --ask questions.txt -o answers[/cyan]
    """
    from quoth.tables.job import Job, inspect_job
    from quoth.tables.job.merge import merge

    tables, output = flags.pop("tables"), flags.pop("output")
    given = JobFlags(**{name: value for name, value in flags.items() if value is not None})
    job = Job(tuple(tables), output, given.settings(), given.rows_per_shard, given.workers, given.retry_errors)
    if given.dry_run:
        _print_plan(inspect_job(job), job, given.json)
        return
    summary = _run(job, given.ray, given.num_cpus or given.threads)
    if given.output_format is not None:
        merged = merge(inspect_job(job).plan, given.output_format, excel_safe=given.excel_safe)
        note(f"joined: {merged}")
    _print_summary(summary, output, given.json)
    if given.fail_on_errors and summary.counts.failed:
        raise typer.Exit(1)


def _parameters() -> list[inspect.Parameter]:
    """Return the parameters of the command: the files, then a flag for each setting."""
    tables = typer.Argument(
        metavar="TABLE...",
        help="Parquet, CSV, JSON lines or Arrow files; folders or globs of them; s3:// and gs:// too.",
    )
    output = typer.Option("--output", "-o", metavar="DIR", help="The folder of the shards; s3:// and gs:// too.")
    return [
        parameter("tables", list[str], tables, inspect.Parameter.empty),
        parameter("output", str, output, inspect.Parameter.empty),
        *flags_of(JobFlags),
    ]


def _run(job: Job, ray: str | None, num_cpus: float) -> Summary:
    """Run the job with a progress bar on a terminal, or else with a message every few seconds."""
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
        return run(job, _ProgressPrinter(bar), engine)


class _ProgressPrinter:
    """Sums up the progress of the workers."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._begun = self._told = time.monotonic()
        self._done: Counts | None = None
        self._now: Counts | None = None
        self._open: dict[int, Counts] = {}

    def __call__(self, status: Status, news: Any) -> None:
        from quoth.tables.job import Counts

        if news is None:
            self._done, self._now = status.done, Counts()
            rows = self._done.rows
            if status.shards_done:
                done = f"{status.shards_done:,} of {status.plan.shards:,} shards are already done"
                note(f"{done} ({count(rows, 'row')})")
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
        self._print_progress(status, counts, self._done + counts)

    def _print_progress(self, status: Status, now: Counts, everything: Counts) -> None:
        clock = time.monotonic()
        rate = now.rows / max(clock - self._begun, 1e-9)
        self._bar.update(self._task, completed=everything.rows, rate=rate, errors=everything.failed)
        if self._bar.disable and clock - self._told > _EVERY:
            self._told = clock
            total = status.plan.table.rows
            left = (total - everything.rows) / rate / 60 if rate else 0.0
            note(
                f"{everything.rows:,} of {count(total, 'row')}, {rate:,.0f} a second, "
                f"{count(everything.failed, 'error')}, {left:,.0f} minutes left"
            )


def _print_plan(status: Status, job: Job, as_json: bool) -> None:
    plan, threads = status.plan, job.settings.reader.threads
    assert threads is not None  # the flag has a default
    questions = plan.table.rows * max(1, len(job.settings.asked))
    facts = {
        "files": len(plan.table.files),
        "rows": plan.table.rows,
        "questions": questions,
        "shards": plan.shards,
        "rows_per_shard": plan.rows_per_shard,
        "shards_done": status.shards_done,
        "workers": job.worker_count,
        "threads": threads,
    }
    if as_json:
        print_json(facts)
        return
    typer.echo(
        f"{count(plan.table.rows, 'row')} in {count(len(plan.table.files), 'file')}, {count(questions, 'question')}: "
        f"{count(plan.shards, 'shard')} of {count(plan.rows_per_shard, 'row')}, {status.shards_done:,} of them done; "
        f"{count(job.worker_count, 'worker')} of {count(threads, 'thread')}. Nothing was done."
    )


def _print_summary(summary: Summary, output: str, as_json: bool) -> None:
    if as_json:
        print_json(summary.to_dict())
        return
    counts = summary.counts
    errors = "".join(f"; {code} {number:,}" for code, number in counts.errors.items())
    note(
        f"{count(counts.rows, 'row')} in {count(summary.shards, 'shard')}: "
        f"{count(counts.answered, 'question')} answered, {counts.abstained:,} without an answer, "
        f"{count(counts.failed, 'error')}{errors}: {output}"
    )


add_command(app, answer, _parameters())
