"""From logits to answers: an exact search over every legal span of an example, and a softmax over all of them.

The windows of an example overlap, and a span in the overlap stands in two of them. It counts once, with the better of
its two scores, in the search as in the softmax. So nothing is merged afterwards, and a top-k of k spans has k.

Most examples have one window. Where their best answer alone is asked for, a whole batch is decoded at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from quoth.errors import ConfigError
from quoth.reading.batches import SpanLogits, WindowBatch, WindowLogits, check_finite, unbatch
from quoth.reading.grid import best_answers, score_grids
from quoth.reading.places import widened
from quoth.reading.spans import Floats, best_span, best_spans, log_sum_exp
from quoth.reading.windows import Window
from quoth.records import Answer, Prediction, Span


@dataclass(frozen=True, slots=True)
class DecodeSettings:
    """How answers are chosen.

    Attributes:
        max_answer_tokens: The longest answer, in tokens.
        top_k: How many answers a prediction holds at most.
        null_threshold: Abstain where the null score exceeds the best answer's by more than this; ``None``: never.
        temperature: Divides scores before the softmax; above 0.
        whole_words: Widen an answer that starts or ends inside a word.

    Raises:
        ConfigError: If a number is out of its range.
    """

    max_answer_tokens: int = 30
    top_k: int = 1
    null_threshold: float | None = None
    temperature: float = 1.0
    whole_words: bool = True

    def __post_init__(self) -> None:
        if self.max_answer_tokens < 1:
            raise ConfigError(f"max_answer_tokens must be at least 1, but is {self.max_answer_tokens}")
        if self.top_k < 1:
            raise ConfigError(f"top_k must be at least 1, but is {self.top_k}")
        if not self.temperature > 0:
            raise ConfigError(f"temperature must be above 0, but is {self.temperature}")

    def with_(self, **changes: object) -> DecodeSettings:
        """Return a copy with some settings changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


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
    best = best_spans(logits.start, logits.end, batch.legal, settings.max_answer_tokens, settings.temperature)
    row, cls = np.arange(len(batch.windows)), [window.cls for window in batch.windows]
    nulls = np.add(logits.start[row, cls], logits.end[row, cls], dtype=np.float64)
    shares = np.exp(best.scores / settings.temperature - _log_total(best.log_sums, nulls, settings))
    columns = best.scores, best.firsts, best.lasts, shares, nulls, best.log_sums < np.inf
    found: list[Prediction | WindowLogits] = []
    for number, (window, score, first, last, share, null, is_known) in enumerate(
        zip(batch.windows, *(column.tolist() for column in columns), strict=True)
    ):
        if not window.is_whole:
            found.append(WindowLogits.of(batch, logits, number))
        elif not is_known:
            found.append(decode(window.example.id, [WindowLogits.of(batch, logits, number)], settings))
        else:
            before = window.context_tokens.start
            answer = _answer(window, first - before, last - before, score, share, settings)
            found.append(_prediction(window.example.id, (answer,), null, settings, 1))
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
        share = float(np.exp(best.score / temperature - _log_total(best.log_sum, null_score, settings)))
        answer = _answer(best.item.window, best.first, best.last, best.score, share, settings)
        answer = replace(answer, context_index=best.item.context_index)
        return _prediction(example_id, (answer,), null_score, settings, len(windows))
    grids, scores = score_grids(windows, longest)
    if null_score is None or not np.isfinite(scores).any():
        return Prediction(example_id, (), null_score, True, "the context holds no text to quote", len(windows))
    log_total = _log_total(log_sum_exp(scores / temperature), null_score, settings)
    answers = tuple(
        replace(answer, probability=float(np.exp(answer.score / temperature - log_total)))
        for answer in best_answers(grids, scores, settings.top_k, settings.whole_words)
    )
    return _prediction(example_id, answers, null_score, settings, len(windows))


def best_probabilities(
    windows: Sequence[WindowLogits], settings: DecodeSettings, temperatures: Sequence[float] | Floats
) -> Floats | None:
    """Return the best answer's probability as :func:`decode` would give it at several temperatures.

    Args:
        windows: As for :func:`decode`.
        settings: As for :func:`decode`; its own temperature is not looked at.
        temperatures: Above 0, ``(K,)``.

    Returns:
        In [0, 1], ``(K,)``; ``None`` if there is nothing to quote.
    """
    scores = score_grids(windows, settings.max_answer_tokens)[1]
    scores = scores[np.isfinite(scores)]
    if not len(scores):
        return None
    top = scores.max()
    # Relative to the best answer, so that its own share is 1 over the sum, and nothing can overflow before it is tiny.
    others = np.append(scores, min(window.null for window in windows)) - top
    logs = [log_sum_exp(others / temperature) for temperature in temperatures]
    return np.asarray(np.exp(-np.array(logs)))


def _log_total(log_sum: float | Floats, null_score: float | Floats, settings: DecodeSettings) -> float | Floats:
    """Return the logarithm of what probabilities are shares of: the weight of all legal spans, and of "no answer"."""
    return np.logaddexp(log_sum, np.divide(null_score, settings.temperature))


def _answer(window: Window, first: int, last: int, score: float, share: float, settings: DecodeSettings) -> Answer:
    """Quote the span from one token of the context to another, both inclusive."""
    context, offsets = window.example.context, window.context.offsets
    span = widened(context, Span(offsets.item(first, 0), offsets.item(last, 1)), settings.whole_words)
    return Answer(span.of(context), span, score, share, window.index)


def _prediction(
    example_id: str, answers: tuple[Answer, ...], null_score: float, settings: DecodeSettings, windows: int
) -> Prediction:
    """Decide whether to abstain."""
    margin = null_score - answers[0].score
    abstains = settings.null_threshold is not None and margin > settings.null_threshold
    reason = (
        f"the text does not seem to answer: the null score is {margin:.2f} above the best answer's, more than the "
        f"threshold of {settings.null_threshold:.2f}"
        if abstains
        else None
    )
    return Prediction(example_id, answers, null_score, abstains, reason, windows)
