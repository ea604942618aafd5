"""The decoding settings."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from typing import Annotated

from quoth.config import ABOVE_ZERO, COUNT, FINITE, SHARE, Within, check
from quoth.errors import ConfigError
from quoth.records import NEVER, NullThreshold

# Range of temperatures: beyond it, one span has all probability or all spans have the same; far beyond it, NaN.
_TEMPERATURE = Within(least=1e-6, most=1e6)


@dataclass(frozen=True, slots=True)
class DecodeSettings:
    """The decoding settings.

    Attributes:
        null_threshold: Abstain if the null odds exceed this; "never": never abstain.
            ``None`` and infinity, the spellings of version 0.1, are still accepted, with a warning.
        whole_words: Whether to widen an answer that starts or ends inside a word.
        overlapping: Whether answers may overlap or have the same words; otherwise they are distinct, see
            :mod:`quoth.reading.distinct`.

    Raises:
        ConfigError: If a number is out of its range.
    """

    max_answer_tokens: Annotated[int, "Maximum length of an answer, in tokens.", COUNT] = 30
    top_k: Annotated[int, "Maximum number of answers.", COUNT] = 1
    null_threshold: NullThreshold = NEVER
    null_bias: Annotated[
        float,
        'Null odds at which "no answer" and the best answer are equally probable; see quoth.reading.probability.',
        FINITE,
    ] = 0.0
    temperature: Annotated[float, "Divides scores before the softmax.", _TEMPERATURE] = 1.0
    null_temperature: Annotated[
        float | None, "Divides null odds above the null bias; as temperature if None.", _TEMPERATURE
    ] = None
    odds_scale: Annotated[
        float, "Factor from the odds of an answer's share to its odds of being right.", ABOVE_ZERO
    ] = 1.0
    whole_words: bool = True
    overlapping: bool = False
    min_probability: Annotated[
        float | None, "Abstain if the best answer's probability is below this; replaces the null threshold.", SHARE
    ] = None

    def __post_init__(self) -> None:
        check(self)
        object.__setattr__(self, "null_threshold", checked_null_threshold(self.null_threshold))

    @property
    def never_abstains(self) -> bool:
        """Whether the reader always answers."""
        return self.null_threshold == NEVER and self.min_probability is None

    def with_(self, **changes: object) -> DecodeSettings:
        """Return a copy with some settings changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


def checked_null_threshold(given: object, prefix: str = "") -> NullThreshold:
    """Return a threshold in its current form; called when settings are initialized.

    Args:
        given: The threshold.
        prefix: Put before the name of the setting in the message.

    Raises:
        ConfigError: If it is neither a number nor "never".
    """
    if given is None or given in (math.inf, "inf"):
        warnings.warn(
            f'{prefix}null_threshold={given!r} is deprecated, use null_threshold="never"',
            DeprecationWarning,
            stacklevel=4,
        )
        return NEVER
    if given == NEVER:
        return NEVER
    try:
        number = float(given) if isinstance(given, int | float) and not isinstance(given, bool) else math.nan
    except OverflowError:
        number = math.nan
    if math.isnan(number):
        raise ConfigError(f'{prefix}null_threshold must be a number or "never", but is {given!r}')
    return number
