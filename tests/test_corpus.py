"""A corpus: indexing, consistency after a kill, search and answers."""

import contextlib
import json
import sqlite3
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from quoth.calibrating import calibrate_for_corpus
from quoth.calibrating.corpus_fit import Reading, fit_corpus, fit_readings
from quoth.corpus import Corpus
from quoth.corpus.choice import PassageAnswer, choose
from quoth.corpus.passages import LONGEST, passages_of, sentence_around
from quoth.documents import Document
from quoth.errors import ConfigError, CorpusError, InputError
from quoth.reader import Reader
from quoth.reading import DecodeSettings
from quoth.records import Answer, Example, Gold, Span
from quoth.store import CorpusSettings, ReaderFolder, ReaderSettings
from support.files import pdf
from support.folders import fill
from support.texts import few, texts

KNOWN = Path(__file__).parent / "tiny" / "known"


@pytest.fixture
def folder(tmp_path):
    with contextlib.chdir(tmp_path):
        fill("files")
        yield tmp_path


def names(hits):
    return [Path(hit.document).name for hit in hits]


@few
@given(texts)
def test_passages_contain_every_word_in_order(text):
    spans = passages_of(text * 40)
    assert all(0 < len(span) <= LONGEST + LONGEST // 4 + 2 for span in spans)
    assert spans == sorted(spans)
    covered = {place for span in spans for place in range(span.start, span.end)}
    assert all(sign.isspace() for place, sign in enumerate(text * 40) if place not in covered)


def test_a_short_paragraph_is_one_passage_with_its_heading():
    text = "Terms\n\nThe rent is due. It is low.\n\n" + "A long sentence is here. " * 200 + "\n\nThe end."
    spans = passages_of(text)
    assert spans[0].of(text) == "Terms\n\nThe rent is due. It is low."
    assert spans[-1].of(text) == "The end."
    assert 1_900 < len(spans[1]) <= 2_000
    for one, other in pairwise(spans[1:-1]):
        assert one.of(text).endswith(".") or one.of(text).endswith(". ")
        assert 0 < one.end - other.start <= 300


def test_the_sentence_around_an_answer():
    text = "It is so. The rent is due monthly, she said. No."
    assert sentence_around(text, Span(22, 25)).of(text) == "The rent is due monthly, she said."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        # A wrapped sentence, as in a PDF: its lines are long, or go on with a small letter.
        (
            "The left column tells of a tower. It was built in the year\n1911, and it took\nlong. End.",
            "It was built in the year\n1911, and it took\nlong.",
        ),
        (
            "The tower was designed by the chief engineer\nAna, born in 1911.",
            "The tower was designed by the chief engineer\nAna, born in 1911.",
        ),
        # Lines of their own: short ones, those of a table, and those after an empty line or a colon.
        ("Built\n1911\nSold", "1911"),
        (
            "The year in which the old tower was built\t1911\nThe next line",
            "The year in which the old tower was built\t1911",
        ),
        ("A very long heading without an end, of some length\n\n1911 was cold", "1911 was cold"),
        ("These are the years in which they were built:\n1911\n", "1911"),
    ],
)
def test_the_sentence_around_an_answer_may_be_wrapped(text, sentence):
    start = text.index("1911")
    assert sentence_around(text, Span(start, start + 4)).of(text) == sentence


def test_another_file_or_format_is_rejected(folder):
    with Corpus.open("c.quoth"):
        pass
    base = sqlite3.connect("c.quoth")
    base.execute("PRAGMA user_version = 99")
    base.close()
    with pytest.raises(CorpusError, match=r"c.quoth: must be a corpus of format 2, but has format 99"):
        Corpus.open("c.quoth")
    other = sqlite3.connect("other.db")
    other.execute("CREATE TABLE notes (text)")
    other.close()
    with pytest.raises(CorpusError, match=r"other.db: must be a corpus, but is another SQLite file"):
        Corpus.open("other.db")
    with pytest.raises(CorpusError, match=r"rent.md: must be a corpus, but is another kind of file$"):
        Corpus.open("files/rent.md")
    with pytest.raises(CorpusError, match=r"files: must be a corpus, but is a folder$"):
        Corpus.open("files")
    with pytest.raises(CorpusError, match="does not exist"):
        Corpus.open("no.quoth", create=False)
    assert not Path("no.quoth").exists()
    Path("empty.quoth").touch()
    with pytest.raises(CorpusError, match=r"empty.quoth: must be a corpus, but is empty. Create it with: quoth index"):
        Corpus.open("empty.quoth", create=False)
    assert Path("empty.quoth").stat().st_size == 0


