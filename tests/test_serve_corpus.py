"""The API of ``quoth serve --corpus``, with a real process."""

import contextlib
from pathlib import Path
from urllib.parse import quote

import pytest

from quoth.corpus import Corpus
from quoth.reader import Reader
from support.files import pdf
from support.serving import process

pytestmark = pytest.mark.serve

KNOWN = str(Path(__file__).parent / "tiny" / "known")
QUESTION = "When is the oil changed?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    with contextlib.chdir(folder):
        Path("rent.md").write_text("# The lease\n\n🐦 Rent is due monthly.\n\nThe notice period is three months.")
        Path("pump.pdf").write_bytes(pdf(["The pump turns slowly."], ["Change the oil after 500 hours."]))
        with Corpus.open("c.quoth") as corpus:
            corpus.add(["rent.md", "pump.pdf"])
    return folder


@pytest.fixture(scope="module")
def server(folder):
    with process("--corpus", folder / "c.quoth", reader=KNOWN) as running:
        yield running


def test_all_documents_are_asked_as_in_python(server, folder):
    asked = {"question": QUESTION, "top_k": 3, "null_threshold": "never"}
    status, _, found = server.post("/v1/corpus/answer", asked)
    with Corpus.open(folder / "c.quoth") as corpus:
        expected = corpus.answer(Reader.load(KNOWN, threads=1), QUESTION, top_k=3, null_threshold="never")
        text = {document.name: document.text for document in corpus.documents()}
    assert (status, found["no_answer"], found["passages_read"]) == (200, False, len(expected.hits))
    assert [answer["text"] for answer in found["answers"]] == [answer.text for answer in expected.answers]
    best = found["answers"][0]
    assert best["probability"] == pytest.approx(expected.best.probability)
    assert text[best["name"]][best["span"]["start"] : best["span"]["end"]] == best["text"]
    assert (best["name"], best["page"], best["boxes"][0]["page"]) == ("pump.pdf", 2, 2)
    none = server.post("/v1/corpus/answer", {"question": "zebra?"})[2]
    assert (none["no_answer"], none["reason"]) == (True, "no passage contains a word of the question")


def test_documents_are_listed_by_page_and_read(server, folder):
    listed = server.get("/v1/corpus/documents")[2]
    assert (listed["corpus"], listed["total"]) == ("c.quoth", 2)
    assert [document["name"] for document in listed["documents"]] == ["pump.pdf", "rent.md"]
    assert str(folder) not in str(listed)
    part = server.get("/v1/corpus/documents?limit=1&offset=1")[2]
    assert ([document["title"] for document in part["documents"]], part["total"]) == (["The lease"], 2)
    assert server.get("/v1/corpus/documents?text=LEASE")[2]["total"] == 1
    id = listed["documents"][0]["id"]
    whole = server.get(f"/v1/corpus/documents/{id}")[2]
    assert whole["text"] == "The pump turns slowly.\n\nChange the oil after 500 hours."
    assert (whole["characters"], len(whole["pages"])) == (len(whole["text"]), 2)
    assert server.get(f"/v1/corpus/documents/{id}?start=4&end=8")[2]["text"] == "pump"
    assert server.get(f"/v1/corpus/documents/{'0' * 32}")[0] == 404


def test_passages_are_searched_and_quotes_checked(server):
    found = server.get(f"/v1/corpus/search?question={quote('notice period')}&k=1")[2]
    assert [passage["name"] for passage in found["passages"]] == ["rent.md"]
    claims = '"notice period is three months", "notice period is two months", "no dogs"'
    checked = server.post("/v1/corpus/verify", {"quotes": claims})[2]["quotes"]
    assert [verdict["status"] for verdict in checked] == ["exact", "near", "absent"]
    assert checked[0]["places"][0]["source"] == "rent.md"


@pytest.mark.parametrize(
    ("method", "path", "document", "status"),
    [
        ("POST", "answer", {"question": " "}, 422),
        ("POST", "answer", {"question": "x" * 2_001}, 413),
        ("POST", "answer", {"question": "x", "passages": 101}, 422),
        ("POST", "answer", {"question": "x", "null_threshold": 1, "min_probability": 0.5}, 422),
        ("POST", "verify", {"quotes": []}, 422),
        ("GET", "documents?limit=201", None, 422),
        ("GET", "search", None, 422),
        ("GET", "documents/x", None, 422),
    ],
)
def test_what_is_wrong_is_refused(server, method, path, document, status):
    found = server.post(f"/v1/corpus/{path}", document) if method == "POST" else server.get(f"/v1/corpus/{path}")
    assert (found[0], "message" in found[2]["error"]) == (status, True)


def test_the_endpoints_need_the_token(folder):
    with process("--corpus", folder / "c.quoth", reader=KNOWN, QUOTH_TOKEN="key") as server:
        assert server.get("/v1/corpus/documents")[0] == 401
        assert server.post("/v1/corpus/answer", {"question": QUESTION})[0] == 401
        assert server.get("/v1/corpus/documents", Authorization="Bearer key")[0] == 200
