"""Explanations: the answers of ``decode``, and the candidates that it rejected.

``decode`` considers legal spans only. Here every start is paired with every end of a window, including the question's
and special tokens. Pairs with a higher score than the last answer are listed with the reason for their rejection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import nlargest

import numpy as np
from numpy.typing import NDArray

from quoth.reading.batches import SpanLogits, WindowBatch, WindowLogits, unbatch
from quoth.reading.decode import decode
from quoth.reading.explanation import (
    ExplainedAnswer,
    ExplainedToken,
    ExplainedWindow,
    Explanation,
    RejectedCandidate,
    Rejection,
)
from quoth.reading.places import widened
from quoth.reading.settings import DecodeSettings
from quoth.reading.tokenizer import Tokenizer
from quoth.reading.windows import Window
from quoth.records import Answer, Example, Prediction, Span

Indices = NDArray[np.intp]

# Reasons that depend on the tokens only, in the order in which they are checked; other pairs are legal.
_PLAIN = (Rejection.OUTSIDE, Rejection.CROSSING, Rejection.TOO_LONG, Rejection.BLANK)
# Maximum number of rejected candidates in an explanation; others are only counted.
_MOST_REJECTED = 20


@dataclass(frozen=True, slots=True, eq=False)
class WholeWindow:
    """The logits of all tokens of one window.

    Attributes:
        logits: Logits of the context's tokens, for ``decode``.
        start, end: Logits of all tokens, ``(T,)`` float32.
    """

    logits: WindowLogits
    start: NDArray[np.float32]
    end: NDArray[np.float32]

    @property
    def window(self) -> Window:
        """The window."""
        return self.logits.window


def unbatch_whole(batch: WindowBatch, logits: SpanLogits) -> list[WholeWindow]:
    """Return the logits of all tokens of each window of a batch, including question and special tokens.

    Raises:
        ReaderError: As :func:`quoth.reading.unbatch` does.
    """
    return [
        WholeWindow(item, logits.start[row, : len(item.window)], logits.end[row, : len(item.window)])
        for row, item in enumerate(unbatch(batch, logits))
    ]


def explain(
    example: Example, windows: Sequence[WholeWindow], settings: DecodeSettings, tokenizer: Tokenizer
) -> Explanation:
    """Explain the answers to one question.

    Args:
        example: The question and its contexts.
        windows: All its windows, in order.
        settings: The decoding settings.
        tokenizer: The tokenizer of the windows.
    """
    prediction = decode(example, [item.logits for item in windows], settings)
    finder = _Finder(windows, settings)
    answers = tuple(map(finder.explained, prediction.answers))
    rejected, counts = finder.rejected(prediction)
    return Explanation(
        windows=tuple(_windows(example.question, windows, tokenizer)),
        prediction=prediction,
        answers=answers,
        null_probability=prediction.null_probability,
        rejected=tuple(rejected),
        rejected_counts=dict(counts.most_common()),
        temperature=settings.temperature,
        null_bias=settings.null_bias,
        null_temperature=settings.null_temperature or settings.temperature,
        odds_scale=settings.odds_scale,
        null_threshold=settings.null_threshold,
        max_answer_tokens=settings.max_answer_tokens,
        whole_words=settings.whole_words,
    )


class _Finder:
    """Finds the tokens of answers and the rejected candidates."""

    def __init__(self, windows: Sequence[WholeWindow], settings: DecodeSettings) -> None:
        self._windows = windows
        self._settings = settings
        self._by_index = {(item.logits.context_index, item.logits.window.index): item.logits for item in windows}

    def explained(self, answer: Answer) -> ExplainedAnswer:
        """Return an answer with its tokens: the first legal pair of its window with its score and span."""
        item = self._by_index[answer.context_index, answer.window_index]
        pairs: list[tuple[int, int]] = []
        for extra in range(min(self._settings.max_answer_tokens, len(item.start))):
            scores = item.start[: len(item.start) - extra].astype(np.float64) + item.end[extra:]
            pairs += [(first, first + extra) for first in np.flatnonzero(scores == answer.score).tolist()]
        shift = item.window.context_tokens.start
        for first, last in sorted(pairs):
            exact = _exact(item, first, last)
            if len(exact) and self._place(item, exact) == answer.span:
                return ExplainedAnswer(answer, first + shift, last + shift, exact)
        raise AssertionError("no pair of tokens gives the answer")  # pragma: no cover

    def rejected(self, prediction: Prediction) -> tuple[list[RejectedCandidate], Counter[Rejection]]:
        """Return the best candidates with a higher score than the last answer (else than null), and counts of all."""
        pairs: list[RejectedCandidate] = []
        counts: Counter[Rejection] = Counter()
        floor = prediction.answers[-1].score if prediction.answers else prediction.null_score
        if floor is None:
            return pairs, counts
        found = {(answer.context_index, answer.span): answer.score for answer in prediction.answers}
        for item in self._windows:
            scores, firsts, lasts = _better(item, floor)
            kinds = self._plain_reasons(item.logits.window, firsts, lasts)
            for number, reason in enumerate(_PLAIN):
                these = np.flatnonzero(kinds == number)
                counts[reason] += len(these)
                best = these[np.argsort(-scores[these], kind="stable")[:_MOST_REJECTED]]
                pairs += [_pair(reason, item.logits, int(firsts[i]), int(lasts[i]), float(scores[i])) for i in best]
            for i in np.flatnonzero(kinds == len(_PLAIN)):
                if reason_or_none := self._legal_reason(item.logits, int(firsts[i]), int(lasts[i]), found):
                    counts[reason_or_none] += 1
                    pairs.append(_pair(reason_or_none, item.logits, int(firsts[i]), int(lasts[i]), float(scores[i])))
        return nlargest(_MOST_REJECTED, pairs, key=lambda pair: pair.score), +counts

    def _plain_reasons(self, window: Window, firsts: Indices, lasts: Indices) -> Indices:
        """Return for each pair of tokens the index of its reason in ``_PLAIN``; its length for legal pairs."""
        tokens, offsets = window.context_tokens, window.offsets
        low, high = np.minimum(firsts, lasts), np.maximum(firsts, lasts)
        blank = offsets[:, 0] >= offsets[:, 1]
        conditions = [
            (low < tokens.start) | (high >= tokens.end),
            lasts < firsts,
            lasts - firsts >= self._settings.max_answer_tokens,
            blank[firsts] | blank[lasts],
        ]
        return np.select(conditions, range(len(_PLAIN)), len(_PLAIN))

    def _legal_reason(
        self, item: WindowLogits, first: int, last: int, found: dict[tuple[int, Span], float]
    ) -> Rejection | None:
        """Return why a legal pair was rejected, or ``None`` if it is an answer."""
        first, last = first - item.window.context_tokens.start, last - item.window.context_tokens.start
        score = _score(item, first, last)
        shift = item.window.first_token
        for other in self._by_index.values():
            begin, end = first + shift - other.window.first_token, last + shift - other.window.first_token
            holds = other.context_index == item.context_index and begin >= 0 and end < len(other.start)
            if holds and _score(other, begin, end) > score:
                return Rejection.OTHER_WINDOW
        place = self._place(item, _exact(item, first, last))
        if (best := found.get((item.context_index, place))) is not None:
            return Rejection.SAME_PLACE if best > score else None
        overlaps = any(
            index == item.context_index and place.start < span.end and span.start < place.end for index, span in found
        )
        return Rejection.OVERLAPS if overlaps else Rejection.SAME_TEXT

    def _place(self, item: WindowLogits, exact: Span) -> Span:
        return widened(item.window.text, exact, self._settings.whole_words)


def _better(item: WholeWindow, floor: float) -> tuple[NDArray[np.float64], Indices, Indices]:
    """Return the pairs of a window with a score above a floor: scores, firsts, lasts. The null pair is excluded."""
    start, end = item.start.astype(np.float64), item.end.astype(np.float64)
    # Only these tokens can be in such a pair, which keeps the table small for long windows.
    starts, ends = np.flatnonzero(start + end.max() > floor), np.flatnonzero(end + start.max() > floor)
    scores = start[starts][:, None] + end[ends]
    rows, columns = np.nonzero(scores > floor)
    scores, firsts, lasts = scores[rows, columns], starts[rows], ends[columns]
    keep = (firsts != item.logits.window.cls) | (lasts != firsts)
    return scores[keep], firsts[keep], lasts[keep]


def _pair(reason: Rejection, item: WindowLogits, first: int, last: int, score: float) -> RejectedCandidate:
    window = item.window
    start, end = int(window.offsets[first, 0]), int(window.offsets[last, 1])
    text = "" if reason in (Rejection.OUTSIDE, Rejection.CROSSING) else window.text[start:end]
    return RejectedCandidate(reason, score, window.index, item.context_index, first, last, text)


def _score(item: WindowLogits, first: int, last: int) -> float:
    return float(item.start[first]) + float(item.end[last])


def _exact(item: WindowLogits, first: int, last: int) -> Span:
    """Return the code points of a pair of context tokens; an empty span if either token is empty."""
    (start, first_end), (last_start, end) = item.window.context_offsets[[first, last]].tolist()
    return Span(start, end) if start < first_end and last_start < end else Span(start, start)


def _windows(question: str, windows: Sequence[WholeWindow], tokenizer: Tokenizer) -> Iterator[ExplainedWindow]:
    stripped = question.strip()
    (encoded,) = tokenizer.encode([stripped])
    words = [stripped[start:end] for start, end in encoded.offsets.tolist()]
    for item in windows:
        window = item.logits.window
        full = window.context_offsets
        full = full[full[:, 0] < full[:, 1]]
        yield ExplainedWindow(
            index=window.index,
            context_index=item.logits.context_index,
            span=Span(int(full[:, 0].min()), int(full[:, 1].max())) if len(full) else Span(0, 0),
            tokens=tuple(_tokens(item, words, tokenizer)),
            cls=window.cls,
            null_score=item.logits.null,
        )


def _tokens(item: WholeWindow, words: list[str], tokenizer: Tokenizer) -> Iterator[ExplainedToken]:
    window = item.logits.window
    tokens = window.context_tokens
    question = len(tokenizer.template.prefix)
    for index, number in enumerate(window.ids.tolist()):
        piece = tokenizer.token(number)
        token = ExplainedToken(piece, piece, "special", None, float(item.start[index]), float(item.end[index]))
        if tokens.start <= index < tokens.end:
            span = Span(*window.offsets[index].tolist())
            token = replace(token, text=span.of(window.text), part="context", span=span)
        elif question <= index < question + len(words):
            token = replace(token, text=words[index - question], part="question")
        yield token
