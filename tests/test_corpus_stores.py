"""Tests of all corpus stores: a file with FTS5, a file with tantivy, and a PostgreSQL database."""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from itertools import count
from pathlib import Path

import pytest

from quoth.corpus import Corpus
from quoth.corpus.gold import find_contexts
from quoth.documents import EXTRACTION_VERSION, Document
from quoth.errors import CorpusError, InputError
from support import postgres
from support.files import pdf
from support.folders import fill

RENT, OIL = "The rent of 900 euros is due monthly.", "Change the oil after 500 hours."
NUMBERS = count()


class Place:
    """The store of a test's corpus: its path or URL, and the search engine with which it is created."""

    def __init__(self, address, engine=None):
        self.address, self.engine = str(address), engine

    def open(self, **options):
        return Corpus.open(self.address, **{"search": self.engine, **options})

    @property
    def code(self):
        """A Python expression that opens the store, for another process."""
        return f"Corpus.open({self.address!r}, search={self.engine!r})"


@pytest.fixture(scope="session")
def database_server():
    if postgres.programs() is None:
        pytest.skip("PostgreSQL is not installed")
    with postgres.server() as url:
        yield url


@pytest.fixture(
    params=[
        "fts5",
        pytest.param("tantivy", marks=pytest.mark.torch),
        pytest.param("postgresql", marks=[pytest.mark.torch, pytest.mark.long]),
    ]
)
def place(request, tmp_path):
    if request.param == "postgresql":
        url = request.getfixturevalue("database_server")
        return Place(postgres.new_database(url, f"corpus{next(NUMBERS)}"))
    return Place(tmp_path / "c.quoth", request.param)


@pytest.fixture
def folder(tmp_path):
    with contextlib.chdir(tmp_path):
        fill("files")
        yield tmp_path


def names(hits):
    return [Path(hit.document).name for hit in hits]


def test_files_are_found_by_their_words_titles_and_trigrams(place, folder):
    with place.open() as corpus:
        result = corpus.add("files")
        assert (result.added, result.problems) == (4, [])
        assert names(corpus.search("When is the notice period over?"))[:1] == ["rent.md"]
        assert names(corpus.search("changing oils"))[:1] == ["pump.pdf"]
        assert corpus.search("changing oils")[0].page == 2
        assert names(corpus.search("lease")) == ["rent.md"] * 2
        assert names(corpus.search("LEASE"))[:1] == ["rent.md"]
        assert names(corpus.search("灯台は1972年")) == ["light.txt"]
        assert corpus.search("is the of") != []
        assert corpus.search('zebra OR " NEAR( *') == []
        assert corpus.search("' \\ & | ! :* <-> months'")[0].key.endswith("rent.md")
        assert corpus.search("?!") == []
        hits = corpus.search("the", 20)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert len(corpus.search("is the of", 1)) == 1


def test_a_word_that_few_passages_contain_weighs_more_than_a_common_one(place):
    texts = [f"A common pump of kind {number}." for number in range(40)]
    with place.open() as corpus:
        corpus.add_documents([Document(text, name=f"{number:02}") for number, text in enumerate(texts)])
        corpus.add_documents([Document("Nobody but a heron stands in the old and very long mill pond.", name="rare")])
        assert names(corpus.search("common pump heron", 3))[0] == "rare"


def test_only_changed_files_are_read_again(place, folder):
    with place.open() as corpus:
        corpus.add("files")
        Path("files/rent.md").write_text("The rent is due yearly.")
        os.utime("files/light.txt", (1, 1))
        Path("files/new.txt").write_text("New.")
        result = corpus.add("files")
        assert (result.added, result.changed, result.unchanged) == (1, 1, 3)
        [touched] = [entry for entry in corpus.entries() if entry.name.endswith("light.txt")]
        assert touched.stamp.endswith(" 1000000000")
        assert names(corpus.search("yearly")) == ["rent.md"]
        assert corpus.search("monthly notice lease") == []
        assert corpus.remove(["files/light.txt", "nothing"]) == 1
        assert corpus.search("灯台は1972年") == []
        assert [Path(entry.name).name for entry in corpus.entries()] == ["new.txt", "note.docx", "pump.pdf", "rent.md"]


def test_a_document_whose_file_is_gone_from_its_folder_is_removed(place, folder):
    with place.open() as corpus:
        corpus.add("files")
        Path("files/pump.pdf").unlink()
        Path("files2").mkdir()
        Path("files2/a.txt").write_text("Other.")
        assert corpus.add("files2").removed == 0
        assert corpus.add("files/rent.md").removed == 0
        assert corpus.add("files").removed == 1
        assert corpus.search("oil") == []
        assert len(corpus.entries()) == 4


