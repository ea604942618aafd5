"""The settings of a reader, as ``quoth.json`` stores them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from quoth.config import ABOVE_ZERO, FINITE, check
from quoth.deprecated import NamedToJson
from quoth.errors import ConfigError, ReaderError
from quoth.reading import DecodeSettings
from quoth.reading.settings import checked_null_threshold
from quoth.records import NEVER, NullThreshold

# Name -> type of the stored decoding settings.
_DECODE = {
    "max_answer_tokens": int,
    "null_threshold": float,
    "null_bias": float,
    "temperature": float,
    "null_temperature": float,
    "odds_scale": float,
    "whole_words": bool,
}
_CORPUS: dict[str, type] = {
    "search_weight": float,
    "null_weight": float,
    "temperature": float,
    "odds_scale": float,
    "reader_weight": float,
    "null_bias": float,
    "null_temperature": float,
    "null_threshold": float,
}


@dataclass(frozen=True, slots=True)
class CorpusSettings:
    """How a reader's answers from several passages of a corpus are compared; see :mod:`quoth.corpus.choice`.

    The defaults were fitted for the shipped reader by ``tools/corpus.py --fit --every 6``: on every sixth question of
    the held-out articles of SQuAD v1.1 train, with second golds, over all paragraphs of SQuAD v1.1.

    Attributes:
        null_threshold: Abstain if the null odds exceed this; "never": never abstain.

    Raises:
        ConfigError: If a number is out of its range.
    """

    search_weight: Annotated[float, "Weight of the search evidence.", FINITE] = 14.0
    null_weight: Annotated[float, "Weight of the null score of an answer's passage.", FINITE] = 0.5
    temperature: Annotated[float, "Divides the evidence before the softmax over answers.", ABOVE_ZERO] = (
        2.5198420997897464
    )
    odds_scale: Annotated[
        float, "Factor from the odds of an answer's share to its odds of being right.", ABOVE_ZERO
    ] = 0.47193715634084676
    reader_weight: Annotated[
        float, "Exponent of the odds that the reader gives an answer in its passage, as a factor of its odds.", FINITE
    ] = 0.25
    null_bias: Annotated[
        float, 'Null odds (minus the evidence for the best answer) at which "no answer" is as probable.', FINITE
    ] = -16.9010104734558
    null_temperature: Annotated[float, "Divides null odds above the null bias.", ABOVE_ZERO] = 1.887748625363387
    null_threshold: NullThreshold = -16.9010104734558

    def __post_init__(self) -> None:
        check(self, "corpus.")
        object.__setattr__(self, "null_threshold", checked_null_threshold(self.null_threshold, "corpus."))


@dataclass(frozen=True, slots=True)
class ReaderSettings(NamedToJson):
    """Settings of a reader: windows and decoding.

    Attributes:
        max_tokens: Maximum length of a window, special tokens included.
        overlap: Tokens of the context that neighbouring windows share.
        decode: Decoding settings.
        corpus: How answers from several passages of a corpus are compared; ``None``: the settings of the shipped
            reader.
        stored: Whether the settings come from ``quoth.json``; false for a plain transformers model, which has none.
        widens: Whether the windows of a long question may be longer than ``max_tokens``, if the network allows it; not
            stored.

    Raises:
        ConfigError: If the sizes are invalid.
    """

    max_tokens: int = 384
    overlap: int = 128
    decode: DecodeSettings = field(default_factory=DecodeSettings)
    corpus: CorpusSettings | None = None
    stored: bool = field(default=True, compare=False, repr=False)
    widens: bool = field(default=True, repr=False)

    @property
    def threshold_when_asked(self) -> NullThreshold:
        """The null threshold if a caller of the drop-in or of the hosted task allows "no answer".

        It is the stored threshold, or 0 for a model that stores no settings (Devlin et al. 2019, section 4.3). Unless
        "no answer" is allowed, such a model never abstains.
        """
        return self.decode.null_threshold if self.stored else 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < self.max_tokens:
            raise ConfigError(f"overlap must be from 0 to below max_tokens ({self.max_tokens}), but is {self.overlap}")

    def to_dict(self) -> dict[str, Any]:
        """Return the parts of ``quoth.json`` with settings."""
        decode = asdict(self.decode)
        return {
            "windows": {"max_tokens": self.max_tokens, "overlap": self.overlap},
            "decode": {name: decode[name] for name in _DECODE},
            **({"corpus": asdict(self.corpus)} if self.corpus else {}),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], where: str) -> ReaderSettings:
        """Create settings from ``quoth.json``; missing values have their defaults.

        Raises:
            ReaderError: If a value has the wrong type, is out of range, or has an unknown name.
        """
        windows, decode = document.get("windows", {}), document.get("decode", {})
        if not isinstance(windows, dict) or not isinstance(decode, dict):
            raise ReaderError(f"{where}: windows and decode must be objects")
        _check(windows, {"max_tokens": int, "overlap": int}, f"{where}: windows")
        if "agreement" in decode:  # its name in files of version 0.1
            decode = {name: value for name, value in decode.items() if name != "agreement"} | {
                "odds_scale": decode["agreement"]
            }
        if "null_threshold" in decode and decode["null_threshold"] in (None, math.inf):  # spellings of version 0.1
            decode = {**decode, "null_threshold": NEVER}
        _check(decode, _DECODE, f"{where}: decode")
        corpus = document.get("corpus")
        if corpus is not None:
            if not isinstance(corpus, dict):
                raise ReaderError(f"{where}: corpus must be an object")
            _check(corpus, _CORPUS, f"{where}: corpus")
        try:
            return cls(
                **windows,
                decode=DecodeSettings(**decode),
                # Files of earlier versions have no weight of the reader.
                corpus=None if corpus is None else CorpusSettings(**{"reader_weight": 0.0, **corpus}),
            )
        except ConfigError as error:
            raise ReaderError(f"{where}: {error}") from error


def _check(values: dict[str, Any], kinds: dict[str, type], where: str) -> None:
    for name, value in values.items():
        if name not in kinds:
            raise ReaderError(
                f"{where}.{name}: is unknown; known are {', '.join(kinds)}. Was it written by a newer Quoth?"
            )
        kind = kinds[name]
        if (value is None and name == "null_temperature") or (value == NEVER and name == "null_threshold"):
            continue
        fits = isinstance(value, (int, float) if kind is float else kind) and isinstance(value, bool) == (kind is bool)
        if not fits:
            raise ReaderError(f"{where}.{name}: must be of type {kind.__name__}, but is {value!r}")
