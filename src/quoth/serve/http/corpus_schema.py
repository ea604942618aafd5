"""Request and response schemas of the endpoints for a corpus.

POST /v1/corpus/answer          CorpusAnswerRequest -> CorpusAnswerResponse   ask all documents
POST /v1/corpus/verify          CorpusVerifyRequest -> VerifyResponse         check whether the documents contain quotes
GET  /v1/corpus/search          ?question, k        -> SearchResponse         the best passages
GET  /v1/corpus/documents       ?text, offset, limit -> DocumentsResponse     list the documents
GET  /v1/corpus/documents/{id}  ?start, end         -> DocumentResponse       a document's text, or a part of it
POST /v1/corpus/documents       a form with a file  -> ListedDocument         add a file, unless --read-only
DELETE /v1/corpus/documents/{id}                    -> 204                    remove it, unless --read-only
GET  /v1/corpus/documents/{id}/pages/{number}  ?width -> PNG                  a page of a PDF as an image
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from quoth.serve.http import schema

DOCUMENT_ID = "0f5e2c3a6f0f3b1d4f2f0a6bd3f6f8d7"


class CorpusAnswerRequest(schema.Strict):
    """One question about all documents."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"question": schema.QUESTION, "top_k": 3}]})

    question: schema.Question
    top_k: schema.TopK = 1
    passages: int = Field(default=10, ge=1, le=100, description="Number of passages to read.")
    null_threshold: schema.NullThreshold = None
    min_probability: float | None = Field(
        default=None, ge=0, le=1, description="Abstain if the probability of the best answer is lower."
    )


class CorpusVerifyRequest(schema.Strict):
    """Claimed quotes, to be searched in all documents."""

    quotes: str | list[Any] = Field(description="As in /v1/verify.", examples=['It says "a gull flew".'])


class CorpusQuote(BaseModel):
    """An answer from a document."""

    text: str
    document: str = Field(description="The id of the document.", examples=[DOCUMENT_ID])
    name: str = Field(description="The path under which it was indexed.")
    title: str
    span: schema.Place = Field(description="In code points of the document.")
    utf16: schema.Place = Field(description="In UTF-16 code units.")
    page: int | None
    boxes: list[schema.PageBox] = Field(
        description="Rectangles on the pages of a PDF, in points from the upper left corner of the page."
    )
    sentence: str = Field(description="The sentence that contains it.")
    probability: float
    passage: int = Field(description="Rank of its passage in the search, from 1.")


class CorpusAnswerResponse(BaseModel):
    """The answers from all documents."""

    answers: list[CorpusQuote] = Field(description="Best first; also the candidates if there is no answer.")
    no_answer: bool
    reason: str | None
    null_probability: float | None = Field(description="Probability that no passage answers the question.")
    passages_read: int
    timing: schema.Timing
    reader: schema.ReaderName


class FoundPassage(BaseModel):
    """A passage that was found."""

    document: str
    name: str
    title: str
    span: schema.Place
    page: int | None
    text: str
    score: float = Field(description="Higher is better; comparable within one search.")


class SearchResponse(BaseModel):
    """The best passages, best first."""

    passages: list[FoundPassage]


class ListedDocument(BaseModel):
    """A document, without its text."""

    id: str = Field(examples=[DOCUMENT_ID])
    name: str
    title: str
    passages: int
    sha256: str


class DocumentsResponse(BaseModel):
    """A page of the list of documents, sorted by name."""

    corpus: str
    total: int = Field(description="Number of matching documents, on all pages of the list.")
    documents: list[ListedDocument]


class PageSize(BaseModel):
    """The size of a page, in points."""

    width: float
    height: float


class DocumentResponse(BaseModel):
    """A document's text, or a part of it."""

    id: str
    name: str
    title: str
    characters: int = Field(description="Length of the whole text, in code points.")
    start: int
    text: str
    pages: list[schema.Place] | None = Field(description="Spans of all pages; null without pages.")
    page_sizes: list[PageSize] | None = Field(
        description="Sizes of all pages if they can be rendered (a PDF whose file is in the corpus); else null."
    )
