"""The contents of a checkpoint: everything that the next step depends on. Pickle files are never read."""

from __future__ import annotations

import json
import logging
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from transformers.trainer_callback import TrainerState

from quoth.errors import TrainingError
from quoth.training.config import TrainConfig
from quoth.training.optimizer import MovingAverage

WEIGHTS = "model.safetensors"
AVERAGE = "average.safetensors"
_OPTIMIZER = "optimizer.safetensors"
_RANDOM = "random.safetensors"
_STATE = "state.json"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunState:
    """The state of a run that checkpoints save and restore.

    Attributes:
        config: The run's configuration.
        data: Fingerprint of the data and of the windows per step; a resumed run must have the same.
        model: The model, not wrapped.
        optimizer: Its optimizer.
        progress: The trainer state, with the current step and the log history.
        average: The exponential moving average of the weights, if configured.
        scaler: The gradient scaler, in float16.
    """

    config: TrainConfig
    data: Mapping[str, Any]
    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    progress: TrainerState
    average: MovingAverage | None = None
    scaler: Any = None


def snapshot(run: RunState, random: Sequence[Mapping[str, torch.Tensor]]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each file of a checkpoint.

    Args:
        run: The current state of the run.
        random: :func:`random_state` of each process.
    """
    yield WEIGHTS, save(_parameters(run.model))
    if run.average:
        yield AVERAGE, save({name: value.contiguous() for name, value in run.average.weights.items()})
    yield _OPTIMIZER, save(_moments(run.model, run.optimizer))
    yield _RANDOM, save({f"{rank}/{part}": state for rank, each in enumerate(random) for part, state in each.items()})
    document = {
        "config": run.config.to_dict(),
        "made_with": made_with(len(random)),
        "average_steps": run.average.seen if run.average else 0,
        "data": run.data,
        "scaler": run.scaler.state_dict() if run.scaler else None,
        "trainer": asdict(run.progress),
    }
    yield _STATE, (json.dumps(document, indent=1) + "\n").encode()


def read_snapshot(folder: Path, run: RunState, process: tuple[int, int]) -> TrainerState:
    """Restore a run from a checkpoint, in place, and return its trainer state.

    Warns if threads, processes or versions differ: the results are then not bit-identical to an uninterrupted run.

    Args:
        folder: A complete checkpoint.
        run: The run; its model, optimizer, moving average and scaler are overwritten.
        process: The index of this process, from 0, and the number of processes.

    Raises:
        TrainingError: If the checkpoint has another configuration, other data, or another number of windows per step.
    """
    rank, processes = process
    document = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    different = run.config.differences(document["config"])
    if different:
        raise TrainingError(f"{folder}: checkpoint of another configuration: {'; '.join(different)}")
    # Before 0.2 the fingerprint was called "course".
    _raise_if_other_data(folder, document.get("data", document.get("course")), run.data, processes)
    run.model.load_state_dict(load_file(folder / WEIGHTS), strict=False)
    if run.average:
        run.average.load(load_file(folder / AVERAGE), document["average_steps"])
    _put_moments(run.model, run.optimizer, load_file(folder / _OPTIMIZER))
    if run.scaler and document.get("scaler"):
        run.scaler.load_state_dict(document["scaler"])
    random = load_file(folder / _RANDOM)
    if f"{rank}/cpu" in random:
        torch.set_rng_state(random[f"{rank}/cpu"])
    if f"{rank}/cuda" in random and torch.cuda.is_available():
        torch.cuda.set_rng_state(random[f"{rank}/cuda"])
    before, now = document["made_with"], made_with(processes)
    changes = [f"{name} was {before.get(name)} and is {now[name]}" for name in now if now[name] != before.get(name)]
    if changes:
        _LOG.warning("%s: results will not be bit-identical to an uninterrupted run: %s", folder, "; ".join(changes))
    return TrainerState(**document["trainer"])


def _raise_if_other_data(
    folder: Path, before: Mapping[str, Any] | None, now: Mapping[str, Any], processes: int
) -> None:
    """Raise if the data or the number of windows per step differ from those of the checkpoint."""
    if before is None or before == now:  # none: a checkpoint of Quoth 0.1
        return
    if before["step_windows"] != now["step_windows"]:
        raise TrainingError(
            f"{folder}: each step must have {before['step_windows']} windows, but would have {now['step_windows']} "
            f"with {processes} process{'es' * (processes > 1)}. Use the same number of processes as before."
        )
    raise TrainingError(
        f"{folder}: the data must be the same as before ({before['windows']:,} windows), but differs "
        f"({now['windows']:,} windows). Give the same files, or start a new run."
    )


def random_state() -> dict[str, torch.Tensor]:
    """Return the state of torch's random number generators in this process, uint8, by device."""
    states = {"cpu": torch.get_rng_state()}
    return {**states, "cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else states


def made_with(processes: int) -> dict[str, Any]:
    """Return what bit-identical results depend on, besides configuration and data: hardware, threads and versions."""
    libraries = ("torch", "transformers", "accelerate", "tokenizers", "quoth")
    return {
        "processes": processes,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "python": platform.python_version(),
        **{name: _version(name) for name in libraries},
    }


def _version(name: str) -> str | None:
    """Return a library's version; ``None`` if it is importable but not installed (a source checkout)."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _parameters(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().contiguous() for name, value in model.named_parameters()}


def _moments(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Return the optimizer's state, keyed by parameter name and part."""
    return {
        f"{name}/{part}": value.contiguous()
        for name, parameter in model.named_parameters()
        for part, value in optimizer.state.get(parameter, {}).items()
    }


def _put_moments(model: torch.nn.Module, optimizer: torch.optim.Optimizer, moments: Mapping[str, torch.Tensor]) -> None:
    for name, parameter in model.named_parameters():
        parts = {key.rpartition("/")[2]: value for key, value in moments.items() if key.rpartition("/")[0] == name}
        if parts:
            # Like the optimizer, keep step counters on the parameter's device (fused AdamW on a GPU requires it).
            optimizer.state[parameter] = {part: value.to(parameter.device) for part, value in parts.items()}
