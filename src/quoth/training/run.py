"""A training run: from examples to a reader folder."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Unpack

import torch
import transformers
from accelerate import Accelerator
from transformers import (
    AutoConfig,
    AutoModelForQuestionAnswering,
    TrainerCallback,
    TrainingArguments,
)

from quoth.engines.precisions import FROM_ACCELERATE, TO_ACCELERATE
from quoth.engines.torch import load_tokenizer, load_transformers_tokenizer, quietly
from quoth.errors import ConfigError, TrainingError
from quoth.files import check_parent, is_unfinished, write_json
from quoth.reading import DecodeSettings, Windower
from quoth.records import NEVER, Example
from quoth.store import SHIPPED, ReaderFolder, ReaderSettings, most_positions, shipped_folder
from quoth.tracking.callback import MlflowTracker
from quoth.training.attention import use_attention
from quoth.training.checkpoints import newest_checkpoint
from quoth.training.config import TrainConfig
from quoth.training.dev_report import write_dev_report
from quoth.training.device import choose_precision, keep_memory, on_cpu, use_threads
from quoth.training.features import WindowDataset, with_every_place
from quoth.training.progress import Progress, ProgressCallback
from quoth.training.settings import TrainSettings
from quoth.training.sources import Labelled, checkpoint_of, labelled, used_by, warn_of_overlap
from quoth.training.teacher import Teacher
from quoth.training.trainer import ReaderTrainer, RunData
from quoth.training.written_reader import explain_disk_error, selected_scores, write_reader

# The configuration of the run, written before its first step. A resumed run must have the same.
RUN_FILE = "run.json"
CHECKPOINTS = "checkpoints"
# Names of the hidden and attention dropout in the configurations of the supported model classes.
_HIDDEN_DROPOUT = ("hidden_dropout_prob", "dropout", "hidden_dropout")
_ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")


@dataclass(frozen=True, slots=True)
class TrainResult:
    """Result of a training run.

    Attributes:
        folder: The reader folder.
        exact, f1: Scores of the selected checkpoint on the dev examples, in [0, 100]; ``None`` without dev examples.
            With unanswerable dev examples, at the best null thresholds.
        step: The step of the selected checkpoint.
        seconds: Training time of this process.
        lost: Ids of training examples none of whose golds fits into a window; they are trained as "no answer".
        scores: All scores on the dev examples, as in ``quoth.json``: with unanswerable ones also ``null_threshold``,
            ``HasAns_f1`` and ``NoAns_f1`` at this threshold, and ``never_f1``, without abstaining; ``loss`` is the mean
            per window.
        before: F1 on the dev examples before the first step; ``None`` without dev examples.
    """

    folder: Path
    exact: float | None
    f1: float | None
    step: int
    seconds: float
    lost: tuple[str, ...] = field(repr=False)
    scores: Mapping[str, float] = field(default_factory=dict)
    before: float | None = None


def train(
    data: str | Path | Sequence[str | Path | Example] | Labelled,
    *,
    out: str | Path,
    dev: str | Path | Sequence[str | Path | Example] | Labelled | None = None,
    resume: bool = False,
    html: str | Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    callbacks: Sequence[TrainerCallback] = (),
    **settings: Unpack[TrainSettings],
) -> TrainResult:
    """Fine-tune an encoder to answer questions, and write a reader folder.

    Args:
        data: Training examples, anything that :func:`quoth.read_examples` reads, or a list of these.
        out: Folder of the reader. Checkpoints are stored below it.
        dev: Examples to evaluate on. They select the best checkpoint and trigger early stopping.
        resume: Continue from the newest complete checkpoint in ``out``, if there is one.
        html: Write a report on the reader here: the scores on ``dev``, the learning curve, and the wrong answers, as
            ``quoth evaluate --html`` does. A tracked run has it as the artifact ``report.html``.
        progress: Called with the progress after each step, for instance ``print``.
        callbacks: Additional callbacks, as for transformers' Trainer.
        settings: Fields of :class:`TrainConfig`; ``base`` is required.

    Returns:
        The reader's folder, and the scores of the selected checkpoint.

    Raises:
        ConfigError: If a setting is unknown or out of its range, or the folder of ``html`` does not exist.
        TrainingError: If ``out`` contains another run or other files, the base cannot be loaded, or training fails;
            see :meth:`ReaderTrainer.train <quoth.training.trainer.ReaderTrainer.train>`.
        MissingExtraError: If the extra [train] is not installed.
        DataError: If the data cannot be read.

    Example:
        >>> result = train("train.json", dev="dev.json", base="distilbert-base-cased", out="runs/1")  # doctest: +SKIP
        >>> result.folder, result.f1  # doctest: +SKIP
        (PosixPath('runs/1'), 85.1)
        >>> train("train.json", out="runs/1", bas="distilbert-base-cased")
        Traceback (most recent call last):
        quoth.errors.ConfigError: configuration: bas is unknown; did you mean base?
    """
    config, out = TrainConfig.of(settings), Path(out)
    if html is not None and not dev:
        raise ConfigError("a report is on dev examples, but none are given")
    if html is not None and not Path(html).resolve().is_relative_to(out.resolve()):  # out is made later
        check_parent(html)
    checkpoint = _checkpoint(out, config, resume)
    tracker = MlflowTracker(config) if config.tracking else None
    precision = choose_precision(config.precision)
    arguments, accelerator = _accelerator(config, out, precision)
    main = accelerator.is_main_process
    examples, dev_examples = labelled(data), labelled(dev or [])
    trainer, facts = _trainer(config, examples.examples, dev_examples.examples, arguments, accelerator)
    # Loaded before the training, because a hub may be out of reach after it.
    tokenizer = load_transformers_tokenizer(checkpoint_of(config.base))
    used = used_by(examples, dev_examples, _parents(config))
    if main:
        warn_of_overlap(used, dev_examples)
        _warn_of_threshold(config, dev_examples)
    reporting = [ProgressCallback(progress, precision)] if progress and main else []
    for callback in (*callbacks, *reporting, *([tracker] if tracker and main else [])):
        trainer.add_callback(callback)
    accelerator.wait_for_everyone()  # barrier: every process has checked the folder before any file is created
    if main:
        out.mkdir(parents=True, exist_ok=True)
        own = [each for each in used if each.of is None]
        write_json(out / RUN_FILE, {**config.to_dict(), **facts, "data": [each.to_dict() for each in own]})
    with tracker.following(out, facts, used) if tracker and main else nullcontext():
        started = time.monotonic()
        trainer.train(checkpoint)
        seconds = time.monotonic() - started
        if main:
            with explain_disk_error(out):
                write_reader(trainer, tokenizer, facts, used, seconds, out)
        page = write_dev_report(out, dev_examples, trainer.state.log_history, Path(html)) if html and main else None
        if tracker and main:
            tracker.log_reader(out, seconds, page)
    accelerator.wait_for_everyone()
    return _result(trainer, out, seconds)


def _result(trainer: ReaderTrainer, out: Path, seconds: float) -> TrainResult:
    """Return the result of a run that took these seconds."""
    state, scores = trainer.state, selected_scores(trainer)
    return TrainResult(
        folder=out,
        exact=scores.get("exact"),
        f1=scores.get("f1"),
        step=state.best_global_step or state.global_step,
        seconds=seconds,
        lost=tuple(trainer.data.windows.lost),
        scores=scores,
        before=next((row["eval_f1"] for row in state.log_history if "eval_f1" in row and not row["step"]), None),
    )


def _accelerator(config: TrainConfig, out: Path, precision: str) -> tuple[TrainingArguments, Accelerator]:
    """Return the accelerator of a run, and transformers' arguments, which are passed to callbacks."""
    # Order matters: TrainingArguments resets accelerate's state.
    arguments = TrainingArguments(str(out / CHECKPOINTS), use_cpu=on_cpu(), report_to="none", seed=config.seed)
    accelerator = Accelerator(cpu=on_cpu(), mixed_precision=TO_ACCELERATE[precision])
    accelerator.gradient_accumulation_steps = 1  # done in our loop; the environment may set another value
    return arguments, accelerator


