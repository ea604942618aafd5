"""Additions to the OpenAPI description: errors with examples, the schema of rows, and the token."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from fastapi import FastAPI

from quoth.serve.errors import ErrorResponse, Problem
from quoth.serve.http import schema

Responses = dict[int | str, dict[str, Any]]

_STATUSES = {
    400: "The body is not JSON, or the HTTP request is invalid.",
    401: "The token is missing or wrong.",
    403: "The request is from a page of another origin, or the endpoint needs a token that the server does not have.",
    404: "The text is unknown or has expired: send it again; or no reader has this name.",
    409: "A reader is already being loaded, or has no source to be loaded from.",
    408: "The body was not received in time.",
    413: "A limit is exceeded; the code says which one.",
    415: "Content-Type is not JSON, the body is compressed, or a file has an unknown format.",
    421: "The Host header names another server.",
    422: "A field is invalid, or a file cannot be read.",
    500: "The server failed.",
    501: "The package that reads this kind of file is not installed.",
    503: "The server is overloaded; see Retry-After.",
    504: "The deadline was exceeded.",
}
# An example of each error.
_RETRY = "Retry after the number of seconds in the Retry-After header."
_LESS = "Send less, or ask the operator of this server to raise its limit ({})."
_EXAMPLES: tuple[tuple[int, Problem], ...] = (
    (400, Problem(
        code="bad_json", hint="JSON has no NaN, no infinity and no lone surrogates.", where="body",
        message="the body must be JSON in UTF-8, but cannot be read: EOF while parsing an object at line 1 column 1",
    )),
    (400, Problem(
        code="bad_request", message="a request must have one Host header, but has 2", hint="Send one.",
    )),
    (401, Problem(
        code="unauthorized", message="the bearer token is missing or wrong", hint="Send Authorization: Bearer TOKEN.",
    )),
    (403, Problem(
        code="origin_not_allowed",
        message="the page that sends the request must be of this server, but is of https://other.example",
        hint="Ask the operator of this server to allow the origin (cors).",
    )),
    (404, Problem(
        code="text_not_found", message="no text with this handle is stored", hint="Send it again with POST /v1/texts.",
        where="body.text",
    )),
    (404, Problem(
        code="text_expired", message="the text with this handle has expired", hint="Send it again with POST /v1/texts.",
        where="body.text",
    )),
    (404, Problem(
        code="reader_not_found", message="reader must be one of shipped, legal, but is leagl",
        hint="See GET /v1/reader for the names.", where="body.reader",
    )),
    (404, Problem(
        code="job_not_found", message="no job has this id, or it has expired", hint="Send it again with POST /v1/jobs.",
        where="path.id",
    )),
    (404, Problem(
        code="document_not_found", message="no document has this id; it may have been removed",
        hint="List the documents with GET /v1/corpus/documents.", where="path.id",
    )),
    (408, Problem(
        code="too_slow", message="the body was not received within 20 seconds", hint="Send it faster, or send less.",
    )),
    (409, Problem(
        code="cannot_reload", message="only one reader can be reloaded at a time, but another is being loaded",
        hint="Retry in some seconds.",
    )),
    (409, Problem(
        code="no_source", message="the reader custom must have a source to be loaded from again, but has none",
        hint="Restart the server with another reader.",
    )),
    (413, Problem(
        code="body_bytes_limit", message="bytes of the body must be at most 4,194,304, but is more",
        hint=_LESS.format("body_bytes"), where="body",
    )),
    (413, Problem(
        code="json_limit", message="the body must have at most 100,000 values and 200,000 strings, but has more",
        hint="Send less at once.", where="body",
    )),
    (413, Problem(
        code="question_characters_limit", message="characters of the question must be at most 2,000, but is 3,000",
        hint=_LESS.format("question_characters"), where="body.question",
    )),
    (413, Problem(
        code="rows_limit", message="rows of a request must be at most 500, but is 501", hint=_LESS.format("rows"),
        where="body",
    )),
    (415, Problem(
        code="unknown_kind_of_body", message="Content-Type must be application/json, but is text/plain",
        hint="Set the header Content-Type: application/json.", where="body",
    )),
    (415, Problem(
        code="unknown_encoding", message="Content-Encoding must be identity, but is gzip",
        hint="Send the body uncompressed, without the header Content-Encoding.", where="body",
    )),
    (421, Problem(
        code="host_not_allowed", message="the Host header must be a name of this server, but is other.example",
        hint="Use http://127.0.0.1, or ask the operator of this server to allow the name (allowed_host).",
    )),
    (422, Problem(
        code="bad_field", message="body.top_k: Input should be a valid integer",
        hint="See /docs for the valid values of each field.", where="body.top_k",
    )),
    (422, Problem(
        code="question_empty", message="the question must not be empty", hint="Ask a question.", where="body.question",
    )),
    (422, Problem(
        code="question_too_long", message="the question is too long: a window must also fit tokens of the context",
        hint="Shorten the question.", where="body.question",
    )),
    (500, Problem(
        code="internal_error", message="an internal error occurred",
        hint="Your request is not the cause; contact the administrator of this server.",
    )),
    (500, Problem(
        code="corpus_failed", message="the corpus failed",
        hint="Retry; if the error persists, contact the administrator of this server.",
    )),
    (503, Problem(code="overloaded", message="too many concurrent requests (limit 256)", hint=_RETRY)),
    (504, Problem(
        code="deadline_s_limit", message="the request exceeded the deadline of 30 s",
        hint="Send less text at once, or ask the operator of this server to raise its limit (deadline_s).",
    )),
)  # fmt: skip
_FILES: tuple[tuple[int, Problem], ...] = (
    (413, Problem(
        code="file_too_large", hint="Send a smaller file.",
        message="a text must have at most 500,000 characters, but has 1,000,000; split the file",
    )),
    (415, Problem(
        code="unknown_kind_of_file", hint="Save it in one of these formats, or paste its text.",
        message="a file must be .txt, .md, .html, .docx, .pdf or .epub, but this one is .exe",
    )),
    (422, Problem(
        code="unreadable_file", hint="Repair the file, or paste its text.",
        message="the .pdf file is damaged, or has another format than its name says; open it and save it again",
    )),
    (422, Problem(
        code="bad_input", hint="Change the text that the message names.",
        message="document 'a\\x00.txt': must have no NUL characters and no lone surrogates, but has '\\x00'; "
        "remove them",
    )),
    (501, Problem(
        code="not_installed", message="reading this file needs a package that is not installed",
        hint="Contact the administrator of this server.",
    )),
)  # fmt: skip
_COMMON = (400, 401, 403, 421, 500)


def errors(*more: int, files: bool = False) -> Responses:
    """Return the documented errors of an endpoint: those that every endpoint has, and more.

    Args:
        more: Further statuses.
        files: Whether the endpoint takes files.
    """
    statuses = {*_COMMON, *more, *((413, 415, 422, 501) if files else ())}
    examples: dict[int, dict[str, Any]] = defaultdict(dict)
    for status, problem in (*_EXAMPLES, *(_FILES if files else ())):
        examples[status][problem.code] = {"value": {"error": problem.model_dump(exclude_none=True)}}
    return {
        status: {
            "model": ErrorResponse,
            "description": _STATUSES[status],
            "content": {"application/json": {"examples": examples[status]}},
        }
        for status in sorted(statuses)
    }


# The errors of endpoints that take JSON and use the reader.
READER_ERRORS = errors(408, 413, 415, 422, 503, 504)


def describe(app: FastAPI, *, token: bool) -> None:
    """Complete the description of an application.

    Args:
        app: The application.
        token: Whether requests must have a token, so that /docs has a field for it.
    """
    original = app.openapi

    def openapi() -> dict[str, Any]:
        document = original()
        rows = schema.Row.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas = document["components"]["schemas"]
        schemas.setdefault("Row", rows)
        # Added here, because FastAPI omits fields that are null.
        schemas["AnswerResponse"]["examples"] = [schema.answer_example()]
        if token:
            schemes = document["components"].setdefault("securitySchemes", {})
            schemes["token"] = {"type": "http", "scheme": "bearer"}
            document["security"] = [{"token": []}]
        return document

    app.openapi = openapi  # type: ignore[method-assign]
