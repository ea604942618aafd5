"""The API of ``quoth serve --corpus``, with a real process."""

import contextlib
import struct
import zlib
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from quoth.corpus import Corpus
from quoth.errors import CorpusError
from quoth.reader import Reader
from quoth.serve.errors import api_error
from support.files import pdf
from support.serving import form, process

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


def test_answers_from_all_documents_equal_those_in_python(server, folder):
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
def test_invalid_requests_are_rejected(server, method, path, document, status):
    found = server.post(f"/v1/corpus/{path}", document) if method == "POST" else server.get(f"/v1/corpus/{path}")
    assert (found[0], "message" in found[2]["error"]) == (status, True)


def test_errors_of_a_document_and_of_the_corpus_are_not_blamed_on_a_question_or_the_reader(server):
    body, kind = form("a\0.txt", b"A gull flew in.")
    status, _, found = server.call("POST", "/v1/corpus/documents", body, {"content-type": kind})
    files = server.get("/openapi.json")[2]["paths"]["/v1/corpus/documents"]["post"]["responses"]
    assert (status, found) == (422, files["422"]["content"]["application/json"]["examples"]["bad_input"]["value"])
    broken = api_error(CorpusError("/srv/c.quoth: must be a corpus"))
    assert (broken.status_code, broken.problem.code, broken.problem.message) == (
        500,
        "corpus_failed",
        "the corpus failed",
    )
    examples = files["500"]["content"]["application/json"]["examples"]
    assert examples["corpus_failed"]["value"]["error"] == broken.problem.model_dump(exclude_none=True)


def test_the_endpoints_need_the_token(folder):
    with process("--corpus", folder / "c.quoth", reader=KNOWN, QUOTH_TOKEN="key") as server:
        assert server.get("/v1/corpus/documents")[0] == 401
        assert server.post("/v1/corpus/answer", {"question": QUESTION})[0] == 401
        assert server.get("/v1/corpus/documents", Authorization="Bearer key")[0] == 200


def test_the_boxes_of_an_answer_fit_the_rendered_page(server):
    found = server.post("/v1/corpus/answer", {"question": QUESTION, "null_threshold": "never"})[2]["answers"][0]
    shown = server.get(f"/v1/corpus/documents/{found['document']}")[2]
    assert shown["page_sizes"] == [{"width": 612.0, "height": 792.0}] * 2
    with urlopen(f"{server.url}/v1/corpus/documents/{found['document']}/pages/2?width=612") as response:
        assert response.headers["content-type"] == "image/png"
        png = response.read()
    pixels, width = unpacked(png)
    assert width == 612
    [box] = found["boxes"]
    inside = [
        pixels[y][3 * x]
        for y in range(int(box["top"]), int(box["bottom"]) + 1)
        for x in range(int(box["left"]), int(box["right"]) + 1)
    ]
    everything = [pixels[y][3 * x] for y in range(len(pixels)) for x in range(width)]
    assert min(inside) < 100
    assert sum(each < 128 for each in everything) < 40 * sum(each < 128 for each in inside)
    rent = next(each for each in server.get("/v1/corpus/documents")[2]["documents"] if each["name"] == "rent.md")
    assert server.get(f"/v1/corpus/documents/{rent['id']}")[2]["page_sizes"] is None
    assert server.get(f"/v1/corpus/documents/{rent['id']}/pages/1")[2]["error"]["code"] == "not_drawn"
    assert server.get(f"/v1/corpus/documents/{found['document']}/pages/3")[0] == 422
    assert server.get(f"/v1/corpus/documents/{found['document']}/pages/1?width=9000")[0] == 422


def unpacked(png):
    """Return the rows of an RGB image without filters, and its width."""
    width, height = struct.unpack(">II", png[16:24])
    length = struct.unpack(">I", png[33:37])[0]
    data = zlib.decompress(png[41 : 41 + length])
    return [data[row * (3 * width + 1) + 1 : (row + 1) * (3 * width + 1)] for row in range(height)], width


@pytest.mark.long
def test_a_file_is_added_unless_the_corpus_is_read_only(folder):
    with Corpus.open(folder / "new.quoth") as corpus:
        corpus.add(str(folder / "rent.md"))
    body, kind = form("../a/zebra.pdf", pdf(["A zebra grazes."]))
    with process("--corpus", folder / "new.quoth", reader=KNOWN) as running:
        assert running.get("/v1/reader")[2]["corpus"] == "open"
        for _ in range(2):
            status, _, added = running.call("POST", "/v1/corpus/documents", body, {"content-type": kind})
            assert (status, added["name"], added["title"], added["passages"]) == (201, "zebra.pdf", "zebra", 1)
        found = running.get("/v1/corpus/search?question=zebra")[2]["passages"]
        assert [passage["document"] for passage in found] == [added["id"]]
        broken, kind = form("a.docx", b"no zip")
        assert running.call("POST", "/v1/corpus/documents", broken, {"content-type": kind})[0] == 422
    with process("--corpus", folder / "new.quoth", "--read-only", reader=KNOWN) as running:
        assert running.get("/v1/reader")[2]["corpus"] == "read-only"
        status, _, refused = running.call("POST", "/v1/corpus/documents", body, {"content-type": kind})
        assert (status, refused["error"]["code"]) == (403, "read_only")


def test_a_document_is_removed_unless_the_corpus_is_read_only(folder):
    with Corpus.open(folder / "old.quoth") as corpus:
        corpus.add([str(folder / "rent.md"), str(folder / "pump.pdf")])
    with process("--corpus", folder / "old.quoth", "--read-only", reader=KNOWN) as running:
        [pump, rent] = running.get("/v1/corpus/documents")[2]["documents"]
        status, _, refused = running.call("DELETE", f"/v1/corpus/documents/{rent['id']}")
        assert (status, refused["error"]["code"]) == (403, "read_only")
    with process("--corpus", folder / "old.quoth", reader=KNOWN, QUOTH_TOKEN="key") as running:
        path, token = f"/v1/corpus/documents/{rent['id']}", {"Authorization": "Bearer key"}
        assert running.call("DELETE", path)[0] == 401
        assert running.call("DELETE", path, None, {**token, "Origin": "https://other.example"})[0] == 403
        assert running.get("/v1/corpus/documents", **token)[2]["total"] == 2
        assert running.call("DELETE", path, None, token)[0] == 204
        assert running.get("/v1/corpus/documents", **token)[2]["documents"] == [pump]
        assert running.get("/v1/corpus/search?question=rent", **token)[2]["passages"] == []
        status, _, refused = running.call("DELETE", path, None, token)
        assert (status, refused["error"]["code"]) == (404, "document_not_found")
    assert (folder / "rent.md").is_file()
