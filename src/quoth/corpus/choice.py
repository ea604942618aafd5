"""Ranks the answers of several passages by reader score, search score and null score.

A reader's scores are comparable within a passage, but not between passages, because every passage has a best span, also
one about another subject. So the evidence for an answer is the sum of three terms:

    evidence = score of the span - null_weight * null score of its passage + search_weight * search evidence

The search evidence is the passage's search score divided by the best score of the search. It is in [0, 1], and does not
depend on the scale of a search engine's scores. All distinct answers of all passages are then treated like the spans
of one text: an answer's share in a softmax over the evidence gives its probability, together with the probability that
the reader gives it within its passage, which also knows of other spans of that passage. The difference from the
evidence at which "no answer" is equally probable gives the probability that no passage answers. The formulas are those
of :mod:`quoth.reading.probability`; :mod:`quoth.calibrating.corpus_fit` fits all parameters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from quoth.reading import DecodeSettings, SearchedWindow, decide, limited, no_answer_of, reason_below, right_of
from quoth.records import NEVER, Answer, Example, Prediction
from quoth.store import CorpusSettings
from quoth.text import normalize_answer

# Number of answers of each passage that are compared: the best ones that do not overlap.
PER_PASSAGE = 3
# The reader's probabilities are taken to be at least this far from 0 and 1.
_LEAST = 1e-4


@dataclass(frozen=True, slots=True)
class PassageAnswer:
    """An answer of one passage; ``answer.context_index`` is the index of the passage.

    Attributes:
        answer: The reader's answer, with its score and probability.
        null_score: The null score of the passage.
        search: The search evidence of the passage, in [0, 1].
    """

    answer: Answer
    null_score: float
    search: float

    def evidence(self, settings: CorpusSettings) -> float:
        """Return the evidence for this answer; higher is better."""
        return self.answer.score - settings.null_weight * self.null_score + settings.search_weight * self.search


def passage_answers(
    example: Example,
    windows: Sequence[SearchedWindow],
    scores: Sequence[float],
    settings: DecodeSettings,
    per_passage: int = PER_PASSAGE,
) -> list[PassageAnswer]:
    """Return the best answers of each passage.

    Args:
        example: The question; its contexts are the passages.
        windows: All its windows, searched.
        scores: The search score of each passage.
        settings: The reader's decoding settings.
        per_passage: Maximum number of answers per passage.

    Returns:
        The answers, passage by passage, best first within a passage.
    """
    by_passage: dict[int, list[SearchedWindow]] = {}
    for item in windows:
        by_passage.setdefault(item.window.context_index, []).append(item)
    best_score = max(scores, default=0.0)
    each = settings.with_(top_k=per_passage, null_threshold=NEVER, min_probability=None, overlapping=False)
    found = []
    for index, items in by_passage.items():
        prediction = decide(example, items, each)
        search = max(0.0, scores[index]) / best_score if best_score > 0 else 0.0
        null = prediction.null_score or 0.0
        found += [PassageAnswer(answer, null, search) for answer in prediction.answers]
    return found


def distinct(found: Sequence[PassageAnswer], settings: CorpusSettings) -> list[tuple[PassageAnswer, float]]:
    """Return the answers with their evidence, best first, without answers with the same normalized text.

    Ties go to the earlier passage, then the earlier start.
    """
    kept: dict[str, tuple[PassageAnswer, float]] = {}
    ranked = sorted(
        ((item, item.evidence(settings)) for item in found),
        key=lambda pair: (-pair[1], pair[0].answer.context_index, pair[0].answer.span),
    )
    for item, evidence in ranked:
        kept.setdefault(normalize_answer(item.answer.text) or item.answer.text, (item, evidence))
    return list(kept.values())


def choose(
    example: Example, found: Sequence[PassageAnswer], windows: int, decode: DecodeSettings, settings: CorpusSettings
) -> Prediction:
    """Create the prediction from the answers of several passages.

    Args:
        example: The question; its contexts are the passages.
        found: The answers of the passages.
        windows: Number of windows that were read.
        decode: The decoding settings, of which ``top_k``, ``null_threshold`` and ``min_probability`` are used.
        settings: The weights and parameters.

    Returns:
        A prediction whose answers have the reader's scores, and probabilities given all passages. Its null score is set
        so that its null odds are comparable with a null threshold for corpora.
    """
    ranked = distinct(found, settings)
    if not ranked:
        return Prediction(example, (), None, True, "the passages have no text to quote", windows, 1.0)
    logs = [evidence / settings.temperature for _, evidence in ranked]
    log_sum = logs[0] + math.log(sum(math.exp(each - logs[0]) for each in logs))
    scales = [settings.odds_scale * reader_odds(item) ** settings.reader_weight for item, _ in ranked]
    right = _descending([right_of(each - log_sum, scale) for each, scale in zip(logs, scales, strict=True)])
    odds = -ranked[0][1]
    null_probability = no_answer_of(right[0], (odds - settings.null_bias) / settings.null_temperature)
    answered = 1.0 if decode.never_abstains else 1.0 - null_probability
    probabilities = limited([each * answered for each in right[: decode.top_k]], answered)
    answers = tuple(
        replace(item.answer, probability=probability)
        for (item, _), probability in zip(ranked, probabilities, strict=False)
    )
    reason = _reason(odds, answers[0].probability, decode)
    null_score = answers[0].score + odds
    return Prediction(example, answers, null_score, reason is not None, reason, windows, null_probability)


def reader_odds(item: PassageAnswer) -> float:
    """Return the odds that an answer is right, given that its passage answers, according to the reader."""
    probability = min(max(item.answer.probability or 0.0, _LEAST), 1.0 - _LEAST)
    return probability / (1.0 - probability)


def _descending(probabilities: list[float]) -> list[float]:
    """Limit each probability to the one before it: the answers are in the order of the evidence."""
    return list(accumulate(probabilities, min))


def _reason(odds: float, probability: float, decode: DecodeSettings) -> str | None:
    """Return why there is no answer; ``None`` if there is one."""
    threshold, minimum = decode.null_threshold, decode.min_probability
    if minimum is not None:
        return reason_below(probability, minimum)
    if threshold == NEVER or odds <= threshold:
        return None
    return (
        f"no passage seems to answer: the evidence for the best answer is {-odds:.2f}, below the threshold of "
        f"{-threshold:.2f}"
    )
