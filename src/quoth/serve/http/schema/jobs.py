"""Jobs of many rows, whose results are requested later."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from quoth.serve.errors import Problem
from quoth.serve.http.schema.answers import ReaderName, RowResult

JOB = "9f3c1d5a7b2e4c6d8e0f1a2b3c4d5e6f"


class JobResponse(BaseModel):
    """A job and its progress."""

    id: str = Field(examples=[JOB])
    status: Literal["running", "done", "failed"] = Field(
        description="A failed job has the results of its rows up to the one that could not be answered."
    )
    rows: int = Field(description="Number of its rows.")
    done: int = Field(description="Number of rows with a result.")
    error: Problem | None = Field(
        default=None, description="Why it failed: reader_changed, job_bytes_limit, worker_ended or internal_error."
    )
    reader: ReaderName = Field(description="The reader of all its results.")


class JobResults(BaseModel):
    """Some results of a job, in the order of its rows."""

    results: list[RowResult]
    next: int | None = Field(description="The offset of the next results; null after the last one of a job that ended.")
