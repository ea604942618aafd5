"""How weights move: AdamW with a rate for each layer, the learning rate's schedule, the moving average."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import torch
from torch import nn

from quoth.training.config import TrainConfig

# The last three are XLM's.
_LAYER = re.compile(r"\.(?:layers?|albert_layers|h|blocks?|attentions|ffns|layer_norm[12])\.(\d+)\.")


def adamw(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """Return AdamW over a model's parameters, each group with its ``scale`` of the learning rate.

    Weight decay leaves out biases and norms (all that has one dimension). With ``layer_decay`` below 1, each layer
    further from the head learns that much slower.

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
    """Return the share of the highest learning rate that holds at a step, in [0, 1].

    It rises linearly over the first ``warmup`` of all steps, and falls linearly to 0 over the last ``cooldown`` of
    them; where they leave room between them, it stays.

    Args:
        config: Has ``warmup`` and ``cooldown``.
        step: Steps done, from 0.
        steps: Steps of the whole run.
    """
    rise = round(config.warmup * steps)
    fall = steps - rise if config.cooldown is None else min(round(config.cooldown * steps), steps - rise)
    if step < rise:
        return step / rise
    return min(1.0, (steps - step) / fall) if fall else 1.0


class MovingAverage:
    """Exponential moving average of a model's parameters: less noisy than the last ones.

    The average of the first steps forgets faster, so that it does not hang on the start.

    Attributes:
        weights: The average, by the parameter's name, in float32.
        seen: Steps that it has seen.

    Source: Polyak and Juditsky 1992; decay ``min(decay, (1 + n) / (10 + n))`` as in tf.train.ExponentialMovingAverage.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Start from the parameters as they are."""
        self._decay = decay
        self.seen = 0
        self._model = model
        self.weights = {name: value.detach().clone() for name, value in model.named_parameters()}

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the parameters, after a step."""
        self.seen += 1
        decay = min(self._decay, (1 + self.seen) / (10 + self.seen))
        now = dict(self._model.named_parameters())
        torch._foreach_lerp_(list(self.weights.values()), [now[name] for name in self.weights], 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the average and the model's parameters; a second call puts both back."""
        for name, value in self._model.named_parameters():
            kept = value.detach().clone()
            value.copy_(self.weights[name])
            self.weights[name].copy_(kept)

    def load(self, weights: Mapping[str, torch.Tensor], seen: int) -> None:
        """Go on from a checkpoint's average after ``seen`` steps."""
        self.seen = seen
        for name, value in self.weights.items():
            value.copy_(weights[name])


def _depths(names: Iterable[str], body: str) -> dict[str, int]:
    """Return how far from the input each parameter stands: embeddings 0, layer n at n + 1, the head above all.

    What an encoder has beside its layers (tables of relative positions, DeBERTa's norm of them) belongs to its input.
    """
    names = list(names)
    layers = {name: int(found[1]) + 1 for name in names if (found := _LAYER.search(name))}
    top = max(layers.values(), default=0) + 1
    beside = f"{body}." if body else "embed"
    return {name: layers.get(name, 0 if "embed" in name or name.startswith(beside) else top) for name in names}
