"""How long a window a network takes: by its configuration, else by running one."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from quoth.errors import ReaderError
from quoth.reader import Reader
from quoth.reading import WindowBatch
from quoth.store import most_positions

# A network that takes this many tokens has no table of positions, or one that is not worth filling memory for.
_LONGEST_TRIED = 2048


class WindowLengths:
    """Knows which windows a reader's network takes."""

    def __init__(self, reader: Reader) -> None:
        """Take a reader; nothing is run before it has to be."""
        self._reader = reader
        self._runs = lru_cache(maxsize=64)(self._run)

    def takes(self, tokens: int) -> bool:
        """Tell whether the network takes windows of so many tokens."""
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
        """Refuse windows that are too long.

        Raises:
            ValueError: If the network does not take so many tokens; it says how many it takes.
        """
        if self.takes(tokens):
            return
        fits, fails = min(self._reader.settings.max_tokens, tokens - 1), min(tokens, _LONGEST_TRIED + 1)
        while fails - fits > 1:
            tried = (fits + fails) // 2
            fits, fails = (tried, fails) if self.takes(tried) else (fits, tried)
        raise ValueError(f"`max_seq_len` must be at most {fits}, what this model has positions for, but is {tokens}")

    def _run(self, tokens: int) -> bool:
        template = self._reader.tokenizer.template
        # Not padding, which some models give one position all together.
        ids = np.full((1, tokens), (*template.prefix, *template.suffix, 1)[0], dtype=np.int64)
        try:
            self._reader.engine.run(WindowBatch(ids, np.zeros_like(ids), np.ones_like(ids), ()))
        except ReaderError:
            return False
        return True
