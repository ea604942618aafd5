"""The loss on dev, computed from the same logits as the answers to the dev questions."""

from __future__ import annotations

import torch

from quoth.engines import Engine, Sequential
from quoth.reading import SpanLogits, WindowBatch
from quoth.training.features import Collator
from quoth.training.loss import span_losses


class LossEngine(Sequential):
    """Runs another engine, and adds up the loss of each window that it runs.

    Attributes:
        name, precision, batch_tokens: Those of the other engine.
        total: Sum of the losses.
        windows: Number of windows.
    """

    def __init__(self, engine: Engine, pad_id: int, limit: int) -> None:
        """Wrap an engine.

        Args:
            engine: The engine, whose batches have windows of labelled examples.
            pad_id: Token id of the padding.
            limit: Maximum length of a window, in tokens.
        """
        self._engine = engine
        self._collator = Collator(pad_id, takes_types=False, limit=limit)
        self.name, self.precision = engine.name, engine.precision
        self.batch_tokens = engine.batch_tokens
        self.total, self.windows = 0.0, 0

    def run(self, batch: WindowBatch) -> SpanLogits:
        """Compute the logits of a batch."""
        logits = self._engine.run(batch)
        features = self._collator(batch.windows)
        start, end = torch.from_numpy(logits.start), torch.from_numpy(logits.end)
        losses = span_losses(start, end, features.legal, features.targets)
        self.total += float(losses.sum())
        self.windows += len(batch.windows)
        return logits
