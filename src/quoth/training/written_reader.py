"""Writes the reader of a finished training run: the selected weights, the tokenizer, the settings and the manifest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from quoth.engines.torch import quietly
from quoth.errors import TrainingError, reason_of
from quoth.files import atomic_text, write_json
from quoth.store import ReaderFolder, ReaderSettings
from quoth.store.provenance import Used
from quoth.training.snapshot import AVERAGE, WEIGHTS, made_with
from quoth.training.trainer import ReaderTrainer

# The log of a run: losses and evaluations.
HISTORY_FILE = "history.json"
# The scores of a reader -> what an evaluation logs.
_SCORES = {
    "exact": "eval_exact",
    "f1": "eval_f1",
    "total": "eval_questions",
    "never_f1": "eval_never_f1",
    "null_threshold": "eval_null_threshold",
    "HasAns_f1": "eval_has_answer_f1",
    "NoAns_f1": "eval_no_answer_f1",
    "loss": "eval_loss",
}


def selected_scores(trainer: ReaderTrainer) -> dict[str, float]:
    """Return the scores of the selected checkpoint; empty without an evaluation."""
    state = trainer.state
    rows = [row for row in state.log_history if "eval_f1" in row and row["step"] == state.best_global_step]
    return {name: rows[0][key] for name, key in _SCORES.items() if rows and key in rows[0]}


def _keep_best(trainer: ReaderTrainer) -> None:
    """Load the selected weights into the model: the best checkpoint, else the last; averaged, if configured."""
    state = trainer.state
    if state.best_global_step in (None, state.global_step):
        if trainer.average:
            trainer.average.swap()
        return
    best = trainer.checkpoints / f"checkpoint-{state.best_global_step}"
    trainer.model.load_state_dict(load_file(best / (AVERAGE if trainer.average else WEIGHTS)), strict=False)


@contextmanager
def explain_disk_error(out: Path) -> Iterator[None]:
    """Turn errors while writing the reader into one that says where its weights are saved.

    Raises:
        TrainingError: Instead of ``OSError`` and ``SafetensorError``.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else error
        raise TrainingError(
            f"{out}: cannot write the reader: {reason}. Its weights are in the last checkpoint. "
            "Free disk space, then continue with --resume."
        ) from error


def write_reader(
    trainer: ReaderTrainer, tokenizer: Any, facts: Mapping[str, Any], used: Sequence[Used], seconds: float, out: Path
) -> None:
    """Write the reader folder, which transformers can load, too.

    Args:
        trainer: The trainer, after its last step.
        tokenizer: The tokenizer of the base, as transformers loads it.
        facts: Facts about the run, for the manifest.
        used: The data sets with which the reader was made.
        seconds: Training time.
        out: The folder.
    """
    config, scores = trainer.config, selected_scores(trainer)
    _keep_best(trainer)
    with quietly():
        trainer.model.save_pretrained(out)
        tokenizer.save_pretrained(out)
    with atomic_text(out / "tokenizer.json") as file:
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
    ReaderFolder.open_unchecked(out).write_manifest(_with_threshold(trainer.data.settings, scores), manifest, used=used)


def _with_threshold(settings: ReaderSettings, scores: Mapping[str, float]) -> ReaderSettings:
    """Return the settings with the null threshold that was best on dev, if dev has unanswerable questions.

    It is chosen on dev, which also selected the checkpoint: ``quoth calibrate`` finds a better one on other data.
    """
    threshold = scores.get("null_threshold")
    if threshold is None:
        return settings
    return replace(settings, decode=settings.decode.with_(null_threshold=threshold, null_bias=threshold))


def _provenance(processes: int) -> dict[str, Any]:
    made = made_with(processes)
    versions = {name: made.pop(name) for name in ("torch", "transformers", "accelerate", "tokenizers", "quoth")}
    return {"threads": made["threads"], "python": made["python"], "versions": versions}
