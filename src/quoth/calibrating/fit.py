"""Calibrates a reader on articles that it was not trained on.

Four things are fitted in this order: the temperature and odds scale of the best answer's probability, on answerable
questions; the null threshold with the best F1; the null temperature, which is the slope of the odds of "no answer"
around it; and a table of operating points, from which a caller chooses by precision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from quoth.calibrating.intervals import ThresholdInterval, threshold_interval
from quoth.calibrating.operating_points import OperatingPoint, operating_point_at, operating_points, question_weights
from quoth.calibrating.probability_fit import TEMPERATURES, NullFit, ProbabilityFit, fit_null, fit_probability
from quoth.errors import ConfigError
from quoth.evaluation.bootstrap import cluster, clusters
from quoth.evaluation.calibration import Bin, reliability
from quoth.evaluation.metrics import Rules, exact_and_f1, rules_of
from quoth.evaluation.threshold import ThresholdFit, fit_threshold, threshold_at
from quoth.reading import DecodeSettings, WindowLogits, decode, log_shares, right_given_answerable
from quoth.records import NEVER, Example, NullThreshold
from quoth.store import ReaderSettings

Floats = NDArray[np.float64]

# With fewer questions of a kind, confidence intervals are too wide to be useful.
ENOUGH = 300


class ReadsAll(Protocol):
    """Anything that computes logits for examples, such as a ``Reader``."""

    @property
    def settings(self) -> ReaderSettings:
        """The decoding settings."""

    def read_all(self, examples: Iterable[Example], /) -> Iterator[tuple[Example, list[WindowLogits]]]:
        """Yield each example with the logits of its windows, in order."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Result of a calibration.

    Attributes:
        probability: Fit of the probabilities, on the answerable questions.
        threshold: Fit of the null threshold, on all questions; ``None`` if all are answerable.
        null: Fit of the null temperature; ``None`` if all are answerable.
        null_bias: The null odds at which "no answer" and the best answer are equally probable: the threshold; 0 if the
            reader never abstains; the stored value if no threshold was fitted.
        points: The operating points, for ``unanswerable_share``.
        unanswerable_share: Share of unanswerable questions for which the threshold and the points are fitted.
        questions: Number of questions.
        unanswerable: Number of unanswerable questions.
        warnings: Warnings about the reliability of the fit, one sentence each.
        threshold_interval: 95 % confidence interval of the null threshold, by bootstrap over articles; ``None`` if all
            questions are answerable.
        bins: The reliability diagram of the answerable questions, in cross-validation.
        chosen: The operating point at the given minimum probability; ``None`` if none was given.
    """

    probability: ProbabilityFit
    threshold: ThresholdFit | None
    null: NullFit | None
    null_bias: float
    points: tuple[OperatingPoint, ...]
    unanswerable_share: float
    questions: int
    unanswerable: int
    warnings: tuple[str, ...] = ()
    threshold_interval: ThresholdInterval | None = None
    bins: tuple[Bin, ...] = ()
    chosen: OperatingPoint | None = None

    def settings(self, old: ReaderSettings) -> ReaderSettings:
        """Return a reader's settings with the fitted values."""
        fitted = self.probability
        decode_settings = old.decode.with_(
            temperature=fitted.temperature, odds_scale=fitted.odds_scale, null_bias=self.null_bias
        )
        if self.threshold and self.null:
            decode_settings = decode_settings.with_(
                null_threshold=self.threshold.threshold, null_temperature=self.null.temperature
            )
        return replace(old, decode=decode_settings)

    def to_dict(self) -> dict[str, Any]:
        """Return all values as a dictionary."""
        return {
            "questions": self.questions,
            "unanswerable": self.unanswerable,
            "unanswerable_share": self.unanswerable_share,
            "probability": asdict(self.probability),
            "null_threshold": asdict(self.threshold) if self.threshold else None,
            "null_threshold_interval": list(self.threshold_interval) if self.threshold_interval else None,
            "null": asdict(self.null) if self.null else None,
            "null_bias": self.null_bias,
            "operating_points": [asdict(point) for point in self.points],
            "chosen_point": asdict(self.chosen) if self.chosen else None,
            "warnings": list(self.warnings),
        }


class _Reading(NamedTuple):
    """The values of one example that the fit needs."""

    cluster: str | bytes
    golds: tuple[str, ...]
    text: str  # of the best answer
    null_odds: float
    shares: Floats  # of the best answer, as logarithms, at the stored temperature and at TEMPERATURES

    def score(self, rules: Rules) -> tuple[bool, float]:
        """Return whether the best answer matches exactly, and its F1."""
        return exact_and_f1(self.text, self.golds, rules) if self.golds else (False, 0.0)


