"""Logs a training run in MLflow: parameters, loss, learning rate, EM, F1, time, and the model. Needs [track]."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from transformers import TrainerCallback

from quoth.errors import MissingExtraError
from quoth.files import write_json
from quoth.store import ReaderFolder
from quoth.store.provenance import Used
from quoth.tracking.model import log_reader


class Tracked(Protocol):
    """The tracking fields of a run's configuration, such as ``TrainConfig``."""

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
        """Return all fields, which are logged as parameters of the run."""


# Longest digest of a data set that MLflow stores.
_DIGEST = 36
# File with the id of the MLflow run, so that a resumed training run continues in the same one.
_FILE = "mlflow.json"
# The artifact of a run's report.
REPORT = "report.html"
# Names of the trainer's metrics -> names in MLflow.
_METRICS = {
    "loss": "train_loss",
    "learning_rate": "learning_rate",
    "grad_norm": "grad_norm",
    "eval_exact": "exact",
    "eval_f1": "f1",
    "eval_never_f1": "never_f1",
    "eval_null_threshold": "null_threshold",
    "eval_has_answer_f1": "HasAns_f1",
    "eval_no_answer_f1": "NoAns_f1",
    "eval_seconds": "eval_seconds",
    "eval_loss": "dev_loss",
}


class MlflowTracker(TrainerCallback):
    """Logs one training run. An active MLflow run is used and left open; otherwise one is started and ended."""

    def __init__(self, config: Tracked) -> None:
        """Store the configuration of the run.

        Raises:
            MissingExtraError: If mlflow is not installed.
        """
        if find_spec("mlflow") is None:
            raise MissingExtraError("tracking the run in MLflow (--no-tracking does without)", "track")
        self._config = config

    @contextmanager
    def following(self, out: Path, facts: Mapping[str, Any], used: Sequence[Used] = ()) -> Iterator[None]:
        """Use the active MLflow run, or start one and end it (as failed if training fails); log parameters and data.

        Args:
            out: The folder of the training run. If it was tracked before, the same MLflow run continues.
            facts: Parameters to log in addition to the configuration.
            used: Data sets to log as the run's inputs: names, hashes and counts, not their content.
        """
        import mlflow

        parameters = {**self._config.to_dict(), **facts}
        if mlflow.active_run() is not None:
            log_new_params(parameters)
            log_inputs(used)
            yield
            return

        def remember(run: str) -> None:
            write_json(out / _FILE, {"run": run})

        with opened_run(self._config.experiment, self._config.run_name, _known_run(out), remember):
            log_new_params(parameters)
            log_inputs(used)
            yield

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Log the trainer's metrics under our names."""
        import mlflow

        metrics = {_METRICS[name]: float(value) for name, value in (logs or {}).items() if name in _METRICS}
        if metrics:
            mlflow.log_metrics(metrics, step=state.global_step)

    def log_reader(self, folder: Path, seconds: float, report: str | None = None) -> None:
        """Log the training time, the report (a page of HTML), and the reader as a model."""
        import mlflow

        if report is not None:
            mlflow.log_text(report, REPORT)
        mlflow.log_metric("train_seconds", seconds)
        if self._config.log_model:
            log_reader(ReaderFolder.open(folder), self._config.registered_model)


@contextmanager
def opened_run(experiment: str, name: str | None, known: str | None, remember: Callable[[str], None]) -> Iterator[None]:
    """Start an MLflow run or continue a known one, and end it (as failed if an exception is raised).

    Args:
        experiment: The experiment of a new run. A nested run is in the experiment of its parent.
        name: The name of a new run.
        known: The id of a run to continue. If the store does not have it, a new run is started.
        remember: Called with the id of the run.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    parent, before = mlflow.active_run(), None
    if known:
        with suppress(MlflowException):
            before = mlflow.get_run(known)
    if at := before or parent:
        # A run can only be continued if its own experiment is active, which may not be the configured one.
        mlflow.set_experiment(experiment_id=at.info.experiment_id)
    else:
        mlflow.set_experiment(experiment)
    # On an exception, mlflow's context manager ends the run as failed.
    with mlflow.start_run(
        known if before else None, run_name=None if before else name, nested=parent is not None
    ) as run:
        remember(run.info.run_id)
        yield


def log_new_params(parameters: Mapping[str, Any]) -> None:
    """Log the parameters that the active run does not have yet. MLflow does not allow parameters to change."""
    import mlflow

    run = mlflow.active_run()
    there = mlflow.get_run(run.info.run_id).data.params if run else {}
    mlflow.log_params({name: value for name, value in parameters.items() if name not in there})


def log_inputs(used: Sequence[Used]) -> None:
    """Log data sets as inputs of the active run: name, sha256, counts, and what each is used for.

    MLflow shows the first 36 characters of the hash as the digest of the data set; the tags have the rest.
    """
    import mlflow
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    for each in used:
        facts = {name: str(value) for name, value in each.to_dict().items() if value is not None}
        digest = each.data.sha256 or (each.data.seen.key if each.data.seen else None)
        data = MetaDataset(CodeDatasetSource(facts), each.data.name, digest and digest[:_DIGEST])
        mlflow.log_input(data, context=" of ".join(filter(None, (each.role, each.of))), tags=facts)


def _known_run(out: Path) -> str | None:
    try:
        return str(json.loads((out / _FILE).read_text(encoding="utf-8"))["run"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
