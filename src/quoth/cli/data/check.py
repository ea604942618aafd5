"""``quoth data check``: every problem of a data set, one per line."""

from __future__ import annotations

import typer

from quoth.cli.console import note, print_json
from quoth.cli.data import options
from quoth.display import count


def check(
    file: options.File, json: options.Json = False, sep: options.Sep = None, encoding: options.Encoding = None
) -> None:
    """Print every problem of a data set. The exit status is 1 if there is an error.

    Each line has the place (file, line or article, id), what is expected, and what was found. More than three problems
    with the same cause share a line. Data with warnings can be read. The last line shows what quoth data repair would
    change.

    Example: [cyan]quoth data check train.json[/cyan]
    """
    from quoth.data import describe, inspect
    from quoth.data.repair.preview import preview
    from quoth.display import visible

    inspected = inspect(file, sep=sep, encoding=encoding)
    problems = inspected.problems
    changed = preview(inspected)
    errors, warnings = problems.sentences("error"), problems.sentences("warning")
    if json:
        questions = None if errors else len(inspected.examples)
        print_json(
            {
                "source": file,
                "questions": questions,
                "problems": errors,
                "warnings": warnings,
                "repair": changed.to_dict(),
            }
        )
    else:
        for line in problems.lines("error"):
            typer.echo(visible(line))
        for line in problems.lines("warning"):
            typer.echo(f"warning: {visible(line)}")
        if changed.rows or (changed.left and inspected.rows):
            typer.echo(f"{file}: {changed}")
    if errors:
        note(f"{file}: {count(len(errors), 'problem')}")
        raise typer.Exit(1)
    if not json:
        facts = describe(inspected.examples)
        parts = [(facts.questions, "question"), (facts.contexts, "context")]
        parts += [(facts.articles, "article")] * bool(facts.articles)
        what = count(len(warnings), "warning") if warnings else "no problems"
        typer.echo(f"{file}: {what} in " + ", ".join(count(number, noun) for number, noun in parts))
