"""The optimizer: AdamW with layer-wise learning rates, the schedule, and the exponential moving average of weights."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import torch
from torch import nn

from quoth.training.config import TrainConfig

# Names of layers in the supported model classes; the last three are XLM's.
_LAYER = re.compile(r"\.(?:layers?|albert_layers|h|blocks?|attentions|ffns|layer_norm[12])\.(\d+)\.")


def adamw(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """Return AdamW over a model's parameters; each group has a ``scale``, its factor of the learning rate.

    Biases and norms (all parameters with one dimension) have no weight decay. With ``layer_decay`` below 1, the
    learning rate is multiplied by it for each layer further from the head.

    Source: Loshchilov and Hutter 2019; layers: Howard and Ruder 2018, section 3.2; Clark et al. 2020, appendix A.
    """
    named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    depths = _depths([name for name, _ in named], getattr(model, "base_model_prefix", ""))
    top = max(depths.values())
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in named:
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        scale = config.layer_decay ** (top - depths[name])
        groups.setdefault((scale, decay), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": params, "scale": scale, "weight_decay": decay} for (scale, decay), params in groups.items()],
        lr=config.learning_rate,
        fused=True,
    )


def rate_factor(config: TrainConfig, step: int, steps: int) -> float:
    """Return the factor of the learning rate at a step, in [0, 1].

    The factor rises linearly during warm-up (the first ``warmup`` of all steps), falls linearly to 0 during cool-down
    (the last ``cooldown`` of them), and is 1 in between.

    Args:
        config: The configuration with ``warmup`` and ``cooldown``.
        step: Number of completed steps, from 0.
        steps: Number of steps of the run.
    """
    rise = round(config.warmup * steps)
    fall = steps - rise if config.cooldown is None else min(round(config.cooldown * steps), steps - rise)
    if step < rise:
        return step / rise
    return min(1.0, (steps - step) / fall) if fall else 1.0


class MovingAverage:
    """Exponential moving average of a model's parameters, which is less noisy than the parameters of the last step.

    The decay is lower during the first steps, so that the initial parameters do not dominate.

    Attributes:
        weights: The average by parameter name, in float32.
        seen: Number of updates.

    Source: Polyak and Juditsky 1992; decay ``min(decay, (1 + n) / (10 + n))`` as in tf.train.ExponentialMovingAverage.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Initialize the average with the current parameters."""
        self._decay = decay
        self.seen = 0
        self._model = model
        self.weights = {name: value.detach().clone() for name, value in model.named_parameters()}

    @torch.no_grad()
    def update(self) -> None:
        """Update the average after a step."""
        self.seen += 1
        decay = min(self._decay, (1 + self.seen) / (10 + self.seen))
        now = dict(self._model.named_parameters())
        torch._foreach_lerp_(list(self.weights.values()), [now[name] for name in self.weights], 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Swap the average and the model's parameters; a second call restores both."""
        for name, value in self._model.named_parameters():
            kept = value.detach().clone()
            value.copy_(self.weights[name])
            self.weights[name].copy_(kept)

    def load(self, weights: Mapping[str, torch.Tensor], seen: int) -> None:
        """Restore the average of a checkpoint, which had ``seen`` updates."""
        self.seen = seen
        for name, value in self.weights.items():
            value.copy_(weights[name])


def _depths(names: Iterable[str], body: str) -> dict[str, int]:
    """Return the depth of each parameter: embeddings 0, layer n at n + 1, the head above all layers.

    Encoder parameters outside its layers (relative position tables, DeBERTa's norm of them) have depth 0.
    """
    names = list(names)
    layers = {name: int(found[1]) + 1 for name in names if (found := _LAYER.search(name))}
    top = max(layers.values(), default=0) + 1
    beside = f"{body}." if body else "embed"
    return {name: layers.get(name, 0 if "embed" in name or name.startswith(beside) else top) for name in names}
