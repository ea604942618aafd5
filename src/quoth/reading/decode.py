"""From logits to answers: an exact search over every legal span of an example, and a softmax over all of them.

The windows of an example overlap, and a span in the overlap stands in two of them. So the search goes over the spans
of the whole context, not of the windows: ``grid[i, k]`` is the score of the span of ``k + 1`` tokens that starts at
the context's token ``i``, the best that any window gives it. Nothing is merged afterwards, nothing is counted twice,
and a top-k of k spans has k.

Most examples have one window. Where their best answer alone is asked for, a batch is decoded at once, without a grid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from quoth.errors import ConfigError, ReaderError
from quoth.reading.batches import SpanLogits, WindowBatch
from quoth.reading.spans import best_spans
from quoth.reading.windows import Window
from quoth.records import Answer, Prediction, Span
from quoth.text import surely_uncut, widen_to_graphemes, widen_to_words

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DecodeSettings:
    """How answers are chosen.

    Attributes:
        max_answer_tokens: The longest answer, in tokens.
        top_k: How many answers a prediction holds at most.
        null_threshold: Abstain where the null score exceeds the best answer's by more than this; ``None``: never.
        null_bias: Taken off the null score before the softmax: the null odds at which "no answer" weighs as much as the
            best answer.
        temperature: Divides scores before the softmax; above 0.
        whole_words: Widen an answer that starts or ends inside a word.

    Raises:
        ConfigError: If a number is out of its range.
    """

    max_answer_tokens: int = 30
    top_k: int = 1
    null_threshold: float | None = None
    null_bias: float = 0.0
    temperature: float = 1.0
    whole_words: bool = True

    def __post_init__(self) -> None:
        if self.max_answer_tokens < 1:
            raise ConfigError(f"max_answer_tokens must be at least 1, but is {self.max_answer_tokens}")
        if self.top_k < 1:
            raise ConfigError(f"top_k must be at least 1, but is {self.top_k}")
        if not math.isfinite(self.null_bias):
            raise ConfigError(f"null_bias must be finite, but is {self.null_bias}")
        if not self.temperature > 0:
            raise ConfigError(f"temperature must be above 0, but is {self.temperature}")

    def with_(self, **changes: object) -> DecodeSettings:
        """Return a copy with some settings changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, eq=False)
class WindowLogits:
    """The logits of one window, cut out of its batch.

    Attributes:
        window: The window.
        start, end: Logits of the context's tokens in the window, ``(len(window.context_tokens),)`` float32.
        null: Sum of the two logits of the CLS token.
        context_index: Which of several contexts the window is of.
    """

    window: Window
    start: NDArray[np.float32]
    end: NDArray[np.float32]
    null: float
    context_index: int = 0


def unbatch(batch: WindowBatch, logits: SpanLogits) -> list[WindowLogits]:
    """Cut the logits of each window out of its batch, so that the batch can be forgotten.

    Raises:
        ReaderError: If one is NaN or plus infinity: there is no best among such.
    """
    _check(batch, logits)
    return [_window_logits(batch, logits, row) for row in range(len(batch.windows))]


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
    _check(batch, logits)
    best = best_spans(logits.start, logits.end, batch.legal, settings.max_answer_tokens, settings.temperature)
    row, cls = np.arange(len(batch.windows)), [window.cls for window in batch.windows]
    nulls = np.add(logits.start[row, cls], logits.end[row, cls], dtype=np.float64)
    probabilities = np.exp(best.scores / settings.temperature - _log_total(best.log_sums, nulls, settings))
    columns = best.scores, best.firsts, best.lasts, probabilities, nulls, best.log_sums < np.inf
    results: list[Prediction | WindowLogits] = []
    for number, (window, score, first, last, probability, null, known) in enumerate(
        zip(batch.windows, *(column.tolist() for column in columns), strict=True)
    ):
        if not window.is_whole:
            results.append(_window_logits(batch, logits, number))
        elif not known:
            results.append(decode(window.example.id, [_window_logits(batch, logits, number)], settings))
        else:
            offsets = window.context.offsets
            shift = window.context_tokens.start
            context = window.example.context
            exact = Span(offsets.item(first - shift, 0), offsets.item(last - shift, 1))
            span = widened(context, exact, settings.whole_words)
            answer = Answer(span.of(context), span, score, probability)
            results.append(_prediction(window.example.id, (answer,), null, settings, 1))
    return results


