"""Slices, intervals over articles, paired comparisons, and error analysis."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from quoth.data import write_squad
from quoth.errors import ConfigError
from quoth.evaluation import compare, evaluate, score
from quoth.evaluation.bootstrap import clusters, interval, sign_flip_test
from quoth.evaluation.error_analysis import CAUSES, mistake, mistake_file
from quoth.evaluation.slices import DIMENSIONS, NO_ANSWER, Traits, question_word
from quoth.reading import DecodeSettings
from quoth.records import Answer, Example, Gold, Prediction, Span
from quoth.store import ReaderSettings
from support.readers import tiny_folder, tiny_reader
from support.texts import few, texts

CONTEXT = "The keeper, Ana Ribeiro, lit the lamp in 1972. The log of Cabo Branco says so. " + "Waves came. " * 60


def asked(number, question, *golds, title="T", context=CONTEXT):
    found = tuple(Gold(gold, context.index(gold)) for gold in golds)
    return Example(f"q{number}", question, context, found, title)


def said(example, text):
    """A prediction that quotes a text of the example's context."""
    start = example.context.index(text)
    answers = (Answer(text, Span(start, start + len(text)), 1.0, 0.5),) if text else ()
    return Prediction(example, answers, 0.0, not text, windows=2)


# --- traits and slices


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("Who lit it?", "who"),
        ("In what year?", "what"),
        ("To WHOM was it given, and when?", "who"),
        ("How  many\nlamps are there?", "how many"),
        ("how much oil?", "how many"),
        ("How tall is it?", "how"),
        ("Name the keeper.", "other"),
        ("The whole show?", "other"),
    ],
)
def test_question_words(question, word):
    assert question_word(question) == word


@few
@given(texts, texts, st.integers(0, 5))
def test_every_example_is_in_one_slice_of_each_dimension(question, context, windows):
    golds = (Gold(context[-3:], len(context[:-3])),) if context else ()
    traits = Traits.of(Example("1", question, context, golds), windows or None)
    for name, dimension in DIMENSIONS.items():
        label = dimension.label(traits)
        assert label in dimension.labels or (label is None and name == "windows" and not windows)


def test_slices_of_a_small_example():
    example = asked(1, "Who?", "keeper, Ana Ribeiro", "Ana Ribeiro")
    traits = Traits.of(example, 3)
    assert (traits.answer_words, traits.question_word, traits.windows, traits.title) == (2, "who", 3, "T")
    assert traits.position == pytest.approx(4 / len(CONTEXT))
    assert traits.context_words == len(CONTEXT.split())
    labels = {name: dimension.label(traits) for name, dimension in DIMENSIONS.items()}
    assert labels == {
        "question word": "who",
        "answer length, words": "2",
        "context length, words": "120–159",
        "windows": "3 or more",
        "answer position": "0–20%",
    }
    none = Traits.of(asked(2, "Why?"))
    assert DIMENSIONS["answer position"].label(none) == DIMENSIONS["answer length, words"].label(none) == NO_ANSWER


def test_slices_partition_the_report():
    examples = [
        asked(1, "Who?", "Ana Ribeiro"),
        asked(2, "Who?", "keeper"),
        asked(3, "When?", "1972"),
        asked(4, "Why?"),
    ]
    report = score(examples, {"q1": "Ana Ribeiro", "q2": "lamp", "q3": "in 1972", "q4": ""})
    words = report.slices["question word"]
    assert {label: part.total for label, part in words.items()} == {"who": 2, "when": 1, "why": 1}
    assert (words["who"].exact, words["when"].f1) == (50.0, pytest.approx(200 / 3))
    for parts in report.slices.values():
        assert sum(part.total for part in parts.values()) == report.total
    assert "windows" not in report.slices
    document = report.to_dict(slices=True)["slices"]
    assert document["question word"]["who"]["exact"] == 50.0
    assert set(document["question word"]["who"]) == {"total", "exact", "exact_interval", "f1", "f1_interval"}
    assert "slices" not in report.to_dict()
    lines = report.slice_table.splitlines()
    assert lines[0].split()[:3] == ["question", "word", "number"]
    assert lines[1].split()[:3] == ["who", "2", "50.00"]
    assert "who" in report._repr_html_()
    assert repr(report) == "Report(questions=4, exact=50.00, f1=66.67, rules='v2.0')"


