"""transformers' Trainer, with our batches, our evaluation, and checkpoints that say when they are whole."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch.utils.data import Sampler
from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from quoth.engines.torch import TorchEngine
from quoth.evaluation import evaluate
from quoth.reader import Reader
from quoth.reading import Tokenizer
from quoth.records import Example
from quoth.store import ReaderSettings
from quoth.training.config import TrainConfig
from quoth.training.device import on_cpu
from quoth.training.features import Collator, SimilarLengthSampler, WindowDataset

# Written into a checkpoint after everything else. Trainer writes checkpoints in place: one without this is half done.
COMPLETE = "complete"


class ReaderTrainer(Trainer):
    """Trainer that samples similar lengths and evaluates EM and F1 by answering, in constant memory."""

    def __init__(
        self,
        model: Any,
        config: TrainConfig,
        tokenizer: Tokenizer,
        settings: ReaderSettings,
        data: tuple[WindowDataset, Sequence[Example]],
        arguments: TrainingArguments,
    ) -> None:
        """Put the run together; ``data`` is the training windows and the dev examples (none: no evaluation)."""
        windows, self._dev = data
        engine = TorchEngine(model)
        self.tokenizer = tokenizer
        self.reader_settings = settings
        self.config = config
        patience = [EarlyStoppingCallback(config.patience)] if config.patience and self._dev else []
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=windows,
            eval_dataset=self._dev if self._dev else None,
            data_collator=Collator(tokenizer.pad_id, engine.takes_types),
            callbacks=[_Checkpoints(), *patience],
        )
        # With its bar disabled, Trainer prints its logs on stdout, where results go.
        self.remove_callback(PrinterCallback)

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        lengths = [len(window) for window in (train_dataset or self.train_dataset).windows]
        return SimilarLengthSampler(lengths, self._train_batch_size, self.config.seed)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Answer the dev questions with the weights as they are now, and log EM and F1."""
        started = time.monotonic()
        model = self.accelerator.unwrap_model(self.model)
        was_training = model.training
        model.eval()
        try:
            engine = TorchEngine(model, precision=_autocast(self.args))
            report = evaluate(Reader(self.tokenizer, engine, self.reader_settings), self._dev)
        finally:
            model.train(was_training)
        metrics = {
            "eval_exact": report.exact,
            "eval_f1": report.f1,
            "eval_questions": float(report.total),
            "eval_seconds": round(time.monotonic() - started, 1),
        }
        self.log(metrics)
        self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class _Checkpoints(TrainerCallback):
    """Writes a checkpoint at each evaluation, so that the best one is kept, and marks each as whole."""

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        control.should_save = True
        return control

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        (folder / COMPLETE).write_text(json.dumps({"step": state.global_step}) + "\n", encoding="utf-8")


def newest_checkpoint(folder: Path) -> Path | None:
    """Return the newest whole checkpoint of a run, or ``None``."""
    whole = [path for path in folder.glob("checkpoint-*") if (path / COMPLETE).is_file()]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def training_arguments(config: TrainConfig, folder: Path, precision: str, evaluates: bool) -> TrainingArguments:
    """Say our configuration in Trainer's words."""
    every = "steps" if config.eval_steps else "epoch"
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=config.epochs,
        max_steps=config.max_steps or -1,
        learning_rate=config.learning_rate,
        lr_scheduler_type="linear",
        # Below 1, Trainer takes it as a share of all steps.
        warmup_steps=config.warmup if config.warmup < 1 else 0.999999,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.accumulation,
        seed=config.seed,
        use_cpu=on_cpu(),
        bf16=precision == "bfloat16",
        fp16=precision == "float16",
        eval_strategy=every if evaluates else "no",
        eval_steps=config.eval_steps,
        save_strategy="steps" if config.save_steps else "epoch",
        save_steps=config.save_steps or 500,
        save_total_limit=config.keep_checkpoints,
        metric_for_best_model="eval_f1" if evaluates else None,
        greater_is_better=True if evaluates else None,
        logging_steps=50,
        disable_tqdm=True,
        report_to="none",
        remove_unused_columns=False,
        dataloader_pin_memory=not on_cpu(),
    )


def _autocast(arguments: TrainingArguments) -> str:
    return "bfloat16" if arguments.bf16 else "float16" if arguments.fp16 else "float32"
