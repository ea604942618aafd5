"""The logic of each endpoint, without HTTP: takes request schemas, returns response schemas."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from quoth import __version__
from quoth.documents import Document, Stop
from quoth.errors import InputError
from quoth.reading import DecodeSettings, Explanation
from quoth.records import Prediction, Span
from quoth.serve.errors import ApiError, too_large
from quoth.serve.http import schema
from quoth.serve.http.hosted import HostedTask
from quoth.serve.http.quotes import claims_of
from quoth.serve.http.readers import QueuedReader, Readers
from quoth.serve.http.sources import Sources, text_not_found
from quoth.serve.http.wire import explained, result, rows_json, to_json
from quoth.serve.metrics import Metrics
from quoth.serve.queue.answerer import Answerer, Reply, Times
from quoth.serve.queue.queries import Query
from quoth.serve.settings import ServeSettings
from quoth.serve.store import Texts
from quoth.serve.texts import Text
from quoth.verification import Source, verify


class JsonResult(NamedTuple):
    """A response as JSON, and the hash of the reader that answered."""

    content: bytes
    reader: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A query with its answers."""

    query: Query
    found: Prediction


class Service:
    """The readers with their limits and the stored texts.

    Attributes:
        readers: The readers.
        settings: The limits.
        texts: The stored texts.
        sources: What questions quote from.
    """

    def __init__(self, readers: Readers, settings: ServeSettings, metrics: Metrics, texts: Texts) -> None:
        """Create the service."""
        self.settings = settings
        self.texts = texts
        self.sources = Sources(texts, settings)
        self.readers = readers
        self._metrics = metrics

    async def answer(self, asked: schema.AnswerRequest) -> JsonResult:
        """Answer one question."""
        chosen = self.readers.get(asked.reader)

        def render(replies: list[Reply], times: Times) -> bytes:
            reply = self._only(replies)
            found = result(reply.found, reply.query.texts)
            return to_json(schema.AnswerResponse(**dict(found), timing=timing(times), reader=name_of(chosen)))

        def build() -> list[Query]:
            return [self.sources.query(asked, asked.question, "body")]

        return JsonResult(
            await chosen.answerer.ask(build, self.decode_settings(asked, chosen), render), chosen.served.hash
        )

    async def answers(self, asked: schema.AnswersRequest) -> JsonResult:
        """Answer many questions; each result has answers or an error."""
        chosen = self.readers.get(asked.reader)
        given = self.sources.rows_of(asked, self.settings.rows, "rows")

        def build() -> list[Query]:
            shared = self.sources.shared(asked)
            return [self.sources.row(shared, index, row) for index, row in enumerate(given)]

        def render(replies: list[Reply], times: Times) -> bytes:
            self.count_all(replies)
            return rows_json(replies, timing(times), name_of(chosen))

        return JsonResult(
            await chosen.answerer.ask(build, self.decode_settings(asked, chosen), render), chosen.served.hash
        )

    async def explain(self, asked: schema.ExplainRequest) -> JsonResult:
        """Answer one question, and explain its answers."""
        chosen = self.readers.get(asked.reader)
        self.sources.check_question(asked.question, "body")

        def build() -> list[Query]:
            text = self.sources.text(asked.text, "body.text") if asked.text else Text("", asked.context or "")
            limit = self.settings.explain_characters
            if len(text.text) > limit:
                raise too_large("characters of a text to explain", limit, len(text.text), "explain_characters", "body")
            return [Query(asked.question, (text,))]

        def render(found: tuple[Query, Explanation], times: Times) -> bytes:
            query, explanation = found
            self.count(explanation.prediction)
            return to_json(explained(explanation, query.texts[0], timing(times), name_of(chosen)))

        return JsonResult(
            await chosen.answerer.explain(build, self.decode_settings(asked, chosen), render), chosen.served.hash
        )

    @property
    def answerer(self) -> Answerer:
        """The answerer of the default reader."""
        return self.readers.first.answerer

    @property
    def reader_name(self) -> schema.ReaderName:
        """The identity of the default reader."""
        return name_of(self.readers.first)

    def check_asked(self, question: str, null_threshold: object, min_probability: object) -> None:
        """Check the length of a question, and that at most one rule for abstaining is given.

        Raises:
            ApiError: If the question is too long, or both a null threshold and a minimum probability are given.
        """
        self.sources.check_question(question, "body")
        if null_threshold is not None and min_probability is not None:
            raise _both_given()

    def count(self, prediction: Prediction) -> None:
        """Count an answered question."""
        self._metrics.answered(prediction.no_answer)

    def count_all(self, replies: list[Reply]) -> None:
        """Count the questions that were answered."""
        for reply in replies:
            if isinstance(reply.found, Prediction):
                self.count(reply.found)

    def _only(self, replies: list[Reply]) -> Answered:
        """Count and return the only reply.

        Raises:
            ApiError: If the reply is an error.
        """
        (reply,) = replies
        if isinstance(reply.found, ApiError):
            raise reply.found
        self.count(reply.found)
        return Answered(reply.query, reply.found)

    async def verify(self, asked: schema.VerifyRequest) -> bytes:
        """Check claimed quotes against texts."""

        def sources() -> list[Document]:
            texts = self.sources.texts_of(asked, "body")
            names = asked.names or [f"text {number}" for number in range(1, len(texts) + 1)]
            return [Document(text.text, text.pages or (), name) for name, text in zip(names, texts, strict=True)]

        return await self.verdicts(asked.quotes, sources)

    async def verdicts(self, quotes: str | list[Any], sources: Callable[[], Iterable[Source]]) -> bytes:
        """Check claimed quotes against sources, in a thread."""

        def work(stop: Stop) -> bytes:
            def end_if_late() -> None:
                if stop.is_set:
                    raise TimeoutError

            claims = claims_of(quotes, self.settings.rows, self.settings.quote_characters)
            self.sources.check_length(sum(len(claim.quote) for claim in claims), "body.quotes")
            found = verify(claims, sources(), before_each=end_if_late)
            return to_json(schema.VerifyResponse.model_validate({"quotes": [verdict.to_dict() for verdict in found]}))

        try:
            return await self.answerer.verify(work)
        except InputError as error:
            raise ApiError(422, "bad_quote", str(error), "Name a source that was sent.", "body.quotes") from None

    async def hosted(self, asked: schema.HostedRequest) -> bytes:
        """Answer like Hugging Face's hosted task: one object for one answer, else a list."""
        self.sources.check_question(asked.inputs.question, "body.inputs")
        text = Text("", self.sources.within_limit(asked.inputs.context, "body.inputs.context"))
        answerer = self.answerer
        task = await answerer.in_thread(lambda: HostedTask.of(asked, answerer.reader))

        def render(replies: list[Reply], times: Times) -> bytes:
            answers = task.answers(self._only(replies).found)
            return to_json(answers[0]) if task.settings.top_k == 1 else _list_json(answers)

        query = Query(task.question, (text,), "body.inputs")
        return await answerer.ask(lambda: [query], task.settings, render, task.windower)

    async def store_text(self, content: str, pages: tuple[Span, ...] | None = None, *, is_file: bool) -> bytes:
        """Store a text.

        Args:
            content: The text.
            pages: The span of each page.
            is_file: Whether the text was extracted from a file, so that it must be returned.
        """
        self.sources.within_limit(content, "body")

        def work() -> bytes:
            text = Text.of(content, pages)
            if not self.texts.put(text):
                raise too_large("bytes of a stored text", self.settings.text_bytes, None, "text_bytes", "body")
            return to_json(schema.TextResponse(**self._facts(text), text=content if is_file else None))

        return await self.answerer.in_thread(work)

    async def stored_text(self, handle: str) -> bytes:
        """Return a stored text."""

        def work() -> bytes:
            text = self.sources.text(handle, "path.handle")
            return to_json(schema.StoredText(**self._facts(text), text=text.text))

        return await self.answerer.in_thread(work)

    async def delete_text(self, handle: str) -> None:
        """Delete a stored text.

        Raises:
            ApiError: If there is none.
        """
        if not await self.answerer.in_thread(lambda: self.texts.delete(handle)):
            raise text_not_found("path.handle")

    def describe(self, name: str | None = None) -> schema.ReaderResponse:
        """Return a reader's identity and settings, and the limits."""
        chosen = self.readers.get(name, "query.reader")
        reader, decode, limits = chosen.answerer.reader, chosen.answerer.reader.settings.decode, self.settings
        return schema.ReaderResponse(
            **dict(name_of(chosen)),
            readers=self.readers.names,
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
            scores=dict(chosen.served.scores),
            limits=schema.LimitsResponse(
                **{name: getattr(limits, name) for name in schema.LimitsResponse.model_fields}
            ),
            corpus=None if limits.corpus is None else "read-only" if limits.read_only else "open",
        )

    def _facts(self, text: Text) -> dict[str, Any]:
        pages = text.pages and [schema.Place(start=page.start, end=page.end) for page in text.pages]
        return {
            "handle": text.handle,
            "characters": len(text.text),
            "pages": pages or None,
            "expires_in_s": self.settings.text_s,
        }

    def decode_settings(self, asked: schema.Choice, chosen: QueuedReader) -> DecodeSettings:
        """Return the decoding settings of a request."""
        if asked.min_probability is not None and asked.null_threshold is not None:
            raise _both_given()
        return chosen.answerer.reader.decode_settings(
            asked.top_k,
            asked.null_threshold,
            asked.max_answer_tokens,
            min_probability=asked.min_probability,
            overlapping=asked.overlapping,
        )


def _both_given() -> ApiError:
    return ApiError(
        422, "bad_field", "min_probability and null_threshold cannot be used together",
        "Give one of them.", "body.min_probability",
    )  # fmt: skip


def _list_json(models: Sequence[schema.HostedAnswer]) -> bytes:
    return b"[" + b",".join(map(to_json, models)) + b"]"


def name_of(chosen: QueuedReader) -> schema.ReaderName:
    """Return the identity of a reader."""
    return schema.ReaderName(name=chosen.served.name, hash=chosen.served.hash)


def timing(times: Times) -> schema.Timing:
    """Return the timing of a request in milliseconds."""
    queue, compute, total = (round(1e3 * seconds, 3) for seconds in (times.queue, times.compute, times.total))
    return schema.Timing(queue_ms=queue, compute_ms=compute, total_ms=total)
