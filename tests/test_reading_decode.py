"""Decoding: the exact search compared with brute force, and edge cases."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from quoth.errors import ConfigError
from quoth.reading import DecodeSettings, SpanLogits, WindowBatch, Windower, WindowLogits, decide, decode, search_batch
from quoth.reading.align import covering_tokens
from quoth.reading.places import Places
from quoth.reading.probability import no_answer_of, no_answer_probability, right_given_answerable, right_of
from quoth.records import Example, Span
from quoth.text import normalize_answer
from support.oracle import distinct, every_answer, tutorial_best_score, widened
from support.readers import KINDS, tiny_tokenizer
from support.texts import few, many, texts
from support.timing import cpu_seconds

TEAM_LUNCH = "Tomorrow the Atlântico is going to have a delicious team lunch!"
LIGHTHOUSE = "The lighthouse of Cabo Branco was built in 1972 at the easternmost point of the coast."
LOGITS = {
    "normal": lambda rng, size: rng.normal(0, 3, size),
    "ties": lambda rng, size: rng.integers(-2, 3, size),
    "flat": lambda rng, size: np.zeros(size),
    "masked": lambda rng, size: rng.choice([-np.inf, -1e4, 0.0, 4.0], size),
    "steep": lambda rng, size: rng.normal(0, 300, size),
}


def cut(context, kind="wordpiece", max_tokens=64, overlap=16, question="Who?"):
    return cutter(kind, max_tokens, overlap).windows(Example("q1", question, context))


def cut_all(contexts, kind="wordpiece", max_tokens=64, overlap=16):
    return cutter(kind, max_tokens, overlap).windows(Example("q1", "Who?", contexts))


def cutter(kind, max_tokens, overlap):
    return Windower(tiny_tokenizer(kind), max_tokens=max_tokens, overlap=overlap)


def read(windows, start, end, null=0.0):
    """Return the windows with logits, computed by functions of their size."""
    return [
        WindowLogits(
            window,
            np.asarray(start(len(window.context_tokens)), dtype=np.float32),
            np.asarray(end(len(window.context_tokens)), dtype=np.float32),
            null,
        )
        for window in windows
    ]


def decoded(items, settings):
    """Decode windows of one example."""
    return decode(items[0].window.example if items else Example("q1", "Who?", ""), items, settings)


def decided(items, settings, outside=0.0):
    """Decode windows of one context each, which come in one batch, as a reader does: searched first, then decided."""
    return [
        decide(found.window.example, [found], settings) for found in search_batch(*batched(items, outside), settings)
    ]


@st.composite
def readings(draw):
    """Draw windows of one to three contexts, with logits of various distributions."""
    kind = draw(st.sampled_from(KINDS))
    max_tokens = draw(st.integers(14, 40))
    overlap = draw(st.integers(0, max_tokens - 1))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    logits = LOGITS[draw(st.sampled_from(sorted(LOGITS)))]
    items = []
    for window in cut_all(draw(st.lists(texts, min_size=1, max_size=3)), kind, max_tokens, overlap):
        items += read([window], *[lambda size: logits(rng, size)] * 2, float(rng.normal(0, 3)))
    settings = DecodeSettings(
        max_answer_tokens=draw(st.sampled_from([1, 2, 5, 30, 1000])),
        top_k=draw(st.sampled_from([1, 3, 20, 100_000])),
        temperature=draw(st.sampled_from([0.3, 1.0, 4.0])),
        null_bias=draw(st.sampled_from([0.0, -3.0, 1.5])),
        null_threshold=draw(st.sampled_from(["never", -1.0, 2.0])),
        null_temperature=draw(st.sampled_from([None, 0.5, 8.0])),
        odds_scale=draw(st.sampled_from([1.0, 0.5, 7.0])),
        whole_words=draw(st.booleans()),
        overlapping=draw(st.booleans()),
    )
    return items, settings


@many
@given(readings(), st.sampled_from([-4.0, -0.5, 0.0, 3.0]))
def test_a_reader_abstains_exactly_if_no_answer_is_more_probable(reading, threshold):
    items, settings = reading
    settings = settings.with_(null_threshold=threshold, null_bias=threshold)
    prediction = decoded(items, settings)
    if prediction.answers:
        best, silence = prediction.answers[0].probability, prediction.null_probability
        assert best <= silence + 1e-12 if prediction.no_answer else silence <= best + 1e-12


@many
@given(readings())
def test_the_exact_search_equals_brute_force(reading):
    items, settings = reading
    prediction = decoded(items, settings)
    if not items:
        assert (prediction.answers, prediction.null_score, prediction.no_answer) == ((), None, True)
        return
    expected, null, null_probability = every_answer(items, settings)
    assert prediction.null_score == null == min(item.null for item in items)
    if not expected:
        assert (prediction.answers, prediction.no_answer) == ((), True)
        assert prediction.reason == "the context has no text to quote"
        return
    found = [(a.score, a.context_index, a.span, a.window_index) for a in prediction.answers]
    if settings.overlapping:
        expected = expected[: settings.top_k]
    else:
        expected = distinct(expected, items[0].window.example.contexts, settings.top_k)
    assert found == [(score, index, span, window) for score, index, span, _, window in expected]
    probabilities = [answer.probability for answer in prediction.answers]
    together = sum(probabilities) + (0.0 if settings.never_abstains else prediction.null_probability)
    alone = [p for _, _, _, p, _ in expected]
    if not settings.overlapping:
        assert together <= 1 + 1e-9
    if settings.overlapping or sum(alone) + (0.0 if settings.never_abstains else null_probability) <= 1:
        assert probabilities == pytest.approx(alone, rel=1e-9, abs=1e-12)
    assert probabilities[0] == pytest.approx(alone[0], rel=1e-9, abs=1e-12)
    assert all(0 <= probability <= 1 for probability in probabilities)
    assert prediction.null_probability == pytest.approx(null_probability, rel=1e-9, abs=1e-12)
    if not settings.never_abstains:
        assert probabilities[0] + null_probability <= 1 + 1e-9
        assert settings.odds_scale > 1 or sum(probabilities) + null_probability <= 1 + 1e-9
        assert prediction.no_answer == (prediction.null_odds > settings.null_threshold)
    assert prediction.best == (None if prediction.no_answer else prediction.answers[0])
    contexts = {item.context_index: item.window.text for item in items}
    assert all(answer.text == answer.span.of(contexts[answer.context_index]) for answer in prediction.answers)


@many
@given(readings())
def test_variants_and_places_are_the_same_answer(reading):
    items, settings = reading
    prediction = decoded(items, settings.with_(overlapping=False))
    for answer in prediction.answers:
        assert all(each.score <= answer.score for each in (*answer.variants, *answer.places))
        spans = [each.span for each in answer.variants]
        assert answer.span not in spans
        assert len(set(spans)) == len(spans)
        for each in answer.variants:
            assert each.context_index == answer.context_index
            assert each.span.start < answer.span.end
            assert answer.span.start < each.span.end
        for each in answer.places:
            assert normalize_answer(each.text) == normalize_answer(answer.text)
            assert (each.context_index, each.span) != (answer.context_index, answer.span)
    if settings.top_k == 1:
        assert not any(answer.variants for answer in prediction.answers)


def test_variants_and_repetitions_are_one_answer():
    windows = cut_all(["Ana kept the lamp with Ben. Ana lit it.", "It was Ana, not Ben."])
    scores = {"Ana": 5.0, "Ben": 3.0, "lamp": 1.0}

    def logits(window, side):
        """High where a word of the three starts (side 0) or ends (side 1), higher for an earlier one."""
        found = np.full(len(window.context_tokens), -9.0, dtype=np.float32)
        for word, score in scores.items():
            for match in re.finditer(word, window.text):
                edge = (match.start(), match.end())[side]
                token = np.flatnonzero(window.context_offsets[:, side] == edge)
                found[token] = score - match.start() / 100 - window.context_index / 10
        return found

    items = [WindowLogits(window, logits(window, 0), logits(window, 1), -20.0) for window in windows]
    ana, ben = decoded(items, DecodeSettings(top_k=2, max_answer_tokens=3)).answers
    assert (ana.text, ben.text) == ("Ana", "Ben")
    assert [(each.text, each.context_index) for each in ana.places] == [("Ana", 1), ("Ana", 0)]
    every = decoded(items, DecodeSettings(top_k=3, max_answer_tokens=3, overlapping=True)).answers
    assert [each.text for each in every] == ["Ana"] * 3


def test_min_probability_replaces_the_null_threshold():
    items = read(cut(LIGHTHOUSE), np.ones, np.ones, 5.0)
    settings = DecodeSettings(null_threshold=0.0, null_bias=0.0)
    best = decoded(items, settings.with_(null_threshold=-math.inf)).answers[0].probability
    for least, abstains in ((0.0, False), (best, False), (best + 1e-6, True), (1.0, True)):
        prediction = decoded(items, settings.with_(min_probability=least))
        assert prediction.no_answer == abstains
        assert prediction.answers[0].probability == best
    assert "the best answer's probability is 0." in prediction.reason
    never = decoded(items, settings.with_(null_threshold="never", min_probability=0.0))
    assert never.answers[0].probability == best


def batched(items, outside):
    """Put windows with their logits into one batch; all other tokens have the logit ``outside``."""
    batch = WindowBatch.of([item.window for item in items], 0)
    start, end = np.full((2, *batch.ids.shape), outside, dtype=np.float32)
    for row, item in enumerate(items):
        tokens = item.window.context_tokens
        start[row, tokens.start : tokens.end], end[row, tokens.start : tokens.end] = item.start, item.end
        start[row, item.window.cls], end[row, item.window.cls] = item.null, 0.0
    return batch, SpanLogits(start, end)


@few
@given(st.lists(readings(), min_size=1, max_size=3), st.sampled_from([1, 1, 1, 2]), st.sampled_from([-9.0, 99.0]))
def test_a_batch_is_decoded_like_its_windows(several, top_k, outside):
    items = [replace(item, null=float(np.float32(item.null))) for each, _ in several for item in each]
    settings = several[0][1].with_(top_k=top_k, overlapping=True)
    if not items:
        return
    searched = search_batch(*batched(items, outside), settings)
    for item, found in zip(items, searched, strict=True):
        assert (found.window, found.null) == (item.window, item.null)
        assert found.logits.start.tolist() == item.start.tolist()
        assert found.logits.end.tolist() == item.end.tolist()
        prediction = decide(item.window.example, [found], settings)
        expected, null, _ = every_answer([item], settings)
        answers = [(a.score, a.context_index, a.span, a.window_index) for a in prediction.answers]
        assert (prediction.id, prediction.windows, prediction.null_score) == ("q1", 1, null)
        assert answers == [(score, index, span, window) for score, index, span, _, window in expected[:top_k]]
        probabilities = [answer.probability for answer in prediction.answers]
        assert probabilities == pytest.approx([p for _, _, _, p, _ in expected[:top_k]], rel=1e-9, abs=1e-12)
        alone = decoded([item], settings)
        assert (prediction.no_answer, prediction.reason) == (alone.no_answer, alone.reason)
        assert prediction.text == alone.text
    for reading, settings in several:
        items = [replace(item, null=float(np.float32(item.null))) for item in reading]
        if items:
            together = decide(items[0].window.example, search_batch(*batched(items, outside), settings), settings)
            alone = decoded(items, settings)
            for answer, expected in zip(together.answers, alone.answers, strict=True):
                assert answer.probability == pytest.approx(expected.probability, rel=1e-9, abs=1e-12)
                assert replace(answer, probability=0) == replace(expected, probability=0)
            assert together.null_probability == pytest.approx(alone.null_probability, rel=1e-9, abs=1e-12)


@many
@given(st.floats(-50, 0), st.floats(0.1, 40), st.floats(-900, 900))
def test_scalar_and_array_probabilities_are_equal(log_share, scale, excess):
    right = right_given_answerable(np.array([log_share]), scale)
    assert right_of(log_share, scale) == pytest.approx(right[0], rel=1e-12)
    assert no_answer_of(float(right[0]), excess) == pytest.approx(no_answer_probability(right, excess)[0], rel=1e-12)


def test_huge_logits_do_not_affect_other_windows():
    rng = np.random.default_rng(7)
    items = read(cut(LIGHTHOUSE), lambda n: rng.normal(0, 3, n), lambda n: rng.normal(0, 3, n))
    for great in (350.0, 1e3, 1e5, -350.0, -1e3, -1e5):
        beside = read(cut(TEAM_LUNCH), lambda n, size=great: np.full(n, size), np.zeros)
        found = decided(items + beside, DecodeSettings())
        for prediction, item in zip(found, items + beside, strict=True):
            ((score, _, span, probability, _), *_), null, _ = every_answer([item], DecodeSettings())
            best = prediction.best
            assert (best.score, best.span, prediction.null_score) == (score, span, null)
            assert best.probability == pytest.approx(probability, rel=1e-9, abs=1e-12)


def test_scores_that_round_to_the_same_are_equal():
    """After adding a large start logit, two different end logits may have equal sums; the first one counts."""
    (window,) = cut(LIGHTHOUSE)
    start, end = np.full((2, len(window.context_tokens)), -9e9, dtype=np.float32)
    start[1], end[2], end[4] = 1e9, 1e-9, 2e-9
    items = read([window], lambda _: start, lambda _: end)
    settings = DecodeSettings(whole_words=False)
    (found,) = decided(items, settings)
    assert found.best.span == decoded(items, settings).best.span
    assert found.best.span.start == window.context_offsets[1, 0]
    assert found.best.span.end == window.context_offsets[2, 1]


def test_several_answers_are_found_quickly_in_a_long_text_without_spaces():
    """Widened to whole words, all spans of the text are the same."""
    rng = np.random.default_rng(0)
    context = "".join(map(chr, rng.integers(0xAC00, 0xD7A4, 3_000)))
    items = read(cut(context, "bpe", max_tokens=128), lambda size: rng.normal(size=size), np.arange)
    answers = decoded(items, DecodeSettings(top_k=20)).answers
    assert [answer.text for answer in answers] == [context]
    assert cpu_seconds(lambda: decoded(items, DecodeSettings(top_k=20))) < 4


def test_a_batch_abstains_by_the_threshold():
    items = read(cut(LIGHTHOUSE), np.ones, np.ones, 5.0)  # the best answer scores 2
    for threshold, abstains in [("never", False), (3.0, False), (2.9, True)]:
        (found,) = decided(items, DecodeSettings(null_threshold=threshold))
        assert found.no_answer == abstains


@many
@given(
    st.text(st.characters(codec="ascii"), min_size=1) | st.text("ab1_' \r\n", min_size=1),
    st.booleans(),
    st.data(),
)
def test_every_span_of_an_ascii_text_is_widened_to_the_same_place(text, whole_words, data):
    """ASCII texts use a separate, faster implementation."""
    windows = cut(text)
    if not windows:
        return
    first = data.draw(st.integers(0, len(windows[0].context) - 1))
    last = data.draw(st.integers(first, len(windows[0].context) - 1))
    offsets = windows[0].context.offsets
    exact = Span(int(offsets[first, 0]), int(offsets[last, 1]))
    if len(exact):
        assert Places(windows[0], whole_words).span(first, last) == widened(text, exact, whole_words)


@many
@given(readings())
def test_the_search_is_never_worse_than_the_tutorials_loop(reading):
    items, settings = reading
    answers = decoded(items, settings).answers
    assert (answers[0].score if answers else -math.inf) >= tutorial_best_score(items, settings.max_answer_tokens)


def test_the_tutorials_loop_can_miss_the_best_span():
    """The reason for the exact search: none of the best 20 starts and 20 ends form a legal span."""
    windows = cut("the " * 60, max_tokens=128)
    start = np.r_[np.full(20, -5.0), np.full(20, -3.0), np.full(20, 0.0)]
    end = np.r_[np.full(20, 0.0), np.full(20, -3.0), np.full(20, -5.0)]
    items = read(windows, lambda _: start, lambda _: end)
    assert tutorial_best_score(items, 30) == -math.inf
    assert decoded(items, DecodeSettings()).best.score == -5.0


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_of_all_answers_and_no_answer_sum_to_one(kind):
    rng = np.random.default_rng(5)
    items = read(cut(LIGHTHOUSE, kind, 32, 8), lambda n: rng.normal(0, 2, n), lambda n: rng.normal(0, 2, n), 1.5)
    assert len(items) > 1
    settings = DecodeSettings(top_k=10**6, overlapping=True, whole_words=False, temperature=2.0, null_threshold=0.0)
    prediction = decoded(items, settings)
    shares = [math.exp(answer.score / 2.0) for answer in prediction.answers]
    total = sum(shares) + math.exp(1.5 / 2.0)
    assert [each.probability for each in prediction.answers] == pytest.approx([share / total for share in shares])
    assert prediction.null_probability == pytest.approx(math.exp(1.5 / 2.0) / total)


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_of_all_answers_sum_to_one_if_the_text_answers(kind):
    rng = np.random.default_rng(5)
    items = read(cut(LIGHTHOUSE, kind, 32, 8), lambda n: rng.normal(0, 2, n), lambda n: rng.normal(0, 2, n), 1.5)
    settings = DecodeSettings(top_k=10**6, overlapping=True, whole_words=False, temperature=2.0, null_threshold="never")
    assert sum(answer.probability for answer in decoded(items, settings).answers) == pytest.approx(1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_tutorials_question_is_answered(kind):
    (window,) = cut(TEAM_LUNCH, kind, question="What did the Atlântico is going to have tomorrow?")
    first, last = covering_tokens(window.context_offsets, Span(40, 62))
    start, end = np.zeros(len(window.context_tokens)), np.zeros(len(window.context_tokens))
    start[first], end[last - 1] = 6.0, 5.0
    best = decoded(read([window], lambda _: start, lambda _: end), DecodeSettings()).best
    assert (best.text, best.span, best.score) == ("a delicious team lunch", Span(40, 62), 11.0)


def test_span_in_two_windows_counts_once_with_its_better_score():
    first, second, *_ = cut(LIGHTHOUSE, max_tokens=20, overlap=8)
    token = second.first_token  # the first that both hold

    def peak(window, height):
        logits = np.full(len(window.context_tokens), -9.0)
        logits[token - window.first_token] = height
        return lambda _: logits

    items = read([first], peak(first, 1.0), peak(first, 1.5), 3.0)
    items += read([second], peak(second, 2.0), peak(second, 2.5), 2.0)
    prediction = decoded(items, DecodeSettings(top_k=5, overlapping=True))
    assert (prediction.best.score, prediction.best.window_index) == (4.5, 1)
    assert prediction.null_score == 2.0
    assert len({answer.span for answer in prediction.answers}) == 5
    # The lower of its two scores is in no answer, and in no probability.
    assert all(answer.score != 2.5 for answer in prediction.answers)
    assert decoded(items[:1], DecodeSettings()).best.score == 2.5


def test_ties_go_to_the_earlier_and_shorter_span():
    items = read(cut_all([LIGHTHOUSE, "Cabo"]), np.zeros, np.zeros)
    answers = decoded(items, DecodeSettings(top_k=3, overlapping=True)).answers
    assert [answer.text for answer in answers] == ["The", "The lighthouse", "The lighthouse of"]
    assert {answer.context_index for answer in answers} == {0}


def test_answers_are_whole_words_by_default():
    (window,) = cut(LIGHTHOUSE)
    inside = LIGHTHOUSE.index("anco")
    first, last = covering_tokens(window.context_offsets, Span(inside, inside + 3))
    logits = np.full(len(window.context_tokens), -9.0)
    logits[first:last] = 3.0
    items = read([window], lambda _: logits, lambda _: logits)
    assert decoded(items, DecodeSettings()).text == "Branco"
    assert decoded(items, DecodeSettings(whole_words=False)).text == "anc"


def test_answers_have_at_most_the_maximum_number_of_tokens():
    items = read(cut(LIGHTHOUSE), np.ones, np.ones)
    settings = DecodeSettings(max_answer_tokens=2, whole_words=False, top_k=1000, overlapping=True)
    answers = decoded(items, settings).answers
    tokens = len(items[0].window.context_tokens)
    assert len(answers) == 2 * tokens - 1
    # A huge maximum needs no memory.
    settings = DecodeSettings(max_answer_tokens=10**12, whole_words=False, top_k=10**6, overlapping=True)
    assert len(decoded(items, settings).answers) == tokens * (tokens + 1) // 2


@pytest.mark.parametrize("context", ["", " \n ", "\u3000"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_context_without_text_has_no_answer(kind, context):
    items = read(cut(context, kind), np.zeros, np.zeros, -2.0)
    prediction = decoded(items, DecodeSettings(null_threshold="never"))
    assert (prediction.id, prediction.answers, prediction.best, prediction.text) == ("q1", (), None, "")
    assert prediction.no_answer
    assert prediction.reason == "the context has no text to quote"
    assert prediction.null_score == (-2.0 if items else None)


@pytest.mark.parametrize(("threshold", "abstains"), [("never", False), (3.0, False), (2.9, True), (-math.inf, True)])
def test_the_threshold_is_compared_with_the_null_odds(threshold, abstains):
    items = read(cut(LIGHTHOUSE), np.ones, np.ones, 5.0)  # the best answer scores 2
    prediction = decoded(items, DecodeSettings(null_threshold=threshold))
    assert prediction.no_answer == abstains
    assert (prediction.best is None) == abstains
    assert (prediction.reason is not None) == abstains
    assert prediction.answers[0].text == "The"  # what it would have been
    if abstains:
        assert "the question (null odds 3.00, threshold " in prediction.reason


@pytest.mark.parametrize("old", [None, math.inf, "inf"])
def test_old_spellings_of_never_are_read_with_a_warning(old):
    with pytest.warns(DeprecationWarning, match='is deprecated, use null_threshold="never"'):
        settings = DecodeSettings(null_threshold=old)
    assert settings == DecodeSettings(null_threshold="never") == DecodeSettings()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"null_threshold": "sometimes"}, "null_threshold must be a number or \"never\", but is 'sometimes'"),
        ({"max_answer_tokens": 0}, "max_answer_tokens must be at least 1, but is 0"),
        ({"top_k": 0}, "top_k must be at least 1, but is 0"),
        ({"temperature": 0.0}, "temperature must be from 1e-06 to 1e\\+06, but is 0.0"),
        ({"temperature": 1e-320}, "temperature must be from 1e-06 to 1e\\+06, but is 1e-320"),
        ({"temperature": math.inf}, "temperature must be from 1e-06 to 1e\\+06, but is inf"),
        ({"temperature": math.nan}, "temperature must be from 1e-06 to 1e\\+06, but is nan"),
        ({"null_threshold": math.nan}, 'null_threshold must be a number or "never", but is nan'),
        ({"null_bias": math.inf}, "null_bias must be finite, but is inf"),
        ({"min_probability": 1.5}, "min_probability must be from 0 to 1, but is 1.5"),
        ({"odds_scale": 0.0}, "odds_scale must be above 0, but is 0"),
        ({"null_temperature": 0.0}, "null_temperature must be from 1e-06"),
    ],
)
def test_invalid_settings_are_rejected(settings, message):
    with pytest.raises(ConfigError, match=message):
        DecodeSettings(**settings)
    with pytest.raises(ConfigError, match=message):
        DecodeSettings().with_(**settings)
