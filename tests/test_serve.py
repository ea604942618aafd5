"""The API of ``quoth serve``, with a real process: answers, texts, errors, and the OpenAPI description."""

import concurrent.futures
import json
import re
import socket
import subprocess
import sys

import pytest

from quoth.reader import Reader
from quoth.serve.http.identity import ServedReader
from support.files import pdf
from support.readers import EACH_LAYOUT, LAYOUTS, TIPPED, tiny_layout
from support.serving import QUESTION, TEXT, TINY, form, process

pytestmark = pytest.mark.serve

BIRD = "Seen from the boat 🐦🐦: the black cat sat on the mat, and it was tired."


@pytest.fixture(scope="module")
def server():
    with process() as running:
        yield running


@pytest.fixture(scope="module")
def reader():
    return Reader.load(TINY, threads=1)


def answered(prediction, context):
    """Return the expected response for a prediction over one context."""
    return [
        {
            **answer.to_dict(context),
            "span": {"start": answer.span.start, "end": answer.span.end},
            "utf16": dict(zip(("start", "end"), answer.span.utf16(context), strict=True)),
            "window": answer.window_index,
            "context": answer.context_index,
            "page": None,
        }
        for answer in prediction.answers
    ]


def test_answers_are_bit_identical_to_the_readers(server, reader):
    status, headers, found = server.post("/v1/answer", {"question": QUESTION, "context": BIRD, "top_k": 4})
    assert status == 200
    prediction = reader.answer(QUESTION, BIRD, top_k=4)
    assert found["answers"] == answered(prediction, BIRD)
    assert found["best"] == (found["answers"][0] if prediction.best else None)
    said = {key: value for key, value in prediction.to_dict().items() if key not in ("answers", "best")}
    assert {key: found[key] for key in said} == said
    assert any(answer["variants"] for answer in found["answers"])
    assert (
        found["answers"][0]["utf16"] != found["answers"][0]["span"]
        or "🐦" not in BIRD[: found["answers"][0]["span"]["end"]]
    )
    assert set(found["timing"]) == {"queue_ms", "compute_ms", "total_ms"}
    assert found["reader"]["hash"] == headers["Quoth-Reader"]
    assert headers["Quoth-Version"]


@pytest.mark.parametrize("layout", EACH_LAYOUT)
def test_other_weights_have_another_identity_in_any_layout(layout, tmp_path):
    folder = tiny_layout(layout, tmp_path / "reader")
    before = ServedReader.load(folder, threads=1)
    assert ServedReader.load(folder, threads=1).hash == before.hash
    _change(folder / LAYOUTS[layout][-1])
    assert ServedReader.load(folder, threads=1).hash != before.hash


