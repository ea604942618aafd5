"""Fits what a reader's scores mean, on articles that it was not trained on: the temperature and the null threshold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from quoth.errors import ConfigError
from quoth.evaluation.bootstrap import clusters
from quoth.evaluation.calibration import calibration_error, reliability
from quoth.evaluation.metrics import exact_and_f1
from quoth.evaluation.threshold import ThresholdFit, fit_threshold
from quoth.reading import DecodeSettings, WindowLogits, best_probability, decode, log_shares
from quoth.records import Example
from quoth.store import ReaderSettings

Floats = NDArray[np.float64]

# From a fourth to four, 24 to the octave: neighbours change no probability by more than 0.01.
TEMPERATURES: Floats = np.exp2(np.arange(-48, 49) / 24)
_FOLDS = 5


class ReadsAll(Protocol):
    """What gives logits: a ``Reader``, or anything else with these."""

    @property
    def settings(self) -> ReaderSettings:
        """How it chooses answers."""

    def read_all(self, examples: Iterable[Example], /) -> Iterator[tuple[Example, list[WindowLogits]]]:
        """Yield each example with the logits of its windows, in their order."""


@dataclass(frozen=True, slots=True)
class TemperatureFit:
    """A temperature and what it does to the data it was fitted on.

    Attributes:
        temperature: Divides scores before the softmax.
        ece_before: Expected calibration error at the temperature stored before, in [0, 1].
        ece_after: The same at the new one.
        ece_crossvalidated: The same where each fifth of the articles has the temperature fitted on the others: what to
            expect of new articles of the kind.
        right_f1: An answer counts as right from this F1 on; 1: if it matches exactly.
        questions: Answerable questions that it was fitted on.
    """

    temperature: float
    ece_before: float
    ece_after: float
    ece_crossvalidated: float
    right_f1: float
    questions: int


@dataclass(frozen=True, slots=True)
class Fit:
    """What was fitted.

    Attributes:
        temperature: From the answerable questions.
        threshold: From all questions; ``None`` if all are answerable.
        null_bias: The threshold, so that "no answer" weighs more than the best answer just where the reader abstains;
            0 if it never does; what is stored where no threshold was fitted.
        questions: How many were read.
        unanswerable: How many of them are unanswerable.
    """

    temperature: TemperatureFit
    threshold: ThresholdFit | None
    null_bias: float
    questions: int
    unanswerable: int

    def settings(self, old: ReaderSettings) -> ReaderSettings:
        """Return a reader's settings with what was fitted in them."""
        decode_settings = old.decode.with_(temperature=self.temperature.temperature, null_bias=self.null_bias)
        if self.threshold:
            decode_settings = decode_settings.with_(null_threshold=self.threshold.threshold)
        return ReaderSettings(old.max_tokens, old.overlap, decode_settings)

    def to_json(self) -> dict[str, Any]:
        """Return all figures."""
        return {
            "questions": self.questions,
            "unanswerable": self.unanswerable,
            "temperature": asdict(self.temperature),
            "null_threshold": asdict(self.threshold) if self.threshold else None,
            "null_bias": self.null_bias,
        }


class _Reading(NamedTuple):
    """One example in a few numbers."""

    title: str
    answerable: bool
    null_odds: float
    exact: bool
    f1: float
    shares: Floats  # what all spans weigh, at the stored temperature and at TEMPERATURES


