"""Measures training against the tutorial's set-up: windows per second, and the loss.

    python benchmarks/training.py --base ENCODER --data squad-v1.1-train.json
    python benchmarks/training.py --base ENCODER --data squad-v1.1-train.json --rounds 0    # the losses alone

The tutorial trains with transformers' Trainer: float32, every window padded to 384 tokens, batches of 8. Both sides
have the same weights, windows of SQuAD and cores. For speed, each side runs with its own settings. For the loss, both
use the same windows in Quoth's order, in steps of the same size and without dropout. Both report Quoth's loss (over
the tokens that an answer may use), whatever they minimise. A third run of Quoth with another random head shows the
noise.

``--preload LIBRARY`` runs our side with another allocator, as docs/guides/training.md advises (jemalloc); ``--processes
N`` shares the cores between N processes of our side (torchrun), each with its part of every batch. Our side uses
the precision that ``quoth train`` would choose here; ``--precision bfloat16`` also works, slowly, on other processors.
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
from typing import TYPE_CHECKING, Any

from harness import record

if TYPE_CHECKING:
    from quoth.reading import Window
    from quoth.training.stops import StopSignals

Found = dict[str, Any]  # what one side measured

WARM = 3  # steps that are not timed
SIZE = 32  # windows of a step of ours, and of both sides where losses are compared
RATE = 1e-4
SAME = 0.05  # how much rounding may change the loss of the first step
SEED = 0  # of the order of our side's steps
SIDES = ("tutorial", "ours")
# Tells jemalloc to keep what is freed; other allocators do not read it.
KEEP = "dirty_decay_ms:-1,muzzy_decay_ms:-1"


def main() -> None:
    """Run both sides alternately and print the ratio; or, as a child process, run one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", required=True, help="encoder to start from")
    parser.add_argument("--data", required=True, help="SQuAD v1.1 train")
    parser.add_argument("--rounds", type=int, default=2, help="timed runs of each side; 0: none")
    parser.add_argument("--steps", type=int, default=24, help=f"timed steps of each round, of 8 and of {SIZE} windows")
    parser.add_argument("--curve", type=int, default=40, help=f"steps of {SIZE} windows of the two losses; 0 for none")
    parser.add_argument("--preload", help="allocator of our side")
    parser.add_argument("--processes", type=int, default=1, help="processes of our side")
    parser.add_argument("--precision", default="auto", help="what our side computes in")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--losses", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--head", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        found = run_tutorial(options) if options.side == "tutorial" else run_ours(options)
        if os.environ.get("RANK", "0") == "0":
            print(json.dumps(found))
        return
    rounds: dict[str, list[Found]] = {side: [] for side in SIDES}
    for _ in range(options.rounds):
        for side in SIDES:
            rounds[side].append(child(side, options))
    if options.rounds:
        report_speed(rounds, options)
    if options.curve:
        curves = {side: child(side, options, "--losses") for side in SIDES}
        curves["noise"] = child("ours", options, "--losses", "--head", "1")
        report_losses(curves, options)


