"""Decoding: an exact search over all legal spans of an example, and a softmax over all of them.

The windows of an example overlap, so a span may be in two of them. It counts once, with the higher of its two scores,
in both the search and the softmax. So nothing is merged afterwards, and top-k returns k spans.

There are two steps. :func:`search_batch` searches all windows of a batch at once, after which the batch can be freed.
:func:`decide` creates the prediction of an example from the results of its windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from quoth.reading.batches import WindowLogits
from quoth.reading.distinct import Distinct, distinct_candidates
from quoth.reading.grid import Candidate, best_candidates, score_grids
from quoth.reading.places import widened
from quoth.reading.probability import limited, no_answer_of, reason_below, right_of
from quoth.reading.settings import DecodeSettings
from quoth.reading.spans import Floats, SearchedWindow, best_window, log_sum_exp, search_windows
from quoth.records import NEVER, Answer, Example, Prediction, Span

_NOTHING = "the context has no text to quote"
_FOREIGN = (
    "the reader's vocabulary covers little of the text, which may be in a language that it was not trained on: do not "
    "trust the answer"
)


def decode(example: Example, windows: Sequence[WindowLogits], settings: DecodeSettings) -> Prediction:
    """Find the best answers of one example over all windows of all its contexts.

    A span is legal if it lies in one context and one window, has at most ``max_answer_tokens`` tokens, and starts and
    ends with a token that is more than white space. Answers that would cut a grapheme (or, with ``whole_words``, a
    word) are widened; spans that then are the same place count once, with the best score.

    Args:
        example: The example.
        windows: All its windows, in order.
        settings: The decoding settings.

    Returns:
        At most ``top_k`` answers, best first; they are distinct unless ``overlapping`` is set. Ties go to the earlier
        context, then the earlier start, then the shorter span.

    Source:
        Devlin et al. 2019, BERT, sections 4.2 and 4.3: the score of a span is the sum of its two logits, and the null
        score that of the CLS token. The minimum over windows is taken as in the authors' code for SQuAD v2.0.
    """
    return decide(example, search_windows(windows, settings), settings)


def decide(example: Example, windows: Sequence[SearchedWindow], settings: DecodeSettings) -> Prediction:
    """Create the prediction of an example from searched windows, like :func:`decode` but without the search.

    Args:
        example: The example.
        windows: Results of :func:`search_batch` for all its windows, in order.
        settings: The decoding settings of the search.
    """
    if not windows:
        return Prediction(example, (), None, True, _NOTHING)
    null_score = windows[0].null if len(windows) == 1 else min(item.null for item in windows)
    best = best_window(windows, settings.max_answer_tokens, settings.temperature) if settings.top_k == 1 else None
    if best is not None:
        candidate, log_sum = _best_of(best[0], settings.whole_words), best[1]
        text = candidate[0].context
        right, silence = _probabilities(candidate[2], log_sum, null_score, settings)
        answers: tuple[Answer, ...] = (_quoted(candidate, right * _answered(silence, settings)),)
    else:
        found, log_sum = _listed(windows, settings)
        if not found:
            return Prediction(example, (), null_score, True, _NOTHING, len(windows), 1.0)
        text = found[0].best[0].context
        silence = _probabilities(found[0].best[2], log_sum, null_score, settings)[1]
        answers = _answers(found, log_sum, _answered(silence, settings), settings)
    reason = _reason_to_abstain(null_score, answers[0], settings)
    warning = _FOREIGN if text.hardly_covered else None
    return Prediction(example, answers, null_score, reason is not None, reason, len(windows), silence, warning=warning)


def _listed(windows: Sequence[SearchedWindow], settings: DecodeSettings) -> tuple[list[Distinct], float]:
    """Return the selected answers, and the logarithm of the sum of the weights of all spans."""
    grids, scores = score_grids([item.logits for item in windows], settings.max_answer_tokens)
    log_sum = log_sum_exp(scores / settings.temperature)
    if settings.overlapping:
        found = best_candidates(grids, scores, settings.top_k, settings.whole_words)
        return [Distinct(each, (), ()) for each in found], log_sum
    return distinct_candidates(grids, scores, settings.top_k, settings.whole_words), log_sum


def log_shares(
    windows: Sequence[WindowLogits], settings: DecodeSettings, temperatures: Sequence[float] | Floats
) -> Floats | None:
    """Return the best answer's softmax share at several temperatures, for calibration.

    Args:
        windows: As for :func:`decode`.
        settings: As for :func:`decode`; only the maximum length of an answer is used.
        temperatures: Temperatures above 0, ``(K,)``.

    Returns:
        Logarithms of the shares, at most 0, ``(K,)`` float64; ``None`` if there is nothing to quote.
    """
    scores = score_grids(windows, settings.max_answer_tokens)[1]
    scores = scores[np.isfinite(scores)]
    if not len(scores):
        return None
    scores -= scores.max()
    return -np.array([log_sum_exp(scores / temperature) for temperature in temperatures])


def _best_of(item: SearchedWindow, whole_words: bool) -> Candidate:
    """Return the best span of a window."""
    window = item.window
    offsets, first, text = window.context.offsets, window.first_token, window.text
    span = Span(offsets.item(first + item.first, 0), offsets.item(first + item.last, 1))
    return window, widened(text, span, whole_words), item.score


def _probabilities(score: float, log_sum: float, null_score: float, settings: DecodeSettings) -> tuple[float, float]:
    """Return the probability that the best answer is right, given that the text answers, and that of "no answer"."""
    right = right_of(score / settings.temperature - log_sum, settings.odds_scale)
    excess = null_score - score - settings.null_bias
    return right, no_answer_of(right, excess / (settings.null_temperature or settings.temperature))


def _answered(silence: float, settings: DecodeSettings) -> float:
    """Return the probability that the context answers the question; 1 if the reader never abstains."""
    return 1.0 if settings.never_abstains else 1.0 - silence


def _answers(
    found: Sequence[Distinct], log_sum: float, answered: float, settings: DecodeSettings
) -> tuple[Answer, ...]:
    """Quote several candidates, with their variants and places."""

    def quoted(candidate: Candidate) -> Answer:
        share = candidate[2] / settings.temperature - log_sum
        return _quoted(candidate, answered * right_of(share, settings.odds_scale))

    answers = tuple(
        replace(quoted(each.best), variants=tuple(map(quoted, each.variants)), places=tuple(map(quoted, each.places)))
        if each.variants or each.places
        else quoted(each.best)
        for each in found
    )
    if settings.overlapping:
        return answers
    probabilities = limited([each.probability for each in answers], answered)
    return tuple(replace(each, probability=p) for each, p in zip(answers, probabilities, strict=True))


def _quoted(candidate: Candidate, probability: float) -> Answer:
    """Quote a span."""
    window, span, score = candidate
    return Answer(span.of(window.text), span, score, probability, window.index, window.context_index)


def _reason_to_abstain(null_score: float, best: Answer, settings: DecodeSettings) -> str | None:
    """Return why the reader abstains; ``None`` if it answers."""
    threshold, least = settings.null_threshold, settings.min_probability
    if least is not None:
        return reason_below(best.probability, least)
    if threshold == NEVER or (margin := null_score - best.score) <= threshold:
        return None
    return f"the text does not seem to answer the question (null odds {margin:.2f}, threshold {threshold:.2f})"
