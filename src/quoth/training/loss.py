"""The loss of span prediction."""

from __future__ import annotations

import torch


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
