"""A sweep: runs of one recipe with different values of some fields, ranked by F1. Needs the extra [sweep].

Each trial is an ordinary run in its own folder. A SQLite database beside them records the trials, so that a killed
sweep can be resumed: the interrupted trial continues from its newest checkpoint.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState
from transformers import TrainerCallback

from quoth.errors import (
    ConfigError,
    MissingExtraError,
    ReaderError,
    TokenizerError,
    TrainingError,
    TrainingStoppedError,
)
from quoth.files import atomic_text
from quoth.records import Example
from quoth.store import ReaderFolder
from quoth.training.config import TrainConfig
from quoth.training.progress import Progress
from quoth.training.run import CHECKPOINTS, TrainResult, train
from quoth.training.sources import Labelled, labelled
from quoth.training.sweep.plan import Choices, Range, SweepPlan
from quoth.training.sweep.table import OUTCOME, REASON, TrialRow, done_trials, markdown, trial_name, trial_rows

_DATABASE = "sweep.db"
_TABLE = "sweep.md"
# Attributes of the sweep and its trials in the database.
_RUN, _RECORD, _LOGGED = "mlflow_run", "record", "logged"


@dataclass(frozen=True, slots=True)
class SweepResult:
    """Result of a sweep.

    Attributes:
        folder: The reader folder of the best trial.
        rows: All trials, finished ones first, sorted by F1 in descending order.
        table: The rows as a Markdown table.
    """

    folder: Path
    rows: tuple[TrialRow, ...]
    table: str


def run_sweep(
    plan: SweepPlan,
    data: str | Path | Sequence[str | Path | Example],
    *,
    dev: str | Path | Sequence[str | Path | Example] | None,
    out: str | Path,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
    **settings: Any,
) -> SweepResult:
    """Run the trials of a plan, and return the best one by F1 on the dev examples.

    Args:
        plan: The plan of the sweep.
        data: Training examples, anything that :func:`quoth.read_examples` reads, or a list of these.
        dev: Examples to evaluate the trials on.
        out: Folder of the sweep; each trial has a folder below it.
        resume: Continue the sweep in ``out``, if there is one. The plan may have more trials than before.
        progress: Called with the progress of the trial after each step.
        settings: Fields of :class:`TrainConfig` for all trials; fields of the plan override them.

    Raises:
        ConfigError: If a setting is unknown or out of its range, or there are no dev examples.
        TrainingError: If ``out`` contains other files, a signal stops the sweep, or no trial finishes.
        DataError: If the data cannot be read.
    """
    config = TrainConfig.of(settings)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("a sweep must run in one process, but was started in several; start it without torchrun")
    if config.tracking and find_spec("mlflow") is None:
        raise MissingExtraError("tracking the sweep in MLflow (--no-tracking does without)", "track")
    if not dev:
        raise ConfigError("a sweep needs data to evaluate its trials on: --dev DATA")
    examples, dev_examples = labelled(data), labelled(dev)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    record = {"plan": plan.to_dict(), "config": config.to_dict(), "questions": [len(examples), len(dev_examples)]}
    study = _study(Path(out), plan, record, config, resume)
    return _Sweep(plan, config, study, Path(out), progress).run(examples, dev_examples)


@dataclass(frozen=True, slots=True)
class _Sweep:
    plan: SweepPlan
    config: TrainConfig
    study: optuna.Study
    out: Path
    progress: Callable[[Progress], None] | None

    def run(self, data: Labelled, dev: Labelled) -> SweepResult:
        with self._tracked(self.config.run_name or "sweep", self.study):
            self._log_plan()
            for trial in self._trials():
                self._run(trial, data, dev)
                self._write_table()
            rows, table = self._write_table()
            if not rows or rows[0].state != "finished":
                reasons = ", ".join(f"{row.name} {row.reason or row.state}" for row in rows)
                raise TrainingError(f"{self.out}: at least one trial must finish, but none did: {reasons}")
            best = self.out / rows[0].name
            if self.config.tracking:
                self._log(rows[0], table)
        return SweepResult(best, rows, table)

    def _trials(self) -> Iterator[optuna.Trial]:
        """Yield the remaining trials, starting with the one that was running when the sweep was killed."""
        for left in self.study.get_trials(states=(TrialState.RUNNING,)):
            self.study.tell(left.number, state=TrialState.FAIL)
            if REASON not in left.user_attrs:
                known = {name: value for name, value in left.user_attrs.items() if name == _RUN}
                self.study.enqueue_trial(left.params, user_attrs=known)
        while (done := len(done_trials(self.study))) < self.plan.trials:
            # A new sampler for each trial, so that a resumed sweep proposes the same values as an uninterrupted one.
            seed = int(np.random.SeedSequence([self.plan.seed, done]).generate_state(1)[0])
            self.study.sampler = optuna.samplers.TPESampler(seed=seed)
            yield self.study.ask()

    def _run(self, trial: optuna.Trial, data: Labelled, dev: Labelled) -> None:
        """Run one trial and report its outcome to the study."""
        name = trial_name(len(done_trials(self.study)) + 1)
        try:
            with self._tracked(name, trial):
                result = self._train(trial, name, data, dev)
        except TrainingStoppedError:
            raise
        except (TrainingError, ConfigError, ReaderError, TokenizerError) as error:
            # A full disk would also fail the next trial.
            if isinstance(error, TrainingError) and isinstance(error.__cause__, OSError):
                raise
            trial.set_user_attr(REASON, str(error))
            self.study.tell(trial, state=TrialState.FAIL)
        else:
            if result is None:
                self.study.tell(trial, state=TrialState.PRUNED)
            else:
                trial.set_user_attr(OUTCOME, {"exact": result.exact, "seconds": round(result.seconds)})
                self.study.tell(trial, result.f1)
        # The trial will not be resumed, and checkpoints are three times the size of a reader.
        shutil.rmtree(self.out / name / CHECKPOINTS, ignore_errors=True)

    def _train(self, trial: optuna.Trial, name: str, data: Labelled, dev: Labelled) -> TrainResult | None:
        """Train with the values of a trial; ``None`` if it was pruned."""
        values = {field: _suggest(trial, field, what) for field, what in self.plan.vary.items()}
        own = {"run_name": name, "log_model": False, "registered_model": None}
        callback = self.progress

        def named(progress: Progress) -> None:
            if callback:
                callback(replace(progress, trial=f"{name} of {self.plan.trials}"))

        try:
            return train(
                data,
                out=self.out / name,
                dev=dev,
                resume=True,
                progress=named,
                callbacks=[_Pruning(trial)],
                **{**self.config.to_dict(), **values, **own},
            )
        except optuna.TrialPruned:
            if self.config.tracking:
                import mlflow

                mlflow.set_tag("pruned", "true")
            return None

    def _tracked(self, name: str, owner: optuna.Study | optuna.Trial) -> AbstractContextManager[Any]:
        """Track the sweep or a trial in an MLflow run, whose id is stored with its owner."""
        if not self.config.tracking:
            return nullcontext()
        from quoth.tracking.callback import opened_run

        def remember(run: str) -> None:
            owner.set_user_attr(_RUN, run)

        return opened_run(self.config.experiment, name, owner.user_attrs.get(_RUN), remember)

    def _write_table(self) -> tuple[tuple[TrialRow, ...], str]:
        rows = trial_rows(self.study)
        table = markdown(rows)
        with atomic_text(self.out / _TABLE) as file:
            file.write(table)
        return rows, table

    def _log_plan(self) -> None:
        if self.config.tracking:
            from quoth.tracking.callback import log_new_params

            log_new_params({f"vary.{name}": str(what) for name, what in self.plan.vary.items()})

    def _log(self, best: TrialRow, table: str) -> None:
        """Log the result of the sweep, and the best reader as a model."""
        import mlflow

        from quoth.tracking.model import log_reader

        mlflow.set_tags({"best_trial": best.name, **{f"best.{name}": value for name, value in best.values.items()}})
        mlflow.log_metrics({"f1": best.f1, "exact": best.exact})
        mlflow.log_text(table, _TABLE)
        if self.config.log_model and self.study.user_attrs.get(_LOGGED) != best.name:
            log_reader(ReaderFolder.open(self.out / best.name), self.config.registered_model)
            self.study.set_user_attr(_LOGGED, best.name)


class _Pruning(TrainerCallback):
    """Reports each evaluation to the study, and stops a trial below the median of the others at the same progress."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial
        self._reported: set[int] = set()

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        # A resumed trial also reports the evaluations from before it was stopped.
        for row in state.log_history:
            # Trials may have different numbers of steps, so progress is in percent of the run.
            percent = round(100 * row["step"] / state.max_steps)
            # The evaluation before the first step does not depend on the trial.
            if "eval_f1" in row and row["step"] and percent not in self._reported:
                self._reported.add(percent)
                self._trial.report(row["eval_f1"], percent)
        if 0 < state.global_step < state.max_steps and self._trial.should_prune():
            raise optuna.TrialPruned