def test_answers_have_document_page_boxes_and_sentence(folder):
    from quoth import Reader

    reader = Reader.load(str(KNOWN))
    with Corpus.open("c.quoth") as corpus:
        corpus.add("files")
        found = corpus.answer(reader, "After how many hours is the oil changed?", top_k=3, null_threshold="never")
        texts = {document.name: document.text for document in corpus.documents()}
        assert 0 < len(found.answers) <= 3
        assert len({answer.text.lower() for answer in found.answers}) == len(found.answers)
        for answer in found.answers:
            assert texts[answer.document][answer.span.start : answer.span.end] == answer.text
            assert answer.text in answer.sentence
            cited = answer.to_citation()
            assert texts[answer.document][cited["start_char_index"] : cited["end_char_index"]] == answer.text
        pdfs = [answer for answer in found.answers if answer.document.endswith(".pdf")]
        assert all(answer.page == answer.boxes[0].page for answer in pdfs if answer.boxes)
        none = corpus.answer(reader, "zebra?")
        assert (none.no_answer, none.answers, none.best) == (True, (), None)
        assert none.reason == "no passage contains a word of the question"


@pytest.fixture
def quoth(quoth, folder):
    return quoth


def test_the_commands_index_list_search_ask_and_remove(quoth):
    assert quoth("index", "files", "-o", "c.quoth")[:2] == (0, "4 added, 0 changed, 0 unchanged\n")
    assert quoth("index", "files", "-o", "c.quoth")[1] == "0 added, 0 changed, 4 unchanged\n"
    documents = json.loads(quoth("index", "--list", "-o", "c.quoth", "--json")[1])["documents"]
    assert [document["title"] for document in documents] == ["light", "note", "pump", "The lease"]
    status, out, _ = quoth("search", "oil", "--corpus", "c.quoth", "--json")
    [passage] = json.loads(out)["passages"]
    assert (status, passage["document"], passage["page"]) == (0, "files/pump.pdf", 2)
    assert "files/rent.md · code points" in quoth("search", "notice", "--corpus", "c.quoth")[1]
    words = ("--corpus", "c.quoth", "--reader", KNOWN, "--null-threshold", "never")
    status, out, _ = quoth("ask", "When is the oil changed?", *words, "--json")
    assert (status, json.loads(out)["best"]["document"]) == (0, "files/pump.pdf")
    assert "files/pump.pdf · code points" in quoth("ask", "When is the oil changed?", *words)[1]
    assert quoth("index", "--remove", "files/pump.pdf", "-o", "c.quoth")[:2] == (0, "1 removed\n")
    status, out, err = quoth("index", "--remove", "files/pump.pdf", "-o", "c.quoth")
    assert (status, out) == (1, "0 removed\n")
    assert "files/pump.pdf: is not in the corpus" in err
    # A folder need not exist any more.
    Path("files").rename("moved")
    assert quoth("index", "--remove", "files", "-o", "c.quoth")[:2] == (0, "3 removed\n")


def test_a_search_without_a_result_says_why(quoth):
    quoth("index", "files/rent.md", "-o", "c.quoth")
    words = ("--corpus", "c.quoth")
    assert quoth("search", "zebra", *words) == (0, "", "No passage contains a word of the question.\n")
    assert quoth("search", " ", *words) == (1, "", "quoth: the question must not be empty\n")
    quoth("index", "--remove", "files/rent.md", "-o", "c.quoth")
    assert quoth("search", "rent", *words) == (0, "", "The corpus has no documents.\n")


@pytest.mark.parametrize("words", [("nothing.txt",), ("empty",), ("--search", "fts5")])
def test_without_a_file_no_corpus_is_created(quoth, words):
    Path("empty").mkdir()
    status, out, _ = quoth("index", *words, "-o", "c.quoth")
    assert (status, out) == (1, "")
    assert not Path("c.quoth").exists()


def test_a_corpus_in_a_database_is_opened_without_a_file(quoth):
    """It may have documents of a folder that is empty now."""
    Path("empty").mkdir()
    status, _, err = quoth("index", "empty", "-o", "postgresql://127.0.0.1:9/none")
    assert status == 2 if "needs the extra [postgres]" in err else 1
    assert "must have files to index" not in err


