"""The endpoints for the corpus of a server, started with ``quoth serve --corpus``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.routing import APIRoute

from quoth.corpus import CorpusAnswer, Entry, Hit
from quoth.corpus.choice import PER_PASSAGE, choose, passage_answers
from quoth.corpus.corpus import corpus_decode, corpus_settings
from quoth.reading import DecodeSettings, WindowLogits, search_windows
from quoth.records import Example, Prediction
from quoth.serve.http import corpus_schema, schema
from quoth.serve.http.description import errors
from quoth.serve.http.service import Service, timing as timing_of
from quoth.serve.library import Library, id_of
from quoth.serve.queue.answerer import Answerer
from quoth.serve.queue.queries import Query as Asked
from quoth.serve.texts import Text

# The id of a document, in a path.
Id = Annotated[str, Path(pattern="^[0-9a-f]{32}$", examples=[corpus_schema.DOCUMENT_ID])]


def question_routes(
    library: Library, service: Service, json_route: type[APIRoute], responses: dict[int | str, dict[str, Any]]
) -> APIRouter:
    """Return the routes that ask the documents and check quotes; they take JSON.

    Args:
        library: The corpus.
        service: Checks and counts questions and quotes, and has the reader.
        json_route: The class of routes that accept only JSON.
        responses: The documented errors of every route.
    """
    posts = APIRouter(prefix="/v1/corpus", route_class=json_route, tags=["corpus"], responses=responses)

    @posts.post("/answer", summary="Ask all documents")
    async def answer(asked: corpus_schema.CorpusAnswerRequest) -> corpus_schema.CorpusAnswerResponse:
        """Search, read the best passages, and answer: each answer with its document, page and boxes."""
        answerer = service.answerer
        service.check_asked(asked.question, asked.null_threshold, asked.min_probability)
        decode = corpus_decode(answerer.reader, asked.top_k, asked.null_threshold, asked.min_probability)
        hits = await answerer.in_thread(partial(library.search, asked.question, asked.passages))
        query = Asked(asked.question, tuple(Text("", hit.text) for hit in hits))
        prediction, times = await answerer.ask_with(query, partial(_chosen, answerer, hits, decode))
        found = await answerer.in_thread(library.run(lambda corpus: corpus.found(prediction, hits)))
        service.count(prediction)
        return corpus_schema.CorpusAnswerResponse(
            answers=[_quote(each, hits) for each in found.answers],
            no_answer=found.no_answer,
            reason=found.reason,
            null_probability=found.null_probability,
            passages_read=len(hits),
            timing=timing_of(times),
            reader=service.reader_name,
        )

    @posts.post("/verify", summary="Check quotes against all documents", response_model=schema.VerifyResponse)
    async def verify(asked: corpus_schema.CorpusVerifyRequest) -> Response:
        """Whether the documents contain claimed quotes: exact, near with its difference, or absent."""
        content = await service.verdicts(asked.quotes, lambda: library)
        return Response(content, media_type="application/json")

    return posts


def document_routes(library: Library, service: Service, responses: dict[int | str, dict[str, Any]]) -> APIRouter:
    """Return the routes that search, list and show the documents.

    Args:
        library: The corpus.
        service: Has the threads and the limits.
        responses: The documented errors of every route.
    """
    router = APIRouter(prefix="/v1/corpus", tags=["corpus"], responses=responses)

    @router.get("/search", summary="Search the documents")
    async def search(
        question: Annotated[str, Query(min_length=1, max_length=2_000)], k: Annotated[int, Query(ge=1, le=100)] = 10
    ) -> corpus_schema.SearchResponse:
        """The passages that contain most of the question's words, best first."""
        hits = await service.answerer.in_thread(partial(library.search, question, k))
        return corpus_schema.SearchResponse(passages=[_passage(hit) for hit in hits])

    @router.get("/documents", summary="List the documents")
    async def documents(
        text: Annotated[str, Query(max_length=200, description="Part of a name or title.")] = "",
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> corpus_schema.DocumentsResponse:
        """The documents, sorted by name, one page of the list at a time."""
        entries = await service.answerer.in_thread(partial(library.entries, text))
        listed = [listed_document(entry) for entry in entries[offset : offset + limit]]
        return corpus_schema.DocumentsResponse(corpus=library.name, total=len(entries), documents=listed)

    @router.get("/documents/{id}", summary="Get a document's text", responses=errors(404))
    async def document(
        id: Id, start: Annotated[int, Query(ge=0)] = 0, end: Annotated[int | None, Query(ge=0)] = None
    ) -> corpus_schema.DocumentResponse:
        """The text, or its code points from start to end, up to the maximum length of a request's texts."""
        found, can_render = await service.answerer.in_thread(partial(library.document, id))
        most = start + service.settings.context_characters
        return corpus_schema.DocumentResponse(
            id=id,
            name=found.name,
            title=found.title,
            characters=len(found.text),
            start=start,
            text=found.text[start : most if end is None else min(end, most)],
            pages=[schema.Place(start=page.start, end=page.end) for page in found.pages] or None,
            page_sizes=[corpus_schema.PageSize(width=width, height=height) for width, height in found.page_sizes]
            if can_render
            else None,
        )

    return router


def listed_document(entry: Entry) -> corpus_schema.ListedDocument:
    """Return a document as it is listed."""
    return corpus_schema.ListedDocument(
        id=id_of(entry.key), name=entry.name, title=entry.title, passages=entry.passages, sha256=entry.file_hash
    )


def _chosen(
    answerer: Answerer, hits: Sequence[Hit], decode: DecodeSettings, example: Example, windows: Sequence[WindowLogits]
) -> Prediction:
    """Choose among the answers of the passages."""
    most = max(PER_PASSAGE, decode.top_k)
    searched = search_windows(windows, decode)
    answers = passage_answers(example, searched, [hit.score for hit in hits], decode, most)
    return choose(example, answers, len(windows), decode, corpus_settings(answerer.reader))


def _quote(answer: CorpusAnswer, hits: Sequence[Hit]) -> corpus_schema.CorpusQuote:
    cited = answer.to_citation()
    return corpus_schema.CorpusQuote(
        text=answer.text,
        document=id_of(hits[answer.passage - 1].key),
        name=answer.document,
        title=answer.title,
        span=schema.Place(start=answer.span.start, end=answer.span.end),
        utf16=schema.Place(start=cited["start_utf16_index"], end=cited["end_utf16_index"]),
        page=answer.page,
        boxes=[schema.PageBox.model_validate(box.to_dict()) for box in answer.boxes],
        sentence=answer.sentence,
        probability=answer.probability,
        passage=answer.passage,
    )


def _passage(hit: Hit) -> corpus_schema.FoundPassage:
    return corpus_schema.FoundPassage(
        document=id_of(hit.key),
        name=hit.document,
        title=hit.title,
        span=schema.Place(start=hit.span.start, end=hit.span.end),
        page=hit.page,
        text=hit.text,
        score=hit.score,
    )
