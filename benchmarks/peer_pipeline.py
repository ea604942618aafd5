"""The peer of serving.py: a typical FastAPI endpoint around the old pipeline. Needs transformers below 5.

.peers/pipeline/bin/python benchmarks/peer_pipeline.py FOLDER PORT
"""

import sys
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline

answer = pipeline("question-answering", model=sys.argv[1], dtype="float32")
app = FastAPI()


class Question(BaseModel):
    """A question and its context."""

    question: str
    context: str


@app.post("/v1/answer")
def ask(asked: Question) -> dict[str, Any]:
    """Answer a question, on one of FastAPI's threads."""
    found: dict[str, Any] = answer(question=asked.question, context=asked.context)
    return found


@app.get("/readyz")
def ready() -> dict[str, Any]:
    """Report that the server is ready."""
    return {}


uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")
