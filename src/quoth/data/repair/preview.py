"""A preview of a repair, which ``quoth data check`` prints."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from quoth.data.check import check
from quoth.data.read import Inspected
from quoth.data.repair.rules import RULES, Change
from quoth.data.repair.run import repair
from quoth.data.rows import Problems, shown
from quoth.display import count


@dataclass(frozen=True, slots=True)
class Preview:
    """The changes that a repair would make.

    Attributes:
        rows: Number of changed rows.
        rules: Number of changes by each rule.
        left: Number of rows that would still have an error.
    """

    rows: int
    rules: dict[str, int]
    left: int

    def __str__(self) -> str:
        """Return the preview as a sentence."""
        if not self.rows:
            return f"quoth data repair can repair none of {self.left:,} with problems; --drop removes them"
        rules = ", ".join(f"{rule} {number:,}" for rule, number in self.rules.items())
        left = f", and leave {self.left:,} with problems, which --drop removes" if self.left else ""
        return f"quoth data repair would change {count(self.rows, 'row')} ({rules}){left}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"rows": self.rows, "rules": self.rules, "left": self.left}


def preview(inspected: Inspected) -> Preview:
    """Repair the rows of a data set, and discard the result. Changes of rows without errors are added as warnings.

    If an answer is moved, the warning has both places, because the text is the same.
    """
    repaired = repair(inspected.rows)
    problems = inspected.problems
    wrong = {problem.where.partition(", id ")[0] for problem in problems.entries if problem.level == "error"}
    for change in repaired.changes:
        # The same answer twice is normal if annotators agree.
        if change.where not in wrong and change.rule != "golds":
            where = f"{change.where}, id {change.id}" if change.id.isprintable() else change.where
            problems.warn(where, f"{RULES[change.rule]}: {_as_text(change)}", change.rule)
    left = Problems(problems.source)
    check(repaired.rows, left)
    return Preview(
        len({change.where for change in repaired.changes}),
        dict(Counter(change.rule for change in repaired.changes)),
        len({problem.where for problem in left.entries}),
    )


def _as_text(change: Change) -> str:
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
