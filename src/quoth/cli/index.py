"""``quoth index``: adds files to a corpus, removes them, or lists them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quoth.cli import options
from quoth.cli.console import note, print_json

if TYPE_CHECKING:
    from quoth.corpus import Corpus

app = typer.Typer(add_completion=False)


@app.command()
def index(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="FILES", help="Files, folders and patterns.", show_default=False)
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="CORPUS", help="The corpus; created if it does not exist.")
    ] = "corpus.quoth",
    remove: Annotated[bool, typer.Option("--remove", help="Remove the files from the corpus.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="List the documents of the corpus.")] = False,
    search: Annotated[
        str | None,
        typer.Option(
            metavar="ENGINE",
            help="Search engine of the file: fts5, or tantivy for more than about 20,000 passages. Rebuilds the index.",
            show_default="as stored",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Add files to a corpus, to search it and ask questions. Unchanged files are not read again.

    Documents whose files are no longer in a given folder are removed.
    A corpus is one file, or a PostgreSQL database that several machines share (postgresql://…).
    Indexing can be stopped at any moment; the next run continues.

    Exit 1 if a file could not be read (the others are indexed), 2 for wrong use.

    Example: [cyan]quoth index contracts/ notes.md -o contracts.quoth[/cyan]
    """
    from quoth.corpus import SEARCH_ENGINES, Corpus
    from quoth.errors import ConfigError

    if not files and not listing and not search:
        raise ConfigError("index: must have files to index, but has none. Give some, or --list")
    if remove and listing:
        raise ConfigError("--remove and --list must not be given together")
    if search not in (None, *SEARCH_ENGINES):
        raise ConfigError(f"--search must be {' or '.join(SEARCH_ENGINES)}, but is {search}")
    if files and not remove and not listing:
        _check_files(files, output)
    with Corpus.open(output, create=bool(files) and not (remove or listing), search=search) as corpus:
        if listing:
            _list(corpus, json)
        elif remove:
            _remove(corpus, files or [], json)
        else:
            _add(corpus, files or [], json)


def _check_files(files: list[str], output: str) -> None:
    """Check that there is a file to index, so that a wrong name does not create an empty corpus.

    Raises:
        InputError: If there is none, and no corpus.
    """
    from quoth.documents import Unread, find_files
    from quoth.errors import InputError

    if "://" in output or Path(output).exists():  # a database may have a corpus, whose documents may be removed
        return
    problems = []
    for found in find_files(files):
        if not isinstance(found, Unread):
            return
        problems.append(str(found))
    raise InputError("\n".join(problems) or f"{', '.join(files)}: must have files to index, but has none")


def _remove(corpus: Corpus, files: list[str], json: bool) -> None:
    missing: list[str] = []
    count = corpus.remove(files, missing.append)
    for name in missing:
        note(f"{name}: is not in the corpus")
    if json:
        print_json({"removed": count})
    else:
        typer.echo(f"{count} removed")
    if missing:
        raise typer.Exit(1)


def _add(corpus: Corpus, files: list[str], json: bool) -> None:
    result = corpus.add(files)
    problems = [str(problem) for problem in result.problems]
    for problem in problems:
        note(problem)
    counts = {"added": result.added, "changed": result.changed, "unchanged": result.unchanged}
    if json or result.removed:
        counts["removed"] = result.removed
    if json:
        print_json({**counts, "problems": problems})
    else:
        typer.echo(", ".join(f"{count} {name}" for name, count in counts.items()))
    if any(problem.is_error for problem in result.problems):
        raise typer.Exit(1)


def _list(corpus: Corpus, json: bool) -> None:
    from quoth.display import count, one_line

    entries = corpus.entries()
    if json:
        print_json({"documents": [entry.to_dict() for entry in entries]})
        return
    for entry in entries:
        typer.echo(f"{one_line(entry.name)}  {one_line(entry.title)}  ({count(entry.passages, 'passage')})")
