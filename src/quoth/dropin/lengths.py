"""Determines the maximum window length of a network: from its configuration, or by running it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from quoth.errors import ReaderError
from quoth.reader import Reader
from quoth.reading import WindowBatch
from quoth.store import most_positions

# Longer windows are not tried: the network has no table of positions, or a very large one.
_LONGEST_TRIED = 2048


class WindowLengths:
    """The window lengths that a reader's network supports."""

    def __init__(self, reader: Reader) -> None:
        """Store the reader; the network is only run if necessary."""
        self._reader = reader
        self._runs = lru_cache(maxsize=64)(self._run)

    def takes(self, tokens: int) -> bool:
        """Return True if the network supports windows of this many tokens."""
        limit = self._reader.tokenizer.max_tokens
        if limit is not None and tokens > limit:
            return False
        if tokens <= self._reader.settings.max_tokens:
            return True
        config = getattr(getattr(self._reader.engine, "model", None), "config", None)
        if config is not None:
            positions = most_positions(config.to_dict())
            return positions is None or tokens <= positions
        return self._runs(min(tokens, _LONGEST_TRIED))

    def check(self, tokens: int) -> None:
        """Raise if windows are too long.

        Raises:
            ValueError: If the network does not support this many tokens; the message has the maximum.
        """
        if self.takes(tokens):
            return
        fits, fails = min(self._reader.settings.max_tokens, tokens - 1), min(tokens, _LONGEST_TRIED + 1)
        while fails - fits > 1:
            tried = (fits + fails) // 2
            fits, fails = (tried, fails) if self.takes(tried) else (fits, tried)
        raise ValueError(f"`max_seq_len` must be at most {fits}, the maximum of this model, but is {tokens}")

    def _run(self, tokens: int) -> bool:
        template = self._reader.tokenizer.template
        # Not the padding id: in some models, all padding has the same position.
        ids = np.full((1, tokens), (*template.prefix, *template.suffix, 1)[0], dtype=np.int64)
        try:
            self._reader.engine.run(WindowBatch(ids, np.zeros_like(ids), np.ones_like(ids), ()))
        except ReaderError:
            return False
        return True
