"""The logic of each endpoint, without HTTP: takes request schemas, returns response schemas."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from quoth import __version__
from quoth.errors import InputError
from quoth.reading import DecodeSettings, Windower
from quoth.records import Prediction, Span
from quoth.serve.errors import ApiError, too_large
from quoth.serve.http import schema
from quoth.serve.http.errors import checked
from quoth.serve.http.hosted import HostedTask
from quoth.serve.http.identity import ServedReader
from quoth.serve.http.wire import explained, result
from quoth.serve.metrics import Metrics
from quoth.serve.queue.asking import Desk, Query, Reply, Times
from quoth.serve.settings import ServeSettings
from quoth.serve.texts import Text, Texts
from quoth.verification import Claim, Source, claim_of, read_claims, verify


@dataclass(frozen=True, slots=True)
class NamedText:
    """A text of a request as a source of quotes."""

    name: str
    stored: Text

    @property
    def text(self) -> str:
        """The whole text."""
        return self.stored.text

    def page_at(self, position: int) -> int | None:
        """Return the page of a code point, from 1."""
        return self.stored.page(position)

    def boxes_of(self, span: Span) -> tuple[()]:
        """Return nothing: texts of requests have no boxes."""
        return ()


class Service:
    """One reader with its limits and the stored texts.

    Attributes:
        settings: The limits.
        texts: The stored texts.
    """

    def __init__(self, served: ServedReader, desk: Desk, settings: ServeSettings, metrics: Metrics) -> None:
        """Create the service."""
        self.settings = settings
        self.texts = Texts(settings.text_bytes, settings.text_s)
        self._served = served
        self._desk = desk
        self._metrics = metrics
        self._name = schema.ReaderName(name=served.name, hash=served.hash)

    async def answer(self, asked: schema.AnswerRequest) -> schema.AnswerResponse:
        """Answer one question."""
        query = self._query(asked, asked.question, "body")
        prediction, times = await self._ask(query, self._choice(asked))
        found = result(prediction, query.texts)
        return schema.AnswerResponse(**dict(found), timing=timing(times), reader=self._name)

    async def answers(self, asked: schema.AnswersRequest) -> schema.AnswersResponse:
        """Answer many questions; each result has answers or an error."""
        given = asked.rows if asked.rows is not None else asked.questions
        assert given is not None
        if len(given) > self.settings.rows:
            raise too_large("rows of a request", self.settings.rows, len(given), "rows", "body")
        # An invalid source that is shared by all questions is an error of the whole request.
        shared = self._source(asked, "body") if asked.rows is None else None
        rows = [self._row(shared, index, row) for index, row in enumerate(given)]
        replies, times = await self._desk.ask(rows, self._choice(asked))
        self._metrics.questions(sum(row.error is None for row in rows))
        results = [_row_result(index, reply) for index, reply in enumerate(replies)]
        return schema.AnswersResponse(results=results, timing=timing(times), reader=self._name)

    async def explain(self, asked: schema.ExplainRequest) -> schema.ExplainResponse:
        """Answer one question, and explain its answers."""
        self._check_question(asked.question, "body")
        text = self._text(asked.text, "body.text") if asked.text else Text("", asked.context or "")
        limit = self.settings.explain_characters
        if len(text.text) > limit:
            raise too_large("characters of a text to explain", limit, len(text.text), "explain_characters", "body")
        explanation, times = await self._desk.explain(Query(asked.question, (text,)), self._choice(asked))
        self._metrics.questions(1)
        return explained(explanation, text, timing(times), self._name)

    @property
    def reader_name(self) -> schema.ReaderName:
        """The identity of the reader."""
        return self._name

    def check_asked(self, question: str, null_threshold: object, min_probability: object) -> None:
        """Check a question, and that it says in one way only when to abstain."""
        self._check_question(question, "body")
        if null_threshold is not None and min_probability is not None:
            raise _both_given()

    def count(self, questions: int) -> None:
        """Count answered questions."""
        self._metrics.questions(questions)

    async def verify(self, asked: schema.VerifyRequest) -> schema.VerifyResponse:
        """Check claimed quotes against texts."""
        texts = self._source(asked, "body")
        names = asked.names or [f"text {number}" for number in range(1, len(texts) + 1)]
        sources = [NamedText(name, text) for name, text in zip(names, texts, strict=True)]
        return await self.verdicts(asked.quotes, sources)

    async def verdicts(self, quotes: str | list[Any], sources: Iterable[Source]) -> schema.VerifyResponse:
        """Check claimed quotes against sources, in a thread."""
        claims = self._claims(quotes)
        try:
            found = await self._desk.within_deadline(partial(verify, claims, sources))
        except InputError as error:
            raise ApiError(422, "bad_quote", str(error), "Name a source that was sent.", "body.quotes") from None
        return schema.VerifyResponse.model_validate({"quotes": [verdict.to_dict() for verdict in found]})

    def _claims(self, quotes: str | list[Any]) -> list[Claim]:
        try:
            claims = list(read_claims(quotes)) if isinstance(quotes, str) else [claim_of(item) for item in quotes]
        except InputError as error:
            raise ApiError(
                422, "bad_quote", str(error), "Send texts, {quote, source}, or citation objects.", "body.quotes"
            ) from None
        if not claims or not all(claim.quote for claim in claims):
            raise ApiError(422, "bad_quote", "a quote must not be empty", "Send at least one quote.", "body.quotes")
        if len(claims) > self.settings.rows:
            raise too_large("quotes of a request", self.settings.rows, len(claims), "rows", "body.quotes")
        length = sum(len(claim.quote) for claim in claims)
        self._check_length(length, "body.quotes")
        return claims

    async def hosted(self, asked: schema.HostedRequest) -> schema.HostedAnswer | list[schema.HostedAnswer]:
        """Answer like Hugging Face's hosted task: one object for one answer, else a list."""
        self._check_question(asked.inputs.question, "body.inputs")
        text = Text.of(self._checked(asked.inputs.context, "body.inputs.context"))
        task = await self._desk.apart(lambda: HostedTask.of(asked, self._desk.reader))
        query = Query(task.question, (text,), "body.inputs")
        prediction, _ = await self._ask(query, task.settings, task.windower)
        answers = task.answers(prediction)
        return answers[0] if task.settings.top_k == 1 else answers

    async def _ask(
        self, query: Query, settings: DecodeSettings, windower: Windower | None = None
    ) -> tuple[Prediction, Times]:
        """Answer one query, or raise its error."""
        (reply,), times = await self._desk.ask([query], settings, windower)
        if isinstance(reply.found, ApiError):
            raise reply.found
        self._metrics.questions(1)
        return reply.found, times

    def keep(self, text: Text, *, is_file: bool) -> schema.TextResponse:
        """Store a text.

        Args:
            text: The text.
            is_file: Whether the text was extracted from a file, so that it must be returned.
        """
        self._checked(text.text, "body")
        if not self.texts.put(text):
            raise too_large("bytes of a stored text", self.settings.text_bytes, text.size, "text_bytes", "body")
        return schema.TextResponse(**self._facts(text), text=text.text if is_file else None)

    def kept(self, handle: str) -> schema.StoredText:
        """Return a stored text."""
        text = self._text(handle, "path.handle")
        return schema.StoredText(**self._facts(text), text=text.text)

    def describe(self) -> schema.ReaderResponse:
        """Return the reader's identity and settings, and the limits."""
        reader, decode, limits = self._desk.reader, self._desk.reader.settings.decode, self.settings
        return schema.ReaderResponse(
            **dict(self._name),
            version=__version__,
            engine=reader.engine.name,
            precision=reader.engine.precision,
            max_tokens=reader.settings.max_tokens,
            overlap=reader.settings.overlap,
            max_answer_tokens=decode.max_answer_tokens,
            null_threshold=decode.null_threshold,
            null_bias=decode.null_bias,
            temperature=decode.temperature,
            null_temperature=decode.null_temperature or decode.temperature,
            odds_scale=decode.odds_scale,
            scores=dict(self._served.scores),
            limits=schema.LimitsResponse(
                **{name: getattr(limits, name) for name in schema.LimitsResponse.model_fields}
            ),
        )

    def _facts(self, text: Text) -> dict[str, Any]:
        pages = text.pages and [schema.Place(start=page.start, end=page.end) for page in text.pages]
        return {
            "handle": text.handle,
            "characters": len(text.text),
            "pages": pages or None,
            "expires_in_s": self.settings.text_s,
        }

    def _choice(self, asked: schema.Choice) -> DecodeSettings:
        if asked.min_probability is not None and asked.null_threshold is not None:
            raise _both_given()
        return self._desk.reader.decode_settings(
            asked.top_k,
            asked.null_threshold,
            asked.max_answer_tokens,
            min_probability=asked.min_probability,
            overlapping=asked.overlapping,
        )

    def _row(self, shared: tuple[Text, ...] | None, index: int, row: Any) -> Query:
        """Return one row of many as a query, with an error if the row is invalid."""
        where = f"body.rows.{index}" if shared is None else f"body.questions.{index}"
        try:
            if shared is None:
                found = checked(schema.RowRequest, row, where)
                return replace(self._query(found, found.question, where), id=_id(row))
            question = checked(schema.OneQuestion, {"question": row}, where).question
            self._check_question(question, where)
            return Query(question, shared, where)
        except ApiError as error:
            return Query("", (), where, _id(row), error)

    def _query(self, source: schema.Source, question: str, where: str) -> Query:
        self._check_question(question, where)
        return Query(question, self._source(source, where), where)

    def _source(self, source: schema.Source, where: str) -> tuple[Text, ...]:
        """Return the texts to quote from."""
        if source.text is not None:
            return (self._text(source.text, f"{where}.text"),)
        if source.context is not None:
            return (Text("", self._checked(source.context, f"{where}.context")),)
        contexts, most = source.contexts or [], self.settings.contexts
        if len(contexts) > most:
            raise too_large("contexts of a question", most, len(contexts), "contexts", f"{where}.contexts")
        self._check_length(sum(map(len, contexts)), f"{where}.contexts")
        return tuple(Text("", context) for context in contexts)

    def _text(self, handle: str, where: str) -> Text:
        text = self.texts.get(handle)
        if text is None:
            raise ApiError(
                404, "text_not_found", "no text with this handle is stored, or it has expired",
                "Send it again with POST /v1/texts.", where,
            )  # fmt: skip
        return text

    def _check_question(self, question: str, where: str) -> None:
        limit = self.settings.question_characters
        if len(question) > limit:
            raise too_large(
                "characters of the question", limit, len(question), "question_characters", f"{where}.question"
            )

    def _checked(self, text: str, where: str) -> str:
        self._check_length(len(text), where)
        return text

    def _check_length(self, characters: int, where: str) -> None:
        limit = self.settings.context_characters
        if characters > limit:
            raise too_large("characters of all texts", limit, characters, "context_characters", where)


def _both_given() -> ApiError:
    return ApiError(
        422, "bad_field", "min_probability and null_threshold cannot be used together",
        "Give one of them.", "body.min_probability",
    )  # fmt: skip


def _row_result(index: int, reply: Reply) -> schema.RowResult:
    if isinstance(reply.found, ApiError):
        return schema.RowResult(index=index, id=reply.query.id, error=reply.found.problem)
    return schema.RowResult(index=index, id=reply.query.id, result=result(reply.found, reply.query.texts))


def _id(row: Any) -> str | None:
    """Return the id of a row, even if other fields are invalid."""
    found = row.get("id") if isinstance(row, dict) else None
    return found if isinstance(found, str) else None


def timing(times: Times) -> schema.Timing:
    """Return the timing of a request in milliseconds."""
    queue, compute, total = (round(1e3 * seconds, 3) for seconds in (times.queue, times.compute, times.total))
    return schema.Timing(queue_ms=queue, compute_ms=compute, total_ms=total)