def test_a_reader_reports_the_number_of_windows():
    examples = [asked(1, "Who?", "Ana Ribeiro"), asked(2, "Who?", "Ana", context="Ana lit it.")]
    report = evaluate(tiny_reader("wordpiece"), examples)
    assert set(report.slices["windows"]) == {"1", "3 or more"}


# --- intervals and tests over articles


def test_intervals_treat_questions_of_an_article_as_dependent():
    values = np.repeat([0.0, 1.0], 200)
    alone, together = np.arange(400), np.repeat(np.arange(8), 50)
    low, high = interval(values, alone)
    assert (low, high) == pytest.approx((0.5 - 0.049, 0.5 + 0.049), abs=0.005)
    # Eight articles, each all right or all wrong: the mean has the variance of eight samples.
    low, high = interval(values, together)
    assert (low, high) == (pytest.approx(0.125), pytest.approx(0.875))


def test_two_similar_articles_do_not_make_an_interval_narrow():
    values = np.array([1.0] * 14 + [0.0] * 5 + [1.0] * 13 + [0.0] * 5)
    articles = np.repeat([0, 1], [19, 18])
    low, high = interval(values, articles)
    assert (low, high) == interval(values, np.arange(37))
    assert high - low > 0.2


@given(st.lists(st.sampled_from(["", "A", "B", "C"]), min_size=1, max_size=12))
def test_articles_are_numbered(titles):
    found = clusters(titles)
    alone = len(set(titles)) == 1
    for (i, a), (j, b) in itertools.combinations(enumerate(titles), 2):
        assert (found[i] == found[j]) == (a == b != "" and not alone)


