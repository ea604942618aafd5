"""Training: windows a second, and the course of the loss, against the seed's set-up, in one run.

    python benchmarks/training.py --base ENCODER --data squad-v1.1-train.json

The seed trains with transformers' Trainer: float32, every window padded to 384 tokens, batches of 8. Same weights, same
windows of SQuAD, same cores. Speed: each side as it is meant to be run. Loss: both sides over the same windows in the
same order, in steps of the same size and without dropout, so that only what we changed can make a difference; and both
losses are ours (over the tokens that an answer may use), whatever the side itself minimises.

``--preload LIBRARY`` runs our side with another allocator, as docs/training.md advises (jemalloc).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import record

WARM = 3  # steps that are not timed
SIDES = ("seed", "ours")


def main() -> None:
    """Run both sides in turn and print the ratio; or, started by itself, run one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", required=True, help="encoder to start from")
    parser.add_argument("--data", required=True, help="SQuAD v1.1 train")
    parser.add_argument("--rounds", type=int, default=2, help="how often each side is timed")
    parser.add_argument("--steps", type=int, default=24, help="timed steps of 8 windows of the seed, each round")
    parser.add_argument("--curve", type=int, default=40, help="steps of 32 windows of the two losses; 0 for none")
    parser.add_argument("--preload", default="", help="allocator of our side")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--losses", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(run_seed(options) if options.side == "seed" else run_ours(options)))
        return
    speeds = {side: [] for side in SIDES}
    for _ in range(options.rounds):
        for side in SIDES:
            speeds[side].append(child(side, options.preload)["speed"])
    curves = {side: child(side, options.preload, "--losses")["losses"] for side in SIDES} if options.curve else {}
    report(speeds, curves, Path(options.preload).name)


def child(side: str, preload: str, *more: str) -> dict:
    """Run one side in a process of its own, and return what it says."""
    command = [sys.executable, __file__, *sys.argv[1:], "--side", side, *more]
    environment = {**os.environ, "MALLOC_CONF": "dirty_decay_ms:-1,muzzy_decay_ms:-1"}
    if side == "ours":
        environment["LD_PRELOAD"] = next(
            (word for at, word in enumerate(sys.argv) if sys.argv[at - 1] == "--preload"), ""
        )
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def windows(options: argparse.Namespace, count: int) -> list:
    """Return the same random windows of the training data, whoever asks."""
    from quoth.data import read_examples
    from quoth.engines.torch import load_tokenizer
    from quoth.reading import Windower

    examples = list(read_examples(options.data))
    random.Random(0).shuffle(examples)
    found = [window for each in Windower(load_tokenizer(options.base)).each(examples[:count]) for window in each]
    return found[:count]


def run_seed(options: argparse.Namespace) -> dict:
    """Train as the seed does."""
    import torch
    from transformers import AutoConfig, AutoModelForQuestionAnswering, Trainer, TrainerCallback, TrainingArguments

    from quoth.training.features import Collator
    from quoth.training.loss import span_losses

    size = 32 if options.losses else 8
    steps = options.curve if options.losses else options.steps + WARM
    some = windows(options, steps * size)
    config = AutoConfig.from_pretrained(options.base)
    if options.losses:
        config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
    torch.manual_seed(0)
    model = AutoModelForQuestionAnswering.from_pretrained(options.base, config=config, dtype=torch.float32)
    times, losses = [], []

    class Follow(TrainerCallback):
        def on_step_end(self, *_, **__):
            times.append(time.perf_counter())

    class InOrder(Trainer):
        def _get_train_sampler(self, *_):
            return torch.utils.data.SequentialSampler(some)

        def compute_loss(self, model, inputs, return_outputs=False, **_):
            legal, targets = inputs.pop("legal"), inputs.pop("targets")
            output = model(**inputs)
            if options.losses:
                with torch.no_grad():
                    losses.append(span_losses(output.start_logits, output.end_logits, legal, targets).mean().item())
            return output.loss

    def padded(rows: list) -> dict:
        batch = Collator(0, True)(rows)
        room = 384 - batch.legal.shape[1]
        inputs = {name: torch.nn.functional.pad(tensor, (0, room)) for name, tensor in batch.inputs.items()}
        first, last = batch.targets[:, 0].unbind(-1)
        legal = torch.nn.functional.pad(batch.legal, (0, room))
        return {**inputs, "start_positions": first, "end_positions": last, "legal": legal, "targets": batch.targets}

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            per_device_train_batch_size=size,
            max_steps=steps,
            learning_rate=2e-5,
            lr_scheduler_type="constant",
            use_cpu=True,
            save_strategy="no",
            logging_steps=1000,
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
            dataloader_pin_memory=False,
        )
        with open(os.devnull, "w") as nowhere:
            stdout, sys.stdout = sys.stdout, nowhere
            InOrder(model, arguments, train_dataset=some, data_collator=padded, callbacks=[Follow()]).train()
            sys.stdout = stdout
    return {"speed": speed(times, size), "losses": losses}