def test_documents_are_removed_by_one_path_or_several(place, folder):
    with place.open() as corpus:
        corpus.add(Path("files"))
        total = len(corpus.entries())
        assert corpus.remove("files/rent.md") == 1
        assert corpus.remove(Path("files/pump.pdf")) == 1
        for names in ("", ["files", ""]):
            with pytest.raises(InputError, match="a path must not be empty"):
                corpus.remove(names)
            with pytest.raises(InputError, match="a path must not be empty"):
                corpus.add(names)
        assert len(corpus.entries()) == total - 2


def test_of_documents_with_the_same_name_the_one_at_the_path_is_removed(tmp_path):
    with Corpus.open(":memory:") as corpus:
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir()
            with contextlib.chdir(tmp_path / folder):
                Path("one.txt").write_text(f"The text in {folder}.")
                corpus.add("one.txt")
        paths = [str(tmp_path / folder / "one.txt") for folder in ("a", "b")]
        with (
            contextlib.chdir(tmp_path),
            pytest.raises(InputError, match=r"of 2; give the path of one: \S+/a/one.txt, \S+/b/one.txt"),
        ):
            corpus.remove("one.txt")
        assert [entry.key for entry in corpus.entries()] == paths
        with contextlib.chdir(tmp_path / "a"):
            assert corpus.remove("one.txt") == 1
        assert [entry.key for entry in corpus.entries()] == paths[1:]
        assert corpus.remove("one.txt") == 1


def test_a_key_that_no_document_can_have_is_reported(place):
    with place.open() as corpus:
        corpus.add_documents([Document("A zebra.", name="a")])
        for method in (corpus.document, corpus.original, corpus.has_original):
            with pytest.raises(CorpusError, match="surrogates not allowed"):
                method("\udc80")
        with pytest.raises(CorpusError, match="surrogates not allowed"):
            corpus.remove_keys(["a", "\udc80"])
        assert [entry.key for entry in corpus.entries()] == ["a"]


def test_a_document_is_kept_if_its_file_cannot_be_looked_up(place, folder):
    # The system refuses to look up a name that is so long, as it does in a folder without permission.
    name = str(folder / "files" / ("x" * 300))
    with place.open() as corpus:
        corpus.add_documents([Document("A zebra.", name=name)])
        assert corpus.add("files").removed == 0
        assert corpus.document(name).text == "A zebra."


def test_an_unreadable_file_is_reported_and_the_others_are_indexed(place, folder):
    Path("files/bad.docx").write_bytes(b"no zip")
    Path(os.fsdecode(b"files/caf\xe9.txt")).write_text("A name that is no UTF-8.")
    with place.open() as corpus:
        result = corpus.add("files")
    assert result.added == 4
    assert [str(problem).split(":")[0] for problem in result.problems][:1] == ["files/bad.docx"]
    assert "must have no NUL characters and no lone surrogates" in str(result.problems[1])


def test_paths_that_no_file_has_are_reported_and_the_others_are_indexed(tmp_path):
    (tmp_path / "a.txt").write_text("A zebra.")
    (tmp_path / "loop.md").symlink_to("loop.md")
    missing = []
    with Corpus.open(":memory:") as corpus:
        result = corpus.add(["x" * 300, "a\0b.txt", tmp_path])
        assert (result.added, len(result.problems)) == (1, 3)
        assert str(result.problems[2]) == f"{tmp_path}/loop.md: is a link to a file that does not exist"
        names = [tmp_path / "loop.md", "a\0b.txt", "x" * 300]
        assert (corpus.remove(names, missing.append), missing) == (0, list(map(str, names)))


def test_all_attributes_of_a_document_are_stored(place, folder):
    with place.open() as corpus:
        corpus.add("files")
        by_name = {Path(document.name).name: document for document in corpus.documents()}
        pump, note = by_name["pump.pdf"], by_name["note.docx"]
        assert [page.of(pump.text) for page in pump.pages] == [
            "The pump turns slowly.",
            "Change the oil after 500 hours.",
        ]
        assert pump.page_sizes == ((612.0, 792.0), (612.0, 792.0))
        assert len(pump.boxes) == 10
        keys = {Path(entry.name).name: entry.key for entry in corpus.entries()}
        assert corpus.original(keys["pump.pdf"]) == Path("files/pump.pdf").read_bytes()
        assert corpus.original(keys["note.docx"]) is None
        assert (note.page_sizes, note.pages) == ((), ())
        with pytest.raises(CorpusError, match="must have the document nothing, but it was removed"):
            corpus.document("nothing")
        assert [entry.passages for entry in corpus.entries()] == [1, 1, 2, 2]


