"""``quoth data select``: selects the unlabelled questions to label next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quoth.cli.console import note
from quoth.cli.data import options
from quoth.display import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quoth.data.select import Selected


def select(
    file: options.File,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The tasks, as the tool imports them.")],
    tool: Annotated[
        str, typer.Option("--to", metavar="FORMAT", help="One of label-studio, argilla, doccano, haystack.")
    ] = "label-studio",
    marks: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write id, selected, probability and uncertainty of each question: CSV, for --slices-by.",
        ),
    ] = None,
    number: Annotated[int, typer.Option("--number", "-n", metavar="N", min=1, help="Number of questions.")] = 100,
    reader: Annotated[
        list[str] | None,
        typer.Option(
            metavar="READER", help="Reader that predicts the answers. May be given again, to use disagreement."
        ),
    ] = None,
    random_share: Annotated[
        float, typer.Option(metavar="X", min=0, max=1, help="Share of random questions, from 0 to 1.")
    ] = 0.25,
    hidden_share: Annotated[
        float, typer.Option(metavar="X", min=0, max=1, help="Share of tasks without a visible suggestion, from 0 to 1.")
    ] = 0.3,
    seed: Annotated[int, typer.Option(metavar="N", help="Random seed.")] = 0,
    sep: options.Sep = None,
    encoding: options.Encoding = None,
    excel_safe: options.ExcelSafe = False,
) -> None:
    """Select the unlabelled questions that are worth labelling next, and write them as tasks for a labelling tool.

    Most of them are the questions on which the readers are least certain, spread over articles, without near
    duplicates. The rest is drawn at random, and marked with the probability of being drawn: only metrics on these are
    valid for all questions. The first reader's answers are suggestions, hidden in a share of the tasks; doccano and
    Haystack's tool have no suggestions.

    Example: [cyan]quoth data select questions.csv -o tasks.json --number 200 --reader runs/1[/cyan]
    """
    from quoth.cli.outputs import check_different, check_outputs
    from quoth.cli.progress import reading_bar
    from quoth.data import read_examples
    from quoth.data.exchange import write_document
    from quoth.data.exchange.suggest import tasks_of
    from quoth.data.select import select as choose
    from quoth.errors import ConfigError
    from quoth.files import format_suffix
    from quoth.reader import Reader

    check_different({"FILE": file, "--out": out, "--marks": marks})
    check_outputs(out, marks)
    tasks_of([], "", tool)
    wanted = ".jsonl" if tool == "doccano" else ".json"
    if format_suffix(out) != wanted:
        raise ConfigError(f"{out}: the name of a file for {tool} must end in {wanted}")
    every = read_examples(file, sep=sep, encoding=encoding)
    examples = [example for example in every if example.golds is None]
    if len(examples) < len(every):
        note(f"{count(len(every) - len(examples), 'question')} skipped: already labelled.")
    if not examples:
        raise ConfigError(f"{file}: must have unlabelled questions to select from, but has none")
    names = reader or ["shipped"]
    predictions = []
    with reading_bar(len(examples) * len(names)) as progress:
        for name in names:
            predictions.append(list(Reader.load(name).answer_all(examples)))
            progress(len(predictions) * len(examples))
    selected = choose(predictions, number, random_share=random_share, hidden_share=hidden_share, seed=seed)
    write_document(tasks_of(selected, Path(names[0]).name, tool), out, tool)
    if marks:
        _write_marks(marks, selected, excel_safe)
    drawn = sum(each.why == "random" for each in selected)
    how = f"{len(selected) - drawn:,} by uncertainty, {drawn:,} at random"
    note(f"{count(len(selected), 'question')} of {len(examples):,}: {how}.")
    if len(selected) < number:
        why = (
            ["there are only these"] if len(examples) == len(selected) else ["the others are near duplicates of these"]
        )
        labelled = ["labelled questions are not selected"] * (len(examples) < len(every))
        note(f"requested {number:,}, but {' and '.join(why + labelled)}.")


def _write_marks(file: Path, selected: Sequence[Selected], safe: bool) -> None:
    """Write a table of the selected questions, whose second column is a label for ``evaluate --slices-by``."""
    import csv

    from quoth.data.exchange.suggest import selection_fields
    from quoth.display import excel_safe
    from quoth.evaluation.answer_files import text_file

    with text_file(file) as opened:
        writer = csv.writer(opened)
        writer.writerow(["id", "selected", "probability", "uncertainty"])
        rows = ([each.example.id, *selection_fields(each).values()] for each in selected)
        writer.writerows(map(excel_safe, row) if safe else row for row in rows)