def run_ours(options: argparse.Namespace) -> dict:
    """Train as recipes/shipped-1.toml does; for the curve, in the seed's order."""
    import torch
    from accelerate import Accelerator
    from transformers import TrainerCallback, TrainingArguments

    from quoth.engines.torch import load_tokenizer
    from quoth.store import ReaderSettings
    from quoth.training.config import TrainConfig
    from quoth.training.device import choose_precision, use_threads
    from quoth.training.features import WindowDataset
    from quoth.training.run import load_model
    from quoth.training.trainer import ReaderTrainer, RunData

    size = 32
    steps = options.curve if options.losses else options.steps + WARM
    config = TrainConfig(
        base=options.base,
        max_steps=steps,
        batch_size=size,
        learning_rate=2e-5,
        warmup=0.0,
        cooldown=0.0,
        hidden_dropout=0.0,
        attention_dropout=0.0,
    )
    precision = choose_precision("auto")
    use_threads(None)
    tokenizer = load_tokenizer(options.base)
    data = WindowDataset.__new__(WindowDataset)
    data.windows, data.lost = windows(options, steps * size), []
    times, losses = [], []

    class Follow(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            times.append(time.perf_counter())

    class InOrder(ReaderTrainer):
        def _rows(self):
            yield from (list(range(at, at + size)) for at in range(0, steps * size, size))

        def _after_step(self):
            self._log_loss()
            losses.append(self.state.log_history[-1]["loss"])

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(folder, use_cpu=True, report_to="none")
        accelerator = Accelerator(cpu=True, mixed_precision={"bfloat16": "bf16", "float32": "no"}[precision])
        torch.manual_seed(0)
        run = RunData(data, (), tokenizer, ReaderSettings())
        kind = InOrder if options.losses else ReaderTrainer
        trainer = kind(load_model(config), config, run, accelerator, arguments, [Follow()])
        trainer.train()
    return {"speed": speed(times, size), "losses": losses, "precision": precision}


def speed(times: list[float], size: int) -> float:
    """Return windows a second, after the steps that warm up."""
    return (len(times) - WARM) * size / (times[-1] - times[WARM - 1])


def matrix_peak() -> float:
    """Return floating-point operations a second of the largest bfloat16 product of the model, many rows at once."""
    import torch

    rows, weights = torch.randn(8192, 1536).bfloat16(), torch.randn(1536, 384).bfloat16()
    best = float("inf")
    for _ in range(20):
        started = time.perf_counter()
        rows @ weights
        best = min(best, time.perf_counter() - started)
    return 2 * rows.shape[0] * weights.numel() / best


def report(speeds: dict[str, list[float]], curves: dict[str, list[float]], allocator: str) -> None:
    """Print both sides, their ratio, and how far the losses are apart."""
    with_allocator = f", {allocator}" if allocator else ""
    seed, ours = (statistics.median(speeds[side]) for side in SIDES)
    tokens, layers = 171, 10_646_784  # mean length of SQuAD's windows; weights in the six layers' products
    work = ours * (6 * layers * tokens + 6 * 3 * 4 * tokens**2 * 384)
    what = f"Quoth: bfloat16, similar lengths, batches of 32, no dropout{with_allocator}"
    lines = [
        "| side | windows/s | each round |",
        "|---|---|---|",
        f"| transformers' Trainer, float32, padded to 384, batches of 8 | {seed:.2f} | {listed(speeds['seed'])} |",
        f"| {what} | {ours:.2f} | {listed(speeds['ours'])} |",
        "",
        f"**{ours / seed:.1f} times the seed's set-up.** {work / matrix_peak():.0%} of the matrix peak measured here.",
    ]
    if curves:
        pairs = list(zip(curves["seed"], curves["ours"], strict=True))
        apart = [abs(one - other) for one, other in pairs]
        lines += [
            "",
            f"Loss over the same {len(pairs)} steps of 32 windows, float32 padded against bfloat16 not padded, without "
            f"dropout: {statistics.mean(apart):.4f} apart on average, {max(apart):.4f} at most, while it falls from "
            f"{pairs[0][0]:.2f} to {statistics.mean(one for one, _ in pairs[-5:]):.2f}.",
        ]
    record("Training on a CPU against the seed's set-up", lines)


def listed(values: list[float]) -> str:
    """Return figures side by side."""
    return ", ".join(f"{value:.2f}" for value in values)


if __name__ == "__main__":
    main()
