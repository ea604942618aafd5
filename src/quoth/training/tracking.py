"""MLflow: parameters, loss, learning rate, EM, F1, time, and the reader as an artifact. Needs the extra [track]."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from quoth.errors import MissingExtraError
from quoth.training.config import TrainConfig

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

    def __init__(self, config: TrainConfig) -> None:
        """Check that mlflow is there, before anything else is done.

        Raises:
            MissingExtraError: If it is not.
        """
        if find_spec("mlflow") is None:
            raise MissingExtraError("tracking the run in MLflow (--no-tracking does without)", "track")
        self._config = config

    @contextmanager
    def following(self, facts: Mapping[str, Any]) -> Iterator[None]:
        """Join or start the run, log its parameters, and end it if it is ours: as failed where training failed."""
        import mlflow

        ours = mlflow.active_run() is None
        if ours:
            mlflow.set_experiment(self._config.experiment)
            mlflow.start_run(run_name=self._config.run_name)
        status = "FAILED"
        try:
            mlflow.log_params({**self._config.to_dict(), **facts})
            yield
            status = "FINISHED"
        finally:
            if ours:
                mlflow.end_run(status)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Log what Trainer logs, under our names."""
        import mlflow

        metrics = {_METRICS[name]: float(value) for name, value in (logs or {}).items() if name in _METRICS}
        if metrics:
            mlflow.log_metrics(metrics, step=state.global_step)

    def log_reader(self, folder: Path, seconds: float) -> None:
        """Log the time, and the files of the reader as an artifact."""
        import mlflow

        mlflow.log_metric("train_seconds", seconds)
        for file in sorted(folder.iterdir()):
            if file.is_file():
                mlflow.log_artifact(str(file), artifact_path="reader")
