"""Attention that is fast to train on a CPU: plain matrix products without casts.

The backward pass of torch's fused attention is slow on a CPU. The eager attention of transformers casts to float32
under autocast, so scores of ``(B, heads, T, T)`` are written and read twice as often as needed. See docs/log.md.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import dropout as drop
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

NAME = "quoth"


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Compute attention with the signature of transformers' attention interface.

    Args:
        module: The layer; dropout is active only if it is in training mode.
        query: ``(B, heads, T, size)``.
        key: As ``query``.
        value: As ``query``.
        attention_mask: Added to the scores, or ``None``.
        scaling: Factor of the scores; ``1 / sqrt(size)`` if ``None``.
        dropout: Fraction of attention weights that are dropped in training, in [0, 1].

    Source: Vaswani et al. 2017, section 3.2.1.
    """
    scores = torch.matmul(query * (query.size(-1) ** -0.5 if scaling is None else scaling), key.transpose(2, 3))
    if attention_mask is not None:
        scores = scores + attention_mask.to(scores.dtype)
    with torch.autocast(scores.device.type, enabled=False):
        weights = torch.softmax(scores, -1)
    if dropout:
        weights = drop(weights, dropout, module.training)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), None


def use_attention(model: Any) -> None:
    """Switch a model to this attention, if its class supports custom attention."""
    if not getattr(model, "_supports_attention_backend", False):
        return
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, eager_mask)
    model.set_attn_implementation(NAME)