def _trainer(
    config: TrainConfig,
    examples: Sequence[Example],
    dev: Sequence[Example],
    arguments: TrainingArguments,
    accelerator: Accelerator,
) -> tuple[ReaderTrainer, dict[str, Any]]:
    """Return the trainer of a run, and facts about the run for its ``run.json``."""
    if not examples:
        raise TrainingError("the training data must have at least one question, but has none")
    use_threads(config.threads)
    if config.keep_memory:
        keep_memory()
    transformers.set_seed(config.seed)
    model, tokenizer = load_model(config), load_tokenizer(checkpoint_of(config.base))
    most = most_positions(model.config.to_dict())
    if most is not None and config.max_tokens > most:
        raise ConfigError(f"max_tokens must be at most {most} for {config.base}, but is {config.max_tokens}")
    reader = ReaderSettings(
        config.max_tokens, config.overlap, DecodeSettings(max_answer_tokens=config.max_answer_tokens)
    )
    if config.every_place:
        examples = [with_every_place(example) for example in examples]
    windows = WindowDataset(examples, Windower(tokenizer, max_tokens=config.max_tokens, overlap=config.overlap))
    facts = {
        "questions": len(examples),
        "windows": len(windows),
        "lost": len(windows.lost),
        "dev_questions": len(dev),
        "computed_in": FROM_ACCELERATE[accelerator.mixed_precision],
        "processes": accelerator.num_processes,
    }
    # Dropout must differ between processes.
    torch.manual_seed(config.seed + 1_000_003 * accelerator.process_index)
    teacher = None
    if config.teacher:
        precision, limit = FROM_ACCELERATE[accelerator.mixed_precision], config.max_tokens
        teacher = Teacher.load(config.teacher, tokenizer, accelerator.device, precision=precision, limit=limit)
    data = RunData(windows, dev, tokenizer, reader, teacher)
    return ReaderTrainer(model, config, data, accelerator, arguments), facts


