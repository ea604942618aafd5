"""A safe wrapper of BERT-family tokenizers: no truncation, no padding, offsets in code points, no panics.

Questions and contexts are encoded separately, without special tokens; a window combines them by the ``Template``, which
is derived from the tokenizer's own post-processor. So a context is encoded once for all its windows and questions. If
the tokenizer encodes each word separately, words are cached too (``words.py``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray

from quoth.errors import TokenizerError
from quoth.reading.coverage import hardly_covered
from quoth.reading.words import KnownWords, encodes_words_alone
from quoth.text import replace_surrogates

Ints = NDArray[np.int32]

# Tried in this order if no tokenizer_config.json names the token.
_CLS_NAMES = ("[CLS]", "<cls>", "<s>")
_PAD_NAMES = ("[PAD]", "<pad>")
_UNKNOWN_NAMES = ("[UNK]", "<unk>")
# Configurations express "no limit" as a huge number.
_NO_LIMIT = 1_000_000
# Table of white-space code points; the additional last entry stands for all larger code points.
_BLANK = np.array([chr(point).isspace() for point in range(0x3002)])


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """One encoded text, without special tokens.

    Attributes:
        ids: Token ids, ``(T,)`` int32.
        offsets: Code points of each token in its text, half-open, without outer white space, ``(T, 2)`` int32. A token
            of only white space is empty: its two offsets are equal.
        has_empty: Whether there is an empty token.
        hardly_covered: Whether the vocabulary covers little of the text, which may be in another script.
    """

    ids: Ints
    offsets: Ints
    has_empty: bool
    hardly_covered: bool = False

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        """Return the number of tokens only."""
        return f"Tokens(number={len(self):,})"


@dataclass(frozen=True, slots=True)
class Template:
    """The template of a window: ``prefix question middle context suffix``.

    Attributes:
        prefix, middle, suffix: Ids of the special tokens.
        special_types: Token type ids of ``prefix``, ``middle`` and ``suffix``, one for each of their tokens.
        text_types: Token type ids of the question's tokens and of the context's.
        cls_in_prefix: Index of the CLS token in ``prefix``, or ``None`` if it is in ``suffix``.
        cls_in_suffix: Index of the CLS token in ``suffix``, or ``None``.
    """

    prefix: tuple[int, ...]
    middle: tuple[int, ...]
    suffix: tuple[int, ...]
    special_types: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    text_types: tuple[int, int]
    cls_in_prefix: int | None
    cls_in_suffix: int | None

    def __len__(self) -> int:
        return len(self.prefix) + len(self.middle) + len(self.suffix)


class Tokenizer:
    """Encodes texts and knows the template of a pair.

    Attributes:
        template: The template of a window.
        pad_id: Token id of the padding.
        max_tokens: Maximum length of a window in the tokenizer's configuration, or ``None``.
    """

    def __init__(self, inner: tokenizers.Tokenizer, config: dict[str, Any] | None = None, *, copy: bool = True) -> None:
        """Wrap a tokenizer of the tokenizers library.

        Args:
            inner: The tokenizer. Its truncation and padding are disabled.
            config: The content of ``tokenizer_config.json``; only ``cls_token``, ``pad_token``, ``unk_token`` and
                ``model_max_length`` are used.
            copy: Whether to copy the given tokenizer instead of changing it; copying takes longer than loading.

        Raises:
            TokenizerError: If it fails on a pair of short texts, or puts the question after the context.
        """
        config = config or {}
        self._config = config
        self._inner = tokenizers.Tokenizer.from_str(inner.to_str()) if copy else inner
        self._inner.no_truncation()
        self._inner.no_padding()
        # "[SEP]" in a text means these five characters, not the end of the question.
        self._inner.encode_special_tokens = True
        with _failing_as("the tokenizer failed on a pair of short texts"):
            self.template = _template(self._inner, _named(config, "cls_token", _CLS_NAMES))
        self.pad_id = _first_id(self._inner, _named(config, "pad_token", _PAD_NAMES)) or 0
        self._unknown = _first_id(self._inner, _named(config, "unk_token", _UNKNOWN_NAMES))
        added = self._inner.get_added_tokens_decoder()
        self._special = frozenset(number for number, token in added.items() if token.special) - {self._unknown}
        self._words = KnownWords(self._encode_one) if encodes_words_alone(self._inner) else None
        limit = config.get("model_max_length")
        self.max_tokens = int(limit) if isinstance(limit, int) and 0 < limit < _NO_LIMIT else None

    @classmethod
    def load(cls, path: str | Path) -> Tokenizer:
        """Load a ``tokenizer.json`` file, or the one in a folder, and the ``tokenizer_config.json`` next to it, if any.

        Raises:
            TokenizerError: If there is no ``tokenizer.json``, or one of the files cannot be read.
        """
        path = Path(path)
        file = path / "tokenizer.json" if path.is_dir() else path
        if not file.is_file():
            raise TokenizerError(
                f"{path}: must contain a tokenizer.json, but contains none. "
                "If there is only a vocabulary, create one with: quoth export READER -o DIR"
            )
        with _failing_as(f"{file}: must be a tokenizer.json, but cannot be read"):
            inner = tokenizers.Tokenizer.from_str(file.read_text(encoding="utf-8"))
        config_file = file.with_name("tokenizer_config.json")
        config: Any = {}
        if config_file.is_file():
            with _failing_as(f"{config_file}: must be JSON, but cannot be read"):
                config = json.loads(config_file.read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise TokenizerError(f"{config_file}: must be a JSON object, but is {type(config).__name__}")
        return cls(inner, config, copy=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the tokenizer without its word cache."""
        return Tokenizer, (self._inner, self._config)

    def __repr__(self) -> str:
        """Return a short description."""
        return f"Tokenizer(vocabulary={self._inner.get_vocab_size():,}, max_tokens={self.max_tokens})"

    def encode(self, texts: Sequence[str]) -> list[Tokens]:
        """Encode texts separately, without special tokens; lone surrogates count as U+FFFD.

        Raises:
            TokenizerError: If the tokenizer fails on a text.
        """
        clean = [replace_surrogates(text) for text in texts]
        encoded = self._words.encode(clean) if self._words else self._encode_whole(clean)
        return [self._tokens(text, *each) for text, each in zip(clean, encoded, strict=True)]

    def encode_ids(self, texts: Sequence[str]) -> list[Ints]:
        """Encode texts like :meth:`encode`, but without computing offsets, which takes longer than computing ids.

        Raises:
            TokenizerError: If the tokenizer fails on a text.
        """
        clean = [replace_surrogates(text) for text in texts]
        if self._words:
            return self._words.encode_ids(clean)
        with _failing_as("the tokenizer failed on a text"):
            encodings = self._inner.encode_batch_fast(clean, add_special_tokens=False)
        return [self._ids(encoding) for encoding in encodings]

    def _encode_one(self, text: str) -> tuple[Ints, Ints]:
        return self._encode_whole([text])[0]

    def _encode_whole(self, texts: Sequence[str]) -> list[tuple[Ints, Ints]]:
        with _failing_as("the tokenizer failed on a text"):
            encodings = self._inner.encode_batch(texts, add_special_tokens=False)
        return [self._placed(text, encoding) for text, encoding in zip(texts, encodings, strict=True)]

    def _placed(self, text: str, encoding: tokenizers.Encoding) -> tuple[Ints, Ints]:
        ids = self._ids(encoding)
        offsets = np.fromiter(chain.from_iterable(encoding.offsets), np.int32, 2 * len(ids)).reshape(-1, 2)
        _trim(text, offsets)
        return ids, offsets

    def _tokens(self, text: str, ids: Ints, offsets: Ints) -> Tokens:
        has_empty = bool((offsets[:, 0] >= offsets[:, 1]).any())
        return Tokens(ids, offsets, has_empty, hardly_covered(text, ids, offsets, self._unknown))

    def _ids(self, encoding: tokenizers.Encoding) -> Ints:
        return np.array(self._as_text(encoding.ids), dtype=np.int32)

    def _as_text(self, ids: list[int]) -> list[int]:
        """Replace special tokens by the unknown token: Unigram vocabularies contain "</s>" like any word."""
        if self._unknown is None or self._special.isdisjoint(ids):
            return ids
        return [self._unknown if number in self._special else number for number in ids]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of some tokens, special ones included; only for display, not for answers."""
        return str(self._inner.decode(list(ids), skip_special_tokens=False))

    def token(self, token_id: int) -> str:
        """Return a token as in the vocabulary."""
        return self._inner.id_to_token(token_id) or ""

    def to_json(self) -> str:
        """Return the content of ``tokenizer.json``, without truncation and padding."""
        return str(self._inner.to_str(pretty=True))


@contextmanager
def _failing_as(what: str) -> Iterator[None]:
    """Turn exceptions of the tokenizers library into a TokenizerError."""
    try:
        yield
    except TokenizerError:
        raise
    except BaseException as error:
        # A panic of the Rust code is a BaseException of a type that cannot be imported.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise TokenizerError(f"{what}: {error}") from error
        raise


def _trim(text: str, offsets: Ints) -> None:
    """Exclude white space at the ends of tokens: byte-level and Unigram tokens include the space before a word."""
    if not len(offsets):
        return
    blank = _BLANK[np.minimum(np.frombuffer(text.encode("utf-32-le"), np.uint32), len(_BLANK) - 1)]
    firsts, lasts = np.minimum(offsets[:, 0], len(text) - 1), offsets[:, 1] - 1
    outer = np.flatnonzero((blank[firsts] | blank[lasts]) & (offsets[:, 0] < offsets[:, 1]))
    for index in outer.tolist():
        start, end = offsets[index].tolist()
        piece = text[start:end]
        start = min(end, start + len(piece) - len(piece.lstrip()))
        offsets[index] = start, max(start, end - (len(piece) - len(piece.rstrip())))


def _named(config: dict[str, Any], key: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names to try for a special token: the configured one first."""
    value = config.get(key)
    if isinstance(value, dict):
        value = value.get("content")
    return (value, *names) if isinstance(value, str) else names