def test_what_is_not_read_of_a_file_is_told(quoth):
    Path("files/half.pdf").write_bytes(pdf(["One."], []))
    status, out, err = quoth("index", "files", "-o", "c.quoth")
    assert (status, out) == (0, "5 added, 0 changed, 0 unchanged\n")
    assert "files/half.pdf: without text (scanned?): page 2" in err


def test_the_earlier_text_of_a_file_that_cannot_be_read_any_more_is_told(quoth):
    quoth("index", "files", "-o", "c.quoth")
    Path("files/pump.pdf").write_bytes(b"nonsense")
    Path("files/rent.md").rename("elsewhere.md")
    for named in ("files/pump.pdf", "files/rent.md"):
        status, _, err = quoth("index", named, "-o", "c.quoth")
        assert status == 1
        assert "the corpus still has its earlier text (quoth index --remove removes it)" in err.replace("\n", " ")


def test_skipped_files_of_a_folder_are_no_error(quoth, folder):
    """The exit status is 1 only for files that should have been read."""
    (folder / "files" / "photo.xyz").write_text("?")
    status, out, err = quoth("index", "files", "-o", "c.quoth")
    assert (status, out) == (0, "4 added, 0 changed, 0 unchanged\n")
    assert "1 file of another kind is skipped: photo.xyz" in err
    (folder / "files" / "broken.pdf").write_bytes(b"%PDF-1.4 nonsense")
    assert quoth("index", "files", "-o", "c.quoth")[0] == 1


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("index", "-o", "c.quoth"), 2, "must have files to index, but has none"),
        (("index", "nothing.txt", "-o", "c.quoth"), 1, "nothing.txt: must be a file, a folder or a pattern"),
        (("index", "", "-o", "c.quoth"), 1, "a path must not be empty; the current folder is ."),
        (("search", "x", "--corpus", "no.quoth"), 1, "no.quoth: must be a corpus, but does not exist"),
        (("ask", "x", "--corpus", "c", "--text", "y"), 2, "must not be given together"),
        (("search", "notice", "period"), 2, "There must be one QUESTION, but there is also: period."),
    ],
)
def test_wrong_use_is_reported(quoth, words, status, sentence):
    code, _, err = quoth(*words)
    assert (code, sentence in err) == (status, True), err


def test_numbers_below_1_are_refused():
    reader = Reader.load(KNOWN)
    with Corpus.open(":memory:") as corpus:
        corpus.add_documents([Document("A zebra.", name="a")])
        for number in (0, -1):
            with pytest.raises(ConfigError, match=f"k must be at least 1, but is {number}"):
                corpus.search("zebra", number)
            with pytest.raises(ConfigError, match=f"passages must be at least 1, but is {number}"):
                corpus.answer(reader, "Where is the zebra?", passages=number)
            with pytest.raises(ConfigError, match=f"passages must be at least 1, but is {number}"):
                fit_corpus(corpus, reader, [Example("", "zebra?", ["A zebra."], (Gold("zebra", 2),))], passages=number)
            with pytest.raises(ConfigError, match=f"search must be at least 1, but is {number}"):
                next(corpus.predict_all(reader, [Example("", "zebra?", ())], DecodeSettings(), search=number))


def test_numbers_of_other_types_are_refused_and_large_ones_mean_all():
    reader = Reader.load(KNOWN)
    with Corpus.open(":memory:") as corpus:
        corpus.add_documents([Document("A zebra.", name="a")])
        for number in (10**30, np.int64(5)):
            assert len(corpus.search("zebra", number)) == 1
            assert corpus.answer(reader, "Where is the zebra?", passages=number).hits
        for number in (1.5, "1", None, True):
            with pytest.raises(ConfigError, match=f"k must be of type int, but is {number!r}"):
                corpus.search("zebra", number)
            with pytest.raises(ConfigError, match=f"passages must be of type int, but is {number!r}"):
                corpus.answer(reader, "Where is the zebra?", passages=number)


def test_a_question_must_be_text():
    with Corpus.open(":memory:") as corpus:
        for question in (None, 5):
            with pytest.raises(InputError, match=f"the question must be text, but is {question}"):
                corpus.search(question)
        assert corpus.search("") == corpus.search("\udc80") == []


