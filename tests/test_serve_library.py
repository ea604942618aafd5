"""The page for a whole corpus in a real Chromium: two hundred documents, listed, added, asked and shown."""

import time

import pytest

from quoth.corpus import Corpus
from quoth.documents import Document
from support.browser import KNOWN, Keys, axe_findings, chromium, errors, looks_like, press_keys, serving
from support.files import docx, pdf

pytestmark = [pytest.mark.long, pytest.mark.serve, pytest.mark.browser]

QUESTION = "After how many hours is the oil changed?"
ATTACK = "<img src=x onerror='window.hacked=1'>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    (folder / "pump.pdf").write_bytes(pdf(["The pump turns slowly."], ["Change the oil after 500 hours."]))
    (folder / "new.docx").write_bytes(docx("A heron stands in the pond."))
    (folder / "bad.docx").write_bytes(b"no zip")
    with Corpus.open(folder / "c.quoth") as corpus:
        corpus.add(folder / "pump.pdf")
        corpus.add_documents(
            Document(f"Sheep number {number} sleeps. " * 2_000, name=f"sheep/{number:03}.txt", title=f"Sheep {number}")
            for number in range(199)
        )
        corpus.add_documents([Document(f"🐦 {ATTACK} The gull of the tower flew.", name="gull.txt", title=ATTACK)])
    return folder


@pytest.fixture(scope="module")
def driver():
    with chromium() as started:
        yield started


class Page:
    """What a person does and sees."""

    def __init__(self, driver, url):
        self.driver = driver
        driver.get("about:blank")
        driver.get_log("browser")
        driver.get(url)
        self.until(lambda: self.texts("#documents .title"), "documents")

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def find(self, selector):
        return self.driver.find_element("css selector", selector)

    def texts(self, selector):
        return self.run("return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", selector)

    def until(self, condition, what, seconds=30):
        until = time.monotonic() + seconds
        while True:
            try:
                if found := condition():
                    return found
            except errors():
                pass
            assert time.monotonic() < until, f"waited for {what}"
            time.sleep(0.05)

    def ask(self, question):
        self.find("#question").clear()
        self.find("#question").send_keys(question)
        self.find("#ask-button").click()
        self.until(lambda: self.texts("#answers .words"), "answers")

    def complaints(self):
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.fixture(scope="module")
def server(folder):
    with serving("--corpus", str(folder / "c.quoth"), reader=KNOWN) as started:
        yield started


@pytest.fixture
def page(driver, server):
    page = Page(driver, f"{server.url}/library")
    yield page
    assert page.complaints() == []
    assert page.run("return window.hacked") is None


def test_documents_are_listed_by_page_and_filtered(page):
    assert page.texts("#list-facts") == ["201 in c.quoth"]
    assert len(page.texts("#documents .title")) == 50
    for place in ("51 to 100 of 201", "101 to 150 of 201", "151 to 200 of 201", "201 to 201 of 201"):
        page.find("#list-later").click()
        page.until(lambda place=place: page.texts("#list-place") == [place], place)
    assert not page.find("#list-later").is_enabled()
    page.find("#filter").send_keys("SHEEP 19")
    page.until(lambda: page.texts("#list-facts") == ["10 in c.quoth"], "the filtered list")
    assert page.texts("#documents .title") == ["Sheep 19", *(f"Sheep {number}" for number in range(190, 199))]
    assert not page.find("#paging").is_displayed()


def test_an_answer_of_a_pdf_is_marked_on_its_drawn_page(page):
    page.ask(QUESTION)
    page.until(lambda: page.find("#leaf canvas").is_displayed(), "the page")
    in_view = "const box = document.querySelector('.spot').getBoundingClientRect(); return box.bottom <= innerHeight"
    page.until(lambda: page.run(in_view), "the mark, in view")
    assert page.texts("#leaf-place") == ["Page 2 of 2"]
    assert any("pump" in each and "page 2" in each for each in page.texts("#answers .where"))
    # Where the mark is, the page has ink; the mark has the shape of the answer's box.
    found = page.run(
        "const spot = document.querySelector('.spot').getBoundingClientRect();"
        "const canvas = document.querySelector('#leaf canvas'), frame = canvas.getBoundingClientRect();"
        "const scale = canvas.width / frame.width;"
        "const sides = [spot.left - frame.left, spot.top - frame.top, spot.width, spot.height];"
        "const [x, y, w, h] = sides.map((side) => side * scale);"
        "const data = canvas.getContext('2d').getImageData(x, y, w, h).data;"
        "let dark = 0; for (let i = 0; i < data.length; i += 4) dark += data[i] < 100;"
        "return [dark / (data.length / 4), spot.width / frame.width, spot.top > frame.top]"
    )
    assert 0.05 < found[0] < 0.9
    assert 0.01 < found[1] < 0.5
    assert "Change the oil after 500 hours." in page.texts("#leaf canvas")[0]
    page.find("#leaf-earlier").click()
    page.until(lambda: page.texts("#leaf-place") == ["Page 1 of 2"], "the first page")
    assert page.texts(".spot") == []
    page.find("#back").click()
    page.until(lambda: page.find("#list").is_displayed(), "the list")


