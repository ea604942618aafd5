"""``quoth data repair``: a copy of a data set in which what is beyond doubt is repaired."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from quoth.cli.console import note
from quoth.cli.data import options
from quoth.cli.data.show import count
from quoth.display import visible


def repair(
    file: options.File,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="OUT", help="Where the repaired data go: .json, .jsonl, .csv or .tsv, also with .gz."
        ),
    ],
    log: Annotated[
        Path | None, typer.Option(metavar="LOG", help="Where every change goes: JSON lines.", show_default=False)
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="RULE", help="Apply this rule alone; may be given again.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option("--except", metavar="RULE", help="Do not apply this rule; may be given again.")
    ] = None,
    drop: Annotated[bool, typer.Option("--drop", help="Take out what cannot be repaired, and name it.")] = False,
    excel_safe: options.ExcelSafe = False,
    sep: options.Sep = None,
    encoding: options.Encoding = None,
) -> None:
    """Repair what is beyond doubt in a data set. Exit 0 if nothing is left to repair, 1 if something is.

    The rules are question-id, values, scalars, empty, edges, starts, bytes, utf-16, line-ends, near, elsewhere,
    look-alikes, entities, case, words, golds, rows and ids; the guide says what each does. Nothing else is touched,
    and running it again changes nothing.

    Example: [cyan]quoth data repair mine.csv -o repaired.json --log changes.jsonl --drop[/cyan]
    """
    from quoth.cli.outputs import check_different
    from quoth.data import inspect
    from quoth.data.check import check
    from quoth.data.repair import chosen_rules, drop_unrepaired
    from quoth.data.repair import repair as repair_rows
    from quoth.data.rows import Problems
    from quoth.data.write import suffix_of, write_rows
    from quoth.errors import DataError

    check_different({"FILE": file, "--out": out, "--log": log})
    suffix_of(out)
    rules = chosen_rules(only or (), without or ())
    inspected = inspect(file, sep=sep, encoding=encoding)
    if not inspected.rows:
        raise DataError(file, inspected.problems.sentences(), inspected.problems.lines())
    repaired = repair_rows(inspected.rows, rules)
    # What was wrong before there were rows, such as a line that is no JSON, no rule sees.
    checked = Problems(file)
    check(inspected.rows, checked)
    unread = [problem for problem in inspected.problems.noted if problem.level == "error"]
    unread = unread[: len(unread) - checked.errors]
    if drop:
        repaired = drop_unrepaired(repaired, inspected.problems)
    left = Problems(file)
    left.noted.extend(unread)
    check(repaired.rows, left)
    if not repaired.rows:
        raise DataError(file, [f"{file}: must hold a question without problems for --drop to keep, but holds none"])
    write_rows(repaired.rows, out, excel_safe=excel_safe)
    if log:
        _write_log(log, [change.to_dict() for change in repaired.changes])
    rules_used = Counter(change.rule for change in repaired.changes)
    for rule, number in rules_used.items():
        typer.echo(f"{rule}: {count(number, 'change')}")
    for change in repaired.changes:
        if change.rule == "drop":
            note(visible(f"dropped: {change.where}, id {change.id}: {change.before}"))
    for line in left.lines():
        note(visible(line) + (" (not in the output)" if drop else ""))
    remaining = 0 if drop else len(left.noted)
    typer.echo(f"{out}: {count(len(repaired.rows), 'question')}, {count(remaining, 'problem')} left")
    if remaining:
        raise typer.Exit(1)


def _write_log(path: Path, changes: list[dict[str, object]]) -> None:
    import json

    from quoth.files import whole_file

    with whole_file(path) as file:
        file.writelines(json.dumps(change) + "\n" for change in changes)