def squad(path, *rows):
    """Write a data set of (title, context, question, answer)."""
    articles = {}
    for number, (title, context, question, answer) in enumerate(rows):
        answers = [{"text": answer, "answer_start": context.index(answer)}]
        paragraph = {"context": context, "qas": [{"id": str(number), "question": question, "answers": answers}]}
        articles.setdefault(title, []).append(paragraph)
    data = [{"title": title, "paragraphs": paragraphs} for title, paragraphs in articles.items()]
    Path(path).write_text(json.dumps({"version": "1.1", "data": data}))


RENT, OIL = "The rent of 900 euros is due monthly.", "Change the oil after 500 hours."


def test_a_corpus_is_evaluated_by_its_search_and_its_answers(quoth):
    squad("dev.json", ("Lease", RENT, "When is the rent due?", "monthly"), ("Pump", OIL, "Whence zebras?", "500 hours"))
    Path("files/lease.txt").write_text(RENT)
    quoth("index", "files", "-o", "c.quoth")
    words = ("dev.json", "--corpus", "c.quoth", "--reader", KNOWN, "--null-threshold", "never", "--passages", "2")
    status, out, err = quoth("evaluate", *words, "--json")
    report = json.loads(out)
    assert (status, report["total"], report["passages"], report["null_threshold"]) == (0, 2, 2, "never")
    # The lease in rent.md is found first, and no passage has a word of the question about the pump.
    assert [report[f"search_recall_{depth}"] for depth in (1, 5, 10, 20)] == [0.0, 50.0, 50.0, 50.0]
    assert {"exact", "f1", "coverage", "ece"} <= report.keys()
    assert report["exact"] in (0.0, 50.0)
    assert "0.0% at 1, 50.0% at 5" in quoth("evaluate", *words)[1]
    squad("other.json", ("X", "Not in it.", "What is due?", "Not"))
    status, out, err = quoth("evaluate", "other.json", *words[1:], "--json")
    assert json.loads(out)["not_in_corpus"] == 1
    assert "questions whose context is not in the corpus: 1" in err
    assert quoth("evaluate", *words, "--slices")[0] == 2


def passage(words, score, index, *, null=0.0, search=1.0, probability=0.5):
    return PassageAnswer(Answer(words, Span(0, len(words)), score, probability, 0, index), null, search)


def test_answers_are_ranked_by_reader_search_and_null_scores():
    example = Example("", "When?", ["a", "b", "c"])
    found = [passage("May", 5.0, 0, null=9.0), passage("the June", 4.0, 1), passage("June", 3.0, 2, search=0.2)]
    settings = CorpusSettings(search_weight=0.0, null_weight=0.0)

    def texts(**changes):
        decode = DecodeSettings(top_k=3, null_threshold=changes.pop("threshold", "never"))
        prediction = choose(example, found, 3, decode, replace(settings, **changes))
        assert sum(answer.probability for answer in prediction.answers) <= 1 + 1e-9
        return [answer.text for answer in prediction.answers], prediction

    assert texts()[0] == ["May", "the June"]
    assert texts(null_weight=0.5)[0] == ["the June", "May"]
    assert texts(search_weight=9.0)[1].best.text == "May"
    assert texts(threshold=-6.0)[1].no_answer
    assert "evidence for the best answer is 5.00, below the threshold of 6.00" in texts(threshold=-6.0)[1].reason
    none = choose(example, [], 0, DecodeSettings(), settings)
    assert (none.no_answer, none.answers) == (True, ())


def test_an_answer_of_which_the_reader_is_sure_is_more_probable():
    def probabilities(weight, *certainties):
        found = [passage(f"w{rank}", 5.0 - rank, rank, probability=each) for rank, each in enumerate(certainties)]
        decode = DecodeSettings(top_k=3, null_threshold="never")
        settings = CorpusSettings(reader_weight=weight, odds_scale=1.0, temperature=1.0)
        prediction = choose(Example("", "When?", ["a", "b", "c"]), found, 3, decode, settings)
        return [answer.probability for answer in prediction.answers]

    assert probabilities(0.0, 0.9, 0.1) == probabilities(0.0, 0.5, 0.5)
    odds = [each / (1 - each) for each in (probabilities(1.0, 0.9, 0.1)[0], probabilities(0.0, 0.9, 0.1)[0])]
    assert odds[0] / odds[1] == pytest.approx(9.0)
    # In the order of the evidence, also if the reader is sure of the second one only.
    first, second, third = probabilities(1.0, 0.01, 0.99, 0.0)
    assert first >= second >= third > 0
    assert first + second + third <= 1 + 1e-9