def test_without_titles_the_questions_of_a_context_are_one_cluster():
    def reports(title, context=CONTEXT):
        examples = [asked(n, "Who?", "Ana", title=title(n // 20), context=f"{context} {n // 20}") for n in range(600)]
        rights = {each.id: "Ana" for n, each in enumerate(examples) if n // 20 % 2 and n % 3}
        return score(examples, {each.id: rights.get(each.id, "lamp") for each in examples}), score(examples, rights)

    bare, named = (reports(title)[0] for title in (lambda _: "", lambda number: f"article {number}"))
    assert (bare.exact_interval, bare.f1_interval) == (named.exact_interval, named.f1_interval)
    # As wide as thirty answers can tell, not six hundred.
    assert bare.exact_interval[1] - bare.exact_interval[0] > 20
    assert compare(*reports(lambda _: "")).f1 == compare(*reports(str)).f1
    # A title that some contexts share joins them; contexts beyond Unicode are contexts, too.
    assert reports(lambda number: str(number // 5))[0].exact_interval != named.exact_interval
    assert reports(lambda _: "", CONTEXT + "\ud800")[0].exact_interval == named.exact_interval


def test_cluster_keys_are_small():
    kept = Traits.of(asked(1, "Who?", title="", context=CONTEXT)).cluster
    assert len(kept) == 8
    assert kept == Traits.of(asked(2, "Why?", title="", context=CONTEXT)).cluster
    assert kept != Traits.of(asked(1, "Who?", title="", context=CONTEXT + " ")).cluster
    assert Traits.of(asked(1, "Who?")).cluster == "T"


@given(st.lists(st.sampled_from([-1.0, -0.4, 0.0, 0.3, 1.0]), min_size=1, max_size=8))
def test_the_sign_flip_test_equals_its_definition(differences):
    observed = abs(sum(differences))
    flipped = [
        abs(sum(map(float.__mul__, differences, signs)))
        for signs in itertools.product([1.0, -1.0], repeat=len(differences))
    ]
    slow = sum(value >= observed - 1e-9 for value in flipped) / len(flipped)
    assert sign_flip_test(differences, np.arange(len(differences))) == pytest.approx(slow)


def test_signs_of_many_articles_are_flipped_at_random():
    rng = np.random.default_rng(0)
    same = [sign_flip_test(rng.normal(size=60), np.arange(60)) for _ in range(25)]
    assert 0.3 < np.mean(same) < 0.7
    assert min(same) > 1e-4
    assert sign_flip_test(np.ones(60), np.arange(60)) == pytest.approx(1e-4)
    # The same differences, all of three articles, say little.
    assert sign_flip_test(np.ones(60), np.repeat(np.arange(3), 20)) == pytest.approx(0.25)


# --- two files in pairs


def pair(rights, wrongs, total=40):
    """Return reports of two systems that answer different questions."""
    examples = [asked(number, "Who?", "Ana", title=f"article {number // 2}") for number in range(total)]
    first = {f"q{number}": "Ana" if number in rights else "lamp" for number in range(total)}
    second = {f"q{number}": "Ana" if number in wrongs else "lamp" for number in range(total)}
    return score(examples, first), score(examples, second)


def test_a_comparison_as_text():
    found = compare(*pair(range(10), range(2, 36)), ("old.json", "new.json"))
    assert (found.gained, found.lost) == (26, 2)
    assert found.exact.points == pytest.approx(60.0)
    assert found.exact.interval[0] > 30
    assert found.exact.p < 0.01
    lines = str(found).splitlines()
    assert lines[1].split() == ["old.json", "25.00", "25.00"]
    assert lines[3] == "Of 40 questions, 26 are answered exactly only by new.json, and 2 only by old.json."
    assert lines[4].startswith(
        "new.json is better than old.json by 60.00 points of exact match (95% confidence interval "
    )
    assert lines[4].endswith("): significant (p < 0.05).")
    back = compare(found.second, found.first, ("new.json", "old.json"))
    assert str(back).splitlines()[4].startswith("new.json is better than old.json by 60.00 points of exact match (95%")
    assert back.exact.p == found.exact.p


def test_a_difference_that_is_not_significant_is_reported_as_such():
    first, second = pair(range(10), [*range(11), 30])
    assert ": not significant." in str(compare(first, second))
    few = compare(*pair(range(0), range(8), total=8))
    assert "with only 4 articles, no difference can be significant" in str(few)  # 4 of 4, yet p is 0.12
    same = compare(first, first)
    assert (same.exact.points, same.exact.interval, same.exact.p) == (0.0, (0.0, 0.0), 1.0)
    assert str(same).splitlines()[-1] == "A and B give the same answer to every question."
    assert "significant" not in str(same)


def test_only_reports_on_the_same_questions_are_compared():
    with pytest.raises(ConfigError, match="same questions"):
        compare(pair([1], [1])[0], pair([1], [1], total=39)[0])


# --- wrong answers


@pytest.mark.parametrize(
    ("golds", "text", "cause", "marked"),
    [
        (["Ana Ribeiro"], "Ana", "too short", "{{[[Ana]] Ribeiro}}"),
        (["Ribeiro"], "Ana Ribeiro", "too long", "[[Ana {{Ribeiro}}]]"),
        (["keeper, Ana"], "Ana Ribeiro", "shifted", "{{keeper, [[Ana}} Ribeiro]]"),
        (["Ana Ribeiro"], "1972", "same sentence", "{{Ana Ribeiro}}, lit the lamp in [[1972]]"),
        (["Ana Ribeiro"], "Cabo Branco", "nearby", "of [[Cabo Branco]] says"),
        (["Ana Ribeiro"], "the end", "elsewhere", " … "),
        (["Ana Ribeiro"], "", "abstained", "{{Ana Ribeiro}}"),
        ([], "Ana", "should abstain", "[[Ana]]"),
    ],
)
def test_causes(golds, text, cause, marked):
    example = asked(1, "Who?", *golds, context=CONTEXT + "It was the end.")
    found = mistake(example, said(example, text), "v2.0")
    assert found["cause"] == cause
    assert marked in found["excerpt"]
    assert cause in CAUSES
    json.dumps(found)


def test_the_spelling_is_a_cause():
    example = Example("1", "?", "twenty–one or twenty one", (Gold("twenty–one", 0),))
    found = mistake(example, Prediction(example, (Answer("twenty one", Span(14, 24), 1.0, 0.5),), 0.0, False), "v1.1")
    assert found["cause"] == "spelling"


def test_correct_answers_are_not_mistakes():
    example = asked(1, "Who?", "Ana Ribeiro")
    assert mistake(example, said(example, "Ana Ribeiro"), "v1.1") is None
    assert mistake(asked(1, "Why?"), said(asked(1, "Why?"), ""), "v2.0") is None
    assert mistake(Example("1", "Who?", CONTEXT), said(example, "Ana"), "v2.0") is None


def test_mistakes_use_the_rules_of_the_report():
    example = Example("1", "?", "The cat", (Gold("cat", 4), Gold("The", 0)))
    assert mistake(example, said(example, "The"), "v1.1") is None
    assert mistake(example, said(example, "The"), "v2.0")["golds"] == ["cat", "The"]


@few
@given(texts.map(lambda text: text.replace("[", "").replace("]", "")).filter(bool), st.data())
def test_an_excerpt_is_a_part_of_the_context(context, data):
    def piece():
        start = data.draw(st.integers(0, len(context) - 1))
        return start, data.draw(st.integers(start + 1, len(context)))

    gold, best = piece(), piece()
    example = Example("1", "?", context, (Gold(context[slice(*gold)], gold[0]),))
    answer = Answer(context[slice(*best)], Span(*best), 1.0, 0.5)
    if found := mistake(example, Prediction(example, (answer,), 0.0, False), "v1.1"):
        assert found["cause"] in CAUSES
        shown = found["excerpt"]
        for mark in ("[[", "]]", "{{", "}}"):
            shown = shown.replace(mark, "", 1)
        if len(context) <= 200:
            assert "".join(shown.split()) == "".join(context.split())


def test_the_file_contains_the_wrong_answers(tmp_path):
    examples = [asked(1, "Who\ud800?", "Ana Ribeiro"), asked(2, "When?", "1972")]
    with mistake_file(tmp_path / "wrong.jsonl", "v1.1") as (write, counts):
        for example in examples:
            write(example, said(example, "Ana"))
    rows = [json.loads(line) for line in (tmp_path / "wrong.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in rows] == ["q1", "q2"]
    assert counts == {"too short": 1, "same sentence": 1}


# --- the commands


@pytest.fixture
def files(tmp_path):
    examples = [asked(n, "Who?", "Ana", title=f"article {n}") for n in range(8)]
    write_squad(examples, tmp_path / "data.json")
    for name, right in (("a", 2), ("b", 7)):
        texts_ = {f"q{n}": "Ana" if n < right else "lamp" for n in range(8)}
        (tmp_path / f"{name}.json").write_text(json.dumps(texts_))
    return tmp_path


def test_score_compares(quoth, files):
    words = ("score", files / "data.json", files / "a.json", "--compare", files / "b.json")
    status, out, err = quoth(*words)
    assert (status, err) == (0, "")
    assert "b.json is better than a.json by 62.50 points of exact match" in out
    document = json.loads(quoth(*words, "--json")[1])
    assert document["names"] == ["a.json", "b.json"]
    assert (document["first"]["exact"], document["second"]["exact"]) == (25.0, 87.5)
    assert document["exact"]["points"] == 62.5
    assert document["exact"]["p"] == pytest.approx(2 / 2**5)
    status, _, err = quoth(*words, "--slices")
    assert (status, "cannot be used together" in err) == (2, True)


def test_score_slices(quoth, files):
    words = ("score", files / "data.json", files / "a.json", "--slices")
    assert "\nwho                            8" in quoth(*words)[1]
    document = json.loads(quoth(*words, "--json")[1])
    assert list(document["slices"]) == [name for name in DIMENSIONS if name != "windows"]


def test_evaluate_slices_and_lists_errors(quoth, files):
    folder = tiny_folder("wordpiece", files / "reader")
    wrong = files / "wrong.jsonl"
    words = ("evaluate", files / "data.json", "--reader", folder, "--slices", "--errors", wrong)
    status, out, err = quoth(*words, "--json")
    document = json.loads(out)
    rows = wrong.read_text(encoding="utf-8").splitlines()
    assert status == 0
    assert "windows" in document["slices"]
    assert len(rows) == round(document["total"] * (1 - document["exact"] / 100)) > 0
    assert err.startswith(f"{len(rows)} wrong answers: {wrong}\n")


@pytest.mark.parametrize(("more", "wrong"), [([], 1), ([asked(9, "Why?")], 2)])
def test_errors_equal_those_of_the_report_for_golds_that_are_articles(quoth, tmp_path, more, wrong):
    """The reader always abstains: correct by v1.1's rules if a gold is "The", by v2.0's if there is no gold."""
    named = asked(1, "Who?", "Ana")
    examples = [named, replace(asked(2, "Which?", "keeper"), golds=(Gold("keeper", 4), Gold("The", 0))), *more]
    write_squad(examples, tmp_path / "data.json")
    folder = tiny_folder("wordpiece", tmp_path / "reader")
    settings = ReaderSettings(48, 16, DecodeSettings(null_threshold=-1e9)).to_dict()
    (folder / "quoth.json").write_text(json.dumps({"format": 1, **settings}))
    words = ("evaluate", tmp_path / "data.json", "--reader", folder, "--errors", tmp_path / "wrong.jsonl", "--json")
    document = json.loads(quoth(*words)[1])
    rows = (tmp_path / "wrong.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(rows) == wrong == round(document["total"] * (1 - document["exact"] / 100))
