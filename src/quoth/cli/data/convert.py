"""``quoth data convert``: converts files of labelling tools and other libraries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quoth.cli.console import note, print_json
from quoth.cli.data import options
from quoth.display import count, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quoth.data.exchange import Merged
    from quoth.data.exchange.tasks import Task

_FORMATS = "squad, flat, label-studio, doccano, argilla, haystack, simpletransformers, datasets"
_SHOWN = 10


def convert(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="An export; several files have the labels of several annotators."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="Output file.")],
    source: Annotated[
        str | None, typer.Option("--from", metavar="FORMAT", help=f"One of {_FORMATS}.", show_default="by its keys")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--to", metavar="FORMAT", help=f"One of {_FORMATS}.", show_default="squad or flat, by its name"),
    ] = None,
    annotators: Annotated[
        str,
        typer.Option(
            metavar="HOW", help="If annotators disagree: golds keeps all answers, conflict drops the question."
        ),
    ] = "golds",
    disagreements: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the questions on which annotators disagree: JSON lines.")
    ] = None,
    json: options.Json = False,
    excel_safe: options.ExcelSafe = False,
    sep: options.Sep = None,
    encoding: options.Encoding = None,
) -> None:
    """Convert labelled data between tools; no SDK is needed.

    The unit of offsets (code points, bytes, UTF-16 units, other line ends) is inferred from the text. Answers that are
    not in the text are errors. With several annotators, in one file or in one file each, their agreement is printed.

    Example: [cyan]quoth data convert export.json -o mine.json[/cyan]
    """
    from quoth.cli.outputs import check_different, check_outputs
    from quoth.data.check import check
    from quoth.data.exchange import merge, write_format
    from quoth.data.exchange.annotators import join_files
    from quoth.data.rows import Problems
    from quoth.data.write import row_of
    from quoth.errors import ConfigError, DataError
    from quoth.evaluation.metrics import exact_and_f1, rules_for_texts
    from quoth.files import format_suffix, write_json_lines

    if annotators not in ("golds", "conflict"):
        raise ConfigError(f"--annotators must be golds or conflict, but is {annotators!r}")
    names = {f"FILE {number}": file for number, file in enumerate(files, 1)}
    check_different({**names, "--out": out, "--disagreements": disagreements})
    check_outputs(disagreements)
    target = target or ("squad" if format_suffix(out) == ".json" else "flat" if out.suffix else "datasets")
    tasks = [_read(file, source, sep, encoding) for file in files]
    problems = Problems(files[0])
    joined = join_files(tasks, [Path(file).name for file in files], problems)

    def compared(text: str, golds: Sequence[str]) -> tuple[bool, float]:
        return exact_and_f1(text, golds, rules_for_texts(golds))

    merged = merge(joined, compared, annotators)  # type: ignore[arg-type]
    places = {task.id: task.where for task in joined}
    check([row_of(each, places[each.id]) for each in merged.examples], problems)
    if not merged.examples and not problems.errors:
        problems.add("", "must have at least one question on which annotators agree, but has none")
    if problems.errors:
        raise DataError(files[0], problems.sentences(), problems.lines())
    write_format(merged.examples, out, target, excel_safe=excel_safe)
    differing = [each.to_dict() for each in merged.disagreements]
    if disagreements:
        write_json_lines(disagreements, differing)
    if json:
        document = {"questions": len(merged.examples), "agreement": merged.agreement.to_dict()}
        print_json({**document, "disagreements": differing})
    else:
        _print(out, merged)


def _read(file: str, source: str | None, sep: str | None, encoding: str | None) -> list[Task]:
    """Read one export, and print its warnings.

    Raises:
        DataError: If it has errors.
    """
    from quoth.data.exchange import read_tasks
    from quoth.data.rows import Problems
    from quoth.errors import DataError

    problems = Problems(file)
    tasks = read_tasks(file, problems, source, sep=sep, encoding=encoding)
    for line in problems.lines("warning"):
        note(f"warning: {visible(line)}")
    if problems.errors:
        raise DataError(file, problems.sentences(), problems.lines())
    return tasks


def _print(out: Path, merged: Merged) -> None:
    agreement = merged.agreement
    if agreement.questions:
        shown = [("exact match", agreement.exact), ("F1", agreement.f1), ("answerability", agreement.answerability)]
        parts = ", ".join(f"{name} {value:.1f}" for name, value in shown if value is not None)
        typer.echo(f"agreement on {count(agreement.questions, 'question')} of several annotators: {parts}")
    for each in merged.disagreements[:_SHOWN]:
        answers = " | ".join(f"{who or '?'}: {_as_text(golds)}" for who, golds in each.task.labels)
        left = ", dropped" if each.is_left_out else ""
        typer.echo(visible(f"disagree about the {each.kind}{left}: id {each.task.id}: {each.task.question} {answers}"))
    if (more := len(merged.disagreements) - _SHOWN) > 0:
        typer.echo(f"... and {more:,} more; to write all of them, use --disagreements FILE")
    typer.echo(f"{out}: {count(len(merged.examples), 'question')}")


def _as_text(golds: tuple[object, ...]) -> str:
    return ", ".join(str(getattr(gold, "text", gold)) for gold in golds) or "no answer"
