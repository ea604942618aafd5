"""``quoth data``: what is wrong with a data set, what is in it, how it splits into windows, parts of it, and pairs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quoth.cli.console import note, print_json, stdout

if TYPE_CHECKING:
    from rich.table import Table

    from quoth.data import Description
    from quoth.records import Example

app = typer.Typer(
    help="Look at a data set before training: check it, describe it, cut it into windows or by articles.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
)

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

File = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="SQuAD JSON, JSON lines, CSV, TSV or Parquet, each also gzipped; or hub:NAME:SPLIT.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command()
def check(file: File, json: Json = False) -> None:
    """Print every problem of a data set, one a line. Exit 0 if there is none, 1 if there are some.

    Each line says where (file, line or article, id), what must be, and what is.

    Example: [cyan]quoth data check train.json[/cyan]
    """
    from quoth.data import describe, read_examples
    from quoth.drawing import visible
    from quoth.errors import DataError

    try:
        description = describe(read_examples(file))
    except DataError as error:
        if json:
            print_json({"source": file, "questions": None, "problems": list(error.problems)})
        else:
            typer.echo("\n".join(visible(problem) for problem in error.problems))
        note(f"{file}: {_count(len(error.problems), 'problem')}")
        raise typer.Exit(1) from None
    if json:
        print_json({"source": file, "questions": description.questions, "problems": []})
    else:
        parts = [(description.questions, "question"), (description.contexts, "context")]
        parts += [(description.articles, "article")] * bool(description.articles)
        typer.echo(f"{file}: no problems in " + ", ".join(_count(number, noun) for number, noun in parts))


@app.command()
def describe(file: File, json: Json = False) -> None:
    """Show what is in a data set: counts, lengths, golds per question, where answers stand, one example in full.

    Example: [cyan]quoth data describe dev-v2.0.json[/cyan]
    """
    from quoth.data import describe as describe_examples
    from quoth.data import read_examples

    description = describe_examples(read_examples(file))
    if json:
        print_json(description.to_json())
    else:
        _print_description(description)


@app.command()
def windows(
    file: File,
    tokenizer: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder with tokenizer.json, such as a reader's.", show_default=False)
    ],
    max_tokens: Annotated[
        int, typer.Option(metavar="N", min=1, help="Most tokens of a window, question included.")
    ] = 384,
    overlap: Annotated[
        int, typer.Option(metavar="N", min=0, help="Context tokens that neighbouring windows share.")
    ] = 128,
    json: Json = False,
) -> None:
    """Show how a data set splits into windows, and which golds get lost on the way.

    A reader sees a long context as several windows that overlap. A gold that no window holds whole is lost to
    training: a larger overlap brings it back.

    Example: [cyan]quoth data windows train.json --tokenizer my-reader --max-tokens 384 --overlap 128[/cyan]
    """
    from quoth.data import read_examples
    from quoth.reading import Tokenizer, Windower, survey

    windower = Windower(Tokenizer.load(tokenizer), max_tokens=max_tokens, overlap=overlap)
    document = survey(read_examples(file), windower).to_json()
    if json:
        print_json(document)
    else:
        stdout().print(_table("Windows", {name.replace("_", " "): _value(value) for name, value in document.items()}))


@app.command()
def split(
    file: File,
    titles: Annotated[Path, typer.Option(metavar="FILE", help="Titles of articles, one a line.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the two files; made if there is none.")
    ] = Path(),
) -> None:
    """Cut a data set in two: the named articles go to NAME.inside.json, all others to NAME.outside.json.

    Whole articles change sides, so that what is held out of training stays unseen.

    Example: [cyan]quoth data split train.json --titles held-out-titles.txt -o parts[/cyan]
    writes parts/train.inside.json and parts/train.outside.json.
    """
    from quoth.cli.files import check_different
    from quoth.data import read_examples, read_titles
    from quoth.data import split as split_examples
    from quoth.errors import ConfigError

    sides = ("inside", "outside")
    paths = {side: out / f"{_stem(file)}.{side}.json" for side in sides}
    check_different({"FILE": file, "--titles": titles, **{f"the part {side}": path for side, path in paths.items()}})
    wanted = read_titles(titles)
    parts = dict(zip(sides, split_examples(read_examples(file), wanted), strict=True))
    if empty := [side for side, examples in parts.items() if not examples]:
        raise ConfigError(f"{titles}: must name some articles of {file} and not all, but nothing is {empty[0]}")
    out.mkdir(parents=True, exist_ok=True)
    for side, examples in parts.items():
        _write_part(examples, paths[side])


@app.command()
def pairs(
    file: File,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where the pairs go.", show_default=False)],
    share: Annotated[
        float, typer.Option(metavar="X", help="Pairs for each answerable question, above 0 and at most 1.")
    ] = 0.3,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the draw.")] = 0,
) -> None:
    """Make unanswerable questions: each asked of another paragraph of its article that shares its words but no gold.

    They teach a reader to abstain, and measure whether it does. The file is SQuAD v2.0 JSON and holds the pairs alone.

    Example: [cyan]quoth data pairs train.json -o pairs.json --share 0.3[/cyan]
    """
    from quoth.cli.files import check_different
    from quoth.data import read_examples, unanswerable_pairs

    check_different({"FILE": file, "--out": out})
    _write_part(unanswerable_pairs(read_examples(file), share=share, seed=seed), out)


def _write_part(examples: list[Example], path: Path) -> None:
    from quoth.data import write_squad

    write_squad(examples, path)
    articles = len({example.title for example in examples})
    typer.echo(f"{path}: {_count(len(examples), 'question')}, {_count(articles, 'article')}")


def _stem(file: str) -> str:
    """Return the name of the data set without folder and suffixes: ``train`` for ``data/train.json.gz``."""
    if file.startswith("hub:"):
        return re.sub(r"[^\w.-]+", "-", file.removeprefix("hub:"))
    return re.sub(r"(\.(json|jsonl|ndjson|csv|tsv|parquet))?(\.gz)?$", "", Path(file).name, flags=re.IGNORECASE)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _value(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value[:10])) + (f" and {len(value) - 10:,} more" if len(value) > 10 else "")
    return f"{value:,.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _table(title: str, cells: dict[str, str]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, cell in cells.items():
        table.add_row(name, Text(cell))
    return table


def _print_description(description: Description) -> None:
    console = stdout()
    document = description.to_json()
    counts = ("articles", "contexts", "questions", "unanswerable", "unlabelled", "outer_white_space")
    names = {"outer_white_space": "questions with outer white space"}
    console.print(_table("Counts", {names.get(name, name): _value(document[name]) for name in counts}))
    golds = {_count(number, "gold"): _value(total) for number, total in description.golds_per_question.items()}
    if golds:
        console.print(_table("Questions with", golds))
    console.print(_lengths_table(document))
    if total := sum(description.answer_position):
        shares = enumerate(description.answer_position)
        cells = {f"{10 * tenth}–{10 * tenth + 10} %": f"{number:,} ({number / total:.1%})" for tenth, number in shares}
        console.print(_table("Where answers start in their context", cells))
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
    """Return one example in full, line by line; control characters, which could move the cursor, as U+FFFD."""
    golds = example["golds"]
    lines = [f"{name:<9} {example[name]}" for name in ("id", "title", "context", "question")]
    if golds is None:
        lines.append("golds     none: unlabelled")
    elif not golds:
        lines.append("golds     none: unanswerable")
    for gold in golds or ():
        lines.append(f"gold      {gold['start']}–{gold['start'] + len(gold['text'])}: {gold['text']}")
    return "The first example\n\n" + _CONTROL.sub("\ufffd", "\n".join(lines))