def test_an_answer_is_marked_at_its_place_in_the_text(page):
    page.ask("Who flew from the tower?")
    page.until(lambda: page.find("#leaf .text").is_displayed(), "the text")
    [text] = page.texts("#leaf .text")
    assert text == f"🐦 {ATTACK} The gull of the tower flew."
    [marked] = page.texts("#leaf mark")
    assert marked == page.texts("#answers li:first-child mark")[0]
    assert page.texts("#shown-title") == [ATTACK]
    page.find("#back").click()
    page.find("#filter").send_keys("Sheep 7")
    page.until(lambda: page.texts("#documents .title")[0] == "Sheep 7", "the sheep")
    page.find("#documents button").click()
    page.until(lambda: page.texts("#leaf-place") == ["Part 1 of 3"], "a long text in parts")
    page.find("#leaf-later").click()
    page.until(lambda: page.texts("#leaf-place") == ["Part 2 of 3"], "its next part")


def test_no_answer_says_so(page):
    page.find("#question").send_keys("xyzzy?")
    page.find("#ask-button").click()
    page.until(lambda: page.texts("#found-title") == ["No document seems to answer"], "no answer")
    assert page.texts("#found-reason") == ["No passage contains a word of the question."]


def test_files_are_added_by_choosing_them_and_bad_ones_are_told(page, folder):
    page.find("#files").send_keys(f"{folder / 'new.docx'}\n{folder / 'bad.docx'}")
    page.until(lambda: page.find("#notice").is_displayed(), "the notice")
    assert page.texts("#notice-title") == ["1 not added"]
    assert "bad.docx: The .docx file is damaged" in page.texts("#notice-message")[0]
    page.until(lambda: page.texts("#list-facts") == ["202 in c.quoth"], "one more")
    page.driver.get_log("browser")  # the refusal, as Chromium logs it
    page.ask("What stands in the pond?")
    assert any("new" in each for each in page.texts("#answers .where"))


def test_it_works_by_keyboard_and_has_no_barriers(page):
    page.find("#question").click()
    press_keys(page.driver, *QUESTION, Keys.ENTER)
    page.until(lambda: page.find("#leaf canvas").is_displayed(), "the page")
    assert axe_findings(page.driver) == []
    page.run("document.querySelector('#answers button').focus()")
    press_keys(page.driver, Keys.ENTER)
    page.until(lambda: page.run("return document.activeElement.id") == "shown-title", "the focus on the document")
    press_keys(page.driver, Keys.TAB, Keys.ENTER)
    page.until(
        lambda: page.run("return document.activeElement.textContent").startswith("pump"), "the focus on the document"
    )
    assert axe_findings(page.driver) == []


@pytest.mark.parametrize("motion", [False, True])
def test_a_link_leads_to_the_same_place_and_back_to_the_one_before(page, server, motion):
    looks_like(page.driver, 1360, 900, motion=motion)
    page.find("#filter").send_keys("pump")
    page.until(lambda: page.texts("#list-facts") == ["1 in c.quoth"], "the filtered list")
    page.ask(QUESTION)
    page.until(lambda: page.texts("#leaf-place") == ["Page 2 of 2"], "the page of the answer")
    page.find("#leaf-earlier").click()
    page.until(lambda: page.texts("#leaf-place") == ["Page 1 of 2"], "the page before")
    page.until(lambda: "page=1" in page.driver.current_url, "the page in the address")
    assert "question=After+how+many" in page.driver.current_url
    page.driver.refresh()
    page.until(lambda: page.texts("#leaf-place") == ["Page 1 of 2"], "the same page")
    assert page.run("return document.querySelector('#question').value") == QUESTION
    assert page.texts("#answers [aria-current=true] .where") == page.texts("#answers li:first-child .where")
    page.find("#answers button").click()
    page.until(lambda: page.texts("#leaf-place") == ["Page 2 of 2"], "the answer again")
    page.driver.back()
    page.until(lambda: page.texts("#leaf-place") == ["Page 1 of 2"], "the page before")
    page.driver.back()
    page.until(lambda: page.find("#list").is_displayed(), "the list")
    assert page.texts("#list-facts") == ["1 in c.quoth"]
    assert not page.find("#found").is_displayed()
    page.driver.forward()
    page.until(lambda: page.find("#leaf-place").is_displayed(), "the document again")
    assert page.texts("#leaf-place") == ["Page 1 of 2"]
    page.find("#back").click()
    page.until(lambda: page.find("#list").is_displayed(), "the list")
    assert page.find("#found").is_displayed()
    looks_like(page.driver, 1360, 900)


