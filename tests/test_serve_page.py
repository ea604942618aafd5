"""The page in a real Chromium, against a real server.

Its reader is ``tests/tiny/known``, so that what the page shows hangs on no weights; one test asks what ships.
"""

import contextlib
import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request

import pytest

from support.browser import KNOWN, NPM, ROOT, Keys, axe_findings, chromium, errors, looks_like, press_keys, serving
from support.files import docx, pdf
from support.serving import SlowEngine, request, thread

pytestmark = [pytest.mark.long, pytest.mark.serve, pytest.mark.browser]

# The emoji are two UTF-16 units each, and one of them seven code points.
EMOJI = "🥁🎉 Drums! 👩‍👩‍👧 "
TEXT = f"{EMOJI}The glass cracked in the night. A goose had flown into it, and Tam Ferris fed it on oatmeal."
QUESTION = "Who fed the goose?"
ATTACK = "<img src=x onerror='window.hacked=1'><script>window.hacked=2</script>"


@pytest.fixture(scope="module")
def server():
    with serving(reader=KNOWN) as started:
        yield started


@pytest.fixture(scope="module")
def driver():
    with chromium() as started:
        yield started


@pytest.fixture
def page(driver, server):
    """The page of a new user. After the test, the browser's log must have no errors."""
    yield Page(driver, server)
    complaints = [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert complaints == []


class Page:
    """The actions of a user, and the visible state of the page."""

    def __init__(self, driver, server, path="/"):
        self.driver = driver
        # A tab keeps its text after a reload, but each test starts with an empty page.
        driver.get(f"{server.url}/page/icon.svg")
        driver.execute_script("sessionStorage.clear()")
        driver.get("about:blank")
        driver.get_log("browser")
        driver.get(f"{server.url}{path}")
        self.until(lambda: self.find("#sample-list button") and self.text_of("#reader"), "samples and reader")

    def find(self, selector):
        return self.driver.find_element("css selector", selector)

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def text_of(self, selector):
        """The text content of an element, visible or not."""
        return self.run("return document.querySelector(arguments[0]).textContent", selector)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, script):
        """Run an asynchronous script, and return its result."""
        wrapped = f"const done = arguments[0]; (async () => {{ {script} }})().then(done, (e) => done(`failed: ${{e}}`))"
        return self.driver.execute_async_script(wrapped)

    def until(self, holds, what, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(errors()):
                if found := holds():
                    return found
            time.sleep(0.05)
        raise AssertionError(f"{what} must appear within {seconds} s, but does not; the page says: {self.said()}")

    def said(self):
        return self.run("return document.body.innerText")

    def shows(self, selector):
        return self.run("return !!document.querySelector(arguments[0])?.checkVisibility()", selector)

    def paste(self, text):
        # Set the value directly, because chromedriver cannot type emoji.
        self.run("document.querySelector('#paste').value = arguments[0]", text)

    def ask(self, question):
        before = self.run("return performance.now()")
        field = self.find("#question")
        field.clear()
        field.send_keys(question, Keys.ENTER)
        self.answered(before)

    def answered(self, since=0):
        """Wait for an answer that was requested after a given time, and until no request is running."""
        script = """
            const asked = performance.getEntriesByType('resource').filter((entry) => entry.name.endsWith('/v1/answer'));
            return !document.querySelector('#answer').hidden && document.querySelector('#ask').ariaBusy !== 'true' &&
                asked.some((entry) => entry.startTime > arguments[0])"""
        self.until(lambda: self.run(script, since), "an answer")

    def sent(self, path):
        """The number of requests to a path."""
        script = "return performance.getEntriesByType('resource').filter((e) => e.name.endsWith(arguments[0])).length"
        return self.run(script, path)

    def best_mark(self):
        return self.marked("best")

    def slide(self, value):
        self.run(
            "const s = document.querySelector('#slider'); s.value = arguments[0]; s.dispatchEvent(new Event('input'))",
            value,
        )

    def upload(self, file):
        self.find("#file").send_keys(str(file))
        self.until(lambda: self.shows("#reading"), "the text of the file")

    def select(self, words):
        """Select some words as with the mouse, also if they are in several elements."""
        self.run(
            """
            const text = document.querySelector('#text'), all = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
            let left = text.textContent.indexOf(arguments[0]), right = left + arguments[0].length;
            const range = document.createRange();
            for (let seen = 0, node = all.nextNode(); node; seen += node.length, node = all.nextNode()) {
                if (seen <= left && left < seen + node.length) range.setStart(node, left - seen);
                if (seen < right && right <= seen + node.length) range.setEnd(node, right - seen);
            }
            getSelection().removeAllRanges(); getSelection().addRange(range);
            text.dispatchEvent(new PointerEvent('pointerup'));""",
            words,
        )

    def marked(self, kind):
        """The marked words with their start and end in UTF-16 units, computed from the page; None if there are none."""
        return self.run(
            """
            const marks = [...document.querySelectorAll(`#text mark.${arguments[0]}`)], range = document.createRange();
            if (!marks.length) return null;
            range.setStart(document.querySelector('#text'), 0); range.setEndBefore(marks[0]);
            const start = range.toString().length, words = marks.map((mark) => mark.textContent).join('');
            return [words, start, start + words.length]""",
            kind,
        )

    def correct(self, words):
        self.find("#correct-open").click()
        self.find("#right-words").clear()
        self.find("#right-words").send_keys(words)
        self.find("#correct button[type=submit]").click()

    def download(self):
        self.find("#tab-fixes").click()
        self.find("#download").click()
        return self.downloaded()

    def downloaded(self):
        self.until(lambda: list(self.driver.downloads.glob("*.json")), "the download")
        file = self.driver.downloads / "corrections.json"
        kept = file.with_name("taken")
        shutil.move(file, kept)
        return kept


def test_an_answer_is_marked_at_its_characters(page):
    page.paste(TEXT)
    page.ask(QUESTION)
    words, start, end = page.best_mark()
    assert words == "Tam Ferris"
    units = TEXT.encode("utf-16-le")
    assert units[2 * start : 2 * end].decode("utf-16-le") == "Tam Ferris"
    assert page.run("return document.querySelector('#text').textContent") == TEXT
    assert "Tam Ferris" in page.text_of("#answer .quote")
    assert page.text_of("#answer .passage") == "A goose had flown into it, and Tam Ferris fed it on oatmeal."
    assert page.text_of("#answer .passage strong") == "Tam Ferris"
    assert page.text_of("#answer .probability").endswith("% likely right")
    assert page.text_of("#say").startswith("Answer: Tam Ferris. ")
    assert page.all("#candidates button")
    assert page.all("#text mark.other, #text mark.unlikely")


def test_what_likely_right_means_is_explained_on_request(page):
    page.paste(TEXT)
    page.ask(QUESTION)
    chance = page.find("#answer .probability")
    assert chance.get_attribute("aria-expanded") == "false"
    assert not page.shows("#likely-meaning")
    chance.click()
    assert chance.get_attribute("aria-expanded") == "true"
    assert page.shows("#likely-meaning")
    assert re.search(r"about \d\d? were right", page.text_of("#likely-meaning"))


def test_a_text_that_the_reader_cannot_read_has_a_warning(page):
    page.paste("Москва — столица России, город федерального значения.")
    page.ask("What is the capital?")
    assert "covers little of the text" in page.text_of("#answer .warning")
    page.find("#new").click()
    page.paste(TEXT)
    page.ask(QUESTION)
    assert not page.all("#answer .warning")


@pytest.mark.parametrize(
    "text",
    [
        "One line.\r\n\r\n\r\n    indented\n\tand tabbed  \n \n\n\nمرحبا 🥁\u200d",
        "\n\n  leading\n\n\n",
        "Broken at a width, as mail and many files of plain text are, here\nand continued on the next line.\n\nEnd",
    ],
)
def test_the_text_is_shown_character_for_character(page, text):
    page.paste(text)
    page.find("#composer button[type=submit]").click()
    assert page.text_of("#text") == text.replace("\r\n", "\n")
    # The hidden text between paragraphs ends with a line end; the indentation after it is visible.
    hidden = [gap.get_attribute("textContent") for gap in page.all("#text .gap")]
    assert all(gap.endswith("\n") and not gap.strip() for gap in hidden)


@pytest.mark.parametrize("motion", [True, False])
@pytest.mark.parametrize("paragraphs", [80, 900])
def test_an_answer_outside_the_view_is_scrolled_into_view(page, paragraphs, motion):
    day = "Nothing of note happened on that day, and the sea was calm. "
    looks_like(page.driver, 1360, 900, motion=motion)
    try:
        # Of different lengths, so that the height of paragraphs that were never visible cannot be guessed.
        page.paste("\n\n".join([*(day * (1 + number % 9) for number in range(paragraphs)), TEXT]))
        page.ask(QUESTION)
        in_view = """
            const box = document.querySelector('#text mark.best').getBoundingClientRect();
            return box.top > 0 && box.bottom < innerHeight && scrollY > 500"""
        page.until(lambda: page.run(in_view), "the mark, in view")
        time.sleep(1)
        assert page.run(in_view), "it stays in view"
    finally:
        looks_like(page.driver, 1360, 900)


def test_the_list_of_other_answers_is_closed_if_none_is_likely(page):
    page.paste("Tam Ferris slept through the horn.")
    page.ask("Who slept through the horn?")
    shares = [share.get_attribute("textContent") for share in page.all("#candidates .share")]
    unlikely = shares and set(shares) == {"<1%"}
    assert unlikely == (page.text_of("#others-title") == "Other answers, each below 1%")
    assert page.find("#others").get_attribute("open") == (None if unlikely else "true")


def test_a_candidate_is_shown_where_it_is(page):
    page.paste(f"Tam Ferris slept. {'The sea was calm. ' * 400}{TEXT}")
    page.ask(QUESTION)
    page.run("document.querySelector('#others').open = true")
    for entry in page.all("#candidates button"):
        page.run("scrollTo(0, 0)")
        entry.click()
        words = entry.find_element("css selector", ".words").text
        shown = page.run(
            "return [...document.querySelectorAll('#text mark.shown')].map((mark) => mark.textContent).join('')"
        )
        assert shown == words
        page.until(
            lambda: page.run("""
                const box = document.querySelector('#text mark.shown').getBoundingClientRect();
                return box.top >= 0 && box.bottom <= innerHeight"""),
            "the mark, in view",
        )


def test_marks_and_candidates_point_at_each_other(page):
    page.paste(TEXT)
    page.ask(QUESTION)
    page.run("document.querySelector('#others').open = true")
    page.run("document.querySelector('#candidates button').focus()")
    rank = page.find("#candidates button").get_attribute("data-rank")
    assert page.all(f"#text mark.pointed[data-ranks~='{rank}']")
    page.run("document.querySelector('#question').focus()")
    assert not page.all("#text mark.pointed")
    page.run(
        """
        const mark = document.querySelector(`#text mark[data-rank='${arguments[0]}']`);
        mark?.dispatchEvent(new PointerEvent('pointerover', { bubbles: true }))""",
        rank,
    )
    if page.all(f"#text mark[data-rank='{rank}']"):
        assert "pointed" in page.find(f"#candidates [data-rank='{rank}']").get_attribute("class")


@contextlib.contextmanager
def slow_network(driver, milliseconds):
    """Delay each request."""
    conditions = {"offline": False, "downloadThroughput": -1, "uploadThroughput": -1}
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", {**conditions, "latency": milliseconds})
    try:
        yield
    finally:
        driver.execute_cdp_cmd("Network.emulateNetworkConditions", {**conditions, "latency": 0})


def test_a_late_answer_is_not_shown_on_another_text(page):
    page.paste(TEXT)
    with slow_network(page.driver, 1_500):
        page.find("#question").send_keys(QUESTION, Keys.ENTER)
        page.until(lambda: page.run("return document.querySelector('#ask').ariaBusy") == "true", "the request")
        page.find("#new").click()
        page.paste("Quite another text, about nothing.")
        page.find("#composer button[type=submit]").click()
        time.sleep(4)
    assert page.text_of("#text") == "Quite another text, about nothing."
    assert not page.shows("#answer")
    assert page.best_mark() is None
    assert page.run("return document.querySelector('#ask').ariaBusy") == "false"


def test_a_slow_file_does_not_replace_a_text_that_was_chosen_later(page, tmp_path):
    file = tmp_path / "slow.txt"
    file.write_text("Tam Ferris fed the goose.")
    with slow_network(page.driver, 2_000):
        page.find("#file").send_keys(str(file))
        page.until(lambda: page.text_of("#ask-button").startswith("Reading"), "the upload")
        page.paste("The text that was chosen later.")
        page.find("#composer button[type=submit]").click()
        time.sleep(4)
    assert page.text_of("#text") == "The text that was chosen later."


def test_long_operations_can_be_stopped(page):
    page.paste(TEXT)
    with slow_network(page.driver, 5_000):
        page.find("#question").send_keys(QUESTION, Keys.ENTER)
        page.until(lambda: page.shows("#progress"), "the progress")
        assert page.text_of("#progress-time").endswith(" s")
        page.find("#stop").click()
        assert not page.shows("#progress")
        assert page.run("return document.querySelector('#ask').ariaBusy") == "false"
    page.ask(QUESTION)
    assert page.best_mark()[0] == "Tam Ferris"


def test_the_page_works_where_storage_is_blocked(server):
    with chromium(storage=False) as private:
        private.get(server.url)
        page = Page.__new__(Page)
        page.driver = private
        page.until(lambda: page.text_of("#reader"), "the reader")
        with pytest.raises(errors()):
            page.run("localStorage.length")
        page.paste(TEXT)
        page.ask(QUESTION)
        assert page.best_mark()[0] == "Tam Ferris"
        page.find("#theme").click()
        assert page.text_of("#theme") == "Light"


def test_a_reload_keeps_the_text_of_the_tab(page):
    page.paste(TEXT)
    page.ask(QUESTION)
    page.driver.refresh()
    page.until(lambda: page.text_of("#text") == TEXT, "the text")
    assert page.find("#question").get_attribute("value") == QUESTION
    assert page.sent("/v1/answer") == 0
    page.find("#ask-button").click()
    page.answered()
    assert page.best_mark()[0] == "Tam Ferris"


def test_nothing_on_the_page_belongs_to_an_earlier_question(page):
    page.find("#ask-button").click()
    assert "no text yet" in page.text_of("#notice")
    page.all("#sample-list button")[0].click()
    page.answered()
    assert not page.shows("#notice")
    stale = "return document.querySelector('#answer').hasAttribute('data-stale')"
    assert not page.run(stale)
    page.find("#share").click()
    page.until(lambda: "#" in page.driver.current_url, "the fragment")
    page.find("#question").send_keys(" and why")
    assert page.run(stale), "the answer says whose it is"
    page.ask("Who slept through the horn?")
    assert not page.run(stale)
    assert "#" not in page.driver.current_url


def test_a_text_that_was_opened_and_not_changed_keeps_its_name_and_pages(page, tmp_path):
    file = tmp_path / "log.pdf"
    file.write_bytes(pdf(["The first page."], ["Tam Ferris fed the goose."]))
    page.upload(file)
    page.find("#edit").click()
    page.find("#composer button[type=submit]").click()
    assert page.text_of("#text-title") == "log.pdf"
    assert page.text_of("#text-facts").endswith("2 pages")


def test_the_focus_stays_with_the_question(page):
    focused = "return document.activeElement.id"
    page.all("#sample-list button")[0].click()
    page.answered()
    assert page.run(focused) == "question"
    page.find("#suggestions button").click()
    page.until(lambda: len(page.all("#history button")) == 2, "the history")
    assert page.run(focused) == "question"
    page.all("#history button")[1].click()
    assert page.run(focused) == "question"


def test_another_text_leaves_nothing_of_the_previous_one(page):
    page.all("#sample-list button")[0].click()
    page.answered()
    assert page.run("return document.querySelector('#question').value") not in page.text_of("#suggestions")
    page.find("#new").click()
    for part in ("#suggestions", "#answer", "#others", "#silence"):
        assert not page.shows(part), part
    page.find("#keep").click()
    assert page.shows("#answer")
    page.find("#new").click()
    page.paste(TEXT)
    page.find("#composer button[type=submit]").click()
    press_keys(page.driver, QUESTION)
    assert page.run("return document.querySelector('#question').value") == QUESTION


def test_a_text_is_sent_once_and_again_after_it_expired(driver):
    with serving("--text-bytes", "1000", reader=KNOWN) as small:
        page = Page(driver, small)
        page.paste(TEXT)
        page.ask(QUESTION)
        page.ask("What cracked?")
        assert page.sent("/v1/texts") == 1
        body = json.dumps({"text": "x" * 900}).encode()
        request = urllib.request.Request(f"{small.url}/v1/texts", body, {"content-type": "application/json"})
        urllib.request.urlopen(request).close()
        page.ask(QUESTION)
        assert page.sent("/v1/texts") == 2
        assert page.best_mark()[0] == "Tam Ferris"


def answer_of(server, **body):
    """Return the response of the API."""
    request = urllib.request.Request(
        f"{server.url}/v1/answer", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


def test_the_slider_works_without_requests(page, server):
    page.paste(TEXT)
    page.ask(QUESTION)
    asked = page.sent("/v1/answer")
    probability = answer_of(server, question=QUESTION, context=TEXT)["answers"][0]["probability"]
    here = round(100 * probability)
    assert page.text_of("#least output").startswith(
        "The reader answers if an answer is more likely right than “no answer”."
    )
    assert not page.shows("#reset")
    for least, kind in [(here + 2, "none"), (here - 2, "found"), (100, "none"), (0, "found")]:
        page.slide(least)
        assert page.run("return document.querySelector('#answer').dataset.kind") == kind
        assert bool(page.best_mark()) == (kind == "found")
    assert page.text_of("#least output").startswith("Always answers.")
    page.slide(100)
    assert "does not seem to answer" in page.text_of("#answer")
    page.find("#reset").click()
    assert page.best_mark()[0] == "Tam Ferris"
    assert page.sent("/v1/answer") == asked


def test_no_answer_shows_the_best_candidate(page):
    page.paste(TEXT)
    page.ask("What did it cost?")
    assert page.run("return document.querySelector('#answer').dataset.kind") == "none"
    assert page.text_of("#say").startswith("No answer")
    assert "Tam Ferris" in page.text_of("#answer .place")
    assert page.best_mark() is None
    page.slide(0)
    assert page.best_mark()[0] == "Tam Ferris"


def test_the_shipped_reader_is_described_as_in_the_api(driver):
    samples = json.loads((ROOT / "src/quoth/serve/page/samples.json").read_text(encoding="utf-8"))
    with serving() as shipped:
        page = Page(driver, shipped)
        for index, sample in enumerate(samples):
            page.find("#new").click() if page.shows("#new") else None
            before = page.run("return performance.now()")
            page.all("#sample-list button")[index].click()
            page.answered(before)
            result = answer_of(shipped, question=sample["questions"][0], context=sample["text"])
            kind = page.run("return document.querySelector('#answer').dataset.kind")
            assert kind == ("none" if result["no_answer"] else "found")
            marked = page.best_mark()
            assert (marked and marked[0]) == (None if result["no_answer"] else result["answers"][0]["text"])


@pytest.mark.parametrize("kind", ["txt", "md", "html", "docx", "pdf"])
def test_files_are_read(page, tmp_path, kind):
    said = "The glass cracked. Tam Ferris fed the goose."
    content = {
        "txt": said.encode(),
        "md": f"# Log\n\n{said}".encode(),
        "html": f"<h1>Log</h1><p>{said}</p>".encode(),
        "docx": docx("Log", said),
        "pdf": pdf(["The first page."], ["The glass cracked.", "Tam Ferris fed the goose."]),
    }[kind]
    file = tmp_path / f"log.{kind}"
    file.write_bytes(content)
    page.upload(file)
    assert page.text_of("#text-title") == f"log.{kind}"
    page.ask(QUESTION)
    assert page.best_mark()[0] == "Tam Ferris"
    assert page.sent("/v1/texts") == 1
    if kind == "pdf":
        assert page.text_of("#text-facts").endswith("2 pages")
        assert page.text_of("#answer .passage").startswith("Page 2: ")
        assert [p.get_attribute("data-page") for p in page.all("#text p[data-page]")] == ["1", "2"]


def test_a_file_is_dropped(page):
    page.run("""
        const dropped = new DataTransfer();
        dropped.items.add(new File(['Tam Ferris fed the goose.'], 'a.txt'));
        dispatchEvent(new DragEvent('dragenter', { dataTransfer: dropped, bubbles: true }));""")
    assert page.shows("#drop")
    page.run("""
        const dropped = new DataTransfer();
        dropped.items.add(new File(['Tam Ferris fed the goose.'], 'a.txt'));
        dispatchEvent(new DragEvent('drop', { dataTransfer: dropped, bubbles: true, cancelable: true }));""")
    page.until(lambda: page.text_of("#text") == "Tam Ferris fed the goose.", "the text")
    assert not page.shows("#drop")


def test_an_unreadable_file_shows_the_reason(driver, server, tmp_path):
    page = Page(driver, server)
    file = tmp_path / "broken.pdf"
    file.write_bytes(b"nonsense")
    page.find("#file").send_keys(str(file))
    page.until(lambda: "damaged, or has another format than its name says" in page.text_of("#notice"), "the reason")
    assert page.text_of("#notice-actions button") == "Choose another file"
    wrong = tmp_path / "sums.xlsx"
    wrong.write_bytes(b"nonsense")
    page.find("#file").send_keys(str(wrong))
    page.until(lambda: "but this one is .xlsx" in page.text_of("#notice"), "the reason")
    assert ".pdf" not in page.text_of("#notice-hint"), "the hint must not repeat the message"


def test_errors_do_not_name_settings_of_the_operator(driver):
    with serving("--context-characters", "100", reader=KNOWN) as small:
        page = Page(driver, small)
        page.paste("word " * 100)
        page.find("#question").send_keys(QUESTION, Keys.ENTER)
        page.until(lambda: page.shows("#notice"), "the error")
    assert page.text_of("#notice-title") == "That is too long"
    assert page.text_of("#notice-hint").endswith("raise its limit.")


def test_on_a_phone_the_text_is_beside_its_answer_and_its_correction(driver, server):
    looks_like(driver, 390, 844)
    try:
        page = Page(driver, server)
        paragraphs = ["Nothing of note happened on that day, and the sea was calm."] * 30
        page.paste("\n\n".join([*paragraphs, TEXT, *paragraphs]))
        page.ask(QUESTION)
        top = "return document.querySelector(arguments[0]).getBoundingClientRect().top"
        assert page.run(top, ".top") == 0, "the header is not cut off"
        assert page.run(top, "#text") < 844
        page.find("#tab-found").click()
        page.find("#correct-open").click()
        place = "return document.querySelector(arguments[0]).getBoundingClientRect().bottom"
        page.until(lambda: 0 < page.run(place, "#text mark.pick") < page.run(top, "#correct"), "the marked words")
    finally:
        looks_like(driver, 1360, 900)


def test_samples_are_one_click_away(page):
    marks = []
    for index in range(4):
        page.find("#new").click() if page.shows("#new") else None
        before = page.run("return performance.now()")
        page.all("#sample-list button")[index].click()
        page.answered(before)
        marks.append(page.best_mark())
    assert all(marks)
    page.find("#suggestions button").click()
    page.until(lambda: len(page.all("#history button")) == 5, "the history")
    page.all("#history button")[4].click()
    assert page.text_of("#text-title") == "The light on Corran Skerry"
    assert page.find("#question").get_attribute("value") == "What flew into the glass?"
    assert page.best_mark() == marks[0]


def test_the_samples_are_those_of_the_examples():
    def words(text):
        return " ".join(text.split())

    samples = json.loads((ROOT / "src/quoth/serve/page/samples.json").read_text(encoding="utf-8"))
    examples = [file.read_text(encoding="utf-8") for file in (ROOT / "examples/texts").glob("*.txt")]
    assert sorted(words(sample["text"]) for sample in samples) == sorted(words(text) for text in examples)


def test_corrections_become_squad_that_quoth_accepts(page):
    page.paste(f"{TEXT} Tam Ferris slept.")
    page.ask(QUESTION)
    page.correct("Tam")
    page.ask("What cracked?")
    page.find("#correct-open").click()
    # Selected with the mouse, over the emoji.
    page.select("🥁🎉 Drums")
    assert page.find("#right-words").get_attribute("value") == "🥁🎉 Drums"
    page.find("#correct button[type=submit]").click()
    page.ask("What does it cost?")
    page.find("#correct-open").click()
    page.find("#no-answer").click()
    assert page.text_of("#tab-fixes") == "Corrections (3)"
    file = page.download()
    data = json.loads(file.read_text(encoding="utf-8"))
    assert data["version"] == "v2.0"
    (article,) = data["data"]
    (paragraph,) = article["paragraphs"]
    context = paragraph["context"]
    golds = [[(gold["text"], gold["answer_start"]) for gold in qa["answers"]] for qa in paragraph["qas"]]
    assert golds == [[("Tam", context.index("Tam"))], [("🥁🎉 Drums", 0)], []]
    assert [qa["is_impossible"] for qa in paragraph["qas"]] == [False, False, True]
    checked = subprocess.run(
        [sys.executable, "-m", "quoth", "data", "check", str(file.rename(file.with_name("corrections.json")))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr + checked.stdout
    (page.driver.downloads / "corrections.json").unlink()


def test_one_of_several_places_is_chosen(page):
    page.paste("Tam slept. Tam Ferris fed the goose. Tam read.")
    page.ask(QUESTION)
    page.find("#correct-open").click()
    page.find("#right-words").clear()
    page.find("#right-words").send_keys("Tam")
    assert "Place 1 of 3" in page.text_of("#correct .where")
    page.find("#correct .where button").click()
    assert page.marked("pick") == ["Tam", 11, 14]
    page.find("#right-words").send_keys(" Lin")
    assert "Not in the text" in page.text_of("#correct .where")
    assert not page.find("#correct button[type=submit]").is_enabled()


def test_the_explanation_is_shown(page):
    page.paste("\n\n".join(["Nothing of note happened on that day, and the sea was calm."] * 60 + [TEXT]))
    page.ask(QUESTION)
    page.find("#tab-found").click()
    page.until(lambda: page.all("#view-found .token"), "the tokens")
    windows = page.all("#view-found [role=radio]")
    assert len(windows) >= 3
    assert windows[-1].get_attribute("aria-checked") == "true"
    assert [t.text for t in page.all("#view-found .token.quoted")] == ["tam", "ferris"]
    decided = page.text_of("#view-found .sum")
    assert "\u201cTam Ferris\u201d has the highest sum" in decided
    assert "So \u201cTam Ferris\u201d is the answer." in decided
    text = "\n\n".join(["Nothing of note happened on that day, and the sea was calm."] * 60 + [TEXT])
    first = text.index("Tam Ferris") + 1
    assert f"characters {first:,}\u2013{first + 9:,} of {len(text):,}" in decided
    hottest = page.run("return document.querySelector('.token[data-start=\"9\"] span').textContent")
    assert hottest == page.run("return document.querySelector('.tops th').textContent") == "tam"
    page.run("arguments[0].click()", windows[0])
    assert not page.all("#view-found .token.quoted")
    page.find("#view-found .tokens").send_keys(Keys.END)
    assert "[SEP]" in page.text_of("#view-found .detail")


def test_the_explanation_agrees_with_no_answer(page):
    page.paste(TEXT)
    page.ask("What did it cost?")
    page.find("#tab-found").click()
    page.until(lambda: page.all("#view-found .token"), "the tokens")
    assert "There is no answer, because the text does not seem to answer" in page.text_of("#view-found .sum")
    assert "The best guess is at characters" in page.text_of("#view-found .sum")
    rejected = [each.text for each in page.all("#view-found .rejected li")]
    assert rejected, "and why others were rejected"
    assert not [each for each in rejected if each.startswith("\u201c\u201d")]
    assert sum("outside the context" in each for each in rejected) == 1
    page.slide(0)
    assert "You require at least 0%, so \u201cTam Ferris\u201d is the answer." in page.text_of("#view-found .sum")


def test_markup_in_texts_stays_text(page, tmp_path):
    page.paste(f"{ATTACK} {TEXT} {ATTACK}")
    page.ask(f"{QUESTION} {ATTACK}")
    page.find("#tab-found").click()
    page.until(lambda: page.all("#view-found .token"), "the tokens")
    page.correct("<img src=x onerror='window.hacked=1'>")
    page.find("#tab-fixes").click()
    assert page.text_of("#view-fixes .right") == "<img src=x onerror='window.hacked=1'>"
    file = tmp_path / "<img src=x onerror=window.hacked=1>.html"
    file.write_text(f"<p>{ATTACK} Tam Ferris fed the goose. &lt;script&gt;window.hacked=3&lt;/script&gt;</p>")
    page.find("#new").click()
    page.find("#file").send_keys(str(file))
    page.until(lambda: page.text_of("#text-title") == file.name, "the file")
    assert page.text_of("#text") == "Tam Ferris fed the goose. <script>window.hacked=3</script>"
    page.ask(QUESTION)
    assert page.run("return [window.hacked, document.images.length, document.scripts.length]") == [None, 0, 2]


def test_the_content_security_policy_blocks_injected_scripts(driver, server):
    page = Page(driver, server)
    page.wait("""
        const script = document.createElement('script'); script.append('window.hacked = 1');
        try { document.body.append(script) } catch {}
        try { document.body.innerHTML += '<i>slips in</i>' } catch (refused) { window.refused = refused.name }
        const image = new Image(); image.src = 'http://127.0.0.1:9/'; document.body.append(image);
        return new Promise((done) => setTimeout(() => done(true), 300))""")
    assert page.run("return [window.hacked, window.refused]") == [None, "TypeError"]
    complaints = " ".join(entry["message"] for entry in driver.get_log("browser"))
    assert "TrustedScript" in complaints
    assert "img-src" in complaints


def test_the_page_works_with_the_keyboard_only(page):
    def focused():
        return page.run("return document.activeElement.id")

    def press(*keys):
        press_keys(page.driver, *keys)

    def tab_to(name, most=40):
        for _ in range(most):
            press(Keys.TAB)
            seen = page.run("""
                const style = getComputedStyle(document.activeElement);
                return document.activeElement === document.body || style.outlineStyle !== 'none'""")
            assert seen, f"focus must be visible on {page.run('return document.activeElement.outerHTML')}"
            if focused() == name:
                return
        raise AssertionError(f"#{name} must be reached by the tab key, but is not")

    press(Keys.TAB)
    assert page.run("return document.activeElement.className") == "skip"
    press(Keys.ENTER)
    assert focused() == "question"
    tab_to("paste")
    press("Tam Ferris fed the goose.")
    page.run("document.querySelector('.skip').focus()")
    press(Keys.ENTER, QUESTION, Keys.ENTER)
    page.answered()
    tab_to("correct-open")
    press(Keys.ENTER)
    assert focused() == "right-words"
    press("Tam", Keys.ENTER)
    assert focused() == "correct-open"
    tab_to("slider")
    press(Keys.END)
    assert "No answer" in page.text_of("#answer")
    tab_to("tab-text")
    press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert focused() == "tab-fixes"
    tab_to("download")
    press(Keys.ENTER)
    assert "Tam Ferris" in page.downloaded().read_text(encoding="utf-8")


def states(page):
    """Bring the page into each of its states, and yield the name of the state."""
    yield "empty"
    page.find("#ask-button").click()
    yield "no text"
    page.all("#sample-list button")[0].click()
    page.answered()
    yield "answer"
    page.find("#correct-open").click()
    yield "correcting"
    page.find("#no-answer").click()
    page.find("#tab-fixes").click()
    yield "corrections"
    page.slide(100)
    page.find("#tab-found").click()
    page.until(lambda: page.all("#view-found .token"), "the tokens")
    yield "how it was found, no answer"
    page.find("#suggestions button").click()
    page.until(lambda: page.all("#history button"), "the history")
    page.find("#edit").click()
    yield "editing"
    page.run("document.querySelector('#token-dialog').showModal()")
    yield "token"


@pytest.mark.parametrize(("width", "dark"), [(1360, False), (1360, True), (390, False), (390, True)])
def test_axe_finds_nothing_serious(driver, server, width, dark):
    looks_like(driver, width, 844 if width < 600 else 900, dark=dark)
    try:
        page = Page(driver, server)
        found = {state: axe_findings(driver) for state in states(page)}
        assert {state: list_ for state, list_ in found.items() if list_} == {}
        assert page.run("return document.documentElement.scrollWidth <= innerWidth")
    finally:
        looks_like(driver, 1360, 900)
        driver.execute_script("window.onbeforeunload = null")


def test_the_theme_is_switched_and_remembered(page):
    def paper():
        return page.run("return getComputedStyle(document.documentElement).backgroundColor")

    light = paper()
    page.find("#theme").click()
    dark = paper()
    assert dark != light
    page.driver.refresh()
    page.until(lambda: page.text_of("#theme") == "Light", "the switch")
    assert paper() == dark
    page.find("#theme").click()
    assert paper() == light
    page.run("localStorage.clear()")


@pytest.mark.parametrize("text", [TEXT, "\n\n".join(f"{index}: {TEXT}" for index in range(40))])
def test_a_link_restores_question_and_text(driver, server, text):
    page = Page(driver, server)
    page.paste(text)
    page.ask(QUESTION)
    # The page is scrolled to the answer first, and then the tabs cover the button.
    page.until(lambda: [page.run("scrollTo(0, 0)"), page.find("#share").click()], "the button")
    page.until(lambda: "#" in driver.current_url, "the fragment")
    link = driver.current_url
    assert ("#z=" in link) == (len(text) > 500)
    again = Page(driver, server, link.removeprefix(server.url))
    again.answered()
    assert again.text_of("#text") == text
    assert again.find("#question").get_attribute("value") == QUESTION
    assert again.best_mark()[0] == "Tam Ferris"


def test_a_link_that_is_too_long_or_damaged_is_reported(driver, server):
    page = Page(driver, server)
    page.run("""
        const bytes = crypto.getRandomValues(new Uint8Array(30000));
        const letters = Array.from(bytes, (byte) => String.fromCharCode(97 + byte % 26));
        document.querySelector('#paste').value = letters.join('')""")
    page.find("#composer button[type=submit]").click()
    page.find("#share").click()
    page.until(lambda: "at most 16,000 characters" in page.text_of("#notice"), "the reason")
    damaged = Page(driver, server, "/#z=AAAA")
    damaged.until(lambda: "This link is damaged" in damaged.text_of("#notice"), "the reason")
    # A short link with a large decompressed content.
    bomb = damaged.wait("""
        const packed = new Blob(['t=' + 'a'.repeat(2e7)]).stream().pipeThrough(new CompressionStream('deflate-raw'));
        const bytes = new Uint8Array(await new Response(packed).arrayBuffer());
        const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
        return btoa(binary).replaceAll('+', '-').replaceAll('/', '_')""")
    bombed = Page(driver, server, f"/#z={bomb}")
    bombed.until(lambda: "This link is damaged" in bombed.text_of("#notice"), "the reason")


def test_a_busy_server_is_retried(driver):
    engine = SlowEngine()
    with thread(engine, requests=3) as busy:
        page = Page(driver, busy)
        page.paste(TEXT)
        engine.free.clear()
        held = [busy.raw(request("/v1/answer", {"question": QUESTION, "context": TEXT})) for _ in range(3)]
        busy.wait_for("quoth_requests_held", 3)
        page.find("#question").send_keys(QUESTION, Keys.ENTER)
        page.until(lambda: "Trying again in" in page.text_of("#notice"), "the notice")
        assert page.run("return document.querySelector('#notice').dataset.kind") == "wait"
        engine.free.set()
        page.answered()
        assert not page.shows("#notice")
        for connection in held:
            connection.close()


def test_an_unreachable_server_is_reported_and_reconnected(driver):
    with serving(reader=KNOWN) as first:
        page = Page(driver, first)
        page.paste(TEXT)
        port = first.port
    page.find("#question").send_keys(QUESTION, Keys.ENTER)
    page.until(lambda: "The server does not answer" in page.text_of("#notice"), "the notice")
    assert page.text_of("#text") == TEXT
    with serving(reader=KNOWN, port=port):
        page.find("#notice-actions button").click()
        page.answered()
        assert page.best_mark()[0] == "Tam Ferris"
        assert not page.shows("#notice")


def test_a_token_is_asked_for(driver):
    with serving(reader=KNOWN, token="sesame") as closed:
        driver.get(closed.url)
        page = Page.__new__(Page)
        page.driver = driver
        page.until(lambda: page.shows("#token-dialog"), "the dialog")
        page.find("#token").send_keys("wrong", Keys.ENTER)
        page.until(
            lambda: page.shows("#token-dialog") and "missing or wrong" in page.text_of("#notice"), "the dialog again"
        )
        assert page.text_of("#notice-title") == "This token is not accepted"
        page.find("#token").send_keys("sesame", Keys.ENTER)
        page.until(lambda: page.text_of("#reader"), "the reader")
        page.paste(TEXT)
        page.ask(QUESTION)
        assert page.best_mark()[0] == "Tam Ferris"


def test_quotes_are_green_amber_with_their_difference_or_red(page):
    page.paste(TEXT)
    page.find("#verify summary").click()
    page.find("#claims").send_keys('He says "Tam Ferris fed it", "Tam Ferris fed it on porridge", and "no dogs".')
    page.find("#verify-button").click()
    page.until(lambda: len(page.all("#verdicts li")) == 3, "three verdicts")
    assert [item.get_attribute("data-status") for item in page.all("#verdicts li")] == ["exact", "near", "absent"]
    assert page.text_of("#verify-sum") == "1 exact, 1 near, 1 absent"
    assert [each.text for each in page.all("#verdicts del, #verdicts ins")] == ["porridge", "oatmeal"]
    colours = page.run("return [...document.querySelectorAll('#verdicts .status')].map(e => getComputedStyle(e).color)")
    assert len(set(colours)) == 3
    page.find("#verdicts li:nth-child(2) button").click()
    assert page.text_of("#text mark") == "Tam Ferris fed it on oatmeal"


def test_verdicts_are_not_shown_on_the_text_of_an_earlier_question(page):
    page.all("#sample-list button")[0].click()
    page.answered()
    page.find("#new").click()
    page.paste(TEXT)
    page.ask(QUESTION)
    page.find("#verify summary").click()
    page.find("#claims").send_keys("Tam Ferris fed it")
    page.find("#verify-button").click()
    page.until(lambda: page.all("#verdicts li"), "a verdict")
    page.all("#history button")[1].click()
    page.until(lambda: page.text_of("#text") != TEXT, "the text of the earlier question")
    assert not page.all("#verdicts li")
    assert not page.shows("#verify-sum")


def test_offsets_are_the_same_as_in_python(page):
    texts = ["", "abc", EMOJI, "a😀b😀😀c", "😀" * 50 + "é" * 50]
    for text in texts:
        units, points = [], []
        for index in range(len(text) + 1):
            points.append(index)
            units.append(len(text[:index].encode("utf-16-le")) // 2)
        counted = page.wait(f"""
            const {{ Offsets }} = await import('./page/offsets.js');
            const offsets = new Offsets({json.dumps(text)});
            const units = {points}.map((point) => offsets.toUnit(point));
            return [units, {units}.map((unit) => offsets.toCodePoint(unit)), offsets.length]""")
        assert counted == [units, points, len(text)]


def test_the_modules_pass_the_type_checker():
    compiler = NPM / "typescript" / "bin" / "tsc"
    done = subprocess.run(["node", compiler, "-p", NPM.parent], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
