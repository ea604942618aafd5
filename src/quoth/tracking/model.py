"""A reader as an MLflow model: its files, signature, requirements, and name in the registry."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quoth.errors import MissingExtraError
from quoth.store import ReaderFolder, find_folder
from quoth.store.card import has_numbers
from quoth.store.layout import copy_reader

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

# MLflow copies this file beside the reader's files, and runs it to load the model.
_SCRIPT = Path(__file__).with_name("pyfunc.py")
_EXAMPLE = {"question": "Who kept the light?", "context": "The light was kept by Ida Lewis for 39 years."}


def track_reader(source: str | Path, *, experiment: str, run_name: str | None, registered_model: str | None) -> str:
    """Log a reader as an MLflow model, in the active run or in a new one.

    Args:
        source: The folder of the reader.
        experiment: The experiment of a new run.
        run_name: The name of a new run.
        registered_model: The name under which to register the model, as its next version; ``None``: not registered.

    Returns:
        The URI of the model, for ``mlflow models serve --model-uri``.

    Raises:
        ReaderError: If the folder is missing, incomplete or damaged.
        MissingExtraError: If mlflow is not installed.
    """
    if find_spec("mlflow") is None:
        raise MissingExtraError("logging a reader in MLflow", "track")
    folder = find_folder(source)
    import mlflow

    if mlflow.active_run() is not None:
        return log_reader(folder, registered_model)
    mlflow.set_experiment(experiment)
    with mlflow.start_run(run_name=run_name):
        return log_reader(folder, registered_model)


def log_reader(folder: ReaderFolder, registered_model: str | None = None) -> str:
    """Log a reader as a model of the active run, with the scores in its ``quoth.json``; return its URI.

    The files are logged unchanged. A reader with ``model.onnx`` can be served without torch. A newly trained reader has
    no ``model.onnx`` and is served with torch. It is not exported here, because the scores of the run belong to the
    float weights, the export can fail, and an exported reader cannot be trained further. To log a small one, use
    ``quoth export`` and ``quoth track``.
    """
    import mlflow

    with _staged(folder) as staged:
        info = mlflow.pyfunc.log_model(
            name="reader",
            python_model=str(_SCRIPT),
            artifacts={"reader": str(staged)},
            signature=_signature(),
            input_example=([_EXAMPLE], {"top_k": 1}),
            # Explicit, so that mlflow does not infer them or query a package index.
            pip_requirements=requirements(folder),
            registered_model_name=registered_model,
        )
    if metrics := _scores(folder):
        mlflow.log_metrics(metrics, model_id=info.model_id)
    return str(info.model_uri)


def requirements(folder: ReaderFolder) -> list[str]:
    """Return the requirements for serving a reader, pinned to the installed versions: sorted lines for pip."""
    from packaging.requirements import Requirement

    extra = "" if folder.onnx else "torch"
    asked = map(Requirement, requires("quoth") or ())
    names = {each.name for each in asked if each.marker is None or each.marker.evaluate({"extra": extra})}
    # Drop local version labels (the "+cpu" of 2.13.0+cpu), which other package indexes do not have.
    return sorted(f"{name}=={version(name).partition('+')[0]}" for name in {*names, "quoth", "mlflow", "pandas"})


def _scores(folder: ReaderFolder) -> dict[str, float]:
    """Return EM and F1 for each data set in the manifest, with names such as ``dev_f1``."""
    return {
        f"{data}_{name}": float(scores[name])
        for data, scores in folder.manifest.get("scores", {}).items()
        for name in ("exact", "f1")
        if has_numbers(scores, name)
    }


def _signature() -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Array, Object, Property

    whole, number, text = DataType.long, DataType.double, DataType.string
    places = [Property(name, whole) for name in ("start", "end", "start_utf16", "end_utf16")]
    numbers = [Property("score", number), Property("probability", number)]
    numbers += [Property("context_index", whole), Property("window_index", whole)]
    alone: Any = Object([Property("text", text), *places, *numbers])
    folded = [Property("variants", Array(alone)), Property("places", Array(alone))]
    answer: Any = Object([Property("text", text), *places, *numbers, *folded])
    outputs = [
        ColSpec(text, "question"),
        ColSpec(text, "text"),
        ColSpec(Array(answer), "answers"),
        ColSpec(answer, "best", required=False),
        ColSpec(DataType.boolean, "no_answer"),
        ColSpec(text, "reason", required=False),
        ColSpec(number, "null_score", required=False),
        ColSpec(number, "null_probability", required=False),
        ColSpec(whole, "windows"),
        ColSpec(whole, "skipped"),
        ColSpec(text, "warning", required=False),
    ]
    return ModelSignature(
        inputs=Schema([ColSpec(text, "question"), ColSpec(text, "context")]),
        outputs=Schema(outputs),
        # A parameter of MLflow has one type, so "never" cannot be a value of the threshold and has a separate
        # parameter.
        params=ParamSchema(
            [
                ParamSpec("top_k", whole, 1),
                ParamSpec("null_threshold", number, None),
                ParamSpec("abstain", text, None),
                ParamSpec("min_probability", number, None),
                ParamSpec("overlapping", DataType.boolean, False),
            ]
        ),
    )


@contextmanager
def _staged(folder: ReaderFolder) -> Iterator[Path]:
    """Copy only the files of the reader to a temporary folder, because mlflow logs whole folders."""
    with tempfile.TemporaryDirectory() as parent:
        staged = Path(parent) / "reader"
        staged.mkdir()
        copy_reader(folder.path, staged)
        yield staged
