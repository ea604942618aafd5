"""The trials of a sweep as a table, the best first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna import Study
from optuna.trial import FrozenTrial, TrialState

# Attributes of a trial in the database: its scores, or why it failed.
OUTCOME, REASON = "outcome", "reason"
_STATES = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


@dataclass(frozen=True, slots=True)
class TrialRow:
    """Result of a trial.

    Attributes:
        name: The name of its folder.
        values: Field to its value in this trial.
        state: "finished", "pruned" or "failed".
        f1: F1 of the best evaluation, or of the last one if the trial was pruned; ``None`` if it failed.
        exact: Exact match of the best evaluation; ``None`` unless it finished.
        seconds: Training time since the last resume; ``None`` unless it finished.
        reason: Why it failed.
    """

    name: str
    values: Mapping[str, Any]
    state: str
    f1: float | None = None
    exact: float | None = None
    seconds: float | None = None
    reason: str | None = None


def trial_name(number: int) -> str:
    """Return the name of a trial's folder; trials are numbered from 1."""
    return f"trial-{number:02}"


def done_trials(study: Study) -> list[FrozenTrial]:
    """Return the completed trials in order. Killed ones are not included: they run again."""
    return [
        trial
        for trial in study.get_trials(deepcopy=False, states=tuple(_STATES))
        if trial.state is not TrialState.FAIL or REASON in trial.user_attrs
    ]


def trial_rows(study: Study) -> tuple[TrialRow, ...]:
    """Return a row for each completed trial: finished ones first, sorted by F1 in descending order."""
    rows = [_row(trial, trial_name(number)) for number, trial in enumerate(done_trials(study), 1)]
    order = list(_STATES.values())
    return tuple(sorted(rows, key=lambda row: (order.index(row.state), -(row.f1 or 0.0), row.name)))


def _row(trial: FrozenTrial, name: str) -> TrialRow:
    state, values = _STATES[trial.state], trial.params
    if trial.state is TrialState.FAIL:
        return TrialRow(name, values, state, reason=trial.user_attrs[REASON])
    # A pruned trial has no outcome; its value is the score of its last evaluation.
    outcome = trial.user_attrs.get(OUTCOME, {})
    return TrialRow(name, values, state, trial.value, outcome.get("exact"), outcome.get("seconds"))


def markdown(rows: Sequence[TrialRow]) -> str:
    """Return the trials as a Markdown table."""
    fields = list(rows[0].values) if rows else []
    heads = ["trial", *fields, "EM", "F1", "seconds", "state"]
    lines = [heads, ["---"] * len(heads)]
    for row in rows:
        values = [f"{value:.3g}" if isinstance(value, float) else str(value) for value in row.values.values()]
        scores = ["" if score is None else f"{score:.2f}" for score in (row.exact, row.f1)]
        seconds = "" if row.seconds is None else f"{row.seconds:.0f}"
        state = f"{row.state}: {row.reason}" if row.reason else row.state
        lines.append([row.name, *values, *scores, seconds, state.replace("|", "\\|").replace("\n", " ")])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