def test_a_link_to_a_document_that_was_removed_says_so(page, server):
    page.driver.get("about:blank")
    page.driver.get(f"{server.url}/library#document={'0' * 32}&page=2")
    page.until(lambda: page.texts("#notice-title") == ["This document does not exist"], "the notice")
    assert page.find("#list").is_displayed()
    assert len(page.texts("#documents .title")) == 50
    page.driver.get_log("browser")  # the refusal, as Chromium logs it
    page.driver.get("about:blank")
    page.driver.get(f"{server.url}/library#document=nonsense&from=9999&answer=x")
    page.until(lambda: page.find("#list-earlier").is_displayed(), "the list beyond its end")
    page.find("#list-earlier").click()
    page.until(lambda: "from=" in page.driver.current_url, "the address")


def test_a_document_is_removed_if_that_is_confirmed(page, folder):
    with Corpus.open(folder / "c.quoth") as corpus:
        corpus.add_documents([Document("A walrus sings in the harbour.", name="walrus.txt", title="Walrus")])
    page.ask("Who sings in the harbour?")
    page.until(lambda: page.texts("#shown-title") == ["Walrus"], "the document")
    page.find("#remove").click()
    page.until(lambda: page.find("#remove-dialog").is_displayed(), "the question")
    assert page.texts("#remove-name") == ["Walrus"]
    assert axe_findings(page.driver) == []
    press_keys(page.driver, Keys.ENTER)  # keeps it
    assert not page.find("#remove-dialog").is_displayed()
    assert page.texts("#shown-title") == ["Walrus"]
    page.find("#remove").click()
    page.find("#remove-dialog [value=remove]").click()
    page.until(lambda: page.find("#list").is_displayed(), "the list")
    page.until(lambda: "Walrus" not in page.texts("#documents .title"), "the document gone")
    assert not any("Walrus" in each for each in page.texts("#answers .where"))
    page.find("#filter").send_keys("walrus")
    page.until(lambda: page.texts("#list-facts") == ["No document of c.quoth has this in its name or title"], "none")
    with Corpus.open(folder / "c.quoth") as corpus:
        assert corpus.search("walrus") == []


def test_a_phone_shows_all_of_it_without_scrolling_sideways(page):
    try:
        looks_like(page.driver, 360, 740)
        page.ask(QUESTION)
        page.until(lambda: page.find("#leaf canvas").is_displayed(), "the page")
        assert page.run("return document.documentElement.scrollWidth") <= 360
        page.find("#answers button").click()
        page.until(
            lambda: page.run("return document.querySelector('.spot').getBoundingClientRect().top < innerHeight"),
            "the mark",
        )
    finally:
        looks_like(page.driver, 1360, 900)


def test_a_corpus_that_is_read_only_takes_no_files(driver, folder):
    with serving("--corpus", str(folder / "c.quoth"), "--read-only", reader=KNOWN) as server:
        page = Page(driver, f"{server.url}/library")
        assert not page.find("#choose").is_displayed()
        page.find("#documents button").click()
        page.until(lambda: page.find("#back").is_displayed(), "a document")
        assert not page.find("#remove").is_displayed()
        assert page.complaints() == []


def test_the_page_of_one_text_leads_to_the_documents_if_there_are_some(driver, server):
    page = Page(driver, f"{server.url}/library")
    page.driver.get(server.url)
    page.until(lambda: page.find("#library-link").is_displayed(), "the link")
    page.find("#library-link").click()
    page.until(lambda: page.texts("#documents .title"), "documents")
    with serving(reader=KNOWN) as without:
        driver.get(f"{without.url}/library")
        page.until(lambda: page.texts("#notice-title") == ["This server has no documents"], "the notice")
        driver.get(without.url)
        page.until(lambda: page.texts("#reader") != [""], "the reader")
        assert not page.find("#library-link").is_displayed()


def test_a_token_is_asked_for(driver, folder):
    with serving("--corpus", str(folder / "c.quoth"), reader=KNOWN, token="secret") as server:
        driver.get(f"{server.url}/library")
        page = Page.__new__(Page)
        page.driver = driver
        page.until(lambda: page.find("#token").is_displayed(), "the dialog")
        page.find("#token").send_keys("secret")
        press_keys(driver, Keys.ENTER)
        page.until(lambda: page.texts("#documents .title"), "documents")
        page.ask(QUESTION)
        page.until(lambda: page.find("#leaf canvas").is_displayed(), "the page, with the token")
        driver.execute_script("sessionStorage.clear()")
