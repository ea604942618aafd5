"""The peer: a plain FastAPI endpoint around the old pipeline, as people put it online. Needs transformers below 5.

.peers/pipeline/bin/python benchmarks/peer_pipeline.py FOLDER PORT
"""

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline

answer = pipeline("question-answering", model=sys.argv[1], dtype="float32")
app = FastAPI()


class Question(BaseModel):
    """A question and its text."""

    question: str
    context: str


@app.post("/v1/answer")
def ask(asked: Question) -> dict:
    """Answer it, on one of FastAPI's threads."""
    return answer(question=asked.question, context=asked.context)


@app.get("/readyz")
def ready() -> dict:
    """Say that it is up."""
    return {}


uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")