def test_a_file_can_be_added_by_its_content_and_replaced(place):
    with place.open() as corpus:
        document = corpus.add_file(pdf(["A zebra."]), "z.pdf")
        assert (document.title, names(corpus.search("zebra"))) == ("z", ["z.pdf"])
        corpus.add_file(pdf(["A heron."]), Path("z.pdf"))
        assert (corpus.search("zebra"), names(corpus.search("heron"))) == ([], ["z.pdf"])
        assert corpus.original("z.pdf") == pdf(["A heron."])
        assert corpus.remove(["z.pdf"]) == 1
        assert corpus.original("z.pdf") is None
        with pytest.raises(InputError, match="must have no NUL characters"):
            corpus.add_documents([Document("a\0b", name="nul")])


def test_a_file_that_an_older_version_read_is_read_again(place, folder):
    with place.open() as corpus:
        corpus.add("files/rent.md")
        [entry] = corpus.entries()
        if "postgresql" in place.address:
            corpus._store._run("UPDATE quoth.documents SET extraction = 1")
        else:
            corpus._store._run("UPDATE documents SET extraction = 1")
        assert corpus.add("files/rent.md").changed == 1
        assert corpus._store.known()[entry.key].extraction == EXTRACTION_VERSION


def test_others_read_while_one_writes(place, folder):
    with place.open() as writer, place.open() as one, place.open() as other:
        writer.add("files")
        with writer._store.writing():
            writer._store.put("x", "", Document("A zebra.", name="x"))
            assert one.search("zebra") == other.search("zebra") == []
            assert names(one.search("oil")) == ["pump.pdf"]
        assert names(other.search("zebra")) == ["x"]
        with contextlib.suppress(RuntimeError), writer._store.writing():
            writer._store.put("y", "", Document("A heron.", name="y"))
            raise RuntimeError
        assert one.search("heron") == []
        assert names(writer.search("zebra")) == ["x"]


def test_documents_of_one_transaction_replace_each_other(place):
    with place.open() as corpus:
        corpus.add_documents([Document("A crane.", name="old")])
        with corpus._store.writing():
            for text in ("A zebra.", "A heron."):
                corpus._store.put("x", "", Document(text, name="x"), text.encode())
            corpus._store.put("y", "", Document("A gull.", name="y"))
            assert corpus._store.drop("y")
            corpus._store.put("old", "", Document("A stork.", name="old"), b"file")
            for number in range(1_200):
                corpus._store.put(f"{number}", "", Document(f"word{number}\n\nEnd.", name=f"{number}"))
            corpus._store.restamp("x", "new")
            corpus._store.put("old", "", Document("A stork.", name="old"))
        assert [names(corpus.search(word)) for word in ("zebra", "gull", "crane")] == [[], [], []]
        assert [names(corpus.search(word)) for word in ("heron", "stork", "word1199")] == [["x"], ["old"], ["1199"]]
        assert (corpus.original("x"), corpus.original("old")) == (b"A heron.", None)
        stamps = {entry.key: entry.stamp for entry in corpus.entries()}
        assert (len(stamps), stamps["x"]) == (1_202, "new")


def test_a_file_that_is_reported_is_stored(place, folder):
    stored = []
    with place.open() as corpus, place.open() as other:
        corpus.add("files", progress=lambda name: stored.append(name in [entry.name for entry in other.entries()]))
    assert stored == [True] * 4


