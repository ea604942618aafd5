"""The settings of ``quoth.train`` as a type, so that editors and type checkers know them."""

from typing import Required, TypedDict


class TrainSettings(TypedDict, total=False):
    """The fields of :class:`quoth.TrainConfig`, which documents them. A test checks that the two are the same."""

    base: Required[str]
    epochs: float
    max_steps: int | None
    learning_rate: float
    warmup: float
    cooldown: float | None
    layer_decay: float
    average: float | None
    teacher: str | None
    teacher_weight: float
    teacher_on: str
    every_place: bool
    weight_decay: float
    max_grad_norm: float
    batch_size: int
    accumulation: int
    attention_dropout: float | None
    hidden_dropout: float | None
    max_tokens: int
    overlap: int
    max_answer_tokens: int
    eval_steps: int | None
    save_steps: int | None
    keep_checkpoints: int
    patience: int | None
    precision: str
    threads: int | None
    compile: bool
    keep_memory: bool
    seed: int
    experiment: str
    run_name: str | None
    tracking: bool
    log_model: bool
    registered_model: str | None
