"""A cache of the tokens of words, for tokenizers like BERT's, which encode each word separately.

Words are repeated often, and looking them up is faster than encoding the text. The tokenizer encodes each word once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice, pairwise
from typing import cast

import numpy as np
import tokenizers
from numpy.typing import NDArray

_Ints = NDArray[np.int32]
# The ids of a text's tokens, (T,), and their code points, (T, 2).
Encoded = tuple[_Ints, _Ints]

# A word is an ASCII punctuation mark, or a run of other characters without white space. BERT's pre-tokenizer never
# creates a token across words, but may split a word further.
_MARKS = r"!-/:-@\[-`{-~"
_WORD = re.compile(rf"[^ {_MARKS}]+|[{_MARKS}]")
# Class of each ASCII code point; the additional last entry stands for all others.
_BLANK, _OTHER, _MARK = range(3)
_KINDS = np.array(
    [_BLANK if point == 32 else _MARK if re.match(f"[{_MARKS}]", chr(point)) else _OTHER for point in range(129)],
    dtype=np.uint8,
)
# Columns of a cached token: its id, its start and end in the word, and 1 if it is the first token of the word, else 0.
_COLUMNS = 4
# Number of texts whose new words are encoded together: a trade-off between call overhead and memory.
_TOGETHER = 16


def encodes_words_alone(inner: tokenizers.Tokenizer) -> bool:
    """Return True for tokenizers that are known to encode each word separately."""
    after = tokenizers.processors.BertProcessing | tokenizers.processors.TemplateProcessing
    return (
        isinstance(inner.model, tokenizers.models.WordPiece)
        and isinstance(inner.pre_tokenizer, tokenizers.pre_tokenizers.BertPreTokenizer)
        and isinstance(inner.normalizer, tokenizers.normalizers.BertNormalizer | None)
        # Other normalizers move offsets, or treat the start of a text differently.
        and isinstance(inner.post_processor, after | None)
        # An added token may contain spaces; special tokens are not searched for in texts.
        and all(token.special for token in inner.get_added_tokens_decoder().values())
    )


class KnownWords:
    """Encodes texts with a cache of words. Thread-safe."""

    # Maximum number of words (about 200 bytes each). A full cache is cleared, and refills with common words.
    remembered = 20_000
    # Maximum length of a cached word, in characters: longer words are rarely repeated.
    longest_remembered = 50

    def __init__(self, encode: Callable[[str], Encoded]) -> None:
        """Create an empty cache.

        Args:
            encode: Encodes a text without special tokens.
        """
        self._encode = encode
        self._tokens: dict[str, bytes] = {}

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Encode texts separately, without special tokens."""
        return [_placed(text, words) for text, words in zip(texts, self._find(texts), strict=True)]

    def encode_ids(self, texts: Sequence[str]) -> list[_Ints]:
        """Encode texts as :meth:`encode` does, without their offsets."""
        return [_tokens(words)[:, 0].copy() for words in self._find(texts)]

    def _find(self, texts: Sequence[str]) -> Iterator[list[bytes]]:
        """Yield the tokens of each word of each text."""
        for first in range(0, len(texts), _TOGETHER):
            yield from self._find_together(texts[first : first + _TOGETHER])

    def _find_together(self, texts: Sequence[str]) -> list[list[bytes]]:
        encoded = []
        for text in texts:
            words = _WORD.findall(text)
            encoded.append((words, list(map(self._tokens.get, words))))
        # all() finds None ten times faster than "in"; words without tokens are rare.
        partly = (zip(words, tokens, strict=True) for words, tokens in encoded if not all(tokens))
        new = self._encode_new(dict.fromkeys(word for pairs in partly for word, known in pairs if known is None))
        return [_completed(words, tokens, new) for words, tokens in encoded]

    def _encode_new(self, words: Collection[str]) -> dict[str, bytes]:
        """Encode unknown words, and add them to the cache."""
        if not words:
            return {}
        # A space ends a word, so all words can be encoded as one text.
        ids, offsets = self._encode(" ".join(words))
        starts = np.cumsum([0, *(len(word) + 1 for word in words)], dtype=np.int32)
        bounds = np.searchsorted(offsets[:, 0], starts)
        sizes = np.diff(bounds)
        tokens = np.zeros((len(ids), _COLUMNS), dtype=np.int32)
        tokens[:, 0] = ids
        tokens[:, 1:3] = offsets - np.repeat(starts[:-1], sizes)[:, None]
        tokens[bounds[:-1][sizes > 0], 3] = 1
        pieces = zip(words, pairwise(bounds.tolist()), strict=True)
        new = {word: tokens[start:end].tobytes() for word, (start, end) in pieces}
        self._remember({word: each for word, each in new.items() if len(word) <= self.longest_remembered})
        return new

    def _remember(self, new: dict[str, bytes]) -> None:
        if len(self._tokens) + len(new) > self.remembered:
            self._tokens.clear()
        self._tokens.update(islice(new.items(), self.remembered))


def _completed(words: list[str], tokens: list[bytes | None], new: dict[str, bytes]) -> list[bytes]:
    """Fill in the tokens of new words."""
    if all(tokens):
        return cast("list[bytes]", tokens)
    return [new[word] if known is None else known for word, known in zip(words, tokens, strict=True)]


def _tokens(words: list[bytes]) -> _Ints:
    return np.frombuffer(b"".join(words), np.int32).reshape(-1, _COLUMNS)


def _placed(text: str, words: list[bytes]) -> Encoded:
    """Return the tokens of a text, given the tokens of its words."""
    tokens = _tokens(words)
    starts = _starts(text)
    if not all(words):
        starts = starts[list(map(bool, words))]
    word_of_token = np.cumsum(tokens[:, 3]) - 1
    return tokens[:, 0].copy(), tokens[:, 1:3] + starts[word_of_token, None]


def _starts(text: str) -> _Ints:
    """Return the start of each word: each punctuation mark, and the first character of each run of other characters."""
    points = np.frombuffer(f" {text}".encode("utf-32-le"), np.uint32)
    kinds = _KINDS[np.minimum(points, len(_KINDS) - 1)]
    return np.flatnonzero(kinds[1:] > (kinds[:-1] == _OTHER)).astype(np.int32)
