"""The one typed configuration of a training run. Recipes (TOML), flags and keyword arguments all become this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from quoth.config import ABOVE_ZERO, COUNT, SHARE, OneOf, Within, converted, read_toml, rule_problems, value_problems
from quoth.engines.precisions import PRECISIONS
from quoth.errors import ConfigError

TEACHER_ON = ("all", "answerable", "answers")
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
    epochs: Annotated[float, "Passes over the training data.", ABOVE_ZERO] = 2.0
    max_steps: Annotated[int | None, "Stop after this many steps, whatever the epochs.", COUNT] = None
    learning_rate: Annotated[float, "Highest learning rate, reached after the warm-up.", ABOVE_ZERO] = 5e-5
    warmup: Annotated[float, "Share of the steps over which the learning rate rises, from 0 to 1.", SHARE] = 0.06
    cooldown: Annotated[
        float | None,
        "Share of the steps, at the end, over which it falls to 0; from the warm-up on if not given.",
        SHARE,
    ] = None
    layer_decay: Annotated[
        float, "Factor of the learning rate from each layer to the one below it, up to 1.", SHARE
    ] = 1.0
    average: Annotated[float | None, "Decay of a moving average of the weights, which becomes the reader.", SHARE] = (
        None
    )
    teacher: Annotated[str | None, "Reader to learn from too, of the same tokenizer: a folder or a hub name."] = None
    teacher_weight: Annotated[float, "Share of the loss that comes from the teacher, from 0 to 1.", SHARE] = 0.5
    teacher_on: Annotated[
        str,
        "What to learn from the teacher: all; only the answerable questions (answerable); or, of these, only the place "
        "of the answer and not whether there is one (answers).",
        OneOf(TEACHER_ON),
    ] = "all"
    every_place: Annotated[bool, "Take every place where an answer's text stands in its context as right."] = False
    weight_decay: Annotated[float, "AdamW's weight decay; biases and norms are left out.", Within(least=0)] = 0.01
    max_grad_norm: Annotated[float, "Clip gradients to this norm.", ABOVE_ZERO] = 1.0
    batch_size: Annotated[int, "Windows of one batch on one device.", COUNT] = 16
    accumulation: Annotated[int, "Batches of one step.", COUNT] = 1
    attention_dropout: Annotated[
        float | None, "Dropout of attention weights; the encoder's own if not given.", SHARE
    ] = None
    hidden_dropout: Annotated[float | None, "Dropout of hidden states; the encoder's own if not given.", SHARE] = None
    max_tokens: Annotated[int, "The longest window, special tokens included.", COUNT] = 384
    overlap: Annotated[int, "Tokens of the context that neighbouring windows share."] = 128
    max_answer_tokens: Annotated[int, "The longest answer, in tokens.", COUNT] = 30
    eval_steps: Annotated[int | None, "Evaluate on --dev every so many steps; once an epoch if not given.", COUNT] = (
        None
    )
    save_steps: Annotated[
        int | None, "Write a checkpoint every so many steps; when evaluating if not given.", COUNT
    ] = None
    keep_checkpoints: Annotated[int, "Keep this many checkpoints, the best one among them.", COUNT] = 2
    patience: Annotated[int | None, "Stop early after this many evaluations without a better F1.", COUNT] = None
    precision: Annotated[str, "auto, float32, bfloat16 or float16.", OneOf(("auto", *PRECISIONS))] = "auto"
    threads: Annotated[int | None, "Threads on a CPU; all usable cores if not given.", COUNT] = None
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
        problems = rule_problems(self)
        if self.registered_model and not (self.tracking and self.log_model):
            problems.append("registered_model needs tracking and log_model, but one of them is off")
        if problems:
            raise ConfigError("\n".join(problems))

    @classmethod
    def of(cls, values: Mapping[str, Any], where: str = "configuration") -> TrainConfig:
        """Check names and types of plain values, and make the configuration.

        Args:
            values: Field name to value.
            where: Stands before every error.

        Raises:
            ConfigError: If they make no sense; it names every problem.
        """
        problems = list(value_problems(cls, values))
        if "base" not in values:
            problems.append("base must be given: the encoder to start from (--base)")
        if problems:
            raise ConfigError("\n".join(f"{where}: {problem}" for problem in problems))
        return cls(**converted(cls, values))

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
    return read_toml(file, "a recipe")
