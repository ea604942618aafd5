"""A tokenizer of the BERT family, made safe: nothing cut, nothing padded, offsets in code points, no panics.

Questions and contexts are encoded alone, without special tokens; a window puts them together by the ``Template`` that
the tokenizer's own post-processor shows. So a context is encoded once, however many windows or questions it has.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray

from quoth.errors import TokenizerError
from quoth.text import replace_surrogates

Ints = NDArray[np.int32]

# Tried in this order where no tokenizer_config.json names the token.
_CLS_NAMES = ("[CLS]", "<cls>", "<s>")
_PAD_NAMES = ("[PAD]", "<pad>")
# A configuration that says "no limit" says it with a huge number.
_NO_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """One encoded text, without special tokens.

    Attributes:
        ids: Token ids, ``(T,)`` int32.
        offsets: Code points of each token in its text, half-open, outer white space left out, ``(T, 2)`` int32. A
            token of white space alone is empty: its two offsets are equal.
    """

    ids: Ints
    offsets: Ints

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Template:
    """How a question and a context stand together: ``prefix question middle context suffix``.

    Attributes:
        prefix, middle, suffix: Ids of the special tokens.
        types: Token type ids of the five parts, in order; one number a part.
        cls_in_prefix: Index of the CLS token in ``prefix``, or ``None`` if it stands in ``suffix``.
        cls_in_suffix: Index of the CLS token in ``suffix``, or ``None``.
    """

    prefix: tuple[int, ...]
    middle: tuple[int, ...]
    suffix: tuple[int, ...]
    types: tuple[int, int, int, int, int]
    cls_in_prefix: int | None
    cls_in_suffix: int | None

    def __len__(self) -> int:
        return len(self.prefix) + len(self.middle) + len(self.suffix)


class Tokenizer:
    """Encodes texts and knows the template of a pair.

    Attributes:
        template: How question and context stand together.
        pad_id: Id that fills a batch.
        max_tokens: The longest window that the tokenizer's configuration allows, or ``None``.
    """

    def __init__(self, inner: tokenizers.Tokenizer, config: dict[str, Any] | None = None) -> None:
        """Wrap a tokenizer of the tokenizers library; a copy is made and the given one left as it is.

        Args:
            inner: The tokenizer. Truncation and padding stored in it are switched off.
            config: What ``tokenizer_config.json`` says; only ``cls_token``, ``pad_token`` and ``model_max_length``
                are looked at.
        """
        config = config or {}
        self._inner = tokenizers.Tokenizer.from_str(inner.to_str())
        self._inner.no_truncation()
        self._inner.no_padding()
        # A text that says "[SEP]" means these five characters, not the end of the question.
        self._inner.encode_special_tokens = True
        self.template = _template(self._inner, _named(config, "cls_token", _CLS_NAMES))
        self.pad_id = _first_id(self._inner, _named(config, "pad_token", _PAD_NAMES)) or 0
        limit = config.get("model_max_length")
        self.max_tokens = int(limit) if isinstance(limit, int) and 0 < limit < _NO_LIMIT else None

    @classmethod
    def load(cls, path: str | Path) -> Tokenizer:
        """Load ``tokenizer.json`` from a folder, with ``tokenizer_config.json`` where there is one; or from a file.

        Raises:
            TokenizerError: If there is none, or it cannot be read.
        """
        path = Path(path)
        file = path / "tokenizer.json" if path.is_dir() else path
        if not file.is_file():
            raise TokenizerError(
                f"{path}: must hold a tokenizer.json, but holds none. "
                "Where there is only a vocabulary, make one with: quoth export READER -o DIR"
            )
        try:
            inner = tokenizers.Tokenizer.from_str(file.read_text(encoding="utf-8"))
        except Exception as error:
            raise TokenizerError(f"{file}: must be a tokenizer.json, but cannot be read: {error}") from error
        config_file = file.with_name("tokenizer_config.json")
        config = json.loads(config_file.read_text(encoding="utf-8")) if config_file.is_file() else {}
        return cls(inner, config)

    def encode(self, texts: Sequence[str]) -> list[Tokens]:
        """Encode texts, each alone and without special tokens; lone surrogates count as U+FFFD.

        Raises:
            TokenizerError: If the tokenizer fails on a text.
        """
        clean = [replace_surrogates(text) for text in texts]
        try:
            encodings = self._inner.encode_batch(clean, add_special_tokens=False)
        except BaseException as error:
            # A panic of the Rust code is a BaseException of a type that cannot be imported.
            if isinstance(error, Exception) or type(error).__name__ == "PanicException":
                raise TokenizerError(f"the tokenizer failed on a text: {error}") from error
            raise
        return [
            Tokens(
                np.array(encoding.ids, dtype=np.int32),
                _trimmed(text, np.array(encoding.offsets, dtype=np.int32).reshape(-1, 2)),
            )
            for text, encoding in zip(clean, encodings, strict=True)
        ]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of some tokens, special ones included: for a person to read, never for answers."""
        return str(self._inner.decode(list(ids), skip_special_tokens=False))

    def token(self, token_id: int) -> str:
        """Return one token as the vocabulary writes it."""
        return self._inner.id_to_token(token_id) or ""

    def to_json(self) -> str:
        """Return the ``tokenizer.json``, truncation and padding switched off."""
        return str(self._inner.to_str(pretty=True))


