"""Fits what a reader's scores mean, on articles that it was not trained on: the temperature and the null threshold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quoth.errors import ConfigError
from quoth.evaluation.bootstrap import cluster, clusters
from quoth.evaluation.calibration import calibration_error, reliability
from quoth.evaluation.metrics import Rules, exact_and_f1
from quoth.evaluation.threshold import ThresholdFit, fit_threshold
from quoth.reading import DecodeSettings, WindowLogits, chance, decode, log_shares
from quoth.records import Example
from quoth.store import ReaderSettings

Floats = NDArray[np.float64]

# From a fourth to four, and from a fourth to 32: neighbours change no probability by more than 0.02.
TEMPERATURES: Floats = np.exp2(np.arange(-24, 25) / 12)
AGREEMENTS: Floats = np.exp2(np.arange(-24, 61) / 12)
_FOLDS = 5


class ReadsAll(Protocol):
    """What gives logits: a ``Reader``, or anything else with these."""

    @property
    def settings(self) -> ReaderSettings:
        """How it chooses answers."""

    def read_all(self, examples: Iterable[Example], /) -> Iterator[tuple[Example, list[WindowLogits]]]:
        """Yield each example with the logits of its windows, in their order."""


@dataclass(frozen=True, slots=True)
class ProbabilityFit:
    """What probabilities are made with, and what that does to the data it was fitted on.

    Attributes:
        temperature: Divides scores before the softmax.
        agreement: How many times as high as those of its share the odds of an answer are.
        ece_before: Expected calibration error with what was stored before, in [0, 1].
        ece_after: The same with what was fitted.
        ece_crossvalidated: The same where each fifth of the articles has it fitted on the others: what to expect of new
            articles of the kind.
        right_f1: An answer counts as right from this F1 on; 1: if it matches exactly.
        questions: Answerable questions that it was fitted on.
    """

    temperature: float
    agreement: float
    ece_before: float
    ece_after: float
    ece_crossvalidated: float
    right_f1: float
    questions: int


@dataclass(frozen=True, slots=True)
class Fit:
    """What was fitted.

    Attributes:
        probability: From the answerable questions.
        threshold: From all questions; ``None`` if all are answerable.
        null_bias: The threshold, so that "no answer" weighs more than the best answer just where the reader abstains;
            0 if it never does; what is stored where no threshold was fitted.
        questions: How many were read.
        unanswerable: How many of them are unanswerable.
    """

    probability: ProbabilityFit
    threshold: ThresholdFit | None
    null_bias: float
    questions: int
    unanswerable: int

    def settings(self, old: ReaderSettings) -> ReaderSettings:
        """Return a reader's settings with what was fitted in them."""
        fitted = self.probability
        decode_settings = old.decode.with_(
            temperature=fitted.temperature, agreement=fitted.agreement, null_bias=self.null_bias
        )
        if self.threshold:
            decode_settings = decode_settings.with_(null_threshold=self.threshold.threshold)
        return ReaderSettings(old.max_tokens, old.overlap, decode_settings)

    def to_json(self) -> dict[str, Any]:
        """Return all figures."""
        return {
            "questions": self.questions,
            "unanswerable": self.unanswerable,
            "probability": asdict(self.probability),
            "null_threshold": asdict(self.threshold) if self.threshold else None,
            "null_bias": self.null_bias,
        }


class _Reading(NamedTuple):
    """One example in a few numbers."""

    cluster: str | bytes
    golds: tuple[str, ...]
    text: str  # of the best answer
    null_odds: float
    shares: Floats  # of the best answer, as logarithms, at the stored temperature and at TEMPERATURES

    def score(self, rules: Rules) -> tuple[bool, float]:
        """Return whether the best answer matches exactly, and its F1."""
        return exact_and_f1(self.text, self.golds, rules) if self.golds else (False, 0.0)