def _first_id(inner: tokenizers.Tokenizer, names: tuple[str, ...]) -> int | None:
    return next((found for name in names if (found := inner.token_to_id(name)) is not None), None)


def _template(inner: tokenizers.Tokenizer, cls_names: tuple[str, ...]) -> Template:
    """Derive the template from an encoded pair."""
    for word in ("a", "0", "the", "?", "."):
        pair = inner.encode(word, word)
        parts = pair.sequence_ids
        if 0 in parts and 1 in parts:
            break
    else:
        raise TokenizerError("the tokenizer must encode a pair of texts, but found no token in any of the trial texts")
    first, second = parts.index(0), parts.index(1)
    if first > second:
        raise TokenizerError("the tokenizer must put the question before the context, but puts it after")
    first_end = second - parts[:second][::-1].index(0)
    second_end = len(parts) - parts[::-1].index(1)
    ids, types = pair.ids, pair.type_ids

    prefix, suffix = tuple(ids[:first]), tuple(ids[second_end:])
    wanted = [inner.token_to_id(name) for name in cls_names]
    in_prefix = next((prefix.index(w) for w in wanted if w in prefix), None)
    in_suffix = next((suffix.index(w) for w in wanted if w in suffix), None) if in_prefix is None else None
    if in_prefix is None and in_suffix is None:
        # No token with a known name: use the first special token, which models of this family pool.
        in_prefix, in_suffix = (0, None) if prefix or not suffix else (None, len(suffix) - 1)
    return Template(
        prefix=prefix,
        middle=tuple(ids[first_end:second]),
        suffix=suffix,
        special_types=(tuple(types[:first]), tuple(types[first_end:second]), tuple(types[second_end:])),
        text_types=(types[first], types[second]),
        cls_in_prefix=in_prefix,
        cls_in_suffix=in_suffix,
    )
