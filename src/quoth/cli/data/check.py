"""``quoth data check``: every problem of a data set, one a line."""

from __future__ import annotations

import typer

from quoth.cli.console import note, print_json
from quoth.cli.data import options
from quoth.cli.data.show import count


def check(
    file: options.File, json: options.Json = False, sep: options.Sep = None, encoding: options.Encoding = None
) -> None:
    """Print every problem of a data set. Exit 0 if there is no error, 1 if there are some.

    Each line says where (file, line or article, id), what must be, and what is; more than three problems of one cause
    share a line. Warnings are of what is odd, but can be read.

    Example: [cyan]quoth data check train.json[/cyan]
    """
    from quoth.data import describe, inspect
    from quoth.display import visible

    inspected = inspect(file, sep=sep, encoding=encoding)
    problems = inspected.problems
    errors, warnings = problems.sentences("error"), problems.sentences("warning")
    if json:
        questions = None if errors else len(inspected.examples)
        print_json({"source": file, "questions": questions, "problems": errors, "warnings": warnings})
    else:
        for line in problems.lines("error"):
            typer.echo(visible(line))
        for line in problems.lines("warning"):
            typer.echo(f"warning: {visible(line)}")
    if errors:
        note(f"{file}: {count(len(errors), 'problem')}")
        raise typer.Exit(1)
    if not json:
        found = describe(inspected.examples)
        parts = [(found.questions, "question"), (found.contexts, "context")]
        parts += [(found.articles, "article")] * bool(found.articles)
        what = count(len(warnings), "warning") if warnings else "no problems"
        typer.echo(f"{file}: {what} in " + ", ".join(count(number, noun) for number, noun in parts))