def child(side: str, options: argparse.Namespace, *more: str) -> Found:
    """Run one side in a separate process and return its results."""
    environment, launcher = dict(os.environ), []
    if side == "ours" and options.preload:
        environment |= {"LD_PRELOAD": options.preload, "MALLOC_CONF": KEEP}
    if side == "ours" and options.processes > 1:
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(options.processes)]
        environment |= {"OMP_NUM_THREADS": str(max(1, cores() // options.processes))}
    command = [sys.executable, *launcher, __file__, *sys.argv[1:], "--side", side, *more]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def windows(options: argparse.Namespace, count: int) -> list[Window]:
    """Return random windows of the training data, the same ones for both sides."""
    from quoth.data import read_examples
    from quoth.engines.torch import load_tokenizer
    from quoth.reading import Windower

    examples = list(read_examples(options.data))
    random.Random(0).shuffle(examples)
    windower = Windower(load_tokenizer(options.base))
    found = [window for _, group in windower.each(examples[:count]) for window in group]
    return found[:count]


def run_tutorial(options: argparse.Namespace) -> Found:
    """Train as the tutorial does."""
    import torch
    from transformers import AutoConfig, AutoModelForQuestionAnswering, Trainer, TrainerCallback, TrainingArguments

    from quoth.training.features import Collator, StepPlan
    from quoth.training.loss import span_losses

    size = SIZE if options.losses else 8
    steps = options.curve if options.losses else options.steps + WARM
    some = windows(options, steps * size)
    if options.losses:
        plan = StepPlan([len(window) for window in some], SIZE, SEED)
        some = [some[row] for rows in plan.epoch(0) for row in rows]
    config = AutoConfig.from_pretrained(options.base)
    if options.losses:
        config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
    torch.manual_seed(options.head)
    model = AutoModelForQuestionAnswering.from_pretrained(options.base, config=config, dtype=torch.float32)
    times: list[float] = []
    losses: list[float] = []

    class Follow(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            times.append(time.perf_counter())

    class InOrder(Trainer):
        def _get_train_sampler(self, *_: Any) -> Any:
            return torch.utils.data.SequentialSampler(some)

        def compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, **_: Any) -> Any:
            legal, targets = inputs.pop("legal"), inputs.pop("targets")
            output = model(**inputs)
            if options.losses:
                with torch.no_grad():
                    losses.append(span_losses(output.start_logits, output.end_logits, legal, targets).mean().item())
            return output.loss

    def padded(rows: list[Any]) -> dict[str, Any]:
        batch = Collator(0, True)(rows)
        missing = 384 - batch.legal.shape[1]
        inputs = {name: torch.nn.functional.pad(tensor, (0, missing)) for name, tensor in batch.inputs.items()}
        first, last = batch.targets[:, 0].unbind(-1)
        legal = torch.nn.functional.pad(batch.legal, (0, missing))
        return {**inputs, "start_positions": first, "end_positions": last, "legal": legal, "targets": batch.targets}

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            per_device_train_batch_size=size,
            max_steps=steps,
            learning_rate=RATE,
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


def run_ours(options: argparse.Namespace) -> Found:
    """Train as recipes/shipped-1.toml does."""
    import torch
    from accelerate import Accelerator
    from transformers import TrainerCallback, TrainingArguments

    from quoth.engines.torch import load_tokenizer
    from quoth.store import ReaderSettings
    from quoth.training.config import TrainConfig
    from quoth.training.device import choose_precision, use_threads
    from quoth.training.features import StepPlan, WindowDataset
    from quoth.training.run import load_model
    from quoth.training.trainer import ReaderTrainer, RunData

    steps = options.curve if options.losses else options.steps + WARM
    config = TrainConfig(
        base=options.base,
        max_steps=steps,
        batch_size=SIZE // options.processes,
        learning_rate=RATE,
        warmup=0.0,
        cooldown=0.0,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        seed=SEED,
    )
    precision = choose_precision(options.precision)
    use_threads(cores() // options.processes)
    tokenizer = load_tokenizer(options.base)
    data = WindowDataset.__new__(WindowDataset)
    data.windows, data.lost = windows(options, steps * SIZE), []
    times: list[float] = []
    losses: list[float] = []

    class Follow(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            times.append(time.perf_counter())

    class WithLosses(ReaderTrainer):
        def _after_step(self, signals: StopSignals) -> None:
            self._log_loss()
            losses.append(self.state.log_history[-1]["loss"])

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(folder, use_cpu=True, report_to="none")
        accelerator = Accelerator(cpu=True, mixed_precision={"bfloat16": "bf16", "float32": "no"}[precision])
        torch.manual_seed(options.head)
        run = RunData(data, (), tokenizer, ReaderSettings())
        kind = WithLosses if options.losses else ReaderTrainer
        trainer = kind(load_model(config), config, run, accelerator, arguments, [Follow()])
        trainer.train()
    pace = speed(times, SIZE)
    lengths = [len(window) for window in data.windows]
    plan = StepPlan(lengths, SIZE, SEED).epoch(0)
    padded = sum(max(lengths[row] for row in rows) * len(rows) for rows in plan)
    return {
        "speed": pace,
        "losses": losses,
        "precision": precision,
        "padding": 1 - sum(lengths) / padded,
        "work": pace * statistics.mean(flops(trainer.model, length) for length in lengths),
    }


def speed(times: list[float], size: int) -> float:
    """Return windows per second, without the warm-up steps."""
    return (len(times) - WARM) * size / (times[-1] - times[WARM - 1])


def flops(model: Any, tokens: int) -> float:
    """Return the floating-point operations of a step for one window: forward, and twice as many backward."""
    import torch

    encoder = model.base_model.encoder
    weights = sum(part.weight.numel() for part in encoder.modules() if isinstance(part, torch.nn.Linear))
    attention = 2 * 2 * tokens**2 * model.config.hidden_size * model.config.num_hidden_layers
    return float(3 * (2 * weights * tokens + attention))


def matrix_peak(precision: str) -> float:
    """Return floating-point operations per second of the largest matrix product of the model, with many rows."""
    import torch

    kind = getattr(torch, precision)
    rows, weights = torch.randn(8192, 1536).to(kind), torch.randn(1536, 384).to(kind)
    best = float("inf")
    for _ in range(20):
        started = time.perf_counter()
        rows @ weights
        best = min(best, time.perf_counter() - started)
    return 2 * rows.shape[0] * weights.numel() / best


def cores() -> int:
    """Return the number of cores that this process may use."""
    from quoth.engines import usable_cores

    return usable_cores()


def report_speed(rounds: dict[str, list[Found]], options: argparse.Namespace) -> None:
    """Print both sides and their ratio."""
    speeds = {side: [each["speed"] for each in rounds[side]] for side in SIDES}
    theirs, ours = (statistics.median(speeds[side]) for side in SIDES)
    with_what = f", {options.processes} processes" * (options.processes > 1)
    with_what += f", {Path(options.preload).name}" if options.preload else ""
    work, padding = (statistics.median(each[name] for each in rounds["ours"]) for name in ("work", "padding"))
    precision = rounds["ours"][0]["precision"]
    what = f"Quoth: {precision}, similar lengths, batches of {SIZE}, no dropout{with_what}"
    lines = [
        "| side | windows/s | each round |",
        "|---|---|---|",
        f"| transformers' Trainer, float32, padded to 384, batches of 8 | {theirs:.2f} | {listed(speeds[SIDES[0]])} |",
        f"| {what} | {ours:.2f} | {listed(speeds['ours'])} |",
        "",
        f"**{ours / theirs:.1f} times the tutorial's set-up** (at least 10). {work / matrix_peak(precision):.0%} of "
        f"the {precision} matrix peak measured here; {padding:.1%} of the tokens are padding.",
    ]
    record(f"Training on a CPU against the tutorial's set-up{elsewhere(precision)}", lines)


def report_losses(found: dict[str, Found], options: argparse.Namespace) -> None:
    """Print the difference between the losses of both sides, and the difference that noise alone makes."""
    curves = {side: each["losses"] for side, each in found.items()}
    if abs(curves["ours"][0] - curves["tutorial"][0]) > SAME:
        raise SystemExit("both sides must have the same windows in the first step, but their losses differ")
    apart, noise = (distance(curves["ours"], curves[other]) for other in ("tutorial", "noise"))
    rows = [
        ("transformers' Trainer, float32, padded to 384", curves["tutorial"]),
        (f"Quoth, {found['ours']['precision']}, padded to multiples of 16", curves["ours"]),
        ("the same under another random head", curves["noise"]),
    ]
    lines = [
        f"The same {options.curve} steps of {SIZE} windows, without dropout.",
        "",
        "| side | loss of the first step | mean of the last ten |",
        "|---|---|---|",
        *(f"| {name} | {losses[0]:.3f} | {statistics.mean(losses[-10:]):.3f} |" for name, losses in rows),
        "",
        f"The losses of a step are {apart:.3f} apart on average; {noise:.3f} where only the random head is another. "
        f"**Equal within noise: {'holds' if apart <= noise else 'does not hold'}.**",
    ]
    record(f"Training loss against the tutorial's set-up{elsewhere(found['ours']['precision'])}", lines)


def elsewhere(precision: str) -> str:
    """Return the end of a section's title, so that CPUs without bfloat16 have a section of their own."""
    return "" if precision == "bfloat16" else f", in {precision}"


def distance(one: list[float], other: list[float]) -> float:
    """Return the mean absolute difference of two loss curves per step."""
    return statistics.mean(abs(first - second) for first, second in zip(one, other, strict=True))


def listed(values: list[float]) -> str:
    """Return values separated by commas."""
    return ", ".join(f"{value:.2f}" for value in values)


if __name__ == "__main__":
    main()
