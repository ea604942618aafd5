"""The endpoints for jobs: many rows that take longer than a request may."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.routing import APIRoute

from quoth.serve.errors import ApiError, overloaded
from quoth.serve.http import schema
from quoth.serve.http.description import ASKING, errors
from quoth.serve.http.service import Service, name_of
from quoth.serve.http.wire import row_json, to_json
from quoth.serve.jobs import Jobs, JobState, problem_json
from quoth.serve.queue.asking import Reply, Times
from quoth.serve.queue.queries import Query as Asked

_LOG = logging.getLogger("quoth.serve")
# Rows that are asked together.
_TOGETHER = 16
# After a 503, a job waits for as long as the server says, but not longer, in seconds.
_MOST_S = 30.0
# When a client may try again whose job found too many others, in seconds.
_RETRY_S = 30.0

Id = Annotated[str, Path(pattern="^[0-9a-f]{32}$", examples=[schema.JOB])]


class Runner:
    """Runs the jobs of one worker."""

    def __init__(self, service: Service, jobs: Jobs) -> None:
        """Create the runner; ``jobs`` stores what comes of the jobs."""
        self.jobs = jobs
        self._service = service
        self._running: set[asyncio.Task[None]] = set()

    async def start(self, asked: schema.AnswersRequest) -> JobState:
        """Accept a job.

        Raises:
            ApiError: If it is invalid, or too many jobs run.
        """
        service = self._service
        if len(self._running) >= service.settings.jobs:
            raise overloaded(f"at most {service.settings.jobs} jobs may run at a time", _RETRY_S, "jobs")
        chosen = service.readers.get(asked.reader)
        given = service.given(asked, service.settings.job_rows, "job_rows")
        settings = service.choice(asked, chosen)
        shared = await asyncio.to_thread(service.shared, asked)

        def ask(first: int, last: int) -> Any:
            def build() -> list[Asked]:
                return [service.row(shared, index, given[index]) for index in range(first, last)]

            def render(replies: list[Reply], times: Times) -> list[bytes]:
                service.count_all(replies)
                return [row_json(index, reply) for index, reply in enumerate(replies, first)]

            return service.readers.get(asked.reader).desk.ask(build, settings, render)

        id = await asyncio.to_thread(self.jobs.start, len(given), name_of(chosen).model_dump_json())
        task = asyncio.get_running_loop().create_task(self._run(id, len(given), ask))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.to_thread(self.state, id)

    def state(self, id: str) -> JobState:
        """Return the progress of a job.

        Raises:
            ApiError: If there is none.
        """
        found = self.jobs.get(id)
        if found is None:
            raise ApiError(
                404, "job_not_found", "no job has this id, or it has expired", "Send it again with POST /v1/jobs.",
                "path.id",
            )  # fmt: skip
        return found

    async def close(self) -> None:
        """Stop all jobs; they are lost."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self.jobs.close()

    async def _run(self, id: str, rows: int, ask: Callable[[int, int], Any]) -> None:
        try:
            first, together = 0, _TOGETHER
            while first < rows:
                last = min(first + together, rows)
                try:
                    results = await ask(first, last)
                except ApiError as error:
                    if error.status_code == 503:
                        await asyncio.sleep(min(_MOST_S, float((error.headers or {}).get("Retry-After", 1))))
                        continue
                    if last - first > 1:  # too much at once; then one by one
                        together = 1
                        continue
                    results = [to_json(schema.RowResult(index=first, error=error.problem))]
                if not await asyncio.to_thread(self.jobs.add, id, first, results):
                    full = problem_json(
                        "job_bytes_limit", "the results of all jobs take more disk space than they may",
                        "Read and delete the results of others, or ask the operator to raise the limit (job_bytes).",
                    )  # fmt: skip
                    await asyncio.to_thread(self.jobs.end, id, "failed", full)
                    return
                first, together = last, _TOGETHER
            await asyncio.to_thread(self.jobs.end, id, "done")
        except asyncio.CancelledError:
            self.jobs.end(id, "lost")
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the client hears that its job has failed
            _LOG.exception("a job failed")
            why = problem_json("internal_error", "an internal error occurred", "Contact the administrator.")
            await asyncio.to_thread(self.jobs.end, id, "failed", why)


def job_routes(runner: Runner, json_route: type[APIRoute]) -> tuple[APIRouter, APIRouter]:
    """Return the routes: the one that takes JSON, and the others."""
    posts = APIRouter(prefix="/v1/jobs", route_class=json_route, tags=["jobs"], responses=ASKING)
    router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=errors(404, 422))

    @posts.post("", summary="Start a job", status_code=202, responses=errors(404))
    async def start(asked: schema.AnswersRequest) -> schema.JobResponse:
        """As /v1/answers, for more rows, and without its deadline. Answers at once; ask for progress and results."""
        return _response(await runner.start(asked))

    @router.get("/{id}", summary="The progress of a job")
    async def progress(id: Id) -> schema.JobResponse:
        """Whether it runs, and how many rows have a result."""
        return _response(await asyncio.to_thread(runner.state, id))

    @router.get("/{id}/results", summary="The results of a job", response_model=schema.JobResults)
    async def results(
        id: Id, offset: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=500)] = 100
    ) -> Response:
        """Some results from an offset on, in the order of the rows, as far as they are there."""

        def work() -> bytes:
            state = runner.state(id)
            found = runner.jobs.results(id, offset, limit)
            after = offset + len(found)
            is_last = state.state != "running" and after >= state.done
            return b'{"results":[%s],"next":%s}' % (b",".join(found), b"null" if is_last else b"%d" % after)

        return Response(await asyncio.to_thread(work), media_type="application/json")

    @router.delete("/{id}", summary="Delete a job", status_code=204)
    async def delete(id: Id) -> None:
        """Stop it, and delete its results."""
        await asyncio.to_thread(runner.state, id)
        await asyncio.to_thread(runner.jobs.delete, id)

    return posts, router


def _response(state: JobState) -> schema.JobResponse:
    return schema.JobResponse.model_validate({
        "id": state.id, "status": state.state, "rows": state.rows, "done": state.done,
        "error": None if state.problem is None else json.loads(state.problem), "reader": json.loads(state.reader),
    })  # fmt: skip