def _checkpoint(out: Path, config: TrainConfig, resume: bool) -> Path | None:
    """Return the checkpoint to resume from; raise if the folder belongs to another run."""
    run = out / RUN_FILE
    if not run.is_file():
        if out.is_dir() and not all(map(is_unfinished, out.iterdir())):
            raise TrainingError(f"{out}: must be a new or empty folder or an earlier run, but contains other files")
        return None
    if not resume:
        raise TrainingError(f"{out}: already contains a run. Continue with --resume, or choose another --out.")
    different = config.differences(json.loads(run.read_text(encoding="utf-8")))
    if different:
        raise TrainingError(f"{out}: contains a run with another configuration: {'; '.join(different)}")
    return newest_checkpoint(out / CHECKPOINTS)


def _parents(config: TrainConfig) -> list[tuple[str, Path]]:
    """Return the folders of the base and the teacher; for the shipped reader, the folder with its provenance."""
    named = {"base": config.base, "teacher": config.teacher}
    return [(role, shipped_folder().path if name == SHIPPED else Path(name)) for role, name in named.items() if name]


def _warn_of_threshold(config: TrainConfig, dev: Labelled) -> None:
    """Warn if the base abstains, but the new reader will not, because dev has no unanswerable questions."""
    folder = dict(_parents(config))["base"]
    if not folder.is_dir() or any(example.golds == () for example in dev):
        return
    base = ReaderFolder.open_unchecked(folder)
    stored = base.settings().decode.null_threshold if base.manifest else NEVER
    if stored != NEVER:
        warnings.warn(
            f"{config.base} abstains above a null threshold of {stored:.2f}, but the new reader never abstains: its "
            "scores differ, and no question of --dev is unanswerable. Fit a threshold afterwards: quoth calibrate "
            "READER --data DATA --unanswerable PAIRS",
            stacklevel=3,
        )


def load_model(config: TrainConfig) -> Any:
    """Load the encoder with a new head (or a reader, to train it further)."""
    try:
        model_config = AutoConfig.from_pretrained(checkpoint_of(config.base))
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"{config.base}: cannot load this base; it must be a model folder or a hub name: {error}"
        ) from error
    for wanted, names in ((config.hidden_dropout, _HIDDEN_DROPOUT), (config.attention_dropout, _ATTENTION_DROPOUT)):
        known = [name for name in names if hasattr(model_config, name)]
        for name in known if wanted is not None else ():
            setattr(model_config, name, wanted)
    try:
        # Silence the warnings that the head is new and that the pooler is unused: both are expected.
        with quietly():
            model = AutoModelForQuestionAnswering.from_pretrained(
                checkpoint_of(config.base), config=model_config, dtype=torch.float32
            )
    except (OSError, ValueError) as error:
        raise TrainingError(f"{config.base}: cannot load the weights of an encoder: {error}") from error
    if on_cpu():
        use_attention(model)
    return model