def _trimmed(text: str, offsets: Ints) -> Ints:
    """Leave white space out of the ends of each token: byte-level and Unigram tokens carry the blank before a word."""
    if not len(offsets):
        return offsets
    blank = np.fromiter(map(str.isspace, text), bool, len(text))
    full = offsets[:, 0] < offsets[:, 1]
    firsts, lasts = np.minimum(offsets[:, 0], len(text) - 1), offsets[:, 1] - 1
    outer = np.flatnonzero(full & (blank[firsts] | blank[lasts]))
    for index in outer.tolist():
        start, end = offsets[index].tolist()
        piece = text[start:end]
        start = min(end, start + len(piece) - len(piece.lstrip()))
        offsets[index] = start, max(start, end - (len(piece) - len(piece.rstrip())))
    return offsets


def _named(config: dict[str, Any], key: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names to try for a special token: the configured one first."""
    value = config.get(key)
    if isinstance(value, dict):
        value = value.get("content")
    return (value, *names) if isinstance(value, str) else names


def _first_id(inner: tokenizers.Tokenizer, names: tuple[str, ...]) -> int | None:
    return next((found for name in names if (found := inner.token_to_id(name)) is not None), None)


def _template(inner: tokenizers.Tokenizer, cls_names: tuple[str, ...]) -> Template:
    """Read the template off an encoded pair."""
    for word in ("a", "0", "the", "?", "."):
        pair = inner.encode(word, word)
        parts = pair.sequence_ids
        if 0 in parts and 1 in parts:
            break
    else:
        raise TokenizerError("the tokenizer must encode a pair of texts, but finds no token in any of ours")
    first, second = parts.index(0), parts.index(1)
    first_end = second - parts[:second][::-1].index(0)
    second_end = len(parts) - parts[::-1].index(1)
    if first > second:
        raise TokenizerError("the tokenizer must put the question before the context, but puts it after")
    ids, types = pair.ids, pair.type_ids

    def type_of(start: int, end: int, otherwise: int) -> int:
        return types[start] if start < end else otherwise

    prefix, suffix = tuple(ids[:first]), tuple(ids[second_end:])
    wanted = [inner.token_to_id(name) for name in cls_names]
    in_prefix = next((prefix.index(w) for w in wanted if w in prefix), None)
    in_suffix = next((suffix.index(w) for w in wanted if w in suffix), None) if in_prefix is None else None
    if in_prefix is None and in_suffix is None:
        # No token by a known name: the first special token, which is what a model of this family pools.
        in_prefix, in_suffix = (0, None) if prefix or not suffix else (None, len(suffix) - 1)
    return Template(
        prefix=prefix,
        middle=tuple(ids[first_end:second]),
        suffix=suffix,
        types=(
            type_of(0, first, types[first]),
            types[first],
            type_of(first_end, second, types[first]),
            types[second],
            type_of(second_end, len(ids), types[second]),
        ),
        cls_in_prefix=in_prefix,
        cls_in_suffix=in_suffix,
    )