class _Questions(NamedTuple):
    """The values of all questions; each array has one value or row for each question.

    Attributes:
        has: Whether it is answerable.
        right: 1 if its best answer is correct, else 0.
        f1: F1 of its best answer, in [0, 1].
        null_odds: Its null odds.
        shares: The logarithms of the share of its best answer, at the stored temperature and at ``TEMPERATURES``.
        articles: The index of its article.
        weights: Its weight, which makes the weighted share of unanswerable questions the wanted one.
    """

    has: NDArray[np.bool_]
    right: Floats
    f1: Floats
    null_odds: Floats
    shares: Floats
    articles: NDArray[np.int_]
    weights: Floats


class _NoAnswerFit(NamedTuple):
    """When the reader abstains; without ``threshold``, ``interval`` and ``null`` if all questions are answerable.

    Attributes:
        bias: As ``null_bias`` of :class:`Fit`.
        probabilities: For each question, the probability that it has no answer.
        threshold: As in :class:`Fit`.
        interval: As ``threshold_interval`` of :class:`Fit`.
        null: As in :class:`Fit`.
    """

    bias: float
    probabilities: Floats
    threshold: ThresholdFit | None = None
    interval: ThresholdInterval | None = None
    null: NullFit | None = None


def fit(
    reader: ReadsAll,
    examples: Iterable[Example],
    unanswerable: Iterable[Example] = (),
    *,
    max_cost: float | None = None,
    right_f1: float = 100.0,
    unanswerable_share: float = 0.5,
    null_threshold: NullThreshold | None = None,
    min_probability: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> Fit:
    """Fit probabilities, null threshold and operating points.

    Temperature and odds scale maximize the likelihood of which best answers to answerable questions are correct. The
    null threshold has the best F1, see :func:`fit_threshold`. The null temperature maximizes the likelihood of which
    questions are unanswerable.

    Args:
        reader: The reader.
        examples: Labelled examples of articles that it was not trained on.
        unanswerable: Additional unanswerable examples, such as the ones of ``unanswerable_pairs``.
        max_cost: Maximum loss of F1 points on the answerable questions by abstaining; ``None``: no limit.
        right_f1: Minimum F1 of an answer that counts as correct, in (0, 100]. With one gold per question, exact match
            counts answers as wrong that other annotators would accept; a value below 100 compensates for that.
        unanswerable_share: Share of unanswerable questions to fit for, in (0, 1); questions are weighted accordingly.
        null_threshold: The null threshold to store; ``None``: the one with the best F1.
        min_probability: An additional operating point to report, given as a minimum probability in [0, 1].
        progress: Called after each example with the number of examples read so far.

    Raises:
        ConfigError: If no question is answerable, or a number is out of its range.

    Source: Platt 1999; Guo et al. 2017, "On calibration of modern neural networks", section 4.2 (temperature scaling).
    """
    _check_numbers(max_cost, right_f1, unanswerable_share, null_threshold, min_probability)
    readings, rules = _read_all(reader, chain(examples, unanswerable), progress)
    if not any(reading.golds for reading in readings):
        raise ConfigError("there must be at least one answerable question to fit probabilities, but there is none")
    asked, stored = _questions(readings, rules, right_f1, unanswerable_share), reader.settings.decode
    has, right = asked.has, asked.right
    before = right_given_answerable(asked.shares[has, 0], stored.odds_scale)
    probability, crossvalidated = fit_probability(
        asked.shares[has, 1:], right[has], asked.articles[has], before, right_f1
    )
    best = right_given_answerable(asked.shares[:, 1 + probability.index], probability.odds_scale)
    no_answer = _NoAnswerFit(stored.null_bias, np.zeros(len(has)))
    if not has.all():
        no_answer = _fit_no_answer(asked, best, max_cost, unanswerable_share, null_threshold)
    threshold, null = no_answer.threshold, no_answer.null
    probabilities = best * (1.0 - no_answer.probabilities)
    points = operating_points(probabilities, right, asked.weights, asked.articles)
    chosen = None
    if min_probability is not None:
        chosen = operating_point_at(min_probability, probabilities, right, asked.weights, asked.articles)
    warnings = (
        *_too_few(has, threshold is not None),
        *probability.at_the_ends(),
        *(null.at_the_ends() if null else ()),
    )
    return Fit(
        probability=probability,
        threshold=threshold,
        null=null,
        null_bias=no_answer.bias,
        points=points,
        unanswerable_share=unanswerable_share,
        questions=len(has),
        unanswerable=int((~has).sum()),
        warnings=tuple(warnings),
        threshold_interval=no_answer.interval,
        bins=reliability(crossvalidated, right[has]),
        chosen=chosen,
    )


def _questions(readings: Sequence[_Reading], rules: Rules, right_f1: float, unanswerable_share: float) -> _Questions:
    scores = [reading.score(rules) for reading in readings]
    has = np.array([bool(reading.golds) for reading in readings], dtype=bool)
    return _Questions(
        has=has,
        right=np.array([exact or (right_f1 < 100 and 100 * f1 >= right_f1) for exact, f1 in scores], dtype=np.float64),
        f1=np.array([f1 for _, f1 in scores]),
        null_odds=np.array([reading.null_odds for reading in readings]),
        shares=np.stack([reading.shares for reading in readings]),
        articles=clusters([reading.cluster for reading in readings]),
        weights=question_weights(has, unanswerable_share),
    )


def _fit_no_answer(
    asked: _Questions,
    best: Floats,
    max_cost: float | None,
    unanswerable_share: float,
    null_threshold: NullThreshold | None,
) -> _NoAnswerFit:
    """Fit the null threshold, unless it is given, and the probability of "no answer".

    Args:
        asked: The questions.
        best: For each question, the probability that the best answer is correct if there is an answer.
        max_cost: As for :func:`fit`.
        unanswerable_share: As for :func:`fit`.
        null_threshold: As for :func:`fit`.
    """
    odds, f1, has = asked.null_odds, asked.f1, asked.has
    interval: ThresholdInterval | None = None
    if null_threshold is None:
        interval = threshold_interval(odds, f1, has, asked.articles, max_cost, unanswerable_share)
        threshold = fit_threshold(odds, f1, has, max_cost=max_cost, unanswerable_share=unanswerable_share)
    else:
        threshold = threshold_at(odds, f1, has, null_threshold, unanswerable_share=unanswerable_share)
    bias = 0.0 if threshold.threshold == NEVER else threshold.threshold
    null, probabilities = fit_null(best, odds - bias, has, asked.weights, asked.articles)
    return _NoAnswerFit(bias, probabilities, threshold, interval, null)


def _check_numbers(
    max_cost: float | None,
    right_f1: float,
    unanswerable_share: float,
    null_threshold: NullThreshold | None,
    min_probability: float | None,
) -> None:
    check_right_f1(right_f1)
    if not 0 < unanswerable_share < 1:
        raise ConfigError(f"unanswerable_share must be between 0 and 1, but is {unanswerable_share}")
    if null_threshold is not None and max_cost is not None:
        raise ConfigError("null_threshold and max_cost must not be given together: max_cost limits a fitted threshold")
    if min_probability is not None and not 0 <= min_probability <= 1:
        raise ConfigError(f"min_probability must be from 0 to 1, but is {min_probability}")


def check_right_f1(right_f1: float) -> None:
    """Check the minimum F1 of an answer that counts as correct.

    Raises:
        ConfigError: If it is not above 0 and at most 100.
    """
    if not 0 < right_f1 <= 100:
        raise ConfigError(f"right_f1 must be above 0 and at most 100, but is {right_f1}")


def _read_all(
    reader: ReadsAll, examples: Iterable[Example], progress: Callable[[int], None] | None
) -> tuple[list[_Reading], Rules]:
    """Read the labelled examples; return the values of those with a span to quote, and the scoring rules."""
    readings: list[_Reading] = []
    golds = []
    labelled = (example for example in examples if example.golds is not None)
    for number, (example, windows) in enumerate(reader.read_all(labelled), 1):
        golds.append(example.golds)
        if reading := _read(example, windows, reader.settings.decode):
            readings.append(reading)
        if progress is not None:
            progress(number)
    return readings, rules_of(golds)


def _read(example: Example, windows: list[WindowLogits], stored: DecodeSettings) -> _Reading | None:
    """Return the values of an example for the fit; ``None`` if the text has no span to quote."""
    best = decode(example, windows, stored.with_(top_k=1))
    shares = log_shares(windows, stored, [stored.temperature, *TEMPERATURES.tolist()])
    if best.null_odds is None or shares is None:
        return None
    golds = tuple(gold.text for gold in example.golds or ())
    return _Reading(cluster(example), golds, best.answers[0].text, best.null_odds, shares)


def _too_few(has: NDArray[np.bool_], with_threshold: bool) -> Sequence[str]:
    """Return a warning if there are too few answerable questions, and one if there are too few unanswerable ones."""
    counts = {"answerable": int(has.sum()), **({"unanswerable": int((~has).sum())} if with_threshold else {})}
    return [
        f"fitted on {count} {kind} questions: with fewer than about {ENOUGH}, results vary strongly between samples"
        for kind, count in counts.items()
        if count < ENOUGH
    ]
