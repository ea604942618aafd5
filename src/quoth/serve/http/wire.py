"""Converts the reader's records to response schemas."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from quoth.reading import ExplainedAnswer, ExplainedWindow, Explanation, RejectedCandidate
from quoth.records import Answer, Prediction, Span, finite
from quoth.serve.errors import ApiError
from quoth.serve.http import schema
from quoth.serve.queue.answerer import Reply
from quoth.serve.texts import Text


def to_json(model: BaseModel) -> bytes:
    """Return a response as JSON. Call it in a thread for large responses, to keep the event loop free."""
    return model.model_dump_json().encode()


def rows_json(replies: Sequence[Reply], timing: schema.Timing, reader: schema.ReaderName) -> bytes:
    """Return an AnswersResponse as JSON, serialized row by row, so that other threads can run in between."""
    rows = b",".join(row_json(index, reply) for index, reply in enumerate(replies))
    return b'{"results":[%s],"timing":%s,"reader":%s}' % (rows, to_json(timing), to_json(reader))


def row_json(index: int, reply: Reply) -> bytes:
    """Return the result of one row as JSON."""
    return to_json(_row(index, reply))


def _row(index: int, reply: Reply) -> schema.RowResult:
    if isinstance(reply.found, ApiError):
        return schema.RowResult(index=index, id=reply.query.id, error=reply.found.problem)
    return schema.RowResult(index=index, id=reply.query.id, result=result(reply.found, reply.query.texts))


def result(prediction: Prediction, texts: Sequence[Text]) -> schema.Result:
    """Return the result of a prediction."""
    answers = [_quote(answer, texts[answer.context_index]) for answer in prediction.answers]
    best = answers[0] if prediction.best else None
    return schema.Result(**{**prediction.to_dict(), "answers": answers, "best": best})


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
        null_probability=finite(prediction.null_probability),
        rejected=[_rejected(pair) for pair in explanation.rejected],
        windows=[_window(window) for window in explanation.windows],
        timing=timing,
        reader=reader,
    )


def _quote(answer: Answer, text: Text) -> schema.Quote:
    document = answer.to_dict(text.text)
    return schema.Quote(
        **document,
        span=_place(answer.span),
        utf16=schema.Place(start=document["start_utf16"], end=document["end_utf16"]),
        window=answer.window_index,
        context=answer.context_index,
        page=text.page_at(answer.span.start),
    )


def _explained_quote(explained: ExplainedAnswer, text: Text) -> schema.ExplainedQuote:
    quote = _quote(explained.answer, text)
    return schema.ExplainedQuote(**dict(quote), first_token=explained.start_token, last_token=explained.end_token)


def _rejected(pair: RejectedCandidate) -> schema.RejectedQuote:
    return schema.RejectedQuote(
        text=pair.text,
        why=pair.reason.sentence,
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