def _check(batch: WindowBatch, logits: SpanLogits) -> None:
    """Refuse logits that are NaN or plus infinity; those of padding mean nothing."""
    if logits.start.max() < np.inf and logits.end.max() < np.inf:
        return
    sound = (np.maximum(logits.start, logits.end) < np.inf) | (batch.mask == 0)
    if not sound.all():
        row, token = np.argwhere(~sound)[0].tolist()
        found = np.maximum(logits.start[row, token], logits.end[row, token])
        raise ReaderError(
            f"question {batch.windows[row].example.id}: the network must give finite logits, but gave {found}. "
            "Was it computed in half precision? Use float32 or bfloat16"
        )


def _window_logits(batch: WindowBatch, logits: SpanLogits, row: int) -> WindowLogits:
    window = batch.windows[row]
    tokens = slice(window.context_tokens.start, window.context_tokens.end)
    return WindowLogits(
        window=window,
        start=logits.start[row, tokens].copy(),
        end=logits.end[row, tokens].copy(),
        null=float(logits.start[row, window.cls]) + float(logits.end[row, window.cls]),
    )


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
    grids, scores = _grids(windows, settings)
    null_score = min((window.null for window in windows), default=None)
    if null_score is None or not np.isfinite(scores).any():
        return Prediction(example_id, (), null_score, True, "the context holds no text to quote", len(windows))
    log_total = float(_log_total(_log_sum_exp(scores / settings.temperature), null_score, settings))
    answers = _best_answers(grids, scores, settings, log_total)
    return _prediction(example_id, answers, null_score, settings, len(windows))


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


def _log_total(log_sum: float | Floats, null_score: float | Floats, settings: DecodeSettings) -> float | Floats:
    """Return the logarithm of what probabilities are shares of: the weight of all legal spans and of "no answer"."""
    return np.logaddexp(log_sum, np.divide(null_score - settings.null_bias, settings.temperature))


def log_shares(
    windows: Sequence[WindowLogits], settings: DecodeSettings, temperatures: Sequence[float] | Floats
) -> Floats | None:
    """Return how all spans together weigh against the best one, at several temperatures; see :func:`best_probability`.

    Args:
        windows: As for :func:`decode`.
        settings: As for :func:`decode`; temperature and null bias are not looked at.
        temperatures: Above 0, ``(K,)``.

    Returns:
        Logarithms, at least 0, ``(K,)``; ``None`` if there is nothing to quote.
    """
    scores = _grids(windows, settings)[1]
    scores = scores[np.isfinite(scores)]
    if not len(scores):
        return None
    scores -= scores.max()
    return np.array([_log_sum_exp(scores / temperature) for temperature in temperatures])


def best_probability(shares: Floats, null_odds: Floats | float, temperatures: Floats, null_bias: float) -> Floats:
    """Return the best answer's probability, as :func:`decode` gives it, from what all spans weigh.

    Args:
        shares: From :func:`log_shares`; the last axis is that of the temperatures.
        null_odds: Null score minus the best answer's, one for each row of ``shares``.
        temperatures: ``(K,)``.
        null_bias: Taken off the null score.

    Returns:
        In [0, 1], in the shape of ``shares``.
    """
    nothing = (np.asarray(null_odds)[..., None] - null_bias) / temperatures
    return np.asarray(np.exp(-np.logaddexp(shares, nothing)))


def _grids(
    windows: Sequence[WindowLogits], settings: DecodeSettings
) -> tuple[list[tuple[list[WindowLogits], Floats]], Floats]:
    """Return the windows and the scores of each context, and all scores in one row, -inf where illegal."""
    grids = [_grid(group, settings.max_answer_tokens) for group in _by_context(windows)]
    return grids, np.concatenate([grid.ravel() for _, grid in grids]) if grids else np.empty(0)


def _by_context(windows: Sequence[WindowLogits]) -> list[list[WindowLogits]]:
    groups: list[list[WindowLogits]] = []
    for window in windows:
        if groups and groups[-1][0].context_index == window.context_index:
            groups[-1].append(window)
        else:
            groups.append([window])
    return groups


