"""``quoth data describe``: counts, lengths and one example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from quoth.cli.console import print_json, stdout
from quoth.cli.data import options
from quoth.cli.data.show import table_of, value_text
from quoth.display import count, visible

if TYPE_CHECKING:
    from rich.table import Table

    from quoth.data import Description


def describe(
    file: options.File, json: options.Json = False, sep: options.Sep = None, encoding: options.Encoding = None
) -> None:
    """Describe a data set: counts, lengths, golds per question, positions of answers, and one complete example.

    Example: [cyan]quoth data describe dev-v2.0.json[/cyan]
    """
    from quoth.data import describe as describe_examples, read_examples

    description = describe_examples(read_examples(file, sep=sep, encoding=encoding))
    if json:
        print_json(description.to_dict())
    else:
        _print_description(description)


def _print_description(description: Description) -> None:
    console = stdout()
    document = description.to_dict()
    counts = ("articles", "contexts", "questions", "unanswerable", "unlabelled", "outer_white_space")
    names = {"outer_white_space": "questions with leading or trailing white space"}
    console.print(table_of("Counts", {names.get(name, name): value_text(document[name]) for name in counts}))
    golds = {count(number, "gold"): value_text(total) for number, total in description.golds_per_question.items()}
    if golds:
        console.print(table_of("Questions with", golds))
    console.print(_lengths_table(document))
    if total := sum(description.answer_position):
        shares = enumerate(description.answer_position)
        cells = {f"{10 * tenth}–{10 * tenth + 10}%": f"{number:,} ({number / total:.1%})" for tenth, number in shares}
        console.print(table_of("Where answers start in their context", cells))
    typer.echo(_example_text(document["example"]))


def _lengths_table(document: dict[str, Any]) -> Table:
    from rich.table import Table

    names = ("context_characters", "context_words", "question_words", "answer_words")
    table = Table("", *document[names[0]], title="Lengths", title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for name in names:
        lengths = document[name].values()
        cells = (f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" for value in lengths)
        table.add_row(name.replace("_", " "), *cells)
    return table


def _example_text(example: dict[str, Any]) -> str:
    """Return one complete example, line by line."""
    golds = example["golds"]
    lines = [f"{name:<9} {example[name]}" for name in ("id", "title", "context", "question")]
    if golds is None:
        lines.append("golds     none: unlabelled")
    elif not golds:
        lines.append("golds     none: unanswerable")
    for gold in golds or ():
        lines.append(f"gold      {gold['start']}–{gold['start'] + len(gold['text'])}: {gold['text']}")
    return "The first example\n\n" + visible("\n".join(lines))
