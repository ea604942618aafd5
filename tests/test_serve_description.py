"""The OpenAPI description: rows have a type, and examples equal the responses of the server."""

import json

import pytest

from support.serving import ANSWER, TEXT, SlowEngine, form, process, request, thread

pytestmark = pytest.mark.serve


@pytest.fixture(scope="module")
def server():
    with process("--read-s", "20") as running:
        yield running


@pytest.fixture(scope="module")
def description(server):
    return server.get("/openapi.json")[2]


def examples(description, path="/v1/answer", method="post"):
    """Return the documented errors of an endpoint: (status, code) -> body."""
    return {
        (int(status), code): example["value"]
        for status, response in description["paths"][path][method]["responses"].items()
        for code, example in response.get("content", {}).get("application/json", {}).get("examples", {}).items()
    }


def test_rows_and_questions_have_types(description):
    schemas = description["components"]["schemas"]
    rows, questions = (schemas["AnswersRequest"]["properties"][name]["anyOf"][0] for name in ("rows", "questions"))
    assert rows["items"] == {"$ref": "#/components/schemas/Row"}
    assert questions["items"] == {"type": "string"}
    assert set(schemas["Row"]["properties"]) == {"id", "question", "context", "contexts", "text"}


def test_every_error_of_every_endpoint_has_an_example(description):
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            if path in ("/healthz", "/readyz", "/metrics"):
                continue
            documented = {int(status) for status in operation["responses"]} - {200, 202, 204}
            assert documented == {status for status, _ in examples(description, path, method)}, path
            assert {400, 401, 403, 421, 500} <= documented


def test_errors_equal_their_examples(server, description):
    cases = [
        server.call("POST", "/v1/answer", b"{"),
        server.post("/v1/answer", {**ANSWER, "question": "a" * 3_000}),
        server.post("/v1/answer", {**ANSWER, "text": "0" * 64, "context": None}),
        server.call("POST", "/v1/answer", b"{}", {"Content-Type": "text/plain"}),
        server.post("/v1/answer", ANSWER, Host="other.example"),
        server.post("/v1/answer", ANSWER, Origin="https://other.example"),
        server.post("/v1/answer", {**ANSWER, "top_k": "3"}),
        server.post("/v1/answer", {**ANSWER, "question": " "}),
        server.post("/v1/answer", {**ANSWER, "question": "word " * 300}),
        server.call("POST", "/v1/answer", b" " * 5_000_000),
        server.post("/v1/answers", {"questions": ["?"] * 501, "context": TEXT}),
    ]
    documented = examples(description) | examples(description, "/v1/answers")
    for status, _, body in cases:
        assert body == documented[status, body["error"]["code"]]
    files = examples(description, "/v1/texts")
    for name, data in (("a.exe", b"MZ"), ("a.pdf", b"%PDF-1.7"), ("a.txt", b"long " * 200_000)):
        content, kind = form(name, data)
        status, _, body = server.call("POST", "/v1/texts", content, {"Content-Type": kind})
        assert body == files[status, body["error"]["code"]]


def test_errors_of_a_full_server_and_a_wrong_token_equal_their_examples(description):
    documented = examples(description)
    engine = SlowEngine()
    with thread(engine, requests=1) as server:
        engine.free.clear()
        with server.raw(request("/v1/answer", ANSWER)):
            server.wait_for("quoth_requests_held", 1)
            _, _, body = server.post("/v1/answer", ANSWER)
            body["error"]["message"] = body["error"]["message"].replace("limit 1", "limit 256")
            assert body == documented[503, "overloaded"]
            engine.free.set()
    with thread(SlowEngine(), token="s3cret") as server:
        assert server.post("/v1/answer", ANSWER)[2] == documented[401, "unauthorized"]


@pytest.mark.long
def test_the_example_of_an_answer_is_the_response_of_the_shipped_reader(description):
    schemas = description["components"]["schemas"]
    (asked,), (expected,) = (schemas[name]["examples"] for name in ("AnswerRequest", "AnswerResponse"))
    with process(reader=None) as server:
        found = server.post("/v1/answer", asked)[2]
    for document in (expected, found):
        assert document.pop("timing")
        assert document["reader"].pop("hash")
    close(found, expected)


def close(found, expected, most=0.05):
    """Compare two documents. Numbers may differ by ``most``, and scores by more, as between int8 and float products."""
    if isinstance(expected, dict):
        assert set(found) == set(expected)
        for name in expected:
            close(found[name], expected[name], 0.5 if name.endswith("score") else most)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            close(one, other)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=0, abs=most)
    else:
        assert found == expected, json.dumps([found, expected])


def test_the_documentation_works_below_a_prefix(server):
    for path in ("/docs", "/docs/start.js"):
        text = server.get(path)[2]
        for absolute in ('"/docs', '"/openapi.json', "'/docs"):
            assert absolute not in text
