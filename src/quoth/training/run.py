"""One training run, from examples to a reader folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
from accelerate import Accelerator
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import (
    AutoConfig,
    AutoModelForQuestionAnswering,
    AutoTokenizer,
    TrainerCallback,
    TrainingArguments,
)

from quoth.data import read_examples
from quoth.engines.precisions import FROM_ACCELERATE, TO_ACCELERATE
from quoth.engines.torch import load_tokenizer, quietly
from quoth.errors import ConfigError, TrainingError
from quoth.files import is_unfinished, whole_file, write_json
from quoth.reading import DecodeSettings, Windower
from quoth.records import Example
from quoth.store import ReaderFolder, ReaderSettings, most_positions
from quoth.tracking.callback import MlflowTracker
from quoth.training.attention import use_attention
from quoth.training.checkpoints import newest_checkpoint
from quoth.training.config import TrainConfig
from quoth.training.device import choose_precision, keep_memory, on_cpu, use_threads
from quoth.training.features import WindowDataset, with_every_place
from quoth.training.progress import Progress, ProgressCallback
from quoth.training.snapshot import AVERAGE, WEIGHTS, made_with
from quoth.training.teacher import Teacher
from quoth.training.trainer import ReaderTrainer, RunData

# The configuration of the run, written before its first step: what a resumed run must agree with.
RUN_FILE = "run.json"
HISTORY_FILE = "history.json"
CHECKPOINTS = "checkpoints"
# Dropout of hidden states and of attention weights, as the families' configs call them.
_HIDDEN_DROPOUT = ("hidden_dropout_prob", "dropout", "hidden_dropout")
# The base that means the reader that ships; its weights to train on lie beside the package's sources, not in the wheel.
SHIPPED = "shipped"
CHECKPOINT = Path(__file__).parents[3] / "readers" / "shipped"
_SCORES = {"exact": "exact", "f1": "f1", "total": "questions"}
_ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a run came to.

    Attributes:
        folder: The reader folder.
        exact, f1: On the dev examples, of the weights that were kept; ``None`` without any.
        step: The step whose weights were kept.
        seconds: How long this process trained.
        lost: Training examples none of whose golds any window holds; they train "not here".
    """

    folder: Path
    exact: float | None
    f1: float | None
    step: int
    seconds: float
    lost: tuple[str, ...] = field(repr=False)


