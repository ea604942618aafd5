"""The loss of span prediction."""

from __future__ import annotations

from collections.abc import Iterable

import torch

# Temperature of the teacher's lessons.
_SOFTENED = 2.0


def span_losses(start: torch.Tensor, end: torch.Tensor, legal: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return of each window the negative log-likelihood that its right answers have together, halved.

    Where there is one right answer, this is the mean of the cross entropies of its start and its end, as transformers'
    models compute it, but over the tokens that an answer may use: padding and question take no part, so the loss of a
    window does not depend on the batch that it is in.

    Args:
        start: Logits of starts, ``(B, T)``.
        end: Logits of ends, ``(B, T)``.
        legal: Where an answer may start or end, ``(B, T)`` bool.
        targets: First and last token of each right answer, ``(B, G, 2)`` int64; -1 in the padding.

    Returns:
        ``(B,)`` float32.

    Source: Devlin et al. 2019, section 4.2; for several right answers, Clark and Gardner 2018, section 3.2 (summed
    over spans instead of over starts and ends apart).
    """
    absent = torch.finfo(torch.float32).min
    places = targets.clamp(min=0)
    start_log = start.float().masked_fill(~legal, absent).log_softmax(-1).gather(1, places[..., 0])
    end_log = end.float().masked_fill(~legal, absent).log_softmax(-1).gather(1, places[..., 1])
    spans = (start_log + end_log).masked_fill(targets[..., 0] < 0, absent)
    return -spans.logsumexp(-1) / 2


def teacher_losses(
    start: torch.Tensor, end: torch.Tensor, legal: torch.Tensor, taught: Iterable[torch.Tensor]
) -> torch.Tensor:
    """Return of each window how far its starts and ends are from a teacher's: the mean of both divergences.

    The divergences are Kullback's and Leibler's. Both sides are softened by a temperature of 2, so that what the
    teacher thinks of the other tokens counts; times its square, so that gradients keep their size.

    Args:
        start: Logits of starts, ``(B, T)``.
        end: Logits of ends, ``(B, T)``.
        legal: Where an answer may start or end, ``(B, T)`` bool.
        taught: The teacher's logits of starts and of ends, ``(B, T)`` each.

    Returns:
        ``(B,)`` float32, at least 0.

    Source: Hinton et al. 2015, section 2; for span prediction, Sanh et al. 2019, section 4.1.
    """
    absent = torch.finfo(torch.float32).min
    losses = []
    for mine, theirs in zip((start, end), taught, strict=True):
        mine, theirs = (
            (logits.float() / _SOFTENED).masked_fill(~legal, absent).log_softmax(-1) for logits in (mine, theirs)
        )
        losses.append((theirs.exp() * (theirs - mine)).masked_fill(~legal, 0.0).sum(-1))
    return (losses[0] + losses[1]) / 2 * _SOFTENED**2