def test_several_threads_add_at_once(place):
    def add(number):
        with place.open() as corpus:
            for step in range(5):
                # One document that all threads write, and one that only this thread writes.
                corpus.add_documents([Document(f"word{number} step{step}", name=f"{number}-{step}")])
                corpus.add_documents([Document(f"shared heron {number}", name="shared")])

    with place.open():
        threads = [threading.Thread(target=add, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with place.open() as corpus:
        assert len(corpus.entries()) == 16
        assert names(corpus.search("heron")) == ["shared"]
        assert all(len(corpus.search(f"word{number}", 9)) == 5 for number in range(3))


def test_a_writer_replaces_what_another_one_wrote_while_it_waited(place):
    def replace_it():
        with place.open() as corpus:
            corpus.add_documents([Document("A second heron.", name="shared")])

    with place.open() as corpus:
        other = threading.Thread(target=replace_it)
        with corpus._store.writing():
            corpus._store.put("shared", "", Document("A first heron.", name="shared"))
            corpus._store.restamp("shared", "")  # which is written now, but not committed yet
            other.start()
            other.join(0.5)
            assert other.is_alive()
        other.join()
        assert [hit.text for hit in corpus.search("heron")] == ["A second heron."]


def test_contexts_are_found_by_their_text_at_any_position(place):
    long = "The lock is new. " * 300 + "The key is old."
    with place.open() as corpus:
        corpus.add_documents(
            [Document(f"Head\n\n{RENT}\n\n{OIL}", name="a"), Document(f"  {RENT}", name="b"), Document(long, name="c")]
        )
        found = find_contexts(corpus, [RENT, OIL, "Change", long, "The lock is new. The key", "nothing"])
        documents = {document.name: document.text for document in corpus.documents()}
    assert {text: [place.key for place in places] for text, places in found.items()} == {
        RENT: ["a", "b"],
        OIL: ["a"],
        "Change": ["a"],
        long: ["c"],
    }
    for text, places in found.items():
        assert all(documents[place.key].startswith(text, place.start) for place in places)


@pytest.mark.long
def test_a_corpus_is_consistent_after_a_kill_and_can_be_continued(place, tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    for number in range(400):
        (files / f"{number:03}.txt").write_text(f"Text {number} is about word{number}.\n\n" * 30)
    code = f"from quoth.corpus import Corpus; {place.code}.add({str(files)!r}, progress=print)"
    kept = []
    for kill in range(6):
        process = subprocess.Popen([sys.executable, "-u", "-c", code], stdout=subprocess.PIPE)
        # The last ones are killed while the index is written, after the last file.
        for _ in range(20 + 7 * kill if kill < 4 else 400):
            process.stdout.readline()
        time.sleep(0.003 * kill)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        with place.open() as corpus:
            before, kept = len(kept), corpus.entries()
            assert len(kept) >= max(20, before)
            assert {entry.passages for entry in kept} == {30}
            for entry in kept[::10]:
                hits = corpus.search(f"word{int(Path(entry.name).stem)}", 40)
                assert [hit.document for hit in hits] == [entry.name] * 30
                assert len({hit.span for hit in hits}) == 30
    with place.open() as corpus:
        result = corpus.add(files)
        assert result.unchanged >= len(kept)
        assert result.added + result.unchanged == len(corpus.entries()) == 400


def test_a_corpus_that_does_not_exist_is_rejected(place):
    with pytest.raises(CorpusError, match="must be a corpus, but"):
        place.open(create=False, search=None)


def test_a_file_of_format_1_is_migrated_and_its_files_are_read_again(folder):
    with Corpus.open("c.quoth") as corpus:
        corpus.add("files")
    base = sqlite3.connect("c.quoth")
    for column in ("sizes", "extraction", "passages"):
        base.execute(f"ALTER TABLE documents DROP COLUMN {column}")
    for table in ("originals", "settings"):
        base.execute(f"DROP TABLE {table}")
    base.execute("PRAGMA user_version = 1")
    base.close()
    with Corpus.open("c.quoth", create=False) as corpus:
        assert names(corpus.search("changing oils")) == ["pump.pdf"]
        assert [entry.passages for entry in corpus.entries()] == [1, 1, 2, 2]
        [key] = [entry.key for entry in corpus.entries() if entry.key.endswith("pump.pdf")]
        assert corpus.original(key) is None
        assert corpus.add("files").changed == 4
        assert corpus.original(key) is not None


@pytest.mark.torch
def test_the_search_engine_of_a_file_can_be_changed(folder, quoth):
    quoth("index", "files", "-o", "c.quoth")
    assert not Path("c.quoth.tantivy").exists()
    assert quoth("index", "--search", "tantivy", "-o", "c.quoth")[1] == "0 added, 0 changed, 0 unchanged\n"
    assert Path("c.quoth.tantivy/meta.json").exists()
    with Corpus.open("c.quoth") as corpus:
        assert names(corpus.search("changing oils")) == ["pump.pdf"]
    assert quoth("index", "--search", "fts5", "-o", "c.quoth")[0] == 0
    assert not Path("c.quoth.tantivy").exists()
    with Corpus.open("c.quoth") as corpus:
        assert names(corpus.search("changing oils")) == ["pump.pdf"]
        assert names(corpus.search("灯台は1972年")) == ["light.txt"]
    assert quoth("index", "--search", "lucene", "-o", "c.quoth")[0] == 2


def test_a_file_that_is_damaged_inside_is_reported_by_every_method(tmp_path):
    with Corpus.open(tmp_path / "c.quoth") as corpus:
        corpus.add_documents(Document(f"A zebra of herd {number}. " * 30, name=f"n{number}") for number in range(100))
    data = (tmp_path / "c.quoth").read_bytes()
    half = len(data) // 2
    (tmp_path / "c.quoth").write_bytes(data[:half] + b"\xff" * (len(data) - half))
    with Corpus.open(tmp_path / "c.quoth", create=False) as corpus:
        for method in (
            lambda: list(corpus.passages()),
            corpus.entries,
            corpus.document_keys,
            lambda: list(corpus.documents()),
            lambda: corpus.search("zebra"),
            lambda: [corpus.document(f"n{number}") for number in range(100)],
            lambda: corpus.add_documents([Document("New.", name="n50")]),
            lambda: corpus.remove_keys(f"n{number}" for number in range(100)),
        ):
            with pytest.raises(CorpusError, match=r"c\.quoth: "):
                method()


@pytest.mark.torch
@pytest.mark.parametrize("name", ["meta.json", "*.idx"])
def test_an_index_that_is_damaged_is_reported_and_can_be_built_again(tmp_path, name):
    path = tmp_path / "c.quoth"
    with Corpus.open(path, search="tantivy") as corpus:
        corpus.add_documents([Document("A zebra.", name="a")])
    folder = tmp_path / "c.quoth.tantivy"
    [file] = folder.glob(name)
    for damage in (lambda: file.write_bytes(b"{"), file.unlink):
        damage()
        with Corpus.open(path) as corpus, pytest.raises(CorpusError, match=r"c\.quoth\.tantivy: .*delete this folder"):
            corpus.search("zebra")
    shutil.rmtree(folder)
    with Corpus.open(path) as corpus:
        assert names(corpus.search("zebra")) == ["a"]


@pytest.mark.torch
def test_an_index_that_is_missing_or_of_another_corpus_is_rebuilt(folder):
    for name, text in (("a", "A zebra."), ("b", "A heron.")):
        with Corpus.open(f"{name}.quoth", search="tantivy") as corpus:
            corpus.add_documents([Document(text, name=name)])
    shutil.rmtree("a.quoth.tantivy")
    with Corpus.open("a.quoth") as corpus:
        assert names(corpus.search("zebra heron")) == ["a"]
    shutil.rmtree("a.quoth.tantivy")
    shutil.copytree("b.quoth.tantivy", "a.quoth.tantivy")
    with Corpus.open("a.quoth") as corpus:
        assert names(corpus.search("zebra heron")) == ["a"]


@pytest.mark.parametrize(
    ("module", "address", "engine", "extra"),
    [("tantivy", "c.quoth", "tantivy", "search"), ("psycopg", "postgresql://localhost/x", None, "postgres")],
)
def test_without_its_extra_a_store_says_what_to_install(tmp_path, module, address, engine, extra):
    code = (
        f"import sys; sys.modules[{module!r}] = None\nfrom quoth.corpus import Corpus\n"
        f"Corpus.open({address!r}, search={engine!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert f"needs the extra [{extra}]: pip install 'quoth[{extra}]'" in done.stderr


@pytest.mark.torch
def test_errors_of_a_server_have_no_password():
    with pytest.raises(CorpusError, match="must be a PostgreSQL database") as caught:
        Corpus.open("postgresql://ana:hidden@127.0.0.1:1/x")
    assert "hidden" not in str(caught.value)
    with pytest.raises(CorpusError, match="search must not be given for PostgreSQL"):
        Corpus.open("postgresql://127.0.0.1:1/x", search="tantivy")


@pytest.mark.long
@pytest.mark.torch
def test_a_store_connects_again_after_the_server_was_restarted(database_server):
    import psycopg

    url = postgres.new_database(database_server, f"corpus{next(NUMBERS)}")
    with Corpus.open(url) as corpus:
        corpus.add_documents([Document("A zebra.", name="x")])
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'quoth'")
        assert names(corpus.search("zebra")) == ["x"]
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute("UPDATE quoth.settings SET value = '99'")
    with pytest.raises(CorpusError, match="must be a corpus of format 1, but has format 99"):
        Corpus.open(url)
