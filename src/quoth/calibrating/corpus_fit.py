"""Fits how answers from several passages are compared, and their probabilities, on articles that were not trained on.

Each question is read twice: over the passages that the search finds, and over those of them that do not contain its
answer, so that the corpus does not answer it. The weights of the search and of the null score maximize the conditional
likelihood of the correct answers among all answers of the passages, on a grid. Then temperature, odds scale and the
weight of the reader's own probability (the one with the lowest log loss in cross-validation over articles), null
threshold and null temperature are fitted as for a single text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quoth.calibrating.fit import ENOUGH, check_right_f1
from quoth.calibrating.probability_fit import TEMPERATURES, NullFit, ProbabilityFit, fit_null, fit_probability
from quoth.config import checked_count
from quoth.corpus.choice import PassageAnswer, distinct, passage_answers, reader_odds
from quoth.corpus.corpus import PASSAGES, Corpus, corpus_settings
from quoth.corpus.records import Hit, Searched
from quoth.errors import ConfigError
from quoth.evaluation.bootstrap import cluster, clusters
from quoth.evaluation.metrics import exact_and_f1, rules_for_texts
from quoth.evaluation.threshold import ThresholdFit, fit_threshold
from quoth.reading import right_given_answerable, search_batch
from quoth.records import NEVER, Example
from quoth.store import CorpusSettings
from quoth.stream import Stream

if TYPE_CHECKING:
    from quoth.reader import Reader

Floats = NDArray[np.float64]

SEARCH_WEIGHTS: Floats = np.arange(0, 33) / 2.0
NULL_WEIGHTS: Floats = np.arange(0, 13) / 8.0
READER_WEIGHTS: Floats = np.arange(0, 9) / 8.0
_COARSE: Floats = np.exp2(np.arange(-2, 9) / 2)


@dataclass(frozen=True, slots=True)
class CorpusFit:
    """Result of a calibration for a corpus.

    Attributes:
        settings: The fitted values.
        exact: Exact match without abstaining, in [0, 100], on the data that the settings were fitted on.
        exact_before: The same with the reader's previous settings.
        probability: Fit of the probabilities.
        threshold: Fit of the null threshold, for equal shares of answerable and unanswerable questions; ``None`` if
            every passage of every question contains the answer.
        null: Fit of the null temperature; ``None`` if ``threshold`` is.
        questions: Number of questions.
        passages: Number of passages that were read for each question.
        warnings: Warnings about the reliability of the fit, one sentence each.
    """

    settings: CorpusSettings
    exact: float
    exact_before: float
    probability: ProbabilityFit
    threshold: ThresholdFit | None
    null: NullFit | None
    questions: int
    passages: int
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return all values as a dictionary."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Reading:
    """One question as it was read for a fit.

    Attributes:
        cluster: The article, or another group of questions that are not independent.
        golds: The texts of the golds.
        found: The answers of the passages that the search finds.
        without: The answers of those passages that contain no gold text.
    """

    cluster: str | bytes
    golds: tuple[str, ...]
    found: list[PassageAnswer]
    without: list[PassageAnswer]


def fit_corpus(
    corpus: Corpus,
    reader: Reader,
    examples: Sequence[Example],
    *,
    passages: int = PASSAGES,
    right_f1: float = 100.0,
    progress: Callable[[int], None] | None = None,
) -> CorpusFit:
    """Fit the settings of a reader for corpora.

    Args:
        corpus: A corpus that contains the contexts of the examples and many others.
        reader: The reader.
        examples: Labelled examples of articles that it was not trained on. Unanswerable ones are skipped.
        passages: Number of passages to read for each question.
        right_f1: Minimum F1 of an answer that counts as correct, in (0, 100]; 100: exact match. With one gold per
            question, exact match counts answers as wrong that other annotators would accept; a value below 100
            compensates for that.
        progress: Called after each question with the number of questions read so far.

    Raises:
        ConfigError: If no question is answerable, the search finds no passage for any question, or a number is out of
            its range.
    """
    check_right_f1(right_f1)
    readings = []
    for number, reading in enumerate(read_for_fit(corpus, reader, examples, passages), 1):
        readings.append(reading)
        if progress is not None:
            progress(number)
    return fit_readings(readings, corpus_settings(reader), passages, right_f1)


def read_for_fit(
    corpus: Corpus, reader: Reader, examples: Sequence[Example], passages: int = PASSAGES
) -> Iterator[Reading]:
    """Search and read the passages of each answerable question, for :func:`fit_readings`.

    Raises:
        ConfigError: If ``passages`` is not an integer, or below 1.
    """
    passages = checked_count("passages", passages)
    decode = reader.decode_settings()

    def found() -> Iterator[_TwoSearches]:
        for example in examples:
            if not example.golds:
                continue
            hits = corpus.search(example.question, 2 * passages)
            golds = [gold.text for gold in example.golds]
            bare = [place for place, hit in enumerate(hits) if not any(gold in hit.text for gold in golds)][:passages]
            wanted = sorted({*range(min(passages, len(hits))), *bare})
            with_, without = set(range(min(passages, len(hits)))), set(bare)
            kinds = _index(wanted, with_), _index(wanted, without)
            yield _TwoSearches(example, [hits[place] for place in wanted], kinds)

    stream = Stream(reader.windower, reader.engine, partial(search_batch, settings=decode))
    for searched, windows in stream.read(found()):
        answers = []
        for kind in searched.kinds:
            items = [item for item in windows if item.window.context_index in kind]
            scores = [hit.score if place in kind else 0.0 for place, hit in enumerate(searched.hits)]
            answers.append(passage_answers(searched, items, scores, decode))
        golds = tuple(gold.text for gold in searched.asked.golds or ())
        yield Reading(cluster(searched.asked), golds, *answers)


@dataclass(frozen=True, slots=True, init=False)
class _TwoSearches(Searched):
    """A question with the passages of two searches: in all passages, and in those without a gold text.

    Attributes:
        kinds: For each search, the indices of its passages among the contexts.
    """

    kinds: tuple[set[int], set[int]]

    def __init__(self, asked: Example, hits: Sequence[Hit], kinds: tuple[set[int], set[int]]) -> None:
        Searched.__init__(self, asked, hits, hits)
        object.__setattr__(self, "kinds", kinds)


def _index(wanted: Sequence[int], chosen: set[int]) -> set[int]:
    return {place for place, rank in enumerate(wanted) if rank in chosen}


def fit_readings(
    readings: Sequence[Reading], old: CorpusSettings, passages: int = PASSAGES, right_f1: float = 100.0
) -> CorpusFit:
    """Fit settings to questions that were read; see :func:`fit_corpus`.

    Args:
        readings: The questions.
        old: The settings before, for comparison.
        passages: Number of passages that were read for each question.
        right_f1: As for :func:`fit_corpus`.

    Raises:
        ConfigError: If no question has a passage, or ``right_f1`` is out of its range.
    """
    check_right_f1(right_f1)
    readings = [reading for reading in readings if reading.found]
    if not readings:
        raise ConfigError("there must be at least one answerable question with a passage to read, but there is none")
    articles = clusters([reading.cluster for reading in readings])
    search_weight, null_weight, scale = _weights(readings)
    first = CorpusSettings(search_weight, null_weight, scale)
    before = [_ranked(reading.found, old, reading.golds) for reading in readings]
    shares_before = np.array([each.log_shares[_nearest(1.0)] for each in before])
    probability_before = right_given_answerable(shares_before, old.odds_scale)
    probability, weight = _fit_best(readings, first, articles, probability_before, right_f1)
    first = replace(first, reader_weight=weight)
    best = [_ranked(reading.found, first, reading.golds) for reading in readings]
    settings = replace(first, temperature=scale * probability.temperature, odds_scale=probability.odds_scale)
    threshold, null = None, None
    unanswerable = [
        (_ranked(reading.without, first, ()), place) for place, reading in enumerate(readings) if reading.without
    ]
    if unanswerable:
        threshold, null = _fit_no_answer(best, unanswerable, articles, probability)
        settings = replace(
            settings,
            null_bias=_bias(threshold),
            null_temperature=null.temperature,
            null_threshold=threshold.threshold,
        )
    few = f"fitted on {len(best)} questions: with fewer than about {ENOUGH}, results vary strongly between samples"
    warnings = (
        *([few] if len(best) < ENOUGH else []),
        *probability.at_the_ends(),
        *(null.at_the_ends() if null else ()),
    )
    return CorpusFit(
        settings=settings,
        exact=100 * float(np.mean([each.exact for each in best])),
        exact_before=100 * float(np.mean([each.exact for each in before])),
        probability=probability,
        threshold=threshold,
        null=null,
        questions=len(best),
        passages=passages,
        warnings=warnings,
    )


def _fit_best(
    readings: Sequence[Reading],
    settings: CorpusSettings,
    articles: NDArray[np.int_],
    before: Floats,
    right_f1: float,
) -> tuple[ProbabilityFit, float]:
    """Fit the probability that the best answer is correct; return it and the weight of the reader's own probability.

    Args:
        readings: The questions.
        settings: The fitted weights and temperature of the ranking.
        articles: For each question, the index of its article.
        before: For each question, the probability with the previous settings.
        right_f1: As for :func:`fit_corpus`.
    """
    best = [_ranked(reading.found, settings, reading.golds) for reading in readings]
    least = right_f1 / 100
    right = np.array([each.exact or (least < 1 and each.f1 >= least) for each in best], dtype=np.float64)
    shares = np.stack([each.log_shares for each in best])
    reader = np.log([reader_odds(distinct(reading.found, settings)[0][0]) for reading in readings])
    return _fit_with_reader(shares, right, articles, before, reader)


def _fit_no_answer(
    best: Sequence[_Ranked],
    unanswerable: Sequence[tuple[_Ranked, int]],
    articles: NDArray[np.int_],
    probability: ProbabilityFit,
) -> tuple[ThresholdFit, NullFit]:
    """Fit the null threshold and the probability that no passage answers.

    Args:
        best: For each question, the best answer from the passages of the search.
        unanswerable: The best answers from passages without a gold text, each with the index of its question.
        articles: For each question, the index of its article.
        probability: The fit of the probability that an answer is right.
    """
    every = [*best, *(each for each, _ in unanswerable)]
    shares = np.array([each.log_shares[probability.index] for each in every])
    odds = np.array([each.null_odds for each in every])
    f1 = [each.f1 for each in best] + [0.0] * len(unanswerable)
    answerable = np.arange(len(odds)) < len(best)
    threshold = fit_threshold(odds, f1, answerable)
    weights = np.where(answerable, 0.5 / len(best), 0.5 / len(unanswerable))
    groups = np.concatenate([articles, articles[[place for _, place in unanswerable]]])
    given = right_given_answerable(shares, probability.odds_scale)
    null, _ = fit_null(given, odds - _bias(threshold), answerable, weights, groups)
    return threshold, null


def _bias(threshold: ThresholdFit) -> float:
    return 0.0 if threshold.threshold == NEVER else threshold.threshold


class _Ranked(NamedTuple):
    """The best answer to a question.

    Attributes:
        exact: Whether it matches a gold exactly.
        f1: Its F1, in [0, 1].
        null_odds: Its null odds.
        log_shares: The logarithm of its share of all answers, at each temperature.
    """

    exact: bool
    f1: float
    null_odds: float
    log_shares: Floats


def _ranked(found: Sequence[PassageAnswer], settings: CorpusSettings, golds: Sequence[str]) -> _Ranked:
    """Rank the answers of all passages, and return the best one."""
    ranked = distinct(found, settings)
    evidence = np.array([each for _, each in ranked])
    logs = (evidence - evidence[0]) / (settings.temperature * TEMPERATURES[:, None])
    exact, f1 = exact_and_f1(ranked[0][0].answer.text, golds, rules_for_texts(golds)) if golds else (False, 0.0)
    shares = -np.log(np.exp(logs).sum(axis=1))
    weighted = _with_reader(shares, settings.reader_weight * np.log(reader_odds(ranked[0][0])))
    return _Ranked(exact, f1, -float(evidence[0]), weighted)


def _with_reader(log_shares: Floats, log_factor: Floats | float) -> Floats:
    """Return the logarithms of shares whose odds were multiplied by a factor."""
    others = np.log(-np.expm1(np.minimum(log_shares, -1e-12)))
    return np.asarray(-np.logaddexp(0.0, others - log_shares - log_factor))


def _fit_with_reader(
    shares: Floats, right: Floats, articles: NDArray[np.int_], before: Floats, reader: Floats
) -> tuple[ProbabilityFit, float]:
    """Return the fit and the weight of the reader's log odds with the lowest log loss in cross-validation."""
    found = []
    for weight in READER_WEIGHTS:
        weighted = _with_reader(shares, weight * reader[:, None])
        fit, crossvalidated = fit_probability(weighted, right, articles, before, right_f1=100.0)
        kept = np.clip(crossvalidated, 1e-6, 1 - 1e-6)
        found.append((float(-np.log(np.where(right > 0, kept, 1 - kept)).mean()), float(weight), fit))
    _, weight, fit = min(found, key=lambda each: each[:2])
    return fit, weight


