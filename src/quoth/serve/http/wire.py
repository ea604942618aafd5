"""Converts the reader's records to response schemas."""

from __future__ import annotations

import math
from collections.abc import Sequence

from quoth.reading import ExplainedAnswer, ExplainedWindow, Explanation, LostPair
from quoth.records import Answer, Prediction, Span
from quoth.serve.http import schema
from quoth.serve.texts import Text
from quoth.text import utf16_span


def result(prediction: Prediction, texts: Sequence[Text]) -> schema.Result:
    """Return the result of a prediction."""
    return schema.Result(
        answers=[_quote(answer, texts[answer.context_index]) for answer in prediction.answers],
        no_answer=prediction.no_answer,
        reason=prediction.reason,
        null_score=finite(prediction.null_score),
        warning=prediction.warning,
    )


def explained(
    explanation: Explanation, text: Text, timing: schema.Timing, reader: schema.ReaderName
) -> schema.ExplainResponse:
    """Return the response for an explanation of one text."""
    prediction = explanation.prediction
    return schema.ExplainResponse(
        answers=[_explained_quote(answer, text) for answer in explanation.answers],
        no_answer=prediction.no_answer,
        reason=prediction.reason,
        null_score=finite(prediction.null_score),
        null_probability=finite(explanation.null_probability),
        lost=[_lost(pair) for pair in explanation.lost],
        windows=[_window(window) for window in explanation.windows],
        timing=timing,
        reader=reader,
    )


def finite(number: float | None) -> float | None:
    """Return a number, or ``None`` if it is not finite, which JSON cannot represent."""
    return number if number is not None and math.isfinite(number) else None


def _quote(answer: Answer, text: Text) -> schema.Quote:
    start, end = utf16_span(text.text, answer.span)
    return schema.Quote(
        text=answer.text,
        span=_place(answer.span),
        utf16=schema.Place(start=start, end=end),
        score=finite(answer.score),
        probability=finite(answer.probability),
        window=answer.window_index,
        context=answer.context_index,
        page=text.page(answer.span.start),
    )


def _explained_quote(explained: ExplainedAnswer, text: Text) -> schema.ExplainedQuote:
    quote = _quote(explained.answer, text)
    return schema.ExplainedQuote(**dict(quote), first_token=explained.start_token, last_token=explained.end_token)


def _lost(pair: LostPair) -> schema.LostQuote:
    return schema.LostQuote(
        text=pair.text,
        why=pair.loss.sentence,
        score=finite(pair.score),
        window=pair.window_index,
        first_token=pair.start_token,
        last_token=pair.end_token,
    )


def _window(window: ExplainedWindow) -> schema.ExplainedWindow:
    tokens = window.tokens
    return schema.ExplainedWindow(
        index=window.index,
        span=_place(window.span),
        tokens=[token.piece for token in tokens],
        offsets=[(token.span.start, token.span.end) if token.span else (0, 0) for token in tokens],
        in_context=[token.part == "context" for token in tokens],
        start_logits=[finite(token.start) for token in tokens],
        end_logits=[finite(token.end) for token in tokens],
        cls=window.cls,
        null_score=finite(window.null_score),
    )


def _place(span: Span) -> schema.Place:
    return schema.Place(start=span.start, end=span.end)
