"""Training: fine-tunes an encoder on SQuAD-style examples. Needs the extra [train]."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from quoth.errors import MissingExtraError
from quoth.training.config import TrainConfig, load_recipe

if TYPE_CHECKING:
    from quoth.training.run import train

__all__ = ["TrainConfig", "load_recipe", "train"]


def __getattr__(name: str) -> Any:
    # The run brings torch and transformers; the configuration must not.
    if name != "train":
        raise AttributeError(f"module 'quoth.training' has no attribute {name!r}")
    if any(find_spec(module) is None for module in ("torch", "transformers", "accelerate")):
        raise MissingExtraError("training", "train")
    from quoth.training.run import train

    return train