def _change(weights):
    """Change one weight in a file that can still be loaded afterwards."""
    if weights.suffix == ".bin":
        import torch

        state = torch.load(weights, weights_only=True)
        state["qa_outputs.bias"] += 1
        torch.save(state, weights)
    else:
        content = bytearray(weights.read_bytes())
        content[len(content) // 2] ^= 1
        weights.write_bytes(content)


def test_one_of_several_contexts_is_quoted(server, reader):
    contexts = ["Nothing here.", TEXT * 20, ""]
    _, _, found = server.post("/v1/answer", {"question": QUESTION, "contexts": contexts, "top_k": 3})
    expected = reader.answer(QUESTION, contexts, top_k=3)
    assert [(item["context"], item["window"], item["score"]) for item in found["answers"]] == [
        (answer.context_index, answer.window_index, answer.score) for answer in expected.answers
    ]


@pytest.mark.parametrize(("threshold", "abstains"), [(-1e9, True), (1e9, False), ("never", False), (None, False)])
def test_the_threshold_of_the_request_is_used(server, threshold, abstains):
    _, _, found = server.post("/v1/answer", {"question": QUESTION, "context": TEXT, "null_threshold": threshold})
    assert found["no_answer"] is abstains
    assert (found["reason"] is not None) is abstains
    assert found["answers"]  # what it would be


def test_a_context_without_text_has_no_answer_and_a_reason(server):
    status, _, found = server.post("/v1/answer", {"question": QUESTION, "context": " \n"})
    assert (status, found["no_answer"], found["answers"], found["null_score"]) == (200, True, [], None)
    assert "no text" in found["reason"]


def test_the_maximum_answer_length_of_the_request_is_used(server):
    _, _, found = server.post("/v1/answer", {"question": QUESTION, "context": TEXT, "max_answer_tokens": 1, "top_k": 5})
    assert all(" " not in answer["text"] for answer in found["answers"])


def test_rows_are_in_order_and_an_invalid_row_does_not_affect_others(server, reader):
    rows = [
        {"id": "a", "question": QUESTION, "context": TEXT},
        {"id": "b", "question": " ", "context": TEXT},
        {"id": "c", "question": QUESTION},
        {"id": "d", "question": QUESTION, "text": "0" * 64},
        "no object",
        {"id": "e", "question": "Who was tired?", "contexts": [BIRD, TEXT]},
        {"id": "f", "question": "word " * 200, "context": TEXT},
        {"id": "g", "question": "?" * 3000, "context": TEXT},
    ]
    status, _, found = server.post("/v1/answers", {"rows": rows})
    assert status == 200
    results = found["results"]
    assert [item["index"] for item in results] == list(range(8))
    assert [item["id"] for item in results] == ["a", "b", "c", "d", None, "e", "f", "g"]
    codes = [item["error"] and item["error"]["code"] for item in results]
    assert codes == [
        None, "question_empty", "bad_field", "text_not_found", "bad_field", None, "question_too_long",
        "question_characters_limit",
    ]  # fmt: skip
    assert results[2]["error"]["where"].startswith("body.rows.2")
    assert results[0]["result"]["answers"] == answered(reader.answer(QUESTION, TEXT), TEXT)
    assert results[5]["result"]["answers"][0]["text"] == reader.answer("Who was tired?", [BIRD, TEXT]).text


def test_many_questions_about_one_text(server, reader):
    questions = [QUESTION, "Who was tired?", 3, ""]
    _, _, found = server.post("/v1/answers", {"questions": questions, "context": TEXT, "top_k": 2})
    for question, item in zip(questions[:2], found["results"], strict=False):
        assert item["result"]["answers"] == answered(reader.answer(question, TEXT, top_k=2), TEXT)
    assert [item["error"]["code"] for item in found["results"][2:]] == ["bad_field", "question_empty"]


def test_a_text_is_sent_once_and_asked_often(server, reader):
    status, _, kept = server.post("/v1/texts", {"text": BIRD})
    assert (status, kept["characters"], kept["text"], kept["pages"]) == (200, len(BIRD), None, None)
    assert server.post("/v1/texts", {"text": BIRD})[2]["handle"] == kept["handle"]
    _, _, found = server.post("/v1/answer", {"question": QUESTION, "text": kept["handle"]})
    assert found["answers"] == answered(reader.answer(QUESTION, BIRD), BIRD)
    assert server.get(f"/v1/texts/{kept['handle']}")[2]["text"] == BIRD
    status, _, refused = server.get(f"/v1/texts/{'0' * 64}")
    assert (status, refused["error"]["code"]) == (404, "text_not_found")


def upload(server, name, data, field="file"):
    body, kind = form(name, data, field)
    return server.call("POST", "/v1/texts", body, {"Content-Type": kind})


def test_an_uploaded_file_is_parsed_and_stored(server):
    status, _, kept = upload(server, "../notes.md", f"# Cats\r\n\r\n{TEXT}".encode())
    assert status == 200
    assert kept["text"] == f"# Cats\n\n{TEXT}"
    _, _, found = server.post("/v1/answer", {"question": QUESTION, "text": kept["handle"]})
    assert found["answers"][0]["text"] in kept["text"]


def test_an_answer_from_a_pdf_has_its_page(server):
    _, _, kept = upload(server, "log.pdf", pdf(["It rained all day."], [TEXT]))
    assert len(kept["pages"]) == 2
    _, _, found = server.post("/v1/answer", {"question": QUESTION, "text": kept["handle"], "top_k": 20})
    second = kept["pages"][1]["start"]
    assert {answer["page"] for answer in found["answers"]} == {1, 2}
    assert all(answer["page"] == 1 + (answer["span"]["start"] >= second) for answer in found["answers"])


@pytest.mark.parametrize(
    ("name", "data", "status", "code"),
    [
        ("program.exe", b"MZ", 415, "unknown_kind_of_file"),
        ("broken.pdf", b"%PDF-1.7 and nothing more", 422, "unreadable_file"),
        ("empty.txt", b" ", 422, "unreadable_file"),
        ("long.txt", b"long " * 200_000, 413, "file_too_large"),
        ("", b"text", 422, "bad_field"),
    ],
)
def test_a_file_without_text_is_rejected(server, name, data, status, code):
    found = upload(server, name, data)
    assert (found[0], found[2]["error"]["code"]) == (status, code)


def test_an_explanation_shows_every_token(server, reader):
    status, _, found = server.post("/v1/explain", {"question": QUESTION, "context": BIRD * 8, "top_k": 2})
    assert status == 200
    expected = reader.explain(QUESTION, BIRD * 8, top_k=2)
    assert len(found["windows"]) == len(expected.windows) > 1
    for window, theirs in zip(found["windows"], expected.windows, strict=True):
        assert window["tokens"] == [token.piece for token in theirs.tokens]
        assert window["start_logits"] == [token.start for token in theirs.tokens]
        assert window["end_logits"] == [token.end for token in theirs.tokens]
        assert window["in_context"] == [token.part == "context" for token in theirs.tokens]
        assert {len(window[name]) for name in ("tokens", "offsets", "in_context", "start_logits")} == {
            len(theirs.tokens)
        }
    best = found["answers"][0]
    window = found["windows"][best["window"]]
    assert window["start_logits"][best["first_token"]] + window["end_logits"][best["last_token"]] == best["score"]
    assert [rejected["why"] for rejected in found["rejected"]] == [pair.reason.sentence for pair in expected.rejected]


def test_the_reader_endpoint_describes_the_reader_and_the_limits(server, reader):
    _, _, found = server.get("/v1/reader")
    assert (found["name"], found["max_tokens"]) == ("wordpiece", reader.settings.max_tokens)
    assert found["limits"]["context_characters"] == 500_000
    assert "/" not in found["name"]


@pytest.mark.parametrize(
    ("path", "document", "status", "where"),
    [
        ("/v1/answer", {"question": QUESTION}, 422, "body"),
        ("/v1/answer", {"question": QUESTION, "context": TEXT, "text": "0" * 64}, 422, "body"),
        ("/v1/answer", {"question": QUESTION, "context": TEXT, "topk": 3}, 422, "body.topk"),
        ("/v1/answer", {"question": QUESTION, "context": TEXT, "top_k": True}, 422, "body.top_k"),
        ("/v1/answer", {"question": QUESTION, "context": TEXT, "top_k": "3"}, 422, "body.top_k"),
        ("/v1/answer", {"question": QUESTION, "context": TEXT, "null_threshold": "sometimes"}, 422, None),
        ("/v1/answer", {"question": " ", "context": TEXT}, 422, "body.question"),
        ("/v1/answer", {"question": "word " * 200, "context": TEXT}, 422, "body.question"),
        ("/v1/answer", {"question": "a" * 3000, "context": TEXT}, 413, "body.question"),
        ("/v1/answer", {"question": QUESTION, "context": "a " * 300_000}, 413, "body.context"),
        ("/v1/answer", {"question": QUESTION, "contexts": ["a"] * 101}, 413, "body.contexts"),
        ("/v1/answer", {"question": QUESTION, "text": "../../etc/passwd"}, 422, "body.text"),
        ("/v1/answers", {"rows": [{}], "questions": ["?"]}, 422, "body"),
        ("/v1/answers", {"questions": ["?"] * 501, "context": TEXT}, 413, "body"),
        ("/v1/answers", {"questions": ["?"], "text": "0" * 64}, 404, "body.text"),
        ("/v1/explain", {"question": QUESTION, "context": "a " * 30_000}, 413, "body"),
        ("/v1/texts", {"text": "a" * 500_001}, 413, "body"),
        ("/v1/texts", {"text": 1}, 422, "body.text"),
        ("/v1/nothing", {}, 404, None),
        ("/healthz", {}, 405, None),
    ],
)
def test_errors_have_one_format_with_the_location(server, path, document, status, where):
    found, headers, body = server.post(path, document)
    assert found == status
    assert set(body) == {"error"}
    assert {"code", "message", "hint"} <= set(body["error"])
    if where:
        assert body["error"]["where"] == where
    assert headers["Quoth-Version"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b'{"question": NaN, "context": "a"}', b'{"question": "a", "context": "\\ud800"}', b"[" * 100_000,
        b'{"question": "\xff", "context": "a"}', b'{"question": "a", "context": "a", "null_threshold": 1e400}',
        b"null", b"[]", b'"a"', b'{"question": "a", "question": "b"}', b"\x00",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/answer", "/v1/texts", "/"])
def test_invalid_json_is_rejected_with_a_clear_error(server, path, body):
    status, _, found = server.call("POST", path, body)
    assert status in (400, 422)
    assert found["error"]["hint"]


@pytest.mark.parametrize("path", ["/v1/answer", "/v1/answers", "/v1/explain", "/v1/texts", "/"])
def test_another_content_type_is_rejected(server, path):
    body = json.dumps({"question": QUESTION, "context": TEXT})
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        status, _, found = server.call("POST", path, body, {"Content-Type": kind})
        assert (status, found["error"]["code"]) == (415, "unknown_kind_of_body")
        assert found["error"]["message"].startswith("Content-Type must be application/json")
        assert found["error"]["message"].endswith(f"but is {kind}")
    # Only the hosted task accepts requests without a content type.
    assert server.call("POST", path, body, {})[0] == (422 if path == "/" else 415)
    assert server.call("POST", path, body, {"Content-Type": "application/problem+json"})[0] != 415


def test_metrics_count_requests_and_windows(server):
    before = server.metric("quoth_questions_total"), server.metric('quoth_requests_total{endpoint="/v1/answer"')
    server.post("/v1/answer", {"question": QUESTION, "context": TEXT})
    server.post("/v1/answer", {"question": QUESTION})
    assert server.metric("quoth_questions_total") == before[0] + 1
    assert server.metric('quoth_requests_total{endpoint="/v1/answer"') == before[1] + 2
    assert server.metric("quoth_tokens_total") > 0
    assert server.metric("quoth_batch_windows_count") > 0
    text = server.get("/metrics")[2]
    for name in (
        "quoth_request_seconds_bucket",
        "quoth_queue_tokens",
        "quoth_engine_seconds_total",
        "quoth_build_info",
    ):
        assert name in text
    server.get("/nothing/at/all")
    assert "/nothing" not in server.get("/metrics")[2]


def test_the_description_has_examples_that_work(server):
    _, _, description = server.get("/openapi.json")
    assert description["openapi"].startswith("3.1")
    tried = 0
    for path, methods in description["paths"].items():
        content = methods.get("post", {}).get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        if "$ref" in schema:
            schema = description["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        for example in schema.get("examples", []):
            assert server.post(path, example)[0] == (202 if path == "/v1/jobs" else 200)
            tried += 1
    assert tried >= 5


@pytest.mark.parametrize(
    "path", ["/docs", "/docs/start.js", "/docs/ui/swagger-ui-bundle.js", "/docs/ui/swagger-ui.css"]
)
def test_the_documentation_loads_no_external_resources(server, path):
    status, headers, text = server.get(path)
    assert status == 200
    assert "default-src 'none'; script-src 'self';" in headers["Content-Security-Policy"]
    if path == "/docs":
        assert not re.search(r"https?://", text)
        assert "<script>" not in text
    etag = headers["ETag"]
    assert server.get(path, **{"If-None-Match": etag})[0] == 304


def test_the_page_is_at_the_root(server):
    status, headers, text = server.get("/")
    assert (status, "<html" in text) == (200, True)
    assert "unsafe" not in headers["Content-Security-Policy"]
    for outside in ("/page/../app.py", "/page/%2e%2e/app.py", "/page/..%2fapp.py", "/docs/../app.py"):
        assert server.get(outside)[0] == 404


def test_other_origins_are_rejected_by_default(server):
    headers = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    assert "Access-Control-Allow-Origin" not in server.call("OPTIONS", "/v1/answer", headers=headers)[1]
    assert "Access-Control-Allow-Origin" not in server.get("/v1/reader", Origin="https://elsewhere.example")[1]


HUB_CLIENT = """
import json, sys
from huggingface_hub import InferenceClient
url, question, context, parameters = sys.argv[1:]
found = InferenceClient(model=url).question_answering(question=question, context=context, **json.loads(parameters))
items = found if isinstance(found, list) else [found]
print(json.dumps([[item.answer, item.score, item.start, item.end] for item in items]))
print(isinstance(found, list))
"""


def hosted(server, context=TEXT, **parameters):
    """Send a question with Hugging Face's own client, in a separate process."""
    words = [sys.executable, "-c", HUB_CLIENT, server.url, QUESTION, context, json.dumps(parameters)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, env={"HF_HUB_OFFLINE": "0"})
    assert done.returncode == 0, done.stderr
    answers, is_list = done.stdout.splitlines()
    return json.loads(answers), is_list == "True"


def test_the_hugging_face_client_works_unchanged(server, reader):
    pytest.importorskip("huggingface_hub")
    answers, is_list = hosted(server)
    best = reader.answer(QUESTION, TEXT, max_answer_tokens=15).best
    assert answers == [[best.text, best.probability, best.span.start, best.span.end]]
    assert not is_list
    answers, is_list = hosted(server, top_k=3, max_answer_len=2)
    assert is_list
    expected = reader.answer(QUESTION, TEXT, top_k=3, max_answer_tokens=2, overlapping=True)
    assert answers == [[a.text, a.probability, a.span.start, a.span.end] for a in expected.answers]


def ask_hosted(server, context=TEXT, **parameters):
    document = {"inputs": {"question": QUESTION, "context": context}, "parameters": parameters}
    return server.call("POST", "/", json.dumps(document), {})


def test_the_parameters_of_the_hosted_task_take_effect(server):
    _, _, whole = ask_hosted(server, top_k=5)
    _, _, cut = ask_hosted(server, top_k=5, align_to_words=False)
    assert [item["answer"] for item in whole] != [item["answer"] for item in cut]
    before = server.metric("quoth_batch_windows_sum")
    ask_hosted(server, TEXT * 10, max_seq_len=32, doc_stride=4)
    few = server.metric("quoth_batch_windows_sum") - before
    ask_hosted(server, TEXT * 10, max_seq_len=32, doc_stride=16)
    assert server.metric("quoth_batch_windows_sum") - before - few > few > 1
    _, _, empty = ask_hosted(server, top_k=100, handle_impossible_answer=True)
    assert [item for item in empty if item["answer"] == ""] == [
        {"answer": "", "score": empty_score(empty), "start": 0, "end": 0}
    ]
    assert sum(item["score"] for item in empty) <= 1 + 1e-9
    assert not any(item["answer"] == "" for item in ask_hosted(server, top_k=100)[2])
    assert ask_hosted(server, max_question_len=1)[0] == 200


def empty_score(answers):
    return next(item["score"] for item in answers if item["answer"] == "")


@pytest.mark.parametrize(
    "parameters", [{"max_seq_len": 10_000}, {"max_seq_len": 3}, {"doc_stride": 10_000}, {"top_k": 0}]
)
def test_unsupported_parameters_of_the_hosted_task_are_rejected(server, parameters):
    status, _, found = ask_hosted(server, **parameters)
    assert (status, found["error"]["code"]) == (422, "bad_field")
    assert next(iter(parameters)) in found["error"]["message"]


def test_concurrent_requests_have_the_same_answers_as_single_ones(server, reader):
    texts = [f"{'Words before it. ' * (index % 7)}{TEXT} {index}" for index in range(60)]
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        found = list(pool.map(lambda text: server.post("/v1/answer", {"question": QUESTION, "context": text}), texts))
    for text, (status, _, body) in zip(texts, found, strict=True):
        expected = answered(reader.answer(QUESTION, text), text)
        assert status == 200
        # With float32, the last bits depend on the batch; those of the shipped int8 reader do not (see below).
        assert body["answers"][0]["span"] == expected[0]["span"]
        assert body["answers"][0]["score"] == pytest.approx(expected[0]["score"], abs=1e-4)


@pytest.mark.long
def test_answers_of_the_shipped_reader_do_not_depend_on_the_batch():
    texts = [f"{'Rain fell. ' * (3 * (index % 9))}{BIRD} {index}" for index in range(24)]
    alone = Reader.load(threads=1)
    with process(reader=None) as server, concurrent.futures.ThreadPoolExecutor(24) as pool:
        found = list(
            pool.map(lambda text: server.post("/v1/answer", {"question": QUESTION, "context": text, "top_k": 3}), texts)
        )
        assert server.metric("quoth_batch_windows_count") < server.metric("quoth_batch_windows_sum")
    for text, (_, _, body) in zip(texts, found, strict=True):
        expected = answered(alone.answer(QUESTION, text, top_k=3), text)
        if TIPPED:
            first, expected = body["answers"][0], expected[0]
            assert (first["text"], first["span"]) == (expected["text"], expected["span"])
            assert first["score"] == pytest.approx(expected["score"], rel=0, abs=2 * TIPPED)
        else:
            assert body["answers"] == expected


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--port", "99999"], "--port must be from 0 to 65535, but is 99999"),
        (["--rows", "0"], "--rows must be at least 1"),
        (["--deadline-s", "nan"], "--deadline-s must be above 0 and at most 31536000, but is nan"),
        (["--read-s", "1e300"], "--read-s must be above 0 and at most 31536000, but is 1e+300"),
        (["--allowed-host", "a", "--host", "no.such.host.invalid"], "--host no.such.host.invalid"),
        (["--allowed-host", "a", "--host", ".x"], "--host .x --port 0: must be a free address of this machine"),
        (["--reader", "nowhere"], "nowhere: must be the folder of a reader"),
    ],
)
def test_a_reader_that_cannot_be_served_is_reported(flags, what):
    words = [sys.executable, "-m", "quoth", "serve", "--port", "0", "--reader", TINY, *flags]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (1, 2)
    assert what in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_reported():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        words = [sys.executable, "-W", "always::ResourceWarning", "-m", "quoth", "serve", "--reader", TINY]
        words += ["--port", str(taken.getsockname()[1])]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "Choose another with --host or --port" in done.stderr) == (2, True)
    assert "unclosed <socket" not in done.stderr


