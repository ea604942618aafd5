"""The one typed configuration of a training run. Recipes (TOML), flags and keyword arguments all become this."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from quoth.errors import ConfigError

TEACHER_ON = ("all", "answerable")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
# Fields that only say where a run is shown; they are no part of what it does.
SHOWN = frozenset({"tracking", "experiment", "run_name", "log_model", "registered_model"})
# Fields that may differ where a run goes on: its weights are the same.
_FREE = SHOWN | {"keep_checkpoints", "threads", "patience", "save_steps", "keep_memory", "compile"}


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How to train. The text of each field is the help of its flag.

    Raises:
        ConfigError: If a value is out of its range.
    """

    base: Annotated[str, "Encoder to start from: a folder, a name on the hub, or shipped: the reader that ships."]
    epochs: Annotated[float, "Passes over the training data."] = 2.0
    max_steps: Annotated[int | None, "Stop after this many steps, whatever the epochs."] = None
    learning_rate: Annotated[float, "Highest learning rate, reached after the warm-up."] = 5e-5
    warmup: Annotated[float, "Share of the steps over which the learning rate rises, from 0 to 1."] = 0.06
    cooldown: Annotated[
        float | None, "Share of the steps, at the end, over which it falls to 0; from the warm-up on if not given."
    ] = None
    layer_decay: Annotated[float, "Factor of the learning rate from each layer to the one below it, up to 1."] = 1.0
    average: Annotated[float | None, "Decay of a moving average of the weights, which becomes the reader."] = None
    teacher: Annotated[str | None, "Reader to learn from too, of the same tokenizer: a folder or a hub name."] = None
    teacher_weight: Annotated[float, "Share of the loss that comes from the teacher, from 0 to 1."] = 0.5
    teacher_on: Annotated[str, "Questions the teacher teaches: all, or answerable (golds alone teach the others)."] = (
        "all"
    )
    every_place: Annotated[bool, "Take every place where an answer's text stands in its context as right."] = False
    weight_decay: Annotated[float, "AdamW's weight decay; biases and norms are left out."] = 0.01
    max_grad_norm: Annotated[float, "Clip gradients to this norm."] = 1.0
    batch_size: Annotated[int, "Windows of one batch on one device."] = 16
    accumulation: Annotated[int, "Batches of one step."] = 1
    attention_dropout: Annotated[float | None, "Dropout of attention weights; the encoder's own if not given."] = None
    hidden_dropout: Annotated[float | None, "Dropout of hidden states; the encoder's own if not given."] = None
    max_tokens: Annotated[int, "The longest window, special tokens included."] = 384
    overlap: Annotated[int, "Tokens of the context that neighbouring windows share."] = 128
    max_answer_tokens: Annotated[int, "The longest answer, in tokens."] = 30
    eval_steps: Annotated[int | None, "Evaluate on --dev every so many steps; once an epoch if not given."] = None
    save_steps: Annotated[int | None, "Write a checkpoint every so many steps; when evaluating if not given."] = None
    keep_checkpoints: Annotated[int, "Keep this many checkpoints, the best one among them."] = 2
    patience: Annotated[int | None, "Stop early after this many evaluations without a better F1."] = None
    precision: Annotated[str, "auto, float32, bfloat16 or float16."] = "auto"
    threads: Annotated[int | None, "Threads on a CPU; all usable cores if not given."] = None
    compile: Annotated[bool, "Compile the model: a slow first minute, then faster steps on a GPU."] = False
    keep_memory: Annotated[
        bool, "Keep freed memory for the next step: faster on a CPU under Linux, for much more memory."
    ] = False
    seed: Annotated[int, "Seed of the head's start, the order of batches and the dropout."] = 0
    experiment: Annotated[str, "MLflow experiment."] = "quoth"
    run_name: Annotated[str | None, "MLflow run name."] = None
    tracking: Annotated[bool, "Track the run in MLflow."] = True
    log_model: Annotated[bool, "Log the reader in MLflow too, as a model that `mlflow models serve` runs."] = True
    registered_model: Annotated[str | None, "Register it in MLflow under this name, as the next version."] = None

    def __post_init__(self) -> None:
        at_least_one = ("batch_size", "accumulation", "max_answer_tokens", "keep_checkpoints", "max_tokens")
        optional = ("max_steps", "eval_steps", "save_steps", "patience", "threads")
        for name in (*at_least_one, *optional):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1, but is {value}")
        shares = ("warmup", "cooldown", "layer_decay", "average", "teacher_weight")
        for name in (*shares, "attention_dropout", "hidden_dropout"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ConfigError(f"{name} must be from 0 to 1, but is {value}")
        for name in ("epochs", "learning_rate", "max_grad_norm"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be above 0, but is {getattr(self, name)}")
        if self.weight_decay < 0:
            raise ConfigError(f"weight_decay must be at least 0, but is {self.weight_decay}")
        if self.registered_model and not (self.tracking and self.log_model):
            raise ConfigError("registered_model needs tracking and log_model, but one of them is off")
        if self.precision not in PRECISIONS:
            raise ConfigError(f"precision must be one of {', '.join(PRECISIONS)}, but is {self.precision!r}")
        if self.teacher_on not in TEACHER_ON:
            raise ConfigError(f"teacher_on must be one of {', '.join(TEACHER_ON)}, but is {self.teacher_on!r}")

    @classmethod
    def of(cls, values: Mapping[str, Any], where: str = "configuration") -> TrainConfig:
        """Check names and types of plain values, and make the configuration.

        Args:
            values: Field name to value.
            where: Stands before every error.

        Raises:
            ConfigError: For an unknown name (with the nearest known one), a wrong type, or a missing ``base``.
        """
        kinds = get_type_hints(cls)
        checked: dict[str, Any] = {}
        for name, value in values.items():
            if name not in kinds:
                near = get_close_matches(name, kinds, 1)
                hint = f"; do you mean {near[0]}?" if near else f"; known are {', '.join(kinds)}"
                raise ConfigError(f"{where}: {name} is unknown{hint}")
            checked[name] = _checked(value, kinds[name], f"{where}: {name}")
        if "base" not in checked:
            raise ConfigError(f"{where}: base must be given: the encoder to start from (--base)")
        return cls(**checked)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)

    def differences(self, other: Mapping[str, Any]) -> list[str]:
        """Say which fields that shape the weights differ from those of another run."""
        mine = self.to_dict()
        return [
            f"{name} was {other.get(name)!r} and is {mine[name]!r}"
            for name in mine
            if name not in _FREE and mine[name] != other.get(name)
        ]


def load_recipe(file: Path) -> dict[str, Any]:
    """Read a recipe: a TOML file whose keys are fields of :class:`TrainConfig`.

    Raises:
        ConfigError: If it cannot be read.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: must be a recipe, but cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: must be TOML, but cannot be read: {error}") from error


def field_help() -> dict[str, tuple[type, str, Any]]:
    """Return of each field its type (``None`` left out), its help and its default: what a flag is made of."""
    hints = get_type_hints(TrainConfig, include_extras=True)
    found = {}
    for item in fields(TrainConfig):
        kind, text = get_args(hints[item.name])
        found[item.name] = (_plain(kind)[0], text, item.default)
    return found


def _plain(kind: Any) -> tuple[type, bool]:
    """Split ``int | None`` into ``int`` and whether ``None`` is allowed."""
    if get_origin(kind) is UnionType:
        return next(item for item in get_args(kind) if item is not NoneType), True
    return kind, False


def _checked(value: Any, kind: Any, where: str) -> Any:
    plain, optional = _plain(kind)
    if value is None and optional:
        return None
    if plain is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, plain) or (isinstance(value, bool) and plain is not bool):
        raise ConfigError(f"{where} must be of type {plain.__name__}, but is {value!r}")
    return value
