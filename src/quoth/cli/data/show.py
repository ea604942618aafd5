"""Helpers of the ``quoth data`` commands: print counts and tables, and write parts of a data set."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from quoth.display import count, visible

if TYPE_CHECKING:
    from rich.table import Table

    from quoth.records import Example

_SUFFIXES = re.compile(r"(\.(json|jsonl|ndjson|csv|tsv|parquet|xlsx))?(\.gz)?$", re.IGNORECASE)


def write_part(examples: list[Example], path: Path) -> None:
    """Write examples as SQuAD JSON, and print the file's name and contents."""
    from quoth.data import write_squad

    write_squad(examples, path)
    articles = len({example.title for example in examples})
    typer.echo(f"{path}: {count(len(examples), 'question')}, {count(articles, 'article')}")


def stem(file: str) -> str:
    """Return the name of the data set without folder and suffixes: ``train`` for ``data/train.json.gz``."""
    if file.startswith("hub:"):
        return re.sub(r"[^\w.-]+", "-", file.removeprefix("hub:"))
    return _SUFFIXES.sub("", Path(file).name)


def value_text(value: object) -> str:
    """Return a number with commas, or the first ten values of a list."""
    if isinstance(value, list):
        return " ".join(map(str, value[:10])) + (f" and {len(value) - 10:,} more" if len(value) > 10 else "")
    return f"{value:,.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def table_of(title: str, cells: dict[str, str]) -> Table:
    """Return a table of names and values."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, cell in cells.items():
        table.add_row(name, Text(visible(cell)))
    return table
