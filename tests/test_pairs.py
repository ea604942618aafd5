"""Unanswerable pairs: they contain no answer, are similar to the question, and deterministic."""

import json
from collections import Counter

import pytest
from hypothesis import given, strategies as st

from quoth.cli import main
from quoth.data import read_examples, unanswerable_pairs, write_squad
from quoth.data.pairs import draw_pairs
from quoth.errors import ConfigError, DataError
from quoth.records import Answer, Example, Gold, Prediction, Span
from quoth.text import normalize_answer
from support.texts import few

WORDS = (
    "The",
    "a",
    "keeper",
    "Keeper's",
    "Ana",
    "Ribeiro,",
    "lit",
    "lamp",
    "in",
    "1972",
    "STRASSE",
    "straße",
    "don't",
    ".",
)


@st.composite
def articles(draw):
    """Draw examples with few words in few articles, so that golds, questions and contexts often share words."""
    words = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8)
    contexts = draw(st.lists(words.map(" ".join), min_size=2, max_size=8, unique=True))
    found = []
    for index in range(draw(st.integers(1, 12))):
        context = draw(st.sampled_from(contexts))
        start = draw(st.integers(0, len(context) - 1))
        end = draw(st.integers(start + 1, min(len(context), start + 8)))
        golds = draw(st.sampled_from([(Gold(context[start:end], start),)] * 4 + [(), None]))
        question = " ".join(draw(words)) + "?"
        found.append(Example(f"q{index}", question, context, golds, draw(st.sampled_from(["One", "Two", ""]))))
    return found


def pairs_of(examples, **settings):
    try:
        return unanswerable_pairs(examples, **settings)
    except DataError:
        return []


@few
@given(articles(), st.floats(0.01, 1), st.integers(0, 3))
def test_a_pair_has_another_context_of_the_article_without_a_gold(examples, share, seed):
    by_id = {example.id: example for example in examples}
    pairs = pairs_of(examples, share=share, seed=seed)
    assert len({pair.id for pair in pairs}) == len(pairs)
    for pair in pairs:
        source = by_id[pair.id.removesuffix("-unanswerable")]
        assert (pair.question, pair.title, pair.golds) == (source.question, source.title, ())
        assert pair.title
        assert pair.context != source.context
        assert pair.context in {each.context for each in examples if each.title == pair.title}
        same = [
            each
            for each in examples
            if each.title == pair.title
            and each.golds
            and normalize_answer(each.question) == normalize_answer(pair.question)
        ]
        for gold in [gold for each in same for gold in each.golds]:
            assert normalize_answer(gold.text).casefold() not in normalize_answer(pair.context).casefold()
            assert gold.text.casefold() not in pair.context.casefold()
        assert pair.context not in {each.context for each in same}


@few
@given(articles(), st.integers(0, 3))
def test_draws_are_deterministic_and_a_larger_share_includes_a_smaller_one(examples, seed):
    whole = pairs_of(examples, share=1.0, seed=seed)
    assert whole == pairs_of(examples, share=1.0, seed=seed)
    half = pairs_of(examples, share=0.5, seed=seed)
    assert {pair.id: pair for pair in half}.items() <= {pair.id: pair for pair in whole}.items()
    wanted = max(1, round(0.5 * sum(bool(each.golds and each.title) for each in examples)))
    assert len(half) == min(wanted, len(whole))


def article(question, gold, *others):
    """One question with its context, and other contexts of its article, each with another question."""
    context = f"It was {gold}."
    first = Example("asked", question, context, (Gold(gold, 7),), "T")
    return [first, *(Example(f"o{n}", "Zz?", text, (Gold(text[:1], 0),), "T") for n, text in enumerate(others))]


def chosen(examples, seed=0):
    pairs = {pair.id: pair for pair in pairs_of(examples, share=1.0, seed=seed)}
    return pairs["asked-unanswerable"].context if "asked-unanswerable" in pairs else None


def test_a_pair_has_a_similar_context():
    fillers = [f"Boats {word} lamp oil ashore." for word in ("bring", "carry", "ship", "haul")]
    near = "The keeper of Cabo Branco lit the lamp at dusk."
    found = chosen(article("When did the keeper of Cabo Branco light the lamp?", "1972", *fillers, near))
    assert found == near


def test_equally_similar_contexts_are_all_drawn():
    others = [f"The keeper lit lamp {number}." for number in "3456"]
    drawn = Counter(chosen(article("Who lit the lamp, keeper?", "Ana", *others), seed) for seed in range(40))
    assert set(drawn) == set(others[:3])


