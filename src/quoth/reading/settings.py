"""The decoding settings."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace

from quoth.errors import ConfigError
from quoth.records import NEVER, NullThreshold

# Range of temperatures: beyond it, one span has all probability or all spans have the same; far beyond it, NaN.
_LEAST, _MOST = 1e-6, 1e6


@dataclass(frozen=True, slots=True)
class DecodeSettings:
    """The decoding settings.

    Attributes:
        max_answer_tokens: Maximum length of an answer, in tokens.
        top_k: Maximum number of answers.
        null_threshold: Abstain if the null odds exceed this; "never": never abstain.
            ``None`` and infinity, which said the same until version 0.2, still do, with a warning.
        null_bias: The null odds at which "no answer" and the best answer are equally probable; see
            :mod:`quoth.reading.probability`.
        temperature: Divides scores before the softmax; from 1e-06 to 1e+06.
        null_temperature: Divides null odds above the null bias; in the same range. ``None``: as ``temperature``.
        odds_scale: Factor from the odds of an answer's share to its odds of being right, above 0.
        whole_words: Whether to widen an answer that starts or ends inside a word.
        overlapping: List every place, spellings of one answer too; else answers are distinct, see
            :mod:`quoth.reading.distinct`.
        min_probability: Answer only where the best answer's probability is at least this, in [0, 1]; replaces the null
            threshold. ``None``: the null threshold decides.

    Raises:
        ConfigError: If a number is out of its range.
    """

    max_answer_tokens: int = 30
    top_k: int = 1
    null_threshold: NullThreshold = NEVER
    null_bias: float = 0.0
    temperature: float = 1.0
    null_temperature: float | None = None
    odds_scale: float = 1.0
    whole_words: bool = True
    overlapping: bool = False
    min_probability: float | None = None

    def __post_init__(self) -> None:
        if self.max_answer_tokens < 1:
            raise ConfigError(f"max_answer_tokens must be at least 1, but is {self.max_answer_tokens}")
        if self.top_k < 1:
            raise ConfigError(f"top_k must be at least 1, but is {self.top_k}")
        object.__setattr__(self, "null_threshold", _null_threshold(self.null_threshold))
        if not math.isfinite(self.null_bias):
            raise ConfigError(f"null_bias must be finite, but is {self.null_bias}")
        if not _LEAST <= self.temperature <= _MOST:
            raise ConfigError(f"temperature must be from {_LEAST} to {_MOST:g}, but is {self.temperature}")
        if self.null_temperature is not None and not _LEAST <= self.null_temperature <= _MOST:
            raise ConfigError(f"null_temperature must be from {_LEAST} to {_MOST:g}, but is {self.null_temperature}")
        if not 0 < self.odds_scale < math.inf:
            raise ConfigError(f"odds_scale must be above 0 and finite, but is {self.odds_scale}")
        if self.min_probability is not None and not 0 <= self.min_probability <= 1:
            raise ConfigError(f"min_probability must be from 0 to 1, but is {self.min_probability}")

    @property
    def never_abstains(self) -> bool:
        """Whether the reader always answers."""
        return self.null_threshold == NEVER and self.min_probability is None

    def with_(self, **changes: object) -> DecodeSettings:
        """Return a copy with some settings changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


def _null_threshold(given: object) -> NullThreshold:
    """Return a threshold in its current form.

    Raises:
        ConfigError: If it is neither a number nor "never".
    """
    if given is None or given in (math.inf, "inf"):
        warnings.warn(
            f'null_threshold={given!r} is deprecated, use null_threshold="never"',
            DeprecationWarning,
            stacklevel=4,
        )
        return NEVER
    if given == NEVER:
        return NEVER
    if isinstance(given, bool) or not isinstance(given, int | float) or math.isnan(given):
        raise ConfigError(f'null_threshold must be a number or "never", but is {given!r}')
    return float(given)
