"""The report of an evaluation as a page: its contents, and no markup of texts is interpreted."""

import html
import json
import re

import pytest
from hypothesis import given, strategies as st

from quoth import Reader, evaluate
from quoth.data import write_squad
from quoth.drawing.charts import line_chart
from quoth.drawing.report import Mistakes, ReportParts, marked, report_page
from quoth.records import Example, Gold, Span
from support.readers import TINY, tiny_folder
from support.texts import few

CONTEXT = "The keeper of the lighthouse was Ana Ribeiro, and she lit the lamp at nine. Nobody else came."
HOSTILE = "</p></style><script>alert(1)</script><img src=x onerror=alert(1)> <b>\" & '"
EXAMPLES = [
    Example("1", f"Who kept it? {HOSTILE}", CONTEXT, (Gold("lighthouse", 18),), "One"),
    Example("2", "When?", f"{HOSTILE} {CONTEXT}", (Gold("nine", len(HOSTILE) + 1 + CONTEXT.index("nine")),), "Two"),
    Example("3", "Why?", CONTEXT, (), "Three"),
]


def plain(page):
    return html.unescape(re.sub(r"<[^>]*>", "", page))


def made(**more):
    wrong = Mistakes("v2.0")
    report = evaluate(Reader.load(TINY / "wordpiece", threads=1), EXAMPLES, each=wrong.add)
    return report_page(ReportParts("a reader", HOSTILE, report, wrong, **more)), report, wrong


def test_the_page_has_the_scores_and_the_wrong_answers():
    page, report, wrong = made(threshold=1.5, warnings=["Seen before."], history=[{"step": 0, "eval_f1": 1.0}] * 2)
    text = plain(page)
    assert f"{report.f1:.1f} [" in text
    assert "There are only 3 questions" in text
    assert "Seen before." in text
    assert "It is 1.50 here" in text
    assert "The scores on the development data" in text
    assert f"Wrong answers: {sum(wrong.counts.values())} of 3" in text
    for example in EXAMPLES[:2]:
        assert example.question in text
        assert f"“{example.golds[0].text}”" in text
    assert "Risk and coverage" in text


def test_markup_in_texts_is_not_interpreted():
    page, *_ = made()
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("</style>") == 1
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)="', page)


spans = st.tuples(st.integers(0, 60), st.integers(0, 40)).map(lambda pair: Span(pair[0], pair[0] + pair[1]))


@few
@given(st.text("abc <&", min_size=100, max_size=600), st.lists(spans, max_size=3), spans)
def test_a_marked_text_is_complete(context, golds, said):
    shown = marked(context, [*((gold, "gold") for gold in golds), (said, "predicted")])
    text = plain(shown).strip("…")
    assert text in context
    for kind, wanted in (("gold", golds), ("predicted", [said])):
        parts = re.findall(rf'<mark class="[^"]*\b{kind}\b[^"]*">(.*?)</mark>', shown)
        covered = {place for span in wanted for place in range(span.start, span.end)}
        assert sum(len(html.unescape(part)) for part in parts) == len(covered)


def test_a_chart_stays_within_its_frame():
    chart = line_chart({"a": [(float(n), float(n)) for n in range(1000)]}, x="step", y="F1", top=100.0, marked=500.0)
    points = re.findall(r'points="([^"]*)"', chart)[0].split()
    assert len(points) < 400
    assert all(0 <= float(x) <= 640 and 0 <= float(y) <= 260 for x, y in (point.split(",") for point in points))
    assert 'class="marked"' in chart
    assert line_chart({}, x="step", y="F1", top=1.0) == ""


def test_evaluate_writes_the_page_and_compares(quoth, tmp_path):
    folder = tiny_folder("wordpiece", tmp_path / "mine")
    (folder / "history.json").write_text(json.dumps([{"step": n, "eval_f1": 5.0, "eval_exact": 1.0} for n in (0, 9)]))
    write_squad(EXAMPLES, tmp_path / "data.json")
    words = ("evaluate", tmp_path / "data.json", "--reader", folder, "--html", tmp_path / "report.html")
    status, out, err = quoth(*words, "--against", TINY / "wordpiece")
    text = plain((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert (status, "all questions" in out, f"Report: {tmp_path / 'report.html'}" in err) == (0, True, True)
    assert "How well mine answers data.json" in text
    assert "give the same answer to every question" in text
    assert "The scores on the development data" in text
    (folder / "history.json").write_text("[{")
    status, _, err = quoth(*words)
    assert (status, "history.json: must be JSON, but cannot be read" in err) == (0, True)
    assert "The scores on the development data" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    status, _, err = quoth("evaluate", tmp_path / "data.json", "--against", folder)
    assert (status, "--against needs --html FILE" in err) == (2, True)
    status, _, err = quoth("evaluate", tmp_path / "data.json", "--html", tmp_path / "data.json")
    assert (status, "must be different files" in err) == (2, True)


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("evaluate", "--html"),
        ("evaluate", "--errors"),
        ("predict -o -", "--nbest"),
        ("data audit", "--html"),
        ("data repair -o out.json", "--log"),
        ("data convert -o out.json", "--disagreements"),
        ("data select -o out.json", "--marks"),
        ("data pairs", "--out"),
    ],
)
def test_an_output_in_a_missing_folder_is_rejected_before_the_work(quoth, tmp_path, command, option):
    page = tmp_path / "no" / "page"
    status, out, err = quoth(*command.split(), tmp_path / "none.json", option, page)
    assert (status, out) == (2, "")
    assert err == f"quoth: {page}: the folder of the file must exist, but does not. Create it first.\n"