def train(
    data: str | Path | Sequence[str | Path | Example],
    *,
    out: str | Path,
    dev: str | Path | Sequence[str | Path | Example] | None = None,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
    callbacks: Sequence[TrainerCallback] = (),
    **settings: Any,
) -> TrainResult:
    """Fine-tune an encoder to answer questions, and write a reader folder.

    Args:
        data: Training examples, or what :func:`quoth.read_examples` reads, or several of these.
        out: Folder of the reader. Checkpoints lie below it.
        dev: Examples to evaluate on: they choose the checkpoint, and when to stop.
        resume: Go on from the newest whole checkpoint in ``out``, if there is one.
        progress: Told after every step where the run stands; ``print`` will do.
        callbacks: Further callbacks of transformers' Trainer.
        settings: Fields of :class:`TrainConfig`; ``base`` is needed.

    Raises:
        ConfigError: If a setting is unknown or out of its range.
        TrainingError: If ``out`` holds another run, or the base cannot be loaded.
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
    checkpoint = _checkpoint(out, config, resume)
    tracker = MlflowTracker(config) if config.tracking else None
    precision = choose_precision(config.precision)
    # In this order: the arguments, which callbacks of transformers see, put accelerate's state back to none.
    arguments = TrainingArguments(str(out / CHECKPOINTS), use_cpu=on_cpu(), report_to="none", seed=config.seed)
    accelerator = Accelerator(cpu=on_cpu(), mixed_precision=TO_ACCELERATE[precision])
    accelerator.gradient_accumulation_steps = 1  # ours is in the loop; a variable of accelerate's may say otherwise
    main = accelerator.is_main_process
    trainer, facts = _trainer(config, labelled(data), labelled(dev or []), arguments, accelerator)
    told = [ProgressCallback(progress, precision)] if progress and main else []
    for callback in (*callbacks, *told, *([tracker] if tracker and main else [])):
        trainer.add_callback(callback)
    accelerator.wait_for_everyone()  # nobody writes before everybody has looked
    if main:
        out.mkdir(parents=True, exist_ok=True)
        write_json(out / RUN_FILE, {**config.to_dict(), **facts})
    with tracker.following(out, facts) if tracker and main else nullcontext():
        started = time.monotonic()
        trainer.train(checkpoint)
        seconds = time.monotonic() - started
        if main:
            with _explained_disk(out):
                _write_reader(trainer, facts, seconds, out)
        if tracker and main:
            tracker.log_reader(out, seconds)
    accelerator.wait_for_everyone()
    scores, step = _scores(trainer), trainer.state.best_global_step or trainer.state.global_step
    return TrainResult(out, scores.get("exact"), scores.get("f1"), step, seconds, tuple(trainer.data.windows.lost))


def _trainer(
    config: TrainConfig,
    examples: Sequence[Example],
    dev: Sequence[Example],
    arguments: TrainingArguments,
    accelerator: Accelerator,
) -> tuple[ReaderTrainer, dict[str, Any]]:
    """Put a run together, and say what it is made of."""
    if not examples:
        raise TrainingError("the training data must hold at least one question, but holds none")
    use_threads(config.threads)
    if config.keep_memory:
        keep_memory()
    transformers.set_seed(config.seed)
    model, tokenizer = load_model(config), load_tokenizer(base_of(config))
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
    # Each process drops other weights.
    torch.manual_seed(config.seed + 1_000_003 * accelerator.process_index)
    teacher = None
    if config.teacher:
        precision, limit = FROM_ACCELERATE[accelerator.mixed_precision], config.max_tokens
        teacher = Teacher.load(config.teacher, tokenizer, accelerator.device, precision=precision, limit=limit)
    data = RunData(windows, dev, tokenizer, reader, teacher)
    return ReaderTrainer(model, config, data, accelerator, arguments), facts


def _checkpoint(out: Path, config: TrainConfig, resume: bool) -> Path | None:
    """Return the checkpoint to go on from; refuse to mix two runs in one folder."""
    run = out / RUN_FILE
    if not run.is_file():
        if out.is_dir() and not all(map(is_unfinished, out.iterdir())):
            raise TrainingError(f"{out}: must be a new or empty folder, or hold a run, but holds something else")
        return None
    if not resume:
        raise TrainingError(f"{out}: holds a run already. Go on with --resume, or choose another --out.")
    different = config.differences(json.loads(run.read_text(encoding="utf-8")))
    if different:
        raise TrainingError(f"{out}: holds a run of another configuration: {'; '.join(different)}")
    return newest_checkpoint(out / CHECKPOINTS)


def labelled(data: str | Path | Sequence[str | Path | Example]) -> list[Example]:
    """Read labelled examples from whatever names or holds them.

    Raises:
        DataError: If the data cannot be read.
        TrainingError: If an example is unlabelled.
    """
    examples: list[Example] = []
    for item in [data] if isinstance(data, str | Path) else data:
        examples.extend([item] if isinstance(item, Example) else read_examples(item))
    unlabelled = sum(example.golds is None for example in examples)
    if unlabelled:
        raise TrainingError(f"{unlabelled} of {len(examples)} questions must have answers, but are unlabelled")
    return examples


def base_of(config: TrainConfig) -> str:
    """Return what transformers is to load: the configuration's base, or what "shipped" stands for.

    Raises:
        TrainingError: If it is "shipped", and this Quoth is not one from its repository.
    """
    if config.base != SHIPPED:
        return config.base
    if not (CHECKPOINT / "model.safetensors").is_file():
        raise TrainingError(
            f"base {SHIPPED!r} means the float checkpoint in Quoth's repository (readers/shipped), but this "
            "installation comes without. Clone the repository and install it with: pip install -e ."
        )
    return str(CHECKPOINT)


def load_model(config: TrainConfig) -> Any:
    """Load the encoder under a fresh head (or a reader that is to be trained further)."""
    try:
        model_config = AutoConfig.from_pretrained(base_of(config))
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"{config.base}: must be a model folder or a hub name, but cannot be loaded: {error}"
        ) from error
    for wanted, names in ((config.hidden_dropout, _HIDDEN_DROPOUT), (config.attention_dropout, _ATTENTION_DROPOUT)):
        known = [name for name in names if hasattr(model_config, name)]
        for name in known if wanted is not None else ():
            setattr(model_config, name, wanted)
    try:
        # That the head is new and the pooler gone is not news.
        with quietly():
            model = AutoModelForQuestionAnswering.from_pretrained(
                base_of(config), config=model_config, dtype=torch.float32
            )
    except (OSError, ValueError) as error:
        raise TrainingError(f"{config.base}: must hold weights of an encoder, but cannot be loaded: {error}") from error
    if on_cpu():
        use_attention(model)
    return model


def _scores(trainer: ReaderTrainer) -> dict[str, float]:
    """Return the scores of the weights that are kept; nothing without an evaluation."""
    state = trainer.state
    rows = [row for row in state.log_history if "eval_f1" in row and row["step"] == state.best_global_step]
    return {name: rows[0][f"eval_{key}"] for name, key in _SCORES.items()} if rows else {}


def _keep_best(trainer: ReaderTrainer) -> None:
    """Put the weights that become the reader into the model: the best, or else the last; averaged, if they are."""
    state = trainer.state
    if state.best_global_step in (None, state.global_step):
        if trainer.average:
            trainer.average.swap()
        return
    best = trainer.checkpoints / f"checkpoint-{state.best_global_step}"
    trainer.model.load_state_dict(load_file(best / (AVERAGE if trainer.average else WEIGHTS)), strict=False)


@contextmanager
def _explained_disk(out: Path) -> Iterator[None]:
    """Turn what hinders the reader's files into an error that says where its weights are meanwhile.

    Raises:
        TrainingError: Instead of the system's own error, and safetensors'.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise TrainingError(
            f"{out}: the reader must be written here, but cannot be: {reason}. Its weights are in the last checkpoint. "
            "Make room, then go on with --resume."
        ) from error


def _write_reader(trainer: ReaderTrainer, facts: Mapping[str, Any], seconds: float, out: Path) -> None:
    """Write the reader folder, so that transformers loads it too."""
    config, scores = trainer.config, _scores(trainer)
    _keep_best(trainer)
    with quietly():
        trainer.model.save_pretrained(out)
        AutoTokenizer.from_pretrained(base_of(config)).save_pretrained(out)
    with whole_file(out / "tokenizer.json") as file:
        file.write(trainer.data.tokenizer.to_json())
    write_json(out / HISTORY_FILE, trainer.state.log_history)
    manifest = {
        "precision": "float32",
        "trained_on": {
            "config": config.to_dict(),
            **facts,
            "steps": trainer.state.global_step,
            "seconds": round(seconds),
            **_provenance(facts["processes"]),
        },
        "scores": {"dev": scores} if scores else {},
    }
    ReaderFolder.open_unchecked(out).write_manifest(trainer.data.settings, manifest)


def _provenance(processes: int) -> dict[str, Any]:
    made = made_with(processes)
    versions = {name: made.pop(name) for name in ("torch", "transformers", "accelerate", "tokenizers", "quoth")}
    return {"threads": made["threads"], "python": made["python"], "versions": versions}