def _study(out: Path, plan: SweepPlan, record: Mapping[str, Any], config: TrainConfig, resume: bool) -> optuna.Study:
    """Open the database of a sweep; raise if the folder belongs to another sweep."""
    file = out / _DATABASE
    if file.is_file() and not resume:
        raise TrainingError(f"{out}: already contains a sweep. Continue with --resume, or choose another --out.")
    if not file.is_file() and out.is_dir() and any(out.iterdir()):
        raise TrainingError(f"{out}: must be a new or empty folder or an earlier sweep, but contains other files")
    out.mkdir(parents=True, exist_ok=True)
    pruner: optuna.pruners.BasePruner = optuna.pruners.NopPruner()
    if plan.prune_after is not None:
        pruner = optuna.pruners.MedianPruner(n_startup_trials=plan.prune_after)
    study = optuna.create_study(
        storage=f"sqlite:///{file.absolute()}",
        study_name="sweep",
        direction="maximize",
        pruner=pruner,
        load_if_exists=True,
    )
    different = _differences(study.user_attrs.get(_RECORD), record, config)
    if different:
        raise TrainingError(f"{out}: contains another sweep: {'; '.join(different)}")
    study.set_user_attr(_RECORD, record)
    return study


def _differences(before: Mapping[str, Any] | None, record: Mapping[str, Any], config: TrainConfig) -> list[str]:
    """Return the differences from the sweep that was started, ignoring the number of trials."""
    if before is None:
        return []
    old, new = ({**each["plan"], "questions": each["questions"]} for each in (before, _plain(record)))
    return [
        *config.differences(before["config"]),
        *(f"{name} was {old[name]} and is {new[name]}" for name in new if name != "trials" and new[name] != old[name]),
    ]


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record as the database returns it: with lists instead of tuples."""
    return dict(json.loads(json.dumps(record)))


def _suggest(trial: optuna.Trial, name: str, what: Range | Choices) -> Any:
    if isinstance(what, Choices):
        return trial.suggest_categorical(name, what.values)
    if isinstance(what.low, int) and isinstance(what.high, int):
        return trial.suggest_int(name, what.low, what.high, log=what.log)
    return trial.suggest_float(name, what.low, what.high, log=what.log)
