"""Answers the jobs of one worker, a few rows at a time, and takes over those of workers that have ended."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from quoth.records import Span
from quoth.serve.errors import ApiError, overloaded, too_large
from quoth.serve.http import schema
from quoth.serve.http.readers import QueuedReader
from quoth.serve.http.service import Service, name_of
from quoth.serve.http.sources import row_id
from quoth.serve.http.wire import row_json, to_json
from quoth.serve.jobs import Jobs, JobState, OwnedJob, problem_json
from quoth.serve.queue.answerer import Reply, Times
from quoth.serve.queue.queries import Query
from quoth.serve.texts import Text

T = TypeVar("T")

_LOG = logging.getLogger("quoth.serve")
# Number of rows that are answered together.
_TOGETHER = 16
# Maximum time that a job waits after an error with Retry-After, in seconds.
_MAX_WAIT_S = 30.0
# Retry-After if too many jobs are running, in seconds.
_RETRY_S = 30.0
# How long a job waits while the disk is full, in seconds.
_FULL_S = 5.0
# How often a worker searches for jobs without an owner, in seconds.
_POLL_S = 1.0
# A job fails if this many workers have ended at the same rows, like a shard of a table.
_DEATHS = 3
# The lifetime of the stored texts of a job's rows is renewed after this share of it.
_RENEWED = 0.25


@dataclass(frozen=True, slots=True)
class _Asked:
    """The request of a job.

    Attributes:
        request: The request.
        shared: The source of all its questions; ``None`` if each row has its own.
    """

    request: schema.AnswersRequest
    shared: tuple[Text, ...] | None

    @property
    def given(self) -> list[Any]:
        """The rows or questions."""
        return self.request.rows or self.request.questions or []

    @property
    def handles(self) -> set[str]:
        """Handles of stored texts in its rows."""
        texts = (row.get("text") for row in self.given if isinstance(row, dict))
        return {text for text in texts if isinstance(text, str)}

    def to_json(self) -> bytes:
        """Return the request as JSON, with the shared text, because the stored one may expire before the job ends."""
        texts = None
        if self.request.text is not None:
            texts = [
                [text.text, text.pages and [(page.start, page.end) for page in text.pages]]
                for text in self.shared or ()
            ]
        return json.dumps({"request": self.request.model_dump(exclude_unset=True), "texts": texts}).encode()

    @classmethod
    def of_json(cls, content: bytes, service: Service) -> _Asked:
        """Create it from the result of :meth:`to_json`."""
        found = json.loads(content)
        request = schema.AnswersRequest.model_validate(found["request"])
        if found["texts"] is None:
            return cls(request, service.sources.shared(request))
        texts = (
            Text.of(text, pages if pages is None else tuple(Span(*page) for page in pages))
            for text, pages in found["texts"]
        )
        return cls(request, tuple(texts))


class _FailedError(Exception):
    """The job has failed; the argument is its problem as JSON."""


class Runner:
    """Answers the jobs of one worker.

    Attributes:
        jobs: The stored jobs of all workers.
    """

    def __init__(self, service: Service, jobs: Jobs) -> None:
        """Create the runner; :meth:`watch` must run too."""
        self.jobs = jobs
        self._service = service
        self._running: set[asyncio.Task[None]] = set()

    async def start(self, request: schema.AnswersRequest) -> JobState:
        """Accept a job.

        Raises:
            ApiError: If it is invalid, or too many jobs are running.
        """
        service = self._service
        if len(self._running) >= service.settings.jobs:
            raise overloaded(f"at most {service.settings.jobs} jobs may run at a time", _RETRY_S, "jobs")
        chosen = service.readers.get(request.reader)
        given = service.sources.rows_of(request, service.settings.job_rows, "job_rows")
        service.decode_settings(request, chosen)

        def work() -> tuple[OwnedJob | None, _Asked]:
            asked = _Asked(request, service.sources.shared(request))
            content, most = asked.to_json(), service.settings.job_bytes
            if len(content) > most:
                raise too_large("bytes of a job", most, len(content), "job_bytes", "body")
            return self.jobs.start(len(given), name_of(chosen).model_dump_json(), content), asked

        job, asked = await asyncio.to_thread(work)
        if job is None:
            raise overloaded("the running jobs use all the disk space for jobs", _RETRY_S, "jobs")
        self._launch(job, asked)
        return await asyncio.to_thread(self.state, job.id)

    def state(self, id: str) -> JobState:
        """Return the progress of a job.

        Raises:
            ApiError: If no job has this id.
        """
        found = self.jobs.get(id)
        if found is None:
            raise ApiError(
                404, "job_not_found", "no job has this id, or it has expired", "Send it again with POST /v1/jobs.",
                "path.id",
            )  # fmt: skip
        return found

    async def watch(self) -> None:
        """Take over jobs whose workers have ended, until cancelled."""
        while True:
            await asyncio.sleep(_POLL_S)
            if len(self._running) >= self._service.settings.jobs:
                continue
            try:
                job = await asyncio.to_thread(self.jobs.take_over)
            except sqlite3.Error:
                _LOG.exception("cannot search for jobs of other workers")
                continue
            if job is not None:
                _LOG.warning("job %s: continues at row %d of %d in this worker", job.id, job.first, job.rows)
                self._launch(job)

    async def close(self) -> None:
        """Stop, and release the jobs for other workers."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self.jobs.close()

    def _launch(self, job: OwnedJob, asked: _Asked | None = None) -> None:
        task = asyncio.get_running_loop().create_task(self._run(job, asked))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, job: OwnedJob, asked: _Asked | None) -> None:
        try:
            if job.deaths >= _DEATHS:
                last = min(job.first + _TOGETHER, job.rows) - 1
                raise _FailedError(problem_json(
                    "worker_ended",
                    f"rows {job.first} to {last}: a worker must answer them, but {job.deaths} workers ended at them "
                    "(out of memory?)",
                    "Send these rows one by one with POST /v1/answer to find the cause; send the later rows again.",
                ))  # fmt: skip
            if asked is None:
                asked = await asyncio.to_thread(_Asked.of_json, job.asked, self._service)
            await self._answer(job, asked)
            await _written(partial(self.jobs.end, job.id, "done"))
        except _FailedError as failed:
            await _written(partial(self.jobs.end, job.id, "failed", str(failed)))
        except Exception:  # noqa: BLE001 - after any exception, the client must see that its job has failed
            _LOG.exception("a job failed")
            why = problem_json("internal_error", "an internal error occurred", "Contact the administrator.")
            await _written(partial(self.jobs.end, job.id, "failed", why))

    async def _answer(self, job: OwnedJob, asked: _Asked) -> None:
        """Answer all rows without a result, in order."""
        texts, handles, renewed = self._service.texts, asked.handles, time.monotonic()
        first, together = job.first, _TOGETHER
        while first < job.rows:
            if handles and time.monotonic() > renewed + _RENEWED * texts.seconds:
                await _written(partial(texts.renew, handles))
                renewed = time.monotonic()
            last = min(first + together, job.rows)
            try:
                results = await self._results(job, asked, first, last)
            except ApiError as error:
                if error.status_code == 503:
                    await asyncio.sleep(min(_MAX_WAIT_S, float((error.headers or {}).get("Retry-After", 1))))
                    continue
                if last - first > 1:  # the rows are too much together; try one by one
                    together = 1
                    continue
                id = row_id(asked.given[first])
                results = [to_json(schema.RowResult(index=first, id=id, error=error.problem))]
            if not await _written(partial(self.jobs.add, job.id, first, results)):
                raise _FailedError(problem_json(
                    "job_bytes_limit", "the jobs exceed the disk space for jobs",
                    "Read and delete other results, or ask the operator to raise the limit (job_bytes).",
                ))  # fmt: skip
            first, together = last, _TOGETHER

    async def _results(self, job: OwnedJob, asked: _Asked, first: int, last: int) -> list[bytes]:
        """Return the results of some rows.

        Raises:
            ApiError: If they cannot be answered together.
        """
        service, request = self._service, asked.request
        chosen = self._reader_of(job, request)

        def build() -> list[Query]:
            return [service.sources.row(asked.shared, index, asked.given[index]) for index in range(first, last)]

        return await chosen.answerer.ask(
            build, service.decode_settings(request, chosen), partial(_rendered, service, first)
        )

    def _reader_of(self, job: OwnedJob, request: schema.AnswersRequest) -> QueuedReader:
        """Return the reader of a job; raise if another reader with the same name has replaced it."""
        chosen, began = self._service.readers.get(request.reader), json.loads(job.reader)
        if chosen.served.hash != began["hash"]:
            raise _FailedError(problem_json(
                "reader_changed",
                f"the reader of a job must stay the same, but {began['name']} was {began['hash']} and is now "
                f"{chosen.served.hash}, because the reader was replaced",
                "The results so far are from the old reader. Send the job again, or only the rows without a result.",
            ))  # fmt: skip
        return chosen


async def _written(write: Callable[[], T]) -> T:
    """Write to the store in a thread; while the disk is full or busy, wait and try again."""
    while True:
        try:
            return await asyncio.to_thread(write)
        except sqlite3.OperationalError as error:
            _LOG.error("a job waits, because its results cannot be written: %s", error.sqlite_errorname)
            await asyncio.sleep(_FULL_S)


def _rendered(service: Service, first: int, replies: list[Reply], times: Times) -> list[bytes]:
    service.count_all(replies)
    return [row_json(index, reply) for index, reply in enumerate(replies, first)]
