"""Unanswerable pairs: never an answer in them, hard, and the same by seed."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quoth.cli import main
from quoth.data import read_examples, unanswerable_pairs, write_squad
from quoth.errors import ConfigError, DataError
from quoth.records import Example, Gold
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
    """Examples over a few words in a few articles, so that golds, questions and contexts meet again and again."""
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
def test_a_pair_asks_another_context_of_the_article_that_holds_no_gold(examples, share, seed):
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
def test_the_same_seed_draws_the_same_and_a_larger_share_more(examples, seed):
    whole = pairs_of(examples, share=1.0, seed=seed)
    assert whole == pairs_of(examples, share=1.0, seed=seed)
    half = pairs_of(examples, share=0.5, seed=seed)
    assert {pair.id: pair for pair in half}.items() <= {pair.id: pair for pair in whole}.items()
    wanted = max(1, round(0.5 * sum(bool(each.golds and each.title) for each in examples)))
    assert len(half) == min(wanted, len(whole))


def article(question, gold, *others):
    """One question with its context, and other contexts of its article, each with a question of its own."""
    context = f"It was {gold}."
    first = Example("asked", question, context, (Gold(gold, 7),), "T")
    return [first, *(Example(f"o{n}", "Zz?", text, (Gold(text[:1], 0),), "T") for n, text in enumerate(others))]


def chosen(examples, seed=0):
    pairs = {pair.id: pair for pair in pairs_of(examples, share=1.0, seed=seed)}
    return pairs["asked-unanswerable"].context if "asked-unanswerable" in pairs else None


def test_a_pair_is_close_to_its_question():
    fillers = [f"Boats {word} lamp oil ashore." for word in ("bring", "carry", "ship", "haul")]
    near = "The keeper of Cabo Branco lit the lamp at dusk."
    found = chosen(article("When did the keeper of Cabo Branco light the lamp?", "1972", *fillers, near))
    assert found == near


def test_of_contexts_as_close_as_each_other_all_are_drawn():
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
def test_a_context_that_says_the_gold_in_other_words_is_none(gold, other):
    assert chosen(article("Who is the keeper?", gold, other)) is None


def test_a_context_of_which_the_same_is_asked_is_none():
    other = Example("again", "who is  the KEEPER", "The keeper is Bela.", (Gold("Bela", 14),), "T")
    examples = [*article("Who is the keeper?", "Ana", "Keeper of bees."), other]
    assert chosen(examples) == "Keeper of bees."
    assert chosen([examples[0], other]) is None


def test_data_without_a_second_context_cannot_be_paired():
    with pytest.raises(DataError, match="an article \\(title\\) of several contexts with golds"):
        unanswerable_pairs(article("Who?", "Ana"))
    with pytest.raises(DataError):
        unanswerable_pairs([])
    with pytest.raises(DataError, match="some other context of its article leaves open"):
        unanswerable_pairs(article("Who?", "Ana", "Ana"))


@pytest.mark.parametrize("share", [0, -0.1, 1.01, float("nan")])
def test_a_share_out_of_range_is_refused(share):
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
