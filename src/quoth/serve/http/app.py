"""The ASGI application: routes and background tasks."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import signal
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from quoth import __version__
from quoth.documents import DocumentLimits
from quoth.errors import QuothError
from quoth.serve.errors import ApiError
from quoth.serve.http import schema
from quoth.serve.http.access import Access
from quoth.serve.http.assets import asset_routes
from quoth.serve.http.corpus import document_routes, question_routes
from quoth.serve.http.corpus_files import file_routes
from quoth.serve.http.description import READER_ERRORS, describe, errors
from quoth.serve.http.errors import handle_expected, handle_unexpected, validated
from quoth.serve.http.exchange import App
from quoth.serve.http.identity import ServedReader
from quoth.serve.http.job_runner import Runner
from quoth.serve.http.jobs import job_routes
from quoth.serve.http.json_routes import JsonRoute, StrictRoute, must_be_json
from quoth.serve.http.middleware import Guard
from quoth.serve.http.readers import QueuedReader, Readers
from quoth.serve.http.service import Service
from quoth.serve.http.uploads import FORM, uploaded
from quoth.serve.jobs import Jobs
from quoth.serve.library import Library
from quoth.serve.metrics import Metrics
from quoth.serve.queue.batcher import Batcher
from quoth.serve.settings import ServeSettings
from quoth.serve.store import Texts
from quoth.serve.tokens import Tokens
from quoth.serve.tracing import Tracing

_LOG = logging.getLogger("quoth.serve")
DESCRIPTION = (
    "Answers questions by quoting. Offsets count code points, half-open, unless marked as UTF-16. Every error says "
    "what must be, what is, and what to do. `POST /` implements Hugging Face's hosted question-answering task."
)
# Responses of at least this size, in bytes, are compressed at this level.
_GZIP_BYTES = 4_096
_GZIP_LEVEL = 5
# Interval for removing expired texts, in seconds.
_EXPIRE_S = 60.0
_TEXT_NOT_FOUND = errors(404)
_Reader = Annotated[str | None, Query(max_length=100, description="The name of a reader; null: the default one.")]
_Handle = Annotated[str, Path(pattern="^[0-9a-f]{64}$", examples=[schema.HANDLE])]


def create_app(
    served: ServedReader, settings: ServeSettings, store: FilePath, also: Mapping[str, ServedReader] | None = None
) -> Guard:
    """Return the application for some readers.

    Args:
        served: The reader that answers unless a request names another.
        settings: The limits.
        store: The database of stored texts, which several processes may share.
        also: Further readers by name.
    """
    metrics, tracing = Metrics(), Tracing()
    readers = Readers(
        {served.name: served, **(also or {})}, lambda each: QueuedReader.of(each, settings, metrics, tracing)
    )
    texts = Texts(store, settings.text_bytes, settings.text_s)
    service = Service(readers, settings, metrics, texts)
    runner = Runner(service, Jobs(store.with_name("jobs.sqlite"), settings.job_bytes, settings.text_s))
    _watch(metrics, service)
    app = FastAPI(
        title="Quoth", version=__version__, description=DESCRIPTION, docs_url=None, redoc_url=None,
        openapi_url="/openapi.json", lifespan=partial(_running, service, runner, tracing),
    )  # fmt: skip
    for router in (*_routers(app, service, metrics), *job_routes(runner, JsonRoute)):
        app.include_router(router)
    if settings.corpus is not None:
        library = Library(settings.corpus)
        app.include_router(question_routes(library, service, JsonRoute, READER_ERRORS))
        app.include_router(document_routes(library, service, READER_ERRORS))
        app.include_router(file_routes(library, service, metrics))
    for kind in (HTTPException, RequestValidationError, QuothError, sqlite3.OperationalError):
        app.add_exception_handler(kind, handle_expected)
    app.add_exception_handler(Exception, handle_unexpected)
    describe(app, token=settings.has_token)
    tokens = Tokens(settings.token, settings.token_file)
    access = Access(settings, tokens, Tokens(settings.metrics_token, settings.metrics_token_file))
    wrap = partial(_with_cors, settings)
    compressed = GZipMiddleware(app, _GZIP_BYTES, compresslevel=_GZIP_LEVEL) if settings.gzip else app
    return Guard(wrap(compressed), settings, access, metrics, lambda: _headers(service), tracing, wrap)


def _headers(service: Service) -> dict[str, str]:
    return {"Quoth-Version": __version__, "Quoth-Reader": service.reader_name.hash}


def _with_cors(settings: ServeSettings, app: App) -> App:
    """Let pages of the allowed origins read responses, including errors, and their headers."""
    if not settings.cors:
        return app
    exposed = ("Retry-After", "X-Request-ID", "Quoth-Version", "Quoth-Reader")
    return CORSMiddleware(
        app, allow_origins=settings.cors, allow_methods=["*"], allow_headers=["*"], expose_headers=exposed
    )


@asynccontextmanager
async def _running(service: Service, runner: Runner, tracing: Tracing, app: FastAPI) -> AsyncIterator[None]:
    """Warm the readers up before the server accepts requests; on shutdown, stop after all requests are answered."""
    async with AsyncExitStack() as closing:  # closes all, even if warming up or closing one of them fails
        closing.push_async_callback(asyncio.to_thread, tracing.close)
        closing.callback(service.texts.close)
        closing.push_async_callback(service.readers.close)
        closing.push_async_callback(runner.close)
        warm = asyncio.Event()
        _reload_on_hangup(service, warm)
        await service.readers.open()
        warm.set()
        async with _background(_expire(service, runner), runner.watch()):
            app.state.status = "ok"
            yield
            app.state.status = "stopping"


@asynccontextmanager
async def _background(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run tasks until the end of the block. A task that fails is logged, and the others go on."""

    def log(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            _LOG.error("a background task failed", exc_info=error)

    tasks = [asyncio.create_task(work) for work in works]
    for task in tasks:
        task.add_done_callback(log)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _reload_on_hangup(service: Service, warm: asyncio.Event) -> None:
    """Reload the readers on SIGHUP, once they are warm. Workers ignore it, because their supervisor replaces them."""
    if not hasattr(signal, "SIGHUP") or threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    running: set[asyncio.Task[None]] = set()

    async def reload() -> None:
        await warm.wait()
        for name in service.readers.names:
            with suppress(ApiError):  # logged
                await service.readers.reload(name)

    def hangup() -> None:
        if multiprocessing.parent_process() is None:
            task = loop.create_task(reload())
            running.add(task)
            task.add_done_callback(running.discard)

    loop.add_signal_handler(signal.SIGHUP, hangup)


async def _expire(service: Service, runner: Runner) -> None:
    while True:
        await asyncio.sleep(_EXPIRE_S)
        for expire in (service.texts.expire, runner.jobs.expire):
            try:
                await asyncio.to_thread(expire)
            except sqlite3.OperationalError as error:
                _LOG.error("cannot remove expired texts and jobs: %s", error.sqlite_errorname)


def _routers(app: FastAPI, service: Service, metrics: Metrics) -> tuple[APIRouter, ...]:
    return (
        _questions(service),
        _hosted(service),
        _texts(service, metrics),
        _state(app, service, metrics),
        asset_routes(),
    )


def _questions(service: Service) -> APIRouter:
    router = APIRouter(route_class=JsonRoute, tags=["ask"], responses=READER_ERRORS)

    @router.post(
        "/v1/answer", summary="Answer one question", responses=_TEXT_NOT_FOUND, response_model=schema.AnswerResponse
    )
    async def answer(asked: schema.AnswerRequest) -> Response:
        """One question about one text (`context`), several texts (`contexts`), or a stored text (`text`)."""
        return _json(*await service.answer(asked))

    @router.post(
        "/v1/answers", summary="Answer many questions", responses=_TEXT_NOT_FOUND, response_model=schema.AnswersResponse
    )
    async def answers(asked: schema.AnswersRequest) -> Response:
        """Many rows, or many questions about one source. Results are in order; an invalid row has its own error."""
        return _json(*await service.answers(asked))

    @router.post(
        "/v1/explain", summary="Explain an answer", responses=_TEXT_NOT_FOUND, response_model=schema.ExplainResponse
    )
    async def explain(asked: schema.ExplainRequest) -> Response:
        """The windows, their tokens with offsets and logits, and why other spans were rejected."""
        return _json(*await service.explain(asked))

    @router.post("/v1/verify", summary="Check quotes", responses=_TEXT_NOT_FOUND, response_model=schema.VerifyResponse)
    async def verify(asked: schema.VerifyRequest) -> Response:
        """Check whether texts contain claimed quotes: exact, near with its difference, or absent. Needs no model."""
        return _json(await service.verify(asked))

    return router


def _json(content: bytes, reader: str | None = None) -> Response:
    return Response(content, media_type="application/json", headers={"Quoth-Reader": reader} if reader else None)


def _hosted(service: Service) -> APIRouter:
    router = APIRouter(route_class=JsonRoute, tags=["ask"], responses=READER_ERRORS, strict_content_type=False)

    @router.post(
        "/", summary="Hugging Face's hosted task", response_model=schema.HostedAnswer | list[schema.HostedAnswer]
    )
    async def hosted(asked: schema.HostedRequest) -> Response:
        """For `huggingface_hub.InferenceClient(model=URL).question_answering(...)`. Returns one object or a list."""
        return _json(await service.hosted(asked))

    return router


def _texts(service: Service, metrics: Metrics) -> APIRouter:
    router = APIRouter(prefix="/v1/texts", route_class=StrictRoute, tags=["texts"], responses=READER_ERRORS)
    settings = service.settings
    limits = DocumentLimits(
        file_bytes=settings.file_bytes, characters=settings.context_characters, memory_bytes=settings.parser_bytes
    )
    body = {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema.TextRequest.model_json_schema()}, **FORM},
        }
    }

    @router.post(
        "", summary="Store a text", openapi_extra=body, responses=errors(files=True), response_model=schema.TextResponse
    )
    async def keep(request: Request) -> Response:
        """As JSON, or as a file (.txt, .md, .html, .docx, .pdf, .epub). Returns its text and a handle for questions."""
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            must_be_json(request, "application/json or multipart/form-data")
            asked = validated(schema.TextRequest, await request.json())
            return _json(await service.store_text(asked.text, is_file=False))
        async with uploaded(request) as (file, name):
            with metrics.parsing():
                document = await service.answerer.parse(file, name, limits)
        return _json(await service.store_text(document.text, document.pages or None, is_file=True))

    @router.get("/{handle}", summary="Get a stored text", responses=_TEXT_NOT_FOUND, response_model=schema.StoredText)
    async def kept(handle: _Handle) -> Response:
        """The text, its pages, and how long it is stored."""
        return _json(await service.stored_text(handle))

    @router.delete("/{handle}", summary="Delete a stored text", responses=_TEXT_NOT_FOUND, status_code=204)
    async def forget(handle: _Handle) -> None:
        """Permanently and immediately, instead of when it expires."""
        await service.delete_text(handle)

    return router


