"""A reader as an MLflow model: its files, its signature, what it needs to run, and its name in the registry."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quoth.errors import MissingExtraError
from quoth.store import ReaderFolder
from quoth.store.layout import copy_reader

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

# MLflow copies this file and runs it to load the model: what answers can be read beside what it answers with.
_SCRIPT = Path(__file__).with_name("pyfunc.py")
_EXAMPLE = {"question": "Who kept the light?", "context": "The light was kept by Ida Lewis for 39 years."}


def track_reader(source: str | Path, *, experiment: str, run_name: str | None, registered_model: str | None) -> str:
    """Log a reader as an MLflow model, in a run of its own or in the one that is active.

    Args:
        source: The folder of the reader.
        experiment: The experiment of the run, where none is active.
        run_name: The name of that run.
        registered_model: The name to register the model under, as its next version; ``None``: not registered.

    Returns:
        The model's address: what ``mlflow models serve --model-uri`` takes.

    Raises:
        ReaderError: If the folder is missing, incomplete or damaged.
        MissingExtraError: If mlflow is not installed.
    """
    if find_spec("mlflow") is None:
        raise MissingExtraError("logging a reader in MLflow", "track")
    folder = ReaderFolder.open(source)
    import mlflow

    if mlflow.active_run() is not None:
        return log_reader(folder, registered_model)
    mlflow.set_experiment(experiment)
    with mlflow.start_run(run_name=run_name):
        return log_reader(folder, registered_model)


def log_reader(folder: ReaderFolder, registered_model: str | None = None) -> str:
    """Log a reader as a model of the active run, with the scores that ``quoth.json`` tells; return its address.

    The files are logged as they are. A reader with ``model.onnx`` needs no torch to be served. One that was just
    trained has none, and is served by torch: exporting it first would put other weights under the scores of the run,
    could fail, and could not be trained further. ``quoth export`` and ``quoth track`` make the small one.
    """
    import mlflow

    with _staged(folder) as staged:
        info = mlflow.pyfunc.log_model(
            name="reader",
            python_model=str(_SCRIPT),
            artifacts={"reader": str(staged)},
            signature=_signature(),
            input_example=([_EXAMPLE], {"top_k": 1}),
            # Given, so that mlflow neither guesses them nor asks an index for them.
            pip_requirements=requirements(folder),
            registered_model_name=registered_model,
        )
    if metrics := _scores(folder):
        mlflow.log_metrics(metrics, model_id=info.model_id)
    return str(info.model_uri)


def requirements(folder: ReaderFolder) -> list[str]:
    """Return what serving a reader needs, at the versions installed here: pip's lines, sorted."""
    from packaging.requirements import Requirement

    extra = "" if folder.onnx else "torch"
    asked = map(Requirement, requires("quoth") or ())
    names = {each.name for each in asked if each.marker is None or each.marker.evaluate({"extra": extra})}
    # What stands behind a plus is a build of this machine's index (2.13.0+cpu), and unknown elsewhere.
    return sorted(f"{name}=={version(name).partition('+')[0]}" for name in {*names, "quoth", "mlflow", "pandas"})


def _scores(folder: ReaderFolder) -> dict[str, float]:
    """Return EM and F1 on each data set that the manifest tells of: ``dev_f1``."""
    return {
        f"{data}_{name}": float(scores[name])
        for data, scores in folder.manifest.get("scores", {}).items()
        # Whoever writes a manifest may put other things there too.
        if isinstance(scores, Mapping)
        for name in ("exact", "f1")
        if name in scores
    }


def _signature() -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Array, Object, Property

    whole, number, text = DataType.long, DataType.double, DataType.string
    places = [Property(name, whole) for name in ("start", "end", "start_utf16", "end_utf16")]
    answer: Any = Object([Property("text", text), *places, Property("score", number), Property("probability", number)])
    outputs = [
        ColSpec(Array(answer), "answers"),
        ColSpec(answer, "best", required=False),
        ColSpec(DataType.boolean, "no_answer"),
        ColSpec(text, "reason", required=False),
        ColSpec(number, "null_score", required=False),
    ]
    return ModelSignature(
        inputs=Schema([ColSpec(text, "question"), ColSpec(text, "context")]),
        outputs=Schema(outputs),
        # A parameter of MLflow has one type, so that "never" cannot be a threshold: it has a parameter of its own.
        params=ParamSchema(
            [ParamSpec("top_k", whole, 1), ParamSpec("null_threshold", number, None), ParamSpec("abstain", text, None)]
        ),
    )


@contextmanager
def _staged(folder: ReaderFolder) -> Iterator[Path]:
    """Put the files of a reader, and only these, into a folder: mlflow takes whole folders."""
    with tempfile.TemporaryDirectory() as parent:
        staged = Path(parent) / "reader"
        staged.mkdir()
        copy_reader(folder.path, staged)
        yield staged
