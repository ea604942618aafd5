"""The typed configuration of a training run, from recipes (TOML), flags or keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from quoth.config import ABOVE_ZERO, COUNT, SHARE, OneOf, Within, converted, read_toml, rule_problems, value_problems
from quoth.engines.precisions import PRECISIONS
from quoth.errors import ConfigError

TEACHER_ON = ("all", "answerable", "answers")
# Fields that only affect tracking.
SHOWN = frozenset({"tracking", "experiment", "run_name", "log_model", "registered_model"})
# Fields that may differ in a resumed run, because they do not affect the weights.
_FREE = SHOWN | {"keep_checkpoints", "threads", "patience", "save_steps", "keep_memory", "compile"}


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """The settings of a training run. The text of each field is the help of its flag.

    Raises:
        ConfigError: If a value is out of its range.
    """

    base: Annotated[str, "Encoder to start from: a folder, a hub name, or shipped (the included reader)."]
    epochs: Annotated[float, "Number of passes over the training data.", ABOVE_ZERO] = 2.0
    max_steps: Annotated[int | None, "Maximum number of steps; overrides the epochs.", COUNT] = None
    learning_rate: Annotated[float, "Highest learning rate, reached after the warm-up.", ABOVE_ZERO] = 5e-5
    warmup: Annotated[float, "Share of the steps in which the learning rate increases, from 0 to 1.", SHARE] = 0.06
    cooldown: Annotated[
        float | None,
        "Share of the steps at the end in which it decreases to 0; default: all steps after the warm-up.",
        SHARE,
    ] = None
    layer_decay: Annotated[
        float, "Factor of the learning rate from each layer to the one below it, up to 1.", SHARE
    ] = 1.0
    average: Annotated[
        float | None, "Decay of the exponential moving average of the weights, which becomes the reader.", SHARE
    ] = None
    teacher: Annotated[
        str | None, "Teacher for distillation, with the same tokenizer: a folder or hub name of a reader."
    ] = None
    teacher_weight: Annotated[float, "Weight of the distillation loss, from 0 to 1.", SHARE] = 0.5
    teacher_on: Annotated[
        str,
        "What to learn from the teacher: all; only answerable questions (answerable); or, for these, only the place "
        "of the answer and not whether there is one (answers).",
        OneOf(TEACHER_ON),
    ] = "all"
    every_place: Annotated[bool, "Train on every occurrence of an answer's text in the context."] = False
    weight_decay: Annotated[float, "Weight decay of AdamW; not applied to biases and norms.", Within(least=0)] = 0.01
    max_grad_norm: Annotated[float, "Maximum norm of the gradients; larger gradients are clipped.", ABOVE_ZERO] = 1.0
    batch_size: Annotated[int, "Number of windows per batch and device.", COUNT] = 16
    accumulation: Annotated[int, "Number of batches per step.", COUNT] = 1
    attention_dropout: Annotated[float | None, "Dropout of attention weights; default: that of the encoder.", SHARE] = (
        None
    )
    hidden_dropout: Annotated[float | None, "Dropout of hidden states; default: that of the encoder.", SHARE] = None
    max_tokens: Annotated[int, "Maximum length of a window, in tokens, including special tokens.", COUNT] = 384
    overlap: Annotated[int, "Overlap of neighbouring windows, in tokens of the context."] = 128
    max_answer_tokens: Annotated[int, "Maximum length of an answer, in tokens.", COUNT] = 30
    eval_steps: Annotated[int | None, "Evaluate on --dev every N steps; default: after each epoch.", COUNT] = None
    save_steps: Annotated[int | None, "Write a checkpoint every N steps; default: at each evaluation.", COUNT] = None
    keep_checkpoints: Annotated[int, "Number of checkpoints to keep, including the best one.", COUNT] = 2
    patience: Annotated[int | None, "Stop early after this many evaluations without a better F1.", COUNT] = None
    precision: Annotated[str, "auto, float32, bfloat16 or float16.", OneOf(("auto", *PRECISIONS))] = "auto"
    threads: Annotated[int | None, "Number of CPU threads; default: all usable cores.", COUNT] = None
    compile: Annotated[bool, "Compile the model: a slow first minute, then faster steps on a GPU."] = False
    keep_memory: Annotated[
        bool, "Keep freed memory for the next step: faster on a CPU under Linux, but uses much more memory."
    ] = False
    seed: Annotated[int, "Random seed of the head, the order of batches and dropout."] = 0
    experiment: Annotated[str, "MLflow experiment."] = "quoth"
    run_name: Annotated[str | None, "MLflow run name."] = None
    tracking: Annotated[bool, "Track the run in MLflow."] = True
    log_model: Annotated[bool, "Also log the reader in MLflow, as a model for `mlflow models serve`."] = True
    registered_model: Annotated[str | None, "Register it in MLflow under this name, as the next version."] = None

    def __post_init__(self) -> None:
        problems = rule_problems(self)
        if self.registered_model and not (self.tracking and self.log_model):
            problems.append("registered_model needs tracking and log_model, but one of them is off")
        if problems:
            raise ConfigError("\n".join(problems))

    @classmethod
    def of(cls, values: Mapping[str, Any], where: str = "configuration") -> TrainConfig:
        """Create a configuration from plain values.

        Args:
            values: Field name to value.
            where: Prefix of every error message.

        Raises:
            ConfigError: If they are invalid; the message lists all problems.
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
        """Return a message for each field that affects the weights and differs from another run."""
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
