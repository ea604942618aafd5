"""The loss of span prediction."""

from __future__ import annotations

from collections.abc import Iterable

import torch

_TEMPERATURE = 2.0


def span_losses(start: torch.Tensor, end: torch.Tensor, legal: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return half the negative log-likelihood of each window's golds (their probabilities are summed).

    With one gold, this is the mean of the cross entropies of its start and end, as transformers' models compute it, but
    only over the tokens that an answer may use: padding and question are excluded, so the loss of a window does not
    depend on its batch.

    Args:
        start: Start logits, ``(B, T)``.
        end: End logits, ``(B, T)``.
        legal: True where an answer may start or end, ``(B, T)`` bool.
        targets: First and last token of each gold, ``(B, G, 2)`` int64; -1 in the padding.

    Returns:
        ``(B,)`` float32.

    Source: Devlin et al. 2019, section 4.2; for several golds, Clark and Gardner 2018, section 3.2 (summed over spans
    instead of over starts and ends separately).
    """
    absent = torch.finfo(torch.float32).min
    places = targets.clamp(min=0)
    start_log = start.float().masked_fill(~legal, absent).log_softmax(-1).gather(1, places[..., 0])
    end_log = end.float().masked_fill(~legal, absent).log_softmax(-1).gather(1, places[..., 1])
    spans = (start_log + end_log).masked_fill(targets[..., 0] < 0, absent)
    return -spans.logsumexp(-1) / 2


def teacher_losses(
    start: torch.Tensor, end: torch.Tensor, legal: torch.Tensor, teacher_logits: Iterable[torch.Tensor]
) -> torch.Tensor:
    """Return the distillation loss of each window: KL divergence from the teacher, averaged over start and end.

    Both distributions use temperature 2. The loss is multiplied by the temperature squared, so that the scale of the
    gradients does not depend on the temperature.

    Args:
        start: Start logits, ``(B, T)``.
        end: End logits, ``(B, T)``.
        legal: True where an answer may start or end, ``(B, T)`` bool.
        teacher_logits: The teacher's start and end logits, ``(B, T)`` each.

    Returns:
        ``(B,)`` float32, at least 0.

    Source: Hinton et al. 2015, section 2; for span prediction, Sanh et al. 2019, section 4.1.
    """
    absent = torch.finfo(torch.float32).min
    losses = []
    for mine, theirs in zip((start, end), teacher_logits, strict=True):
        mine, theirs = (
            (logits.float() / _TEMPERATURE).masked_fill(~legal, absent).log_softmax(-1) for logits in (mine, theirs)
        )
        losses.append((theirs.exp() * (theirs - mine)).masked_fill(~legal, 0.0).sum(-1))
    return (losses[0] + losses[1]) / 2 * _TEMPERATURE**2
