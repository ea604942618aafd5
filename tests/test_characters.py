"""F1 by characters in scripts without spaces between words: as MLQA's script scores Chinese, and the output says so."""

import json
import string
import sys
import unicodedata
from collections import Counter

import pytest
from hypothesis import given, strategies as st

from quoth.evaluation import Traits, exact_and_f1, score
from quoth.evaluation.metrics import rules_of
from quoth.records import Example, Gold

PUNCTUATION = {chr(i) for i in range(sys.maxunicode) if unicodedata.category(chr(i)).startswith("P")}
PUNCTUATION |= set(string.punctuation)


def mlqa(text):
    """The tokens of ``mlqa_evaluation_v1.py`` for Chinese: lower, remove_punc, mixed_segmentation, white_space_fix."""
    tokens, rest = [], ""
    for character in "".join(each for each in text.lower() if each not in PUNCTUATION):
        if "\u4e00" <= character <= "\u9fa5":
            tokens += [*rest.split(), character]
            rest = ""
        else:
            rest += character
    return [*tokens, *rest.split()]


def f1_of(predicted, gold):
    shared = sum((Counter(predicted) & Counter(gold)).values())
    return 2 * shared / (len(predicted) + len(gold)) if shared else 0.0


chinese = st.text("安娜看守灯塔年1903 ab,。《》-The", max_size=12)


@given(chinese, chinese)
def test_chinese_is_scored_as_by_mlqa(text, gold):
    exact, f1 = exact_and_f1(text, [gold], "v1.1 by characters")
    assert exact == (mlqa(text) == mlqa(gold))
    assert f1 == pytest.approx(f1_of(mlqa(text), mlqa(gold)))


@pytest.mark.parametrize(
    ("text", "gold", "exact", "f1"),
    [
        ("1903年", "1903 年", True, 1.0),
        ("于1903年", "1903年", False, 2 * 2 / 5),
        ("《灯塔》", "灯塔", True, 1.0),
        ("กขค", "กข", False, 0.8),
        ("かなの", "かな", False, 0.8),
        ("the lamp", "lamp", False, 2 / 3),
    ],
)
def test_each_character_counts(text, gold, exact, f1):
    assert exact_and_f1(text, [gold], "v2.0 by characters") == (exact, pytest.approx(f1))


def gold(*texts):
    return tuple(Gold(text, 0) for text in texts)


@pytest.mark.parametrize(
    ("golds", "rules"),
    [
        ([gold("lamp"), gold("灯塔"), gold("1903")], "v1.1"),
        ([gold("灯塔", "a"), gold("灯"), gold("1903")], "v1.1 by characters"),
        ([gold("灯塔"), (), None], "v2.0 by characters"),
        ([gold("서울"), ()], "v2.0"),
        ([()], "v2.0"),
        ([], "v1.1"),
    ],
)
def test_the_rules_depend_on_the_answers(golds, rules):
    assert rules_of(golds) == rules
    assert rules_of(golds, "words") == rules[:4]
    assert rules_of(golds, "characters") == f"{rules[:4]} by characters"


def test_the_output_says_which_rules_were_used(quoth, tmp_path):
    rows = [{"id": "1", "question": "谁？", "context": "安娜看守", "answers": {"text": ["安娜"], "answer_start": [0]}}]
    (tmp_path / "d.json").write_text(json.dumps(rows), encoding="utf-8")
    (tmp_path / "p.json").write_text(json.dumps({"1": "安"}), encoding="utf-8")
    words = ("score", tmp_path / "d.json", tmp_path / "p.json")
    status, out, _ = quoth(*words)
    assert (status, "SQuAD v1.1 rules, F1 by characters" in out, "66.67 [" in out) == (0, True, True)
    status, out, _ = quoth(*words, "--f1-by", "words", "--json")
    assert (json.loads(out)["f1"], json.loads(out)["rules"]) == (0, "v1.1")
    status, _, err = quoth(*words, "--f1-by", "letters")
    assert (status, "--f1-by must be words or characters, but is 'letters'" in err) == (2, True)


def test_slices_count_characters_as_words():
    traits = Traits.of(Example("1", "多长？", "渡轮的绳子长640米。", (Gold("640米", 6),)))
    assert (traits.answer_words, traits.context_words) == (2, 8)


def test_english_with_a_chinese_answer_keeps_the_official_rules():
    examples = [Example(str(n), "?", "c", gold(text)) for n, text in enumerate(["灯", "the lamp", "a lamp"])]
    report = score(examples, {"0": "灯", "1": "lamp", "2": "lamp"})
    assert (report.rules, report.exact) == ("v1.1", 100.0)
