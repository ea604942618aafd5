"""``quoth data repair``: writes a copy of a data set with unambiguous problems repaired."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from quoth.cli.console import note
from quoth.cli.data import options
from quoth.display import count, visible


def repair(
    file: options.File,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="OUT", help="Output file: .json, .jsonl, .csv or .tsv, also with .gz."),
    ],
    log: Annotated[
        Path | None, typer.Option(metavar="LOG", help="Log file of all changes: JSON lines.", show_default=False)
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="RULE", help="Apply only this rule; may be given again.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option("--except", metavar="RULE", help="Do not apply this rule; may be given again.")
    ] = None,
    drop: Annotated[bool, typer.Option("--drop", help="Remove what cannot be repaired, and list it.")] = False,
    excel_safe: options.ExcelSafe = False,
    sep: options.Sep = None,
    encoding: options.Encoding = None,
) -> None:
    """Repair unambiguous problems of a data set. The exit status is 1 if problems are left, else 0.

    The rules are names, question-id, values, scalars, empty, edges, starts, bytes, utf-16, line-ends, near, elsewhere,
    look-alikes, entities, case, words, golds, rows and ids; see the guide. Nothing else is changed, and repairing the
    output again changes nothing.

    Example: [cyan]quoth data repair mine.csv -o repaired.json --log changes.jsonl --drop[/cyan]
    """
    from quoth.cli.outputs import check_different, check_outputs
    from quoth.data import inspect
    from quoth.data.check import check
    from quoth.data.repair import chosen_rules, drop_unrepaired, repair as repair_rows
    from quoth.data.rows import Problems
    from quoth.data.write import suffix_of, write_rows
    from quoth.errors import DataError
    from quoth.files import write_json_lines

    check_different({"FILE": file, "--out": out, "--log": log})
    check_outputs(out, log)
    suffix_of(out)
    rules = chosen_rules(only or (), without or ())
    inspected = inspect(file, sep=sep, encoding=encoding)
    if not inspected.rows:
        raise DataError(file, inspected.problems.sentences(), inspected.problems.lines())
    repaired = repair_rows(inspected.rows, rules)
    dropped = Problems("dropped")
    if drop:
        check(repaired.rows, dropped)
        repaired = drop_unrepaired(repaired, inspected.problems)
    left = Problems(file)
    left.entries.extend(inspected.unread)  # rules apply to rows, so these cannot be repaired
    check(repaired.rows, left)
    if not repaired.rows:
        raise DataError(file, [f"{file}: must have at least one question without problems for --drop, but has none"])
    write_rows(repaired.rows, out, excel_safe=excel_safe)
    if log:
        write_json_lines(log, (change.to_dict() for change in repaired.changes))
    rules_used = Counter(change.rule for change in repaired.changes)
    for rule, number in rules_used.items():
        typer.echo(f"{rule}: {count(number, 'change')}")
    for line in dropped.lines():
        note(visible(line))
    for line in left.lines():
        note(visible(line) + (" (not in the output)" if drop else ""))
    remaining = 0 if drop else len(left.entries)
    typer.echo(f"{out}: {count(len(repaired.rows), 'question')}, {count(remaining, 'problem')} left")
    if remaining:
        raise typer.Exit(1)
