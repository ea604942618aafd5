"""Question answering that quotes.

Public names are imported lazily: ``import quoth`` imports neither torch nor an engine.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quoth import (
        calibrating as calibrating,
        corpus as corpus,
        data as data,
        documents as documents,
        drawing as drawing,
        dropin as dropin,
        engines as engines,
        evaluation as evaluation,
        exporting as exporting,
        reading as reading,
        store as store,
        tables as tables,
        tracking as tracking,
        training as training,
        verification as verification,
    )
    from quoth.calibrating import CalibrateResult, calibrate
    from quoth.corpus import Corpus
    from quoth.data import read_examples, write_squad
    from quoth.dropin import patch_transformers, pipeline
    from quoth.errors import QuothError
    from quoth.evaluation import Report, evaluate, score
    from quoth.evaluation.compare import compare
    from quoth.exporting import ExportResult, export
    from quoth.reader import Reader
    from quoth.reading import Explanation
    from quoth.records import Answer, Example, Gold, Prediction, Span
    from quoth.tables import answer_table
    from quoth.training import TrainConfig, TrainResult, train
    from quoth.verification import verify

__version__ = "0.1.0"

_HOMES = {
    "Answer": "quoth.records",
    "CalibrateResult": "quoth.calibrating",
    "Corpus": "quoth.corpus",
    "Example": "quoth.records",
    "ExportResult": "quoth.exporting",
    "Explanation": "quoth.reading",
    "Gold": "quoth.records",
    "Prediction": "quoth.records",
    "QuothError": "quoth.errors",
    "Reader": "quoth.reader",
    "Report": "quoth.evaluation",
    "Span": "quoth.records",
    "TrainConfig": "quoth.training",
    "TrainResult": "quoth.training",
    "answer_table": "quoth.tables",
    "calibrate": "quoth.calibrating",
    "compare": "quoth.evaluation.compare",
    "evaluate": "quoth.evaluation",
    "export": "quoth.exporting",
    "patch_transformers": "quoth.dropin",
    "pipeline": "quoth.dropin",
    "read_examples": "quoth.data",
    "score": "quoth.evaluation",
    "train": "quoth.training",
    "verify": "quoth.verification",
    "write_squad": "quoth.data",
}
# Packages that are available as attributes: ``quoth.data.describe`` after ``import quoth``.
_PACKAGES = (
    "calibrating",
    "corpus",
    "data",
    "documents",
    "drawing",
    "dropin",
    "engines",
    "evaluation",
    "exporting",
    "reading",
    "store",
    "tables",
    "tracking",
    "training",
    "verification",
)

__all__ = [
    "Answer",
    "CalibrateResult",
    "Corpus",
    "Example",
    "Explanation",
    "ExportResult",
    "Gold",
    "Prediction",
    "QuothError",
    "Reader",
    "Report",
    "Span",
    "TrainConfig",
    "TrainResult",
    "answer_table",
    "calibrate",
    "compare",
    "evaluate",
    "export",
    "patch_transformers",
    "pipeline",
    "read_examples",
    "score",
    "train",
    "verify",
    "write_squad",
]


if not TYPE_CHECKING:  # so that type checkers reject misspelt names

    def __getattr__(name: str) -> Any:
        if name in _PACKAGES:
            return import_module(f"quoth.{name}")
        if name not in _HOMES:
            # With name and obj, Python suggests a similar name.
            raise AttributeError(f"module 'quoth' has no attribute {name!r}", name=name, obj=sys.modules[__name__])
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