def fit(
    reader: ReadsAll,
    examples: Iterable[Example],
    unanswerable: Iterable[Example] = (),
    *,
    max_cost: float | None = None,
    right_f1: float = 1.0,
    progress: Callable[[int], None] | None = None,
) -> Fit:
    """Fit temperature and null threshold of a reader.

    The temperature is the one with the least expected calibration error over the answerable questions, abstentions not
    looked at, and "no answer" weighed as the threshold weighs it. (By the likelihood of the golds it would be too high:
    most of what that asks of the softmax is to spread over the many spans beside a gold, and the best answer's share
    suffers. ``docs/log.md`` has the figures.) The null threshold has the best F1, see :func:`fit_threshold`; it does
    not depend on the temperature.

    Args:
        reader: The reader.
        examples: Labelled examples of articles that it was not trained on.
        unanswerable: More of them, such as ``unanswerable_pairs`` makes.
        max_cost: F1 points that abstaining may cost the answerable questions at most; ``None``: any.
        right_f1: Count an answer as right from this F1 on, in (0, 1]. With one gold a question, exact match counts as
            wrong what a second annotator would have said; below 1 makes up for it.
        progress: Called after each example with the number of examples read so far.

    Raises:
        ConfigError: If no question is answerable, or a number is out of its range.

    Source: Guo et al. 2017, "On calibration of modern neural networks", section 4.2 (temperature scaling).
    """
    if not 0 < right_f1 <= 1:
        raise ConfigError(f"right_f1 must be above 0 and at most 1, but is {right_f1}")
    labelled = (example for example in chain(examples, unanswerable) if example.golds is not None)
    readings: list[_Reading] = []
    for number, (example, windows) in enumerate(reader.read_all(labelled), 1):
        if reading := _read(example, windows, reader.settings):
            readings.append(reading)
        if progress is not None:
            progress(number)
    answerable = [reading for reading in readings if reading.answerable]
    if not answerable:
        raise ConfigError("a temperature is fitted on answerable questions, but there are none")
    threshold = None
    if len(answerable) < len(readings):
        threshold = fit_threshold(
            [reading.null_odds for reading in readings],
            [reading.f1 for reading in readings],
            [reading.answerable for reading in readings],
            max_cost=max_cost,
        )
    stored = reader.settings.decode
    bias = stored.null_bias if threshold is None else threshold.threshold or 0.0
    fitted = _fit_temperature(answerable, right_f1, stored, bias)
    return Fit(fitted, threshold, bias, len(readings), len(readings) - len(answerable))


def _read(example: Example, windows: list[WindowLogits], settings: ReaderSettings) -> _Reading | None:
    """Reduce an example to what is fitted on; ``None`` if there is nothing to quote, which no setting changes."""
    stored = settings.decode
    best = decode(example.id, windows, stored.with_(top_k=1))
    shares = log_shares(windows, stored, [stored.temperature, *TEMPERATURES.tolist()])
    if best.null_odds is None or shares is None:
        return None
    golds = [gold.text for gold in example.golds or ()]
    exact, f1 = exact_and_f1(best.answers[0].text, golds, "v2.0") if golds else (False, 0.0)
    return _Reading(example.title, bool(golds), best.null_odds, exact, f1, shares)


def _fit_temperature(
    readings: Sequence[_Reading], right_f1: float, stored: DecodeSettings, bias: float
) -> TemperatureFit:
    right = np.array([each.exact or (right_f1 < 1 and each.f1 >= right_f1) for each in readings], dtype=np.float64)
    shares, odds = np.stack([each.shares for each in readings]), np.array([each.null_odds for each in readings])
    before = best_probability(shares[:, :1], odds, np.array([stored.temperature]), stored.null_bias)
    candidates = best_probability(shares[:, 1:], odds, TEMPERATURES, bias)
    best = _least(candidates, right)
    folds = _folds([each.title for each in readings])
    honest = candidates[:, best].copy()
    for fold in range(_FOLDS):
        inside = folds == fold
        if inside.any() and not inside.all():
            honest[inside] = candidates[inside, _least(candidates[~inside], right[~inside])]
    return TemperatureFit(
        temperature=float(TEMPERATURES[best]),
        ece_before=_error(before[:, 0], right),
        ece_after=_error(candidates[:, best], right),
        ece_crossvalidated=_error(honest, right),
        right_f1=right_f1,
        questions=len(readings),
    )


def _folds(titles: Sequence[str]) -> NDArray[np.intp]:
    """Deal the articles out into folds: shuffled, so that neighbours need not be in one; always alike."""
    articles = clusters(titles)
    dealt = np.random.default_rng(0).permutation(int(articles.max()) + 1)
    return np.asarray(dealt[articles] % _FOLDS)


def _least(probabilities: Floats, right: Floats) -> int:
    """Return the temperature with the least error: the middle of the best three, since one may be lucky."""
    errors = np.array([_error(column, right) for column in probabilities.T])
    padded = np.concatenate([errors[:1], errors, errors[-1:]])
    return int(np.convolve(padded, np.ones(3) / 3, mode="valid").argmin())


def _error(probabilities: Floats, right: Floats) -> float:
    return calibration_error(reliability(probabilities, right))
