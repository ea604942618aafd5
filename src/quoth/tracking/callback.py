"""MLflow follows a run: parameters, loss, learning rate, EM, F1, time, and the reader as a model. Needs [track]."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from transformers import TrainerCallback

from quoth.errors import MissingExtraError
from quoth.files import write_json
from quoth.store import ReaderFolder
from quoth.tracking.model import log_reader


class Tracked(Protocol):
    """What a run's configuration says about its tracking; ``TrainConfig`` does."""

    @property
    def experiment(self) -> str:
        """Name of the MLflow experiment."""

    @property
    def run_name(self) -> str | None:
        """Name of a new MLflow run."""

    @property
    def log_model(self) -> bool:
        """Whether to log the reader as a model."""

    @property
    def registered_model(self) -> str | None:
        """Name to register the model under, if any."""

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, which become parameters of the run."""


# Which MLflow run follows the training run of a folder, so that a resumed one goes on in it.
_FILE = "mlflow.json"
# Trainer's names -> ours, as they stand in MLflow.
_METRICS = {
    "loss": "train_loss",
    "learning_rate": "learning_rate",
    "grad_norm": "grad_norm",
    "eval_exact": "exact",
    "eval_f1": "f1",
    "eval_seconds": "eval_seconds",
}


class MlflowTracker(TrainerCallback):
    """Follows one run. A run that is active already is joined and left open; else one is started and ended."""

    def __init__(self, config: Tracked) -> None:
        """Check that mlflow is there, before anything else is done.

        Raises:
            MissingExtraError: If it is not.
        """
        if find_spec("mlflow") is None:
            raise MissingExtraError("tracking the run in MLflow (--no-tracking does without)", "track")
        self._config = config

    @contextmanager
    def following(self, out: Path, facts: Mapping[str, Any]) -> Iterator[None]:
        """Join or open the run, log its parameters, and end it if it is ours: as failed where training failed.

        Args:
            out: The folder of the training run. Where it was followed before, the same MLflow run goes on.
            facts: What to log beside the configuration.
        """
        import mlflow

        parameters = {**self._config.to_dict(), **facts}
        if mlflow.active_run() is not None:
            log_new_params(parameters)
            yield
            return

        def remember(run: str) -> None:
            write_json(out / _FILE, {"run": run})

        with opened_run(self._config.experiment, self._config.run_name, _known_run(out), remember):
            log_new_params(parameters)
            yield

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Log what Trainer logs, under our names."""
        import mlflow

        metrics = {_METRICS[name]: float(value) for name, value in (logs or {}).items() if name in _METRICS}
        if metrics:
            mlflow.log_metrics(metrics, step=state.global_step)

    def log_reader(self, folder: Path, seconds: float) -> None:
        """Log the time, and the reader as a model."""
        import mlflow

        mlflow.log_metric("train_seconds", seconds)
        if self._config.log_model:
            log_reader(ReaderFolder.open(folder), self._config.registered_model)


@contextmanager
def opened_run(experiment: str, name: str | None, known: str | None, remember: Callable[[str], None]) -> Iterator[None]:
    """Start an MLflow run, or go on with a known one; end it, as failed where an error ends it.

    Args:
        experiment: The experiment of a new run. A run below one that is active is in the other's.
        name: The name of a new run.
        known: The id of a run to go on with. Where the store has none of this id, a new one is started.
        remember: Told the id of the run.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    parent, before = mlflow.active_run(), None
    if known:
        with suppress(MlflowException):
            before = mlflow.get_run(known)
    if at := before or parent:
        # A known run may be of another experiment by now; mlflow wants it to be the active one.
        mlflow.set_experiment(experiment_id=at.info.experiment_id)
    else:
        mlflow.set_experiment(experiment)
    # Left by an error, mlflow's own context ends the run as failed.
    with mlflow.start_run(
        known if before else None, run_name=None if before else name, nested=parent is not None
    ) as run:
        remember(run.info.run_id)
        yield


def log_new_params(parameters: Mapping[str, Any]) -> None:
    """Log the parameters that the active run does not have yet: MLflow refuses to change one."""
    import mlflow

    run = mlflow.active_run()
    there = mlflow.get_run(run.info.run_id).data.params if run else {}
    mlflow.log_params({name: value for name, value in parameters.items() if name not in there})


def _known_run(out: Path) -> str | None:
    try:
        return str(json.loads((out / _FILE).read_text(encoding="utf-8"))["run"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