@pytest.mark.parametrize(
    ("gold", "other"),
    [
        ("Ana Ribeiro", "The keeper was ana  RIBEIRO."),
        ("Ana Ribeiro", "The keeper was Ribeiro, Ana."),
        ("the lamp's", "The keeper saw lamps."),
        ("Straße", "The keeper saw a STRASSE."),
        ("Straße, Ana", "The keeper saw STRASSE ANA."),
        ("STRASSE, Ana", "The keeper saw straße ana."),
        ("1972", "The keeper came in 1972-73."),
        ("The", "The keeper came."),
    ],
)
def test_a_context_with_a_respelled_gold_is_not_used(gold, other):
    assert chosen(article("Who is the keeper?", gold, other)) is None


def test_a_context_with_the_same_question_is_not_used():
    other = Example("again", "who is  the KEEPER", "The keeper is Bela.", (Gold("Bela", 14),), "T")
    examples = [*article("Who is the keeper?", "Ana", "Keeper of bees."), other]
    assert chosen(examples) is None  # whoever keeps the bees may be said to be a keeper too
    assert chosen([examples[0], other]) is None
    assert chosen(examples[:2]) == "Keeper of bees."


def test_data_without_a_second_context_cannot_be_paired():
    with pytest.raises(DataError, match="an article of several contexts with golds"):
        unanswerable_pairs(article("Who?", "Ana"))
    with pytest.raises(DataError):
        unanswerable_pairs([])
    with pytest.raises(DataError, match="another context of its article does not answer"):
        unanswerable_pairs(article("Who?", "Ana", "Ana"))


@pytest.mark.parametrize("share", [0, -0.1, 1.01, float("nan")])
def test_a_share_out_of_range_is_rejected(share):
    with pytest.raises(ConfigError, match="share must be above 0 and at most 1"):
        unanswerable_pairs([], share=share)


