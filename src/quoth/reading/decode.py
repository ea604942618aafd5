"""From logits to answers: an exact search over every legal span of an example, and a softmax over all of them.

The windows of an example overlap, and a span in the overlap stands in two of them. It counts once, with the better of
its two scores, in the search as in the softmax. So nothing is merged afterwards, and a top-k of k spans has k.

Most examples have one window. Where their best answer alone is asked for, a whole batch is decoded at once.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from quoth.errors import ConfigError
from quoth.reading.batches import Searched, SpanLogits, WindowBatch, WindowLogits, check_finite, unbatch
from quoth.reading.grid import best_answers, score_grids
from quoth.reading.places import widened
from quoth.reading.probability import no_answer_probability, right_given_answerable
from quoth.reading.spans import Floats, best_span, best_spans, log_sum_exp
from quoth.reading.windows import Window
from quoth.records import NEVER, Answer, NullThreshold, Prediction, Span

# Temperatures: beyond them, a share is that of one span or the same for all; far beyond them, it is no number.
_LEAST, _MOST = 1e-6, 1e6


@dataclass(frozen=True, slots=True)
class DecodeSettings:
    """How answers are chosen.

    Attributes:
        max_answer_tokens: The longest answer, in tokens.
        top_k: How many answers a prediction holds at most.
        null_threshold: Abstain where the null score exceeds the best answer's by more than this; "never" abstain.
            ``None`` and infinity, which said the same until version 0.2, still do, with a warning.
        null_bias: The null odds at which "no answer" and the best answer are equally probable; see
            :mod:`quoth.reading.probability`.
        temperature: Divides scores before the softmax; from 1e-06 to 1e+06.
        null_temperature: Divides null odds above the null bias; in the same range. ``None``: as ``temperature``.
        odds_scale: Factor from the odds of an answer's share to its odds of being right, above 0.
        whole_words: Widen an answer that starts or ends inside a word.

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

    @property
    def never_abstains(self) -> bool:
        """Whether an answer is given whatever its null odds."""
        return self.null_threshold == NEVER

    def with_(self, **changes: object) -> DecodeSettings:
        """Return a copy with some settings changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


def _null_threshold(given: object) -> NullThreshold:
    """Return a threshold as it is spelled now.

    Raises:
        ConfigError: If it is neither a number nor "never".
    """
    if given is None or given in (math.inf, "inf"):
        warnings.warn(
            f'null_threshold={given!r} is deprecated, since there is one word for it: null_threshold="never"',
            DeprecationWarning,
            stacklevel=4,
        )
        return NEVER
    if given == NEVER:
        return NEVER
    if isinstance(given, bool) or not isinstance(given, int | float) or math.isnan(given):
        raise ConfigError(f'null_threshold must be a number or "never", but is {given!r}')
    return float(given)


def decode_batch(batch: WindowBatch, logits: SpanLogits, settings: DecodeSettings) -> list[Prediction | WindowLogits]:
    """Reduce a batch to what is left of it: the prediction of each window that is all of its example.

    Args:
        batch: Windows of examples with one context each.
        logits: What the engine gave for it.
        settings: How answers are chosen.

    Returns:
        For each window the prediction that :func:`decode` makes of it; or, where its example has other windows too,
        its logits, for :func:`decode`.

    Raises:
        ReaderError: As :func:`unbatch`.
    """
    if settings.top_k > 1:
        cut = unbatch(batch, logits)
        return [decode(item.window.example.id, [item], settings) if item.window.is_whole else item for item in cut]
    check_finite(batch, logits)
    longest, temperature = settings.max_answer_tokens, settings.temperature
    best = best_spans(logits.start, logits.end, batch.legal, longest, temperature)
    cls = np.arange(0, batch.ids.size, batch.ids.shape[1]) + np.array([window.cls for window in batch.windows])
    nulls = np.add(logits.start.take(cls), logits.end.take(cls), dtype=np.float64)
    columns = *best, nulls, *_probabilities(best.scores, best.log_sums, nulls, best.scores, settings)
    found: list[Prediction | WindowLogits] = []
    for number, (window, score, first, last, log_sum, null, probability, silence) in enumerate(
        zip(batch.windows, *(column.tolist() for column in columns), strict=True)
    ):
        before = window.context_tokens.start
        if log_sum < math.inf and window.is_whole:
            answer = _answer(window, first - before, last - before, score, probability, settings)
            found.append(_prediction(window.example.id, (answer,), null, silence, settings, 1))
            continue
        searched = Searched(longest, temperature, score, first - before, last - before, log_sum)
        item = WindowLogits.of(batch, logits, number, searched)
        found.append(decode(window.example.id, [item], settings) if window.is_whole else item)
    return found


def decode(example_id: str, windows: Sequence[WindowLogits], settings: DecodeSettings) -> Prediction:
    """Find the best answers of one example over all windows of all its contexts.

    A span is legal if it lies in one context and one window, has at most ``max_answer_tokens`` tokens, and starts and
    ends with a token that is more than white space. Answers that would cut a grapheme (or, with ``whole_words``, a
    word) are widened; spans that then are the same place count once, with the best score.

    Args:
        example_id: Goes into the prediction.
        windows: All windows of the example; those of one context one after the other, in their order.
        settings: How answers are chosen.

    Returns:
        At most ``top_k`` answers, best first; ties go to the earlier context, then the earlier start, then the
        shorter span.

    Source:
        Devlin et al. 2019, BERT, section 4.2 and 4.3: the score of a span is the sum of its two logits, and the null
        score that of the CLS token. The minimum over windows is that of the SQuAD v2.0 baseline of the same authors.
    """
    longest, temperature = settings.max_answer_tokens, settings.temperature
    null_score = min((item.null for item in windows), default=None)
    if null_score is not None and settings.top_k == 1 and (best := best_span(windows, longest, temperature)):
        chances, silence = _probabilities(best.score, best.log_sum, null_score, best.score, settings)
        window, context_index = best.item.window, best.item.context_index
        answer = _answer(window, best.first, best.last, best.score, float(chances), settings, context_index)
        return _prediction(example_id, (answer,), null_score, float(silence), settings, len(windows))
    grids, scores = score_grids(windows, longest)
    if null_score is None or not np.isfinite(scores).any():
        sure = None if null_score is None else 1.0
        return Prediction(example_id, (), null_score, True, "the context holds no text to quote", len(windows), sure)
    bare = best_answers(grids, scores, settings.top_k, settings.whole_words)
    log_sum, best_score = log_sum_exp(scores / temperature), bare[0].score
    chances, silence = _probabilities(
        np.array([answer.score for answer in bare]), log_sum, null_score, best_score, settings
    )
    answers = tuple(replace(answer, probability=each) for answer, each in zip(bare, chances.tolist(), strict=True))
    return _prediction(example_id, answers, null_score, float(silence), settings, len(windows))


def log_shares(
    windows: Sequence[WindowLogits], settings: DecodeSettings, temperatures: Sequence[float] | Floats
) -> Floats | None:
    """Return the best answer's share among all legal spans at several temperatures: what calibration is fitted on.

    Args:
        windows: As for :func:`decode`.
        settings: As for :func:`decode`; nothing that bears on probabilities is looked at.
        temperatures: Above 0, ``(K,)``.

    Returns:
        Logarithms, at most 0, ``(K,)``; ``None`` if there is nothing to quote.
    """
    scores = score_grids(windows, settings.max_answer_tokens)[1]
    scores = scores[np.isfinite(scores)]
    if not len(scores):
        return None
    scores -= scores.max()
    return -np.array([log_sum_exp(scores / temperature) for temperature in temperatures])


def _probabilities(
    scores: float | Floats,
    log_sums: float | Floats,
    null_scores: float | Floats,
    best_scores: float | Floats,
    settings: DecodeSettings,
) -> tuple[Floats, Floats]:
    """Return the probability of answers, and of no answer.

    Where the caller says that the text answers (no null threshold), the answers' are given that it does.

    Args:
        scores: Of the answers.
        log_sums: Logarithm of what all legal spans of each one's example weigh together.
        null_scores: The null score of each one's example.
        best_scores: The score of the best answer of each one's example.
        settings: Has what bears on probabilities.
    """
    right, best = (
        right_given_answerable(np.divide(each, settings.temperature) - log_sums, settings.odds_scale)
        for each in (scores, best_scores)
    )
    excess = (np.subtract(null_scores, best_scores) - settings.null_bias) / (
        settings.null_temperature or settings.temperature
    )
    silence = no_answer_probability(best, excess)
    return right if settings.never_abstains else right * (1.0 - silence), silence


def _answer(
    window: Window,
    first: int,
    last: int,
    score: float,
    probability: float,
    settings: DecodeSettings,
    context_index: int = 0,
) -> Answer:
    """Quote the span from one token of the context to another, both inclusive."""
    context, offsets = window.example.context, window.context.offsets
    span = widened(context, Span(offsets.item(first, 0), offsets.item(last, 1)), settings.whole_words)
    return Answer(span.of(context), span, score, probability, window.index, context_index)


def _prediction(
    example_id: str,
    answers: tuple[Answer, ...],
    null_score: float,
    null_probability: float,
    settings: DecodeSettings,
    windows: int,
) -> Prediction:
    """Decide whether to abstain."""
    threshold, reason = settings.null_threshold, None
    if threshold != NEVER and (margin := null_score - answers[0].score) > threshold:
        reason = (
            f"the text does not seem to answer: the null score is {margin:.2f} above the best answer's, more than the "
            f"threshold of {threshold:.2f}"
        )
    return Prediction(example_id, answers, null_score, reason is not None, reason, windows, null_probability)