def test_quotes_are_checked(server):
    text = "🐦 The rent is due monthly. The notice period is two months."
    answer = 'It says "rent is due monthly", "the notice period is three months" and "no dogs".'
    status, _, found = server.post("/v1/verify", {"quotes": answer, "context": text})
    assert (status, [verdict["status"] for verdict in found["quotes"]]) == (200, ["exact", "near", "absent"])
    place = found["quotes"][0]["places"][0]
    assert (place["start"], place["start_utf16"], place["source"]) == (6, 7, "text 1")
    assert found["quotes"][1]["difference"]["words_changed"]
    claims = [
        {"quote": "The rent", "source": "lease"},
        {"cited_text": "rent", "start_char_index": 0, "end_char_index": 4},
    ]
    asked = {"quotes": claims, "contexts": ["Nothing.", text], "names": ["note", "lease"]}
    named = server.post("/v1/verify", asked)[2]["quotes"]
    assert (named[0]["places"][0]["source"], named[1]["offsets"]) == ("lease", "repaired")
    handle = server.post("/v1/texts", {"text": text})[2]["handle"]
    assert server.post("/v1/verify", {"quotes": ["The rent"], "text": handle})[2]["quotes"][0]["status"] == "exact"


@pytest.mark.parametrize(
    ("asked", "status", "message"),
    [
        ({"quotes": [], "context": "x"}, 422, "must not be empty"),
        ({"quotes": "", "context": "x"}, 422, "must not be empty"),
        ({"quotes": [7], "context": "x"}, 422, "must be text or an object with a quote, but is int"),
        ({"quotes": ["a"] * 501, "context": "x"}, 413, "quotes of a request must be at most 500"),
        ({"quotes": [{"quote": "a", "source": "b"}], "context": "x"}, 422, "source must be one of text 1, but is b"),
        ({"quotes": ["a"], "context": "x", "names": ["b"]}, 422, "one name for each of contexts"),
    ],
)
def test_quotes_that_cannot_be_checked_are_rejected(server, asked, status, message):
    found = server.post("/v1/verify", asked)
    assert (found[0], message in found[2]["error"]["message"]) == (status, True), found[2]
