"""One training run, from examples to a reader folder."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForQuestionAnswering, AutoTokenizer, TrainerCallback

from quoth.data import read_examples
from quoth.engines.torch import load_tokenizer, quietly
from quoth.errors import TrainingError
from quoth.reading import DecodeSettings, Windower
from quoth.records import Example
from quoth.store import ReaderFolder, ReaderSettings
from quoth.training.config import TrainConfig
from quoth.training.device import choose_precision, keep_memory, on_cpu, use_threads
from quoth.training.features import WindowDataset
from quoth.training.progress import Progress, ProgressCallback
from quoth.training.tracking import MlflowTracker
from quoth.training.trainer import ReaderTrainer, newest_checkpoint, training_arguments

# The configuration of the run, written before its first step: what a resumed run must agree with.
RUN_FILE = "run.json"
HISTORY_FILE = "history.json"
CHECKPOINTS = "checkpoints"
# Dropout of hidden states and of attention weights, as the families' configs call them.
_HIDDEN_DROPOUT = ("hidden_dropout_prob", "dropout", "hidden_dropout")
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
    lost: tuple[str, ...]


def train(
    data: str | Path | Sequence[Example],
    *,
    out: str | Path,
    dev: str | Path | Sequence[Example] | None = None,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
    callbacks: Sequence[TrainerCallback] = (),
    **settings: Any,
) -> TrainResult:
    """Fine-tune an encoder to answer questions, and write a reader folder.

    Args:
        data: Training examples, or what :func:`quoth.read_examples` reads.
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
    """
    config, out = TrainConfig.of(settings), Path(out)
    checkpoint = _checkpoint(out, config, resume)
    tracker = MlflowTracker(config) if config.tracking else None
    trainer, facts = _trainer(config, _labelled(data), _labelled(dev or []), out / CHECKPOINTS)
    followers = [ProgressCallback(progress, facts["computed_in"])] if progress else []
    for callback in (*callbacks, *followers, *([tracker] if tracker else [])):
        trainer.add_callback(callback)
    out.mkdir(parents=True, exist_ok=True)
    _write_json(out / RUN_FILE, {**config.to_dict(), **facts})
    with tracker.following(facts) if tracker else nullcontext():
        started = time.monotonic()
        with quietly():
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        seconds = time.monotonic() - started
        scores = _write_reader(trainer, facts, seconds, out)
        if tracker:
            tracker.log_reader(out, seconds)
    step = trainer.state.best_global_step or trainer.state.global_step
    lost = tuple(trainer.train_dataset.lost)
    return TrainResult(out, scores.get("exact"), scores.get("f1"), step, seconds, lost)


def _trainer(
    config: TrainConfig, examples: Sequence[Example], dev: Sequence[Example], checkpoints: Path
) -> tuple[ReaderTrainer, dict[str, Any]]:
    """Put a run together, and say what it is made of."""
    if not examples:
        raise TrainingError("the training data must hold at least one question, but holds none")
    precision = choose_precision(config.precision)
    use_threads(config.threads)
    if config.keep_memory:
        keep_memory()
    transformers.set_seed(config.seed)
    model, tokenizer = _model(config), load_tokenizer(config.base)
    reader = ReaderSettings(
        config.max_tokens, config.overlap, DecodeSettings(max_answer_tokens=config.max_answer_tokens)
    )
    windows = WindowDataset(examples, Windower(tokenizer, max_tokens=config.max_tokens, overlap=config.overlap))
    arguments = training_arguments(config, checkpoints, precision, bool(dev))
    facts = {
        "questions": len(examples),
        "windows": len(windows),
        "lost": len(windows.lost),
        "dev_questions": len(dev),
        "computed_in": precision,
    }
    return ReaderTrainer(model, config, tokenizer, reader, (windows, dev), arguments), facts


def _checkpoint(out: Path, config: TrainConfig, resume: bool) -> Path | None:
    """Return the checkpoint to go on from; refuse to mix two runs in one folder."""
    run = out / RUN_FILE
    if not run.is_file():
        if out.is_dir() and any(out.iterdir()):
            raise TrainingError(f"{out}: must be a new or empty folder, or hold a run, but holds something else")
        return None
    if not resume:
        raise TrainingError(f"{out}: holds a run already. Go on with --resume, or choose another --out.")
    different = config.differences(json.loads(run.read_text(encoding="utf-8")))
    if different:
        raise TrainingError(f"{out}: holds a run of another configuration: {'; '.join(different)}")
    return newest_checkpoint(out / CHECKPOINTS)


def _labelled(data: str | Path | Sequence[Example]) -> list[Example]:
    examples = read_examples(data) if isinstance(data, str | Path) else list(data)
    unlabelled = sum(example.golds is None for example in examples)
    if unlabelled:
        raise TrainingError(f"{unlabelled} of {len(examples)} questions must have answers, but are unlabelled")
    return examples


def _model(config: TrainConfig) -> Any:
    """Load the encoder under a fresh head (or a reader that is to be trained further)."""
    try:
        model_config = AutoConfig.from_pretrained(config.base)
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
            return AutoModelForQuestionAnswering.from_pretrained(
                config.base,
                config=model_config,
                dtype=torch.float32,
                # torch's fused attention is slow backwards on a CPU: docs/log.md has the figures.
                attn_implementation="eager" if on_cpu() else None,
            )
    except (OSError, ValueError) as error:
        raise TrainingError(f"{config.base}: must hold weights of an encoder, but cannot be loaded: {error}") from error


def _keep_best(trainer: ReaderTrainer) -> dict[str, float]:
    """Put the best checkpoint's weights back, and return its scores; nothing without an evaluation."""
    state = trainer.state
    if state.best_global_step is None:
        return {}
    if state.best_global_step != state.global_step and state.best_model_checkpoint:
        weights = load_file(Path(state.best_model_checkpoint) / "model.safetensors")
        trainer.model.load_state_dict(weights)
    best = next(row for row in state.log_history if row.get("step") == state.best_global_step and "eval_f1" in row)
    return {"exact": best["eval_exact"], "f1": best["eval_f1"], "total": best["eval_questions"]}


def _write_reader(trainer: ReaderTrainer, facts: Mapping[str, Any], seconds: float, out: Path) -> dict[str, float]:
    """Write the reader folder, so that transformers loads it too, and return the scores of its weights."""
    scores = _keep_best(trainer)
    config = trainer.config
    with quietly():
        trainer.model.save_pretrained(out)
        AutoTokenizer.from_pretrained(config.base).save_pretrained(out)
    (out / "tokenizer.json").write_text(trainer.tokenizer.to_json(), encoding="utf-8")
    _write_json(out / HISTORY_FILE, trainer.state.log_history)
    manifest = {
        "precision": "float32",
        "trained_on": _provenance(config, facts, trainer.state.global_step, seconds),
        "scores": {"dev": scores} if scores else {},
    }
    ReaderFolder.open_unchecked(out).write_manifest(trainer.reader_settings, manifest)
    return scores


def _provenance(config: TrainConfig, facts: Mapping[str, Any], steps: int, seconds: float) -> dict[str, Any]:
    libraries = ("torch", "transformers", "accelerate", "tokenizers", "quoth")
    return {
        "config": config.to_dict(),
        **facts,
        "steps": steps,
        "seconds": round(seconds),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in libraries},
    }


def _write_json(file: Path, document: Any) -> None:
    file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