def _state(app: FastAPI, service: Service, metrics: Metrics) -> APIRouter:
    router = APIRouter(tags=["state"])

    @router.get("/v1/reader", summary="Describe a reader", responses=errors(404, 422))
    async def reader(reader: _Reader = None) -> schema.ReaderResponse:
        """A reader's name, hash and settings, and the limits of this server."""
        return service.describe(reader)

    @router.post("/v1/reader/reload", summary="Load a reader again", responses=errors(404, 409, 422))
    async def reload(reader: _Reader = None) -> schema.ReaderResponse:
        """From its source, without losing requests. Only on a server that requires a token."""
        if not service.settings.has_token:
            raise ApiError(
                403, "needs_token", "this endpoint needs a token, but the server has none",
                "Start it with QUOTH_TOKEN or --token-file, or send it SIGHUP.",
            )  # fmt: skip
        await service.readers.reload(reader)
        return service.describe(reader)

    @router.get("/healthz", summary="Liveness probe")
    async def healthz() -> schema.Health:
        """Always ok."""
        return schema.Health(status="ok")

    @router.get("/readyz", summary="Readiness probe", responses={503: {"model": schema.Health}})
    async def readyz() -> Response:
        """200 if the reader is loaded and warmed up, else 503."""
        status = app.state.status
        return JSONResponse({"status": status}, 200 if status == "ok" else 503)

    @router.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
    async def read_metrics() -> Response:
        """Requests, latency, queue, batches and tokens, separately for each worker."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    return router


def _watch(metrics: Metrics, service: Service) -> None:
    readers = service.readers

    def total(name: str, what: str, value: Callable[[Batcher], float]) -> None:
        metrics.watch(name, what, lambda: sum(value(each.batcher) for each in readers.all))

    metrics.watch_build(lambda: {"version": __version__, **dict(service.reader_name)})
    total("quoth_queue_tokens", "Tokens in the queue.", lambda batcher: batcher.tokens)
    total(
        "quoth_queue_tokens_beyond_share", "Tokens in the queue beyond the fair share of their requests.",
        lambda batcher: batcher.tokens_beyond,
    )  # fmt: skip
    total("quoth_queue_capacity_tokens", "Current capacity of the queue, in tokens.", lambda batcher: batcher.capacity)
    total("quoth_queue_requests", "Requests in the queue.", lambda batcher: batcher.requests)
    metrics.watch(
        "quoth_engine_tokens_per_second", "Throughput of the last batches of the default reader.",
        lambda: readers.first.batcher.rate,
    )  # fmt: skip
    metrics.watch("quoth_kept_texts", "Stored texts.", lambda: len(service.texts))
    metrics.watch("quoth_kept_text_bytes", "Size of the stored texts.", lambda: service.texts.size)
