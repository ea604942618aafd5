"""The endpoints for the files of a corpus: add a file, remove a document, and render a page of a PDF."""

from __future__ import annotations

from functools import partial
from pathlib import PurePosixPath
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from quoth.documents import DocumentLimits, draw_page
from quoth.serve.errors import ApiError
from quoth.serve.http import corpus_schema
from quoth.serve.http.corpus import Id, listed_document
from quoth.serve.http.description import READER_ERRORS, errors
from quoth.serve.http.service import Service
from quoth.serve.http.uploads import FORM, uploaded
from quoth.serve.library import Library
from quoth.serve.metrics import Metrics
from quoth.serve.settings import ServeSettings

_BODY = {"requestBody": {"required": True, "content": FORM}}
_WIDTH = 1_200


def file_routes(library: Library, service: Service, metrics: Metrics) -> APIRouter:
    """Return the routes.

    Args:
        library: The corpus.
        service: Has the limits, and runs a limited number of parsers at a time.
        metrics: Counts the files that are parsed.
    """
    router = APIRouter(prefix="/v1/corpus/documents", tags=["corpus"], responses=READER_ERRORS)
    settings = service.settings
    limits = DocumentLimits(
        file_bytes=settings.file_bytes, characters=settings.context_characters, memory_bytes=settings.parser_bytes
    )

    @router.post("", summary="Add a file", openapi_extra=_BODY, status_code=201, responses=errors(files=True))
    async def add(request: Request) -> corpus_schema.ListedDocument:
        """Add a file (.txt, .md, .html, .docx, .pdf, .epub). It replaces an uploaded file with the same name."""
        _raise_if_read_only(settings, "add the file")
        async with uploaded(request) as (file, name):
            base_name = PurePosixPath(name.replace("\\", "/")).name
            with metrics.parsing():
                entry = await service.answerer.within_deadline(lambda: library.add(file.read(), base_name, limits))
        return listed_document(entry)

    @router.delete("/{id}", summary="Remove a document", status_code=204, responses=errors(404))
    async def remove(id: Id) -> None:
        """Remove a document from the corpus. Its file, if it is one of this server, is not deleted."""
        _raise_if_read_only(settings, "remove the document")
        await service.answerer.in_thread(partial(library.remove, id))

    @router.get("/{id}/pages/{number}", summary="Render a page", response_class=Response, responses=errors(404))
    async def page(
        id: Id,
        number: Annotated[int, Path(ge=1, le=100_000)],
        width: Annotated[int, Query(ge=50, le=2_400, description="In pixels.")] = _WIDTH,
    ) -> Response:
        """A page of a PDF as PNG. The boxes of answers are in points from the upper left corner of the page."""
        data = await service.answerer.in_thread(partial(library.original, id))
        drawn = await service.answerer.within_deadline(lambda: draw_page(data, number, width, limits))
        return Response(drawn, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})

    return router


def _raise_if_read_only(settings: ServeSettings, what: str) -> None:
    if settings.read_only:
        raise ApiError(403, "read_only", "the corpus of this server is read-only", f"Ask the administrator to {what}.")
