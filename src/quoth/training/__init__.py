"""Training: fine-tunes an encoder on SQuAD-style examples. Needs the extra [train]."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from quoth.errors import MissingExtraError
from quoth.training.config import TrainConfig, load_recipe
from quoth.training.settings import TrainSettings
from quoth.training.sweep.plan import SweepPlan

if TYPE_CHECKING:
    from quoth.training.run import TrainResult, train
    from quoth.training.sweep.run import run_sweep

__all__ = ["SweepPlan", "TrainConfig", "TrainResult", "TrainSettings", "load_recipe", "run_sweep", "train"]

# Names that import torch, so they are loaded lazily: module, description, extra, and the packages that it needs.
_LATE = {
    "TrainResult": ("quoth.training.run", "training", "train", ("torch", "transformers", "accelerate")),
    "train": ("quoth.training.run", "training", "train", ("torch", "transformers", "accelerate")),
    "run_sweep": ("quoth.training.sweep.run", "a sweep", "sweep", ("torch", "transformers", "accelerate", "optuna")),
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module 'quoth.training' has no attribute {name!r}")
    module, what, extra, needed = _LATE[name]
    if any(find_spec(each) is None for each in needed):
        raise MissingExtraError(what, extra)
    return getattr(import_module(module), name)