def test_the_fit_uses_the_probability_of_the_reader_where_it_tells_right_from_wrong():
    readings = [
        Reading(
            str(number % 12),
            ("right",),
            [
                passage("right" if number % 3 else "close", 5.0, 0, probability=0.95 if number % 3 else 0.05),
                passage("other", 4.0, 1, probability=0.5),
            ],
            [],
        )
        for number in range(60)
    ]
    fitted = fit_readings(readings, CorpusSettings(), 1)
    assert fitted.settings.reader_weight > 0
    for reading in readings:
        [answer] = choose(
            Example("", "When?", ["a", "b"]), reading.found, 1, DecodeSettings(null_threshold="never"), fitted.settings
        ).answers
        assert (answer.probability > 0.5) == (answer.text == "right")


def test_settings_of_earlier_versions_have_no_weight_of_the_reader():
    stored = ReaderSettings.from_dict({"corpus": {"search_weight": 3.0}}, "quoth.json")
    assert (stored.corpus.search_weight, stored.corpus.reader_weight) == (3.0, 0.0)


def test_the_fit_gives_weight_to_informative_scores():
    readings = []
    for number in range(60):
        # The reader prefers a passage that the search puts last; the right answer has a low null score.
        wrong = passage("wrong", 6.0 + number % 3, 1, null=5.0, search=0.3)
        right = passage("right", 5.0, 0, null=-1.0 if number % 6 else 6.0)
        readings.append(Reading(str(number % 12), ("right",), [right, wrong], [wrong]))
    for right_f1 in (0, -5, 500):
        with pytest.raises(ConfigError, match=f"right_f1 must be above 0 and at most 100, but is {right_f1}"):
            fit_readings(readings, CorpusSettings(), 2, right_f1)
    fitted = fit_readings(readings, CorpusSettings(search_weight=0.0, null_weight=0.0), 2)
    assert (fitted.exact_before, fitted.exact) == (0.0, 100.0)
    assert fitted.settings.search_weight > 0
    assert fitted.threshold.declined > 0.9
    assert fitted.probability.ece_after < 0.1


@pytest.mark.filterwarnings("default::quoth.errors.OverlapWarning")
def test_a_reader_is_calibrated_for_a_corpus(quoth, folder):
    squad(
        "dev.json",
        ("Lease", RENT, "When is the rent due?", "monthly"),
        ("Pump", OIL, "When to change oil?", "500 hours"),
    )
    Path("files/lease.txt").write_text(f"{RENT}\n\n{OIL}")
    quoth("index", "files", "-o", "c.quoth")
    status, out, err = quoth("calibrate", KNOWN, "--data", "dev.json", "--corpus", "c.quoth", "--out", "new")
    assert (status, out) == (0, "new\n"), err
    assert "fitted on 2 questions" in err
    stored = ReaderFolder.open("new")
    assert stored.settings().corpus is not None
    assert stored.settings().decode == ReaderFolder.open(KNOWN).settings().decode
    assert stored.manifest["corpus_calibration"]["passages"] == 10
    (used,) = stored.used
    assert (used.role, used.data.name, used.data.questions) == ("calibrating", "dev.json", 2)
    _, _, err = quoth("evaluate", "dev.json", "--reader", "new")
    assert "are in dev.json, on which the probabilities of this reader were fitted" in err
    assert quoth("ask", "When is the rent due?", "--corpus", "c.quoth", "--reader", "new")[0] == 0
    words = ("calibrate", KNOWN, "--data", "dev.json", "--out", "x")
    for more in (("--max-cost", "1"), ("--unanswerable-share", "0.5"), ("--plot", "x.svg")):
        status, _, err = quoth(*words, "--corpus", "c.quoth", *more)
        assert (status, "must not be given together" in err) == (2, True), err
    status, _, err = quoth(*words, "--every", "1")
    assert (status, "--every must be given with --corpus" in err) == (2, True), err
    for every in (0, -1):
        with pytest.raises(ConfigError, match=f"every must be at least 1, but is {every}"):
            calibrate_for_corpus(KNOWN, "dev.json", "c.quoth", every=every, out="x")