def _nearest(temperature: float) -> int:
    return int(np.abs(TEMPERATURES - temperature).argmin())


def _weights(readings: Sequence[Reading]) -> tuple[float, float, float]:
    """Return the weights of search and null score, and the temperature, with the highest likelihood."""
    most = max(len(reading.found) for reading in readings)
    score, null, search = (np.zeros((len(readings), most)) for _ in range(3))
    there, right = (np.zeros((len(readings), most), dtype=bool) for _ in range(2))
    for row, reading in enumerate(readings):
        rules = rules_for_texts(reading.golds)
        for column, item in enumerate(reading.found):
            score[row, column], null[row, column], search[row, column] = item.answer.score, item.null_score, item.search
            there[row, column] = True
            right[row, column] = exact_and_f1(item.answer.text, reading.golds, rules)[0]
    kept = right.any(axis=1)
    score, null, search, there, right = (each[kept] for each in (score, null, search, there, right))
    best = (-np.inf, 0.0, 0.0, 1.0)
    for null_weight in NULL_WEIGHTS if kept.any() else ():
        for search_weight in SEARCH_WEIGHTS:
            evidence = np.where(there, score - null_weight * null + search_weight * search, -np.inf)
            evidence -= evidence.max(axis=1, keepdims=True)
            for temperature in _COARSE:
                weight = np.exp(evidence / temperature)
                share = (weight * right).sum(axis=1) / weight.sum(axis=1)
                likelihood = float(np.log(np.maximum(share, 1e-6)).mean())
                best = max(best, (likelihood, float(search_weight), float(null_weight), float(temperature)))
    return best[1:]
