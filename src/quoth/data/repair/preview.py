"""What a repair would change, for the check to say."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from quoth.data.check import check
from quoth.data.read import Inspected
from quoth.data.repair.rules import RULES, Change
from quoth.data.repair.run import repair
from quoth.data.rows import Problems, shown


@dataclass(frozen=True, slots=True)
class Preview:
    """What a repair would change.

    Attributes:
        rows: How many rows.
        rules: How many changes by each rule.
        left: How many rows would still hold an error.
    """

    rows: int
    rules: dict[str, int]
    left: int

    def __str__(self) -> str:
        """Say it in a sentence."""
        if not self.rows:
            return f"quoth data repair can repair none of {self.left:,} with problems; --drop takes them out"
        rules = ", ".join(f"{rule} {number:,}" for rule, number in self.rules.items())
        rows = f"{self.rows:,} row" + ("s" if self.rows != 1 else "")
        left = f", and leave {self.left:,} with problems, which --drop takes out" if self.left else ""
        return f"quoth data repair would change {rows} ({rules}){left}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"rows": self.rows, "rules": self.rules, "left": self.left}


def preview(inspected: Inspected) -> Preview:
    """Repair the rows of a data set, and throw the result away; changes of rows without errors become warnings.

    An answer that moves is said with its places, since its text stays the same.
    """
    repaired = repair(inspected.rows)
    problems = inspected.problems
    wrong = {problem.where.partition(", id ")[0] for problem in problems.noted if problem.level == "error"}
    for change in repaired.changes:
        # Annotators who agree give the same answer twice, which is no fault.
        if change.where not in wrong and change.rule != "golds":
            where = f"{change.where}, id {change.id}" if change.id.isprintable() else change.where
            problems.warn(where, f"{RULES[change.rule]}: {_said(change)}", change.rule)
    left = Problems(problems.source)
    check(repaired.rows, left)
    return Preview(
        len({change.where for change in repaired.changes}),
        dict(Counter(change.rule for change in repaired.changes)),
        len({problem.where for problem in left.noted}),
    )


def _said(change: Change) -> str:
    before, after = (
        shown(value["text"]) if isinstance(value, dict) and "text" in value else shown(value)
        for value in (change.before, change.after)
    )
    if change.rule == "rows":
        return str(change.before)
    if before == after and isinstance(change.before, dict):
        before, after = (
            f"{text} at {value['answer_start']}" for text, value in ((before, change.before), (after, change.after))
        )
    return f"{before}; repair writes {after}"
