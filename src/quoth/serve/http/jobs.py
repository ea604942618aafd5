"""The endpoints for jobs, which have more rows than a request may have."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.routing import APIRoute

from quoth.serve.http import schema
from quoth.serve.http.description import READER_ERRORS, errors
from quoth.serve.http.job_runner import Runner
from quoth.serve.jobs import JobState

Id = Annotated[str, Path(pattern="^[0-9a-f]{32}$", examples=[schema.JOB])]
# Integers up to this one are exact in every JSON library, and fit into the database.
_MOST_OFFSET = 2**53 - 1


def job_routes(runner: Runner, json_route: type[APIRoute]) -> tuple[APIRouter, APIRouter]:
    """Return the routes: the one that takes JSON, and the others."""
    posts = APIRouter(prefix="/v1/jobs", route_class=json_route, tags=["jobs"], responses=READER_ERRORS)
    router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=errors(404, 422))

    @posts.post("", summary="Start a job", status_code=202, responses=errors(404))
    async def start(asked: schema.AnswersRequest) -> schema.JobResponse:
        """Like /v1/answers, for more rows and without a deadline. Returns at once; get progress and results later."""
        return _response(await runner.start(asked))

    @router.get("/{id}", summary="The progress of a job")
    async def progress(id: Id) -> schema.JobResponse:
        """Whether the job is running, and how many rows have a result."""
        return _response(await asyncio.to_thread(runner.state, id))

    @router.get("/{id}/results", summary="The results of a job", response_model=schema.JobResults)
    async def results(
        id: Id,
        offset: Annotated[int, Query(ge=0, le=_MOST_OFFSET)] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> Response:
        """The available results from an offset on, in the order of the rows."""

        def work() -> bytes:
            state = runner.state(id)
            found = runner.jobs.results(id, offset, limit)
            after = offset + len(found)
            is_last = state.state != "running" and after >= state.done
            return b'{"results":[%s],"next":%s}' % (b",".join(found), b"null" if is_last else b"%d" % after)

        return Response(await asyncio.to_thread(work), media_type="application/json")

    @router.delete("/{id}", summary="Delete a job", status_code=204)
    async def delete(id: Id) -> None:
        """Stop the job, and delete its results."""
        await asyncio.to_thread(runner.state, id)
        await asyncio.to_thread(runner.jobs.delete, id)

    return posts, router


def _response(state: JobState) -> schema.JobResponse:
    return schema.JobResponse.model_validate({
        "id": state.id, "status": state.state, "rows": state.rows, "done": state.done,
        "error": None if state.problem is None else json.loads(state.problem), "reader": json.loads(state.reader),
    })  # fmt: skip
