"""Windows: only the context is split, every token of it is in a window, golds become whole tokens."""

import json

import numpy as np
import pytest
from hypothesis import given, strategies as st

from quoth.errors import ConfigError, InputError, QuestionTooLongError, TokenizerError
from quoth.reading import Tokenizer, TokenRange, Windower, survey
from quoth.reading.align import covering_tokens
from quoth.records import Example, Gold, Span
from support.readers import KINDS, tiny_tokenizer
from support.texts import many, texts

CONTEXT = (
    "The lighthouse of Cabo Branco was built in 1972 at the easternmost point of the coast. Its lamp turns once every "
    "twelve seconds, and its beam is seen from a distance of thirty kilometres."
)


def example(question="Who keeps the lamp?", context=CONTEXT, *golds, id="q1"):
    return Example(id, question, context, tuple(Gold(gold, context.index(gold)) for gold in golds))


def windower(kind="wordpiece", max_tokens=32, overlap=8):
    return Windower(tiny_tokenizer(kind), max_tokens=max_tokens, overlap=overlap)


def text_of(window, tokens):
    offsets = window.offsets
    return window.example.context[offsets[tokens.start, 0] : offsets[tokens.end - 1, 1]]


@pytest.mark.parametrize("kind", KINDS)
@many
@given(context=texts, question=texts, max_tokens=st.integers(12, 60), overlap=st.integers(0, 59))
def test_windows_cover_the_whole_context(kind, context, question, max_tokens, overlap):
    tokenizer = tiny_tokenizer(kind)
    overlap = min(overlap, max_tokens - 1)
    asked, whole = tokenizer.encode([question.strip(), context])
    room = max_tokens - len(tokenizer.template) - len(asked)
    cutter = Windower(tokenizer, max_tokens=max_tokens, overlap=overlap)
    if not len(asked) or room < 1:
        with pytest.raises(InputError if not len(asked) else QuestionTooLongError, match="question 7: must"):
            cutter.windows(Example("7", question, context))
        return
    windows = cutter.windows(Example("7", question, context))
    shared = min(overlap, room - -(-room // 4))

    read = []
    for index, window in enumerate(windows):
        assert window.index == index
        assert len(window) <= max_tokens
        tokens = window.context_tokens
        assert len(tokens) > 0
        ids = window.ids.tolist()
        template = tokenizer.template
        assert ids[: tokens.start] == [*template.prefix, *asked.ids.tolist(), *template.middle]
        assert tuple(ids[tokens.end :]) == template.suffix
        assert len(window.type_ids) == len(ids)
        assert tokenizer.token(ids[window.cls]) in ("[CLS]", "<s>", "<cls>")
        assert window.offsets[tokens.start : tokens.end].tolist() == window.context_offsets.tolist()
        assert not np.delete(window.offsets, np.s_[tokens.start : tokens.end], axis=0).any()
        part = list(range(window.first_token, window.first_token + len(tokens)))
        assert ids[tokens.start : tokens.end] == whole.ids[part].tolist()
        if windows[index + 1 :]:
            assert len(window) == max_tokens
            assert part[len(part) - shared :] == [windows[index + 1].first_token + step for step in range(shared)]
        read.extend(part if index == 0 else part[shared:])
    assert read == list(range(len(whole)))


@pytest.mark.parametrize(
    ("kind", "types"),
    [("wordpiece", [0] * 4 + [1] * 4), ("bpe", [0] * 11), ("unigram", [0] * 3 + [1] * 4 + [2])],
)
def test_token_types_and_cls_match_an_encoded_pair(kind, types):
    (window,) = windower(kind).windows(example("the the", "the the the"))
    assert window.type_ids.tolist() == types
    assert window.cls == (len(types) - 1 if kind == "unigram" else 0)
    pair = tiny_tokenizer(kind)._inner.encode("the the", "the the the")
    assert window.ids.tolist() == pair.ids
    assert window.type_ids.tolist() == pair.type_ids


def test_question_is_stripped_and_the_context_is_not():
    context = "  " + CONTEXT
    bare, blank = windower().windows(example()), windower().windows(example("\n Who keeps the lamp? ", context))
    assert [window.ids.tolist() for window in bare] == [window.ids.tolist() for window in blank]
    for first, second in zip(bare, blank, strict=True):
        assert (first.context_offsets + 2).tolist() == second.context_offsets.tolist()


def test_windows_are_the_same_one_by_one_or_in_bulk():
    examples = [example(context=CONTEXT[start:], id=str(start)) for start in range(0, 100, 9)]
    at_once = list(windower().each(iter(examples), chunk=5))
    assert [[window.example.id for window in group] for _, group in at_once] == [
        [str(start)] * len(windower().windows(examples[0 if not start else start // 9])) for start in range(0, 100, 9)
    ]
    for (owner, group), single in zip(at_once, examples, strict=True):
        assert owner is single
        assert [w.ids.tolist() for w in group] == [w.ids.tolist() for w in windower().windows(single)]


class CountingTokenizer(Tokenizer):
    """Records the texts that it encodes."""

    encoded = ()

    def encode(self, texts):
        self.encoded = (*self.encoded, *texts)
        return super().encode(texts)


def test_a_context_is_encoded_once_and_the_cache_is_limited():
    tokenizer = CountingTokenizer(tiny_tokenizer("bpe")._inner)
    cutter = Windower(tokenizer, max_tokens=32, overlap=8)
    for question in ("Who?", "What?", "Where?"):
        cutter.windows(example(question))
    list(cutter.each([example("When?"), example("Why?")]))
    assert tokenizer.encoded.count(CONTEXT) == 1
    for number in range(Windower.remembered_contexts):
        cutter.windows(example("Who?", f"{number} lamps"))
    cutter.windows(example())
    assert tokenizer.encoded.count(CONTEXT) == 2
    assert len(cutter._contexts) == Windower.remembered_contexts


@pytest.mark.parametrize("context", ["", " ", "\n\t\u3000"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_context_has_no_windows(kind, context):
    for window in windower(kind).windows(example(context=context)):
        assert (window.context_offsets[:, 0] == window.context_offsets[:, 1]).all()
    assert kind != "wordpiece" or windower(kind).windows(example(context=context)) == []


@pytest.mark.parametrize("question", ["", "  ", "\x00"])
def test_an_empty_question_is_rejected(question):
    with pytest.raises(InputError, match="question 56be: must have at least one token"):
        windower().windows(example(question, id="56be"))


def test_a_long_question_is_rejected_with_its_id():
    cutter = windower(max_tokens=32, overlap=8)
    (window,) = cutter.windows(example("the " * 28, "the"))
    assert len(window) == 32
    with pytest.raises(QuestionTooLongError, match=r"question q9: .* has 29 tokens and 3 special ones"):
        cutter.windows(example("the " * 29, "the", id="q9"))


@pytest.mark.parametrize(("positions", "length"), [(512, 48), (47, 32), (40, 32), (31, 32)])
def test_the_windows_of_a_long_question_are_longer_if_the_network_allows_it(positions, length):
    tried = []

    def longest(tokens):
        tried.append(tokens)
        return min(tokens, positions)

    usual = windower(max_tokens=32, overlap=8)
    wide = Windower(usual.tokenizer, max_tokens=32, overlap=8, longest=longest)
    short, long = example("the " * 13), example("the " * 26)
    assert [window.ids.tolist() for window in wide.windows(short)] == [w.ids.tolist() for w in usual.windows(short)]
    assert not tried, "the network need not be asked"
    windows = wide.windows(long)
    assert max(map(len, windows)) == length
    assert tried == [48], "26 tokens, 3 special ones and half of 32, in whole registers"
    assert len(windows) == (7 if length == 48 else 73)
    read = sorted({index for w in windows for index in range(w.first_token, w.first_token + len(w.context_tokens))})
    assert read == list(range(len(windows[0].context)))


def test_the_windows_of_a_very_long_question_have_a_limit():
    cutter = Windower(tiny_tokenizer("wordpiece"), max_tokens=32, overlap=8, longest=lambda tokens: tokens)
    assert max(map(len, cutter.windows(example("the " * 60)))) == 64
    with pytest.raises(QuestionTooLongError, match="in a window of 64 tokens, but has 61 tokens and 3 special ones"):
        cutter.windows(example("the " * 61))


def test_the_overlap_is_reduced_for_a_long_question():
    cutter = windower(max_tokens=32, overlap=24)
    windows = cutter.windows(example("the " * 19))  # leaves 10 tokens for the context
    assert [window.first_token for window in windows[:3]] == [0, 3, 6]
    last = windows[-1]
    assert last.first_token + len(last.context_tokens) == len(last.context)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"max_tokens": 4, "overlap": 0}, "max_tokens must be at least 5"),
        ({"max_tokens": 129}, "max_tokens must be at most 128 for this model"),
        ({"max_tokens": 32, "overlap": 32}, r"overlap must be from 0 to below max_tokens \(32\)"),
        ({"max_tokens": 32, "overlap": -1}, "overlap must be from 0"),
    ],
)
def test_invalid_sizes_are_rejected(sizes, message):
    with pytest.raises(ConfigError, match=message):
        Windower(tiny_tokenizer("wordpiece"), **sizes)


def test_tokenizer_errors_are_raised(tmp_path):
    document = json.loads(tiny_tokenizer("wordpiece").to_json())
    document["model"]["vocab"] = {piece: n for piece, n in document["model"]["vocab"].items() if piece != "[UNK]"}
    document["added_tokens"] = [token for token in document["added_tokens"] if token["content"] != "[UNK]"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    with pytest.raises(TokenizerError, match="failed on a text"):
        Windower(Tokenizer.load(tmp_path), max_tokens=32, overlap=8).windows(example("Ω?"))


# --- targets ---


@pytest.mark.parametrize(
    ("span", "tokens"),
    [
        (Span(0, 3), (0, 1)),
        (Span(4, 9), (1, 3)),
        (Span(5, 6), (1, 2)),  # inside the second token
        (Span(2, 5), (0, 2)),  # from inside one into another
        (Span(3, 4), None),  # the blank between two
        (Span(12, 14), None),  # past the end
        (Span(8, 20), (2, 4)),
    ],
)
def test_golds_become_whole_tokens(span, tokens):
    # "The lamp, on": the empty token is a blank that the tokenizer made one of.
    offsets = np.array([[0, 3], [4, 8], [8, 9], [10, 12], [12, 12]], dtype=np.int32)
    assert covering_tokens(offsets, span) == tokens


@many
@given(
    tokens=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=12),
    start=st.integers(0, 30),
    size=st.integers(0, 9),
)
def test_golds_become_the_tokens_that_they_overlap(tokens, start, size):
    steps = np.array(tokens, dtype=np.int32).reshape(-1, 2)
    # A blank of so many before each token, which holds so many; some are empty.
    offsets = np.cumsum(steps.ravel(), dtype=np.int32).reshape(-1, 2)
    span = Span(start, start + size)
    touched = [
        index
        for index, (first, end) in enumerate(offsets.tolist())
        if first < end and first < span.end and span.start < end
    ]
    assert covering_tokens(offsets, span) == ((touched[0], touched[-1] + 1) if touched else None)


def test_the_target_is_the_gold_in_each_window_that_contains_it():
    windows = windower(overlap=14).windows(example("Who?", CONTEXT, "in 1972 at the"))
    targets = [window.target for window in windows]
    assert text_of(windows[0], targets[0]) == "in 1972 at the"
    held = [
        "in 1972 at the" in CONTEXT[window.context_offsets[0, 0] : window.context_offsets[-1, 1]] for window in windows
    ]
    assert [target is not None for target in targets] == held
    assert 0 < sum(held) < len(windows)


def test_a_gold_partly_in_a_window_is_not_its_target():
    cutter = windower(max_tokens=16, overlap=0)
    first, second, *_ = cutter.windows(example("Who?"))
    cut = CONTEXT[first.context_offsets[-1, 0] : second.context_offsets[0, 1]]
    windows = cutter.windows(example("Who?", CONTEXT, cut))
    assert [window.target for window in windows] == [None] * len(windows)
    counted = survey(
        [example("Who?", CONTEXT, cut, "Cabo", id="some"), example("Who?", CONTEXT, cut, id="all")], cutter
    )
    assert (counted.golds, counted.golds_lost, counted.lost_ids) == (3, 2, ("all",))


def test_first_gold_that_fits_is_the_target():
    windows = windower(max_tokens=16, overlap=0).windows(example("Who?", CONTEXT, "built", "of", "The"))
    found = {text_of(window, window.target) for window in windows if window.target}
    assert found == {"built", "of"}


@pytest.mark.parametrize("kind", KINDS)
def test_gold_inside_a_token_is_widened(kind):
    context = "The lighthousekeeper 1972x of Cabo."
    (window,) = windower(kind, max_tokens=64).windows(example("Who?", context, "ighthouse"))
    assert isinstance(window.target, TokenRange)
    assert "ighthouse" in text_of(window, window.target)
    assert text_of(window, window.target) != "ighthouse"


def test_survey_computes_statistics():
    cutter = windower(max_tokens=32, overlap=8)
    examples = [
        example("Who?", "Cabo Branco", "Cabo", id="a"),
        example("Who?", "the Atlântico", "tlânt", "the", id="b"),
        Example("c", "Who?", ""),
        Example("d", "Who?", " ", (Gold(" ", 0),)),
        example("Who?", CONTEXT, id="e"),
    ]
    counted = survey(iter(examples), cutter)
    windows = [cutter.windows(each) for each in examples]
    assert counted.examples == 5
    assert counted.windows == sum(map(len, windows)) == 2 + len(windows[4])
    assert (counted.several_windows, counted.no_window, counted.targets) == (1, 2, 2)
    assert (counted.golds, counted.golds_widened, counted.golds_lost, counted.lost_ids) == (4, 1, 1, ("d",))
    assert counted.tokens == sum(len(window) for group in windows for window in group)
    assert counted.longest == 32
    assert counted.padded_share == pytest.approx(1 - counted.tokens / (32 * counted.windows))
    assert json.loads(json.dumps(counted.to_dict()))["lost_ids"] == ["d"]


def test_survey_of_an_empty_data_set():
    assert survey([], windower()).to_dict()["windows"] == 0


# --- the numbers of the tutorial ---


def squad(squad_folder, name):
    document = json.loads((squad_folder / f"squad-v1.1-{name}.json").read_text(encoding="utf-8"))
    return [
        Example(
            question["id"],
            question["question"],
            paragraph["context"],
            tuple(Gold(answer["text"], answer["answer_start"]) for answer in question["answers"]),
        )
        for article in document["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]


def cased(squad_folder, max_tokens, overlap):
    return Windower(
        Tokenizer.load(squad_folder.parent / "vocab" / "bert-base-cased"), max_tokens=max_tokens, overlap=overlap
    )


@pytest.mark.data
def test_the_notre_dame_context_has_the_tutorials_windows(squad_folder):
    three = squad(squad_folder, "train")[:3]
    assert three[1].question == "What is in front of the Notre Dame Main Building?"
    groups = [group for _, group in cased(squad_folder, 100, 50).each(three)]
    assert [index for index, group in enumerate(groups) for _ in group] == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]

    windows = groups[1]
    assert windows[0].context_tokens == TokenRange(13, 99)  # 13 to 98, both inclusive
    (gold,) = three[1].golds
    assert gold.text == "a copper statue of Christ"
    assert gold.span == Span(188, 213)
    assert [window.target for window in windows] == [TokenRange(53, 58), TokenRange(17, 22), None, None]
    assert [text_of(window, window.target) for window in windows[:2]] == [gold.text, gold.text]


@pytest.mark.long
@pytest.mark.data
def test_squad_dev_has_the_tutorials_number_of_windows(squad_folder):
    counted = survey(squad(squad_folder, "dev"), cased(squad_folder, 384, 128))
    assert (counted.examples, counted.windows, counted.longest) == (10570, 10822, 384)
    assert counted.no_window == 0


@pytest.mark.data
@pytest.mark.long
def test_squad_train_has_the_tutorials_number_of_windows(squad_folder):
    counted = survey(squad(squad_folder, "train"), cased(squad_folder, 384, 128))
    assert (counted.examples, counted.windows, counted.golds) == (87599, 88729, 87599)
    assert counted.lost_ids == ()
