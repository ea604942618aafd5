"""Drawings in HTML and ``quoth explain``: every text is shown and escaped."""

import base64
import contextlib
import hashlib
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from rich.console import Console

from quoth.cli import main
from quoth.cli.explain import _coloured, _levels
from quoth.display import visible
from quoth.drawing import escaped
from quoth.reading import Windower
from quoth.records import Answer, Example, Gold, Prediction, Span
from support.readers import tiny_reader, tiny_tokenizer
from support.texts import few, texts

READER = str(Path(__file__).parent / "tiny" / "wordpiece")
# As the tiny readers compute; what is best here may be less exact.
EXACTLY = ("--precision", "float32")
QUESTION = "Who keeps the lamp?"
HOSTILE = "</p></style><script>alert(1)</script><img src=x onerror=alert(1)> \x1b[31m \u202e \ud800 & \" ' <b>Ana</b>"
VOID = {"meta", "rect", "br", "input"}


class Page(HTMLParser):
    """Holds that tags close in their order, and notes what there is."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.shown = [], set(), [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.shown.append(data)


ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "strong", "b", "em", "sup", "small",
    "table", "thead", "tbody", "tr", "th", "td", "q", "mark", "u", "meter", "svg", "rect", "text", "details", "summary",
    "span", "div", "br",
}  # fmt: skip


def checked(text):
    page = Page(text)
    assert page.tags <= ALLOWED
    assert not any(name.startswith("on") or name in ("src", "href", "style") for name, _ in page.attributes)
    assert visible(text) == text
    text.encode()
    return page


@few
@given(question=texts, context=texts)
def test_every_text_is_drawn_and_escaped(question, context):
    reader = tiny_reader("wordpiece", max_tokens=128)
    if not 0 < len(tiny_tokenizer("wordpiece").encode([question.strip()])[0]) < 100:
        question = QUESTION
    explanation = reader.explain(question, [context, HOSTILE])
    page = checked(explanation.to_html())
    assert "alert(1)" in "".join(page.shown)
    checked(explanation._repr_html_())
    checked(explanation.prediction._repr_html_())
    for window in reader.windower.windows(Example("<i>", question, context)):
        checked(window._repr_html_())


def test_the_page_loads_no_external_resources():
    text = tiny_reader("wordpiece", max_tokens=128).explain(QUESTION, HOSTILE).to_html()
    (sheet,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in html.unescape(text)
    assert "prefers-color-scheme: dark" in sheet
    assert not re.search(r"https?:|url\(|@import", text)


def test_the_page_shows_everything_in_the_explanation():
    context = "The keeper was Ana Ribeiro. " * 12
    explanation = tiny_reader("wordpiece", max_answer_tokens=4).explain(QUESTION, context, top_k=2)
    text = explanation.to_html()
    shown = "".join(Page(text).shown)
    assert text.count("<summary>Window ") == len(explanation.windows) > 2
    assert text.count('class="w"') == len(explanation.windows)
    assert text.count('class="t ') == sum(len(window.tokens) for window in explanation.windows)
    assert all(item.answer.text in shown for item in explanation.answers)
    assert f"{sum(explanation.rejected_counts.values())} rejected candidates" in shown
    assert all(pair.reason.sentence in shown for pair in explanation.rejected)
    for letter, logits in (("s", lambda token: token.start), ("e", lambda token: token.end)):
        best = max((token for window in explanation.windows for token in window.tokens), key=logits)
        assert re.search(rf'class="t {best.part}[^"]* {letter}9[^"]*"[^>]*>{re.escape(escaped(best.text))}<', text)


def test_a_prediction_is_drawn_in_a_notebook():
    answers = (Answer("<b>", Span(3, 6), -1.5, 0.25, 0, 2),)
    text = Prediction(Example("q", "Who?", ""), answers, -3.0, False)._repr_html_()
    assert "".join(Page(text).shown).startswith("<b>")
    assert all(part in text for part in ("&lt;b&gt;", "25.0%", "−1.50", "3–6", ">2<"))
    none = Prediction(Example("q", "Who?", ""), answers, None, True, "it is <silent>")._repr_html_()
    assert "No answer" in none
    assert "it is &lt;silent&gt;." in none


def test_a_window_is_drawn_in_a_notebook():
    context = "Ana Ribeiro keeps the lamp. " * 10
    golds = (Gold("Ana Ribeiro", 28),)
    windower = Windower(tiny_tokenizer("wordpiece"), max_tokens=48, overlap=16)
    windows = windower.windows(Example("56be", QUESTION, context, golds))
    text = windows[0]._repr_html_()
    assert "<mark>Ana Ribeiro</mark>" in text
    assert context in "".join(Page(text).shown)
    assert f"Window 0 of question 56be: {len(windows[0])} tokens" in text
    assert "<mark>" not in windows[-1]._repr_html_()


@pytest.fixture
def quoth(quoth, tmp_path):
    """Run the command line in an empty folder; return its exit status, stdout and stderr."""
    with contextlib.chdir(tmp_path):
        yield quoth


def test_explain_in_the_terminal(quoth):
    context = "The keeper was Ana Ribeiro. " * 12
    status, out, err = quoth("explain", QUESTION, "--text", context, "--reader", READER, *EXACTLY, "--top-k", 2)
    expected = tiny_reader("wordpiece", max_tokens=128, overlap=42).explain(QUESTION, context, top_k=2)
    assert (status, err) == (0, "")
    assert out.splitlines()[0] == expected.prediction.best.text
    assert all(f"= {item.answer.score:.2f} · text:1:" in out for item in expected.answers)
    assert f"null score {expected.prediction.null_score:.2f}" in out
    assert f" of {len(expected.windows)} of text" in out
    assert all(pair.reason.sentence in out for pair in expected.rejected[:5])


def test_explain_as_json_and_html(quoth):
    Path("a.txt").write_text("Ana Ribeiro keeps the lamp.")
    status, out, err = quoth(
        "explain", QUESTION, "--context", "a.txt", "--reader", READER, *EXACTLY, "--json", "--html", "why.html"
    )
    assert (status, err) == (0, "Wrote why.html\n")
    document = json.loads(out)
    explanation = tiny_reader("wordpiece", max_tokens=128, overlap=42).explain(QUESTION, "Ana Ribeiro keeps the lamp.")
    assert document == json.loads(json.dumps({**explanation.to_dict(), "names": ["a.txt"]}))
    assert Path("why.html").read_text() == explanation.to_html()


def test_explain_without_a_text(quoth):
    status, out, err = quoth("explain", QUESTION, "--text", " ", "--reader", READER)
    assert (status, err) == (0, "")
    assert out.startswith("No answer: the context has no text to quote.")
    status, _, err = quoth("explain", QUESTION, "--context", "none.txt")
    assert (status, err) == (1, "quoth: none.txt: must be a file, but does not exist\n")


def test_tokens_are_coloured_by_their_logits():
    (window,) = tiny_reader("wordpiece", max_tokens=128).explain(QUESTION, "Ana  Ribeiro\nkeeps it.").windows
    drawn = _coloured(window, "Ana  Ribeiro\nkeeps it.", rich=True)
    assert drawn.plain == "Ana Ribeiro keeps it."
    starts = [token.start for token in window.tokens if token.part == "context"]
    ends = [token.end for token in window.tokens if token.part == "context"]
    lit = [max(pair) >= 0.15 for pair in zip(_levels(starts), _levels(ends), strict=True)]
    assert 0 < sum(lit) == len(drawn.spans)
    console = Console(force_terminal=True, color_system="standard")
    with console.capture() as captured:
        console.print(_coloured(window, "Ana  Ribeiro\nkeeps it.", rich=False))
    assert "\x1b[37;44m" in captured.get()


def test_the_page_does_not_overwrite_other_files(tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("Ana keeps the lamp.", encoding="utf-8")
    words = ["explain", QUESTION, "--context", str(text), "--reader", READER, *EXACTLY, "--html"]
    for page, sentence in [
        (text, "must be different files"),
        (tmp_path / "no" / "a.html", "the folder of the file must exist"),
    ]:
        with pytest.raises(SystemExit) as ended:
            main([*words, str(page)])
        assert ended.value.code == 2
        assert sentence in capsys.readouterr().err
    assert text.read_text(encoding="utf-8") == "Ana keeps the lamp."


def test_a_text_without_tokens_has_no_window():
    page = tiny_reader("wordpiece").explain(QUESTION, "  ").to_html()
    assert "no window, because it has no tokens" in page