def _grid(group: list[WindowLogits], longest: int) -> tuple[list[WindowLogits], Floats]:
    """Return the scores of all spans of one context, ``(tokens, longest)`` float64; -inf where illegal."""
    longest = min(longest, max(len(item.start) for item in group))
    offsets = group[0].window.context.offsets
    empty = offsets[:, 0] >= offsets[:, 1]
    grid = np.full((len(offsets), longest), -np.inf)
    for item in group:
        first = item.window.first_token
        last = first + len(item.start)
        # Past the window's last token nothing can end: the padding is -inf.
        ends = np.full(len(item.end) + longest - 1, -np.inf)
        ends[: len(item.end)] = np.where(empty[first:last], -np.inf, item.end)
        starts = np.where(empty[first:last], -np.inf, item.start)
        spans = starts[:, None] + sliding_window_view(ends, longest)
        np.maximum(grid[first:last], spans, out=grid[first:last])
    return group, grid


def _log_sum_exp(values: Floats) -> float:
    top = values.max()
    return float(top + np.log(np.exp(values - top).sum()))


def _best_answers(
    grids: list[tuple[list[WindowLogits], Floats]], scores: Floats, settings: DecodeSettings, log_total: float
) -> tuple[Answer, ...]:
    """Take spans from the best on, until there are ``top_k`` different answers."""
    places = [_Places(group, settings.whole_words) for group, _ in grids]
    sizes = np.cumsum([grid.size for _, grid in grids])
    wanted = 4 * settings.top_k
    while True:
        answers: dict[tuple[int, Span], Answer] = {}
        order = _largest(scores, wanted)
        for flat in order.tolist():
            index = int(np.searchsorted(sizes, flat, side="right"))
            group, grid = grids[index]
            first, extra = divmod(flat - int(sizes[index]) + grid.size, grid.shape[1])
            span = places[index].span(first, first + extra)
            if (index, span) in answers:
                continue
            score = float(scores[flat])
            answers[index, span] = Answer(
                text=span.of(group[0].window.example.context),
                span=span,
                score=score,
                probability=float(np.exp(score / settings.temperature - log_total)),
                window_index=_window_of(group, first, first + extra, score),
                context_index=group[0].context_index,
            )
            if len(answers) == settings.top_k:
                return tuple(answers.values())
        if len(order) < wanted:
            return tuple(answers.values())
        wanted *= 4


def _largest(scores: Floats, count: int) -> NDArray[np.intp]:
    """Return the indices of the ``count`` largest finite scores, best first, ties by index."""
    if count < len(scores):
        least = np.partition(scores, -count)[-count]
        candidates = np.flatnonzero(scores >= least)
    else:
        candidates = np.arange(len(scores))
    candidates = candidates[np.isfinite(scores[candidates])]
    return candidates[np.argsort(-scores[candidates], kind="stable")][:count]


class _Places:
    """Where the spans of one context stand in its text, widened.

    How far a token's start moves does not depend on where the span ends, and the other way round. So each is worked
    out once: in a text without a blank, every span is widened to the whole of it.
    """

    def __init__(self, group: list[WindowLogits], whole_words: bool) -> None:
        self._window = group[0].window
        self._whole_words = whole_words
        self._starts: dict[int, int] = {}
        self._ends: dict[int, int] = {}

    def span(self, first: int, last: int) -> Span:
        """Return the place of the span from one token of the context to another, both inclusive."""
        if first not in self._starts or last not in self._ends:
            offsets = self._window.context.offsets
            exact = Span(int(offsets[first, 0]), int(offsets[last, 1]))
            wide = widened(self._window.example.context, exact, self._whole_words)
            self._starts[first], self._ends[last] = wide.start, wide.end
        return Span(self._starts[first], self._ends[last])


def widened(context: str, span: Span, whole_words: bool) -> Span:
    """Widen a span until it cuts no grapheme and no word: each may give the other more to do."""
    if surely_uncut(context, span.start) and surely_uncut(context, span.end):
        return span
    while True:
        wider = widen_to_graphemes(context, span)
        if whole_words:
            wider = widen_to_words(context, wider)
        if wider == span:
            return span
        span = wider


def _window_of(group: list[WindowLogits], first: int, last: int, score: float) -> int:
    """Return the first window that gives the span this score."""
    for item in group:
        start, end = first - item.window.first_token, last - item.window.first_token
        if start >= 0 and end < len(item.start) and float(item.start[start]) + float(item.end[end]) == score:
            return item.window.index
    raise AssertionError("no window gives the score that the grid holds")  # pragma: no cover