def test_the_command_writes_squad_2(tmp_path, capsys):
    write_squad(article("Who lit the lamp?", "Ana", "Bela lit no lamp.", "Cleo did."), tmp_path / "data.json")
    with pytest.raises(SystemExit) as stopped:
        main(["data", "pairs", str(tmp_path / "data.json"), "-o", str(tmp_path / "pairs.json"), "--share", "0.4"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"{tmp_path / 'pairs.json'}: 1 question, 1 article\n"
    document = json.loads((tmp_path / "pairs.json").read_text())
    assert document["version"] == "v2.0"
    assert [example.golds for example in read_examples(tmp_path / "pairs.json")] == [()]


def form(questions, contexts):
    """Return one article with the same questions about each context, like a form."""
    found = []
    for n, context in enumerate(contexts):
        word = context.split()[-1].strip(".")
        gold = (Gold(word, context.index(word)),)
        found.extend(Example(f"{n}-{m}", question, context, gold, "T") for m, question in enumerate(questions))
    return found


def test_questions_of_a_form_are_left_out_and_reported():
    contexts = [f"The keeper of light {n} is Keeper{n}." for n in "abcd"]
    examples = form(["Who is the keeper?", "who is keeper"], contexts)
    with pytest.raises(DataError, match="8 of 8 occur with several contexts of their article, as in a form"):
        unanswerable_pairs(examples)
    single = Example("single", "Which lamp did the keeper of light a buy?", contexts[0], (Gold("Keepera", 26),), "T")
    drawn = draw_pairs([*examples, single], share=1.0)
    assert [pair.id for pair in drawn.examples] == ["single-unanswerable"]
    assert (drawn.wanted, len(drawn.repeated), drawn.answered) == (9, 8, ())


def test_pairs_that_a_reader_answers_confidently_are_left_out():
    others = [f"The keeper lit lamp {number}." for number in "345"]
    examples = article("Who lit the lamp, keeper?", "Ana", *others)
    examples.append(Example("more", "When did the keeper go?", "It was Ana.", (Gold("Ana", 7),), "T"))

    def answer(pairs):
        for pair in pairs:
            said = Answer("keeper", Span(4, 10), 1.0, 0.9 if pair.id == "asked-unanswerable" else 0.1)
            yield Prediction(pair, (said,), 0.0, False)

    drawn = draw_pairs(examples, share=1.0, answer=answer)
    assert drawn.answered == ("asked",)
    assert "asked-unanswerable" not in {pair.id for pair in drawn.examples}
    assert len(draw_pairs(examples, share=0.25, answer=answer).examples) == 1  # another takes its place


@pytest.mark.parametrize("copies", [2, 3])
def test_no_question_is_paired_twice_with_one_context(copies):
    examples = article("Who lit the lamp?", "Ana", "Bela lit no lamp.")
    first = examples[0]
    again = [Example(f"copy{n}", "who lit the  lamp", first.context, first.golds, "T") for n in range(copies)]
    pairs = unanswerable_pairs([*examples, *again], share=1.0)
    asked = [(normalize_answer(pair.question), pair.context) for pair in pairs]
    assert len(set(asked)) == len(asked)
    known = Example("known", "Who lit the lamp?", "Bela lit no lamp.", (), "T")
    assert ("who lit lamp", known.context) not in {
        (normalize_answer(pair.question), pair.context) for pair in pairs_of([*examples, known], share=1.0)
    }


TWINS = {
    "en": (
        (
            "Ana kept the light. The light is in Natal.",
            ("Who kept the light?", "Ana"),
            ("Where is the light?", "Natal"),
        ),
        ("Ben baked bread. The bakery is in Olinda near the light.", ("Who baked?", "Ben"), ("Where is it?", "Olinda")),
    ),
    "zh": (
        ("安娜看守灯塔。灯塔在纳塔尔。", ("谁看守灯塔？", "安娜"), ("灯塔在哪里？", "纳塔尔")),
        ("本恩烤面包。面包房在奥林达。", ("谁烤面包？", "本恩"), ("面包房在哪里？", "奥林达")),
    ),
    "th": (
        ("อานาดูแลประภาคาร", ("ใครดูแลประภาคาร", "อานา"), ("อะไร", "ประภาคาร")),
        ("เบนอบขนมปังใกล้ประภาคาน", ("ใครอบขนมปัง", "เบน"), ("ที่ไหน", "ใกล้")),
    ),
}


@pytest.mark.parametrize("language", TWINS)
def test_every_script_has_as_many_pairs(language):
    examples = [
        Example(f"{n}-{m}", question, context, (Gold(gold, context.index(gold)),), "T")
        for n, (context, *asked) in enumerate(TWINS[language])
        for m, (question, gold) in enumerate(asked)
    ]
    assert len(unanswerable_pairs(examples, share=1.0)) == 4


def test_the_most_similar_context_without_spaces_is_drawn():
    contexts = ["渡轮的绳子长六百四十米。", "看守灯塔的人住在灯塔里。", "面包房在奥林达。"]
    asked = Example("asked", "谁在看守灯塔？", "安娜一个人。", (Gold("安娜", 0),), "T")
    others = [Example(f"o{n}", f"其{n}?", text, (Gold(text[:2], 0),), "T") for n, text in enumerate(contexts)]
    assert {chosen([asked, *others], seed) for seed in range(9)} == {contexts[1]}


def test_the_command_reports_left_out_questions_and_missing_pairs(tmp_path, capsys):
    write_squad(form(["Who is the keeper?"], ["Keeper Ana.", "Keeper Bela."]), tmp_path / "form.json")
    single = Example("single", "Which lamp did the keeper buy?", "Keeper Ana.", (Gold("Ana", 7),), "T")
    write_squad([*read_examples(tmp_path / "form.json"), single], tmp_path / "data.json")
    words = ["data", "pairs", str(tmp_path / "data.json"), "-o", str(tmp_path / "pairs.json"), "--share", "1"]
    with pytest.raises(SystemExit) as stopped:
        main(words)
    err = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 0
    assert (
        err[0] == "2 questions skipped, because they occur with several contexts of one article, as in a form: 0-0, 1-0"
    )
    assert err[1].startswith("requested 3 pairs, but created only 1")


def test_data_without_articles_are_named_with_what_to_do(tmp_path, quoth):
    (tmp_path / "data.csv").write_text("id,question,context,answer_text,answer_start\n1,Who?,Ana.,Ana,0\n")
    status, _, err = quoth("data", "pairs", tmp_path / "data.csv", "-o", tmp_path / "pairs.json")
    assert (status, err.startswith(f"quoth: {tmp_path / 'data.csv'}: data must contain an article of several")) == (
        1,
        True,
    )
    assert err.endswith("but contain none; the questions of an article have the same title\n")