def fit(
    reader: ReadsAll,
    examples: Iterable[Example],
    unanswerable: Iterable[Example] = (),
    *,
    max_cost: float | None = None,
    right_f1: float = 1.0,
    progress: Callable[[int], None] | None = None,
) -> Fit:
    """Fit what a reader's scores mean: temperature, agreement, null threshold and null bias.

    Temperature and agreement are those under which it is likeliest that the best answers to the answerable questions
    are right where they are, abstentions not looked at, and "no answer" weighed as the threshold weighs it. (The
    likelihood of the golds would ask of the softmax to spread over the many spans beside a gold, and the best answer's
    share would suffer; the temperature alone cannot do both. ``docs/log.md`` has the figures.) The null threshold has
    the best F1, see :func:`fit_threshold`; it depends on neither.

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

    Source: Platt 1999; Guo et al. 2017, "On calibration of modern neural networks", section 4.2 (temperature scaling).
    """
    if not 0 < right_f1 <= 1:
        raise ConfigError(f"right_f1 must be above 0 and at most 1, but is {right_f1}")
    labelled = (example for example in chain(examples, unanswerable) if example.golds is not None)
    readings: list[_Reading] = []
    rules: Rules = "v1.1"
    for number, (example, windows) in enumerate(reader.read_all(labelled), 1):
        if not example.golds:
            rules = "v2.0"
        if reading := _read(example, windows, reader.settings):
            readings.append(reading)
        if progress is not None:
            progress(number)
    answerable = [reading for reading in readings if reading.golds]
    if not answerable:
        raise ConfigError("probabilities are fitted on answerable questions, but there are none")
    threshold = None
    if len(answerable) < len(readings):
        threshold = fit_threshold(
            [reading.null_odds for reading in readings],
            [reading.score(rules)[1] for reading in readings],
            [bool(reading.golds) for reading in readings],
            max_cost=max_cost,
        )
    stored = reader.settings.decode
    bias = stored.null_bias if threshold is None else threshold.threshold or 0.0
    fitted = _fit_probability(answerable, rules, right_f1, stored, bias)
    return Fit(fitted, threshold, bias, len(readings), len(readings) - len(answerable))


def _read(example: Example, windows: list[WindowLogits], settings: ReaderSettings) -> _Reading | None:
    """Reduce an example to what is fitted on; ``None`` if there is nothing to quote, which no setting changes."""
    stored = settings.decode
    best = decode(example.id, windows, stored.with_(top_k=1))
    shares = log_shares(windows, stored, [stored.temperature, *TEMPERATURES.tolist()])
    if best.null_odds is None or shares is None:
        return None
    golds = tuple(gold.text for gold in example.golds or ())
    return _Reading(cluster(example), golds, best.answers[0].text, best.null_odds, shares)


def _fit_probability(
    readings: Sequence[_Reading], rules: Rules, right_f1: float, stored: DecodeSettings, bias: float
) -> ProbabilityFit:
    scores = [each.score(rules) for each in readings]
    right = np.array([exact or (right_f1 < 1 and f1 >= right_f1) for exact, f1 in scores], dtype=np.float64)
    shares, odds = np.stack([each.shares for each in readings]), np.array([each.null_odds for each in readings])

    def probabilities(column: int, settings: DecodeSettings, agreements: ArrayLike) -> Floats:
        # A share is relative to the spans, null odds to the best of them.
        log_null = (odds - settings.null_bias) / settings.temperature + shares[:, column]
        return chance(shares[:, column], log_null, agreements)

    fold_of = _folds([each.cluster for each in readings])
    losses = np.empty((len(TEMPERATURES), len(AGREEMENTS), _FOLDS))
    tried = [stored.with_(temperature=float(value), null_bias=bias) for value in TEMPERATURES]
    for index, settings in enumerate(tried):
        found = probabilities(index + 1, settings, AGREEMENTS[:, None])
        losses[index] = _log_loss(found, right) @ np.eye(_FOLDS)[fold_of]

    def fitted(folds: NDArray[np.bool_]) -> tuple[int, float]:
        """Return which temperature, and the agreement, of the least loss on some folds."""
        best = np.unravel_index(losses[:, :, folds].sum(axis=2).argmin(), losses.shape[:2])
        return int(best[0]), float(AGREEMENTS[best[1]])

    best, agreement = fitted(np.ones(_FOLDS, dtype=bool))
    after = probabilities(best + 1, tried[best], agreement)
    honest = after.copy()
    for fold in range(_FOLDS):
        inside = fold_of == fold
        if inside.any() and not inside.all():
            other, its = fitted(np.arange(_FOLDS) != fold)
            honest[inside] = probabilities(other + 1, tried[other], its)[inside]
    return ProbabilityFit(
        temperature=float(TEMPERATURES[best]),
        agreement=agreement,
        ece_before=_error(probabilities(0, stored, stored.agreement), right),
        ece_after=_error(after, right),
        ece_crossvalidated=_error(honest, right),
        right_f1=right_f1,
        questions=len(readings),
    )


def _log_loss(probabilities: Floats, right: Floats) -> Floats:
    """Return what each probability costs, as a logarithm; a certain one that is wrong costs much, not all."""
    kept = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return -np.log(np.where(right > 0, kept, 1 - kept))


def _folds(keys: Sequence[str | bytes]) -> NDArray[np.intp]:
    """Deal the articles out into folds: shuffled, so that neighbours need not be in one; always alike."""
    articles = clusters(keys)
    dealt = np.random.default_rng(0).permutation(int(articles.max()) + 1)
    return np.asarray(dealt[articles] % _FOLDS)


def _error(probabilities: Floats, right: Floats) -> float:
    return calibration_error(reliability(probabilities, right))
