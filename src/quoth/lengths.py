"""Determines the maximum window length of a network: from its configuration, or by running it."""

from __future__ import annotations

from threading import Lock

import numpy as np

from quoth.engines import Engine
from quoth.errors import ReaderError
from quoth.reading import Tokenizer, WindowBatch
from quoth.store import most_positions

# Longer windows are not tried: the network has no table of positions, or a very large one.
_LONGEST_TRIED = 2048


class WindowLengths:
    """The window lengths that a network supports. The network is run only if its configuration does not say.

    It is thread-safe.
    """

    def __init__(self, tokenizer: Tokenizer, engine: Engine, supported: int) -> None:
        """Store the parts of a reader.

        Args:
            tokenizer: Its tokenizer.
            engine: Its engine.
            supported: A length that the network is known to support, such as the reader's ``max_tokens``.
        """
        self._tokenizer = tokenizer
        self._engine = engine
        self._fits, self._fails = supported, _LONGEST_TRIED + 1
        limits = [tokenizer.max_tokens]
        config = getattr(getattr(engine, "model", None), "config", None)
        if config is not None:
            limits.append(most_positions(config.to_dict()))
            self._fits = _LONGEST_TRIED
        for limit in limits:
            if limit is not None:
                self._fits, self._fails = min(self._fits, limit), min(self._fails, limit + 1)
        self._lock = Lock()

    def takes(self, tokens: int) -> bool:
        """Return True if the network supports windows of this many tokens; all are alike above 2,048."""
        tried = min(tokens, _LONGEST_TRIED)
        with self._lock:
            if self._fits < tried < self._fails:
                if self._run(tried):
                    self._fits = tried
                else:
                    self._fails = tried
            return tokens <= self._fits or (tried <= self._fits and self._fails > _LONGEST_TRIED)

    def longest(self, tokens: int) -> int:
        """Return the maximum length of a window that the network supports, up to this many tokens."""
        if self.takes(tokens):
            return tokens
        fits, fails = 0, min(tokens, self._fails)
        while fails - fits > 1:
            tried = (fits + fails) // 2
            fits, fails = (tried, fails) if self.takes(tried) else (fits, tried)
        return fits

    def check(self, tokens: int) -> None:
        """Raise if windows are too long.

        Raises:
            ValueError: If the network does not support this many tokens; the message has the maximum.
        """
        if (longest := self.longest(tokens)) < tokens:
            raise ValueError(f"`max_seq_len` must be at most {longest}, the maximum of this model, but is {tokens}")

    def _run(self, tokens: int) -> bool:
        template = self._tokenizer.template
        # Not the padding id: in some models, all padding has the same position.
        ids = np.full((1, tokens), (*template.prefix, *template.suffix, 1)[0], dtype=np.int64)
        try:
            self._engine.run(WindowBatch(ids, np.zeros_like(ids), np.ones_like(ids), ()))
        except ReaderError:
            return False
        return True
