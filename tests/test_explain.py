"""Explanations, compared with the reader's answers and with a plain loop over every pair of tokens."""

import dataclasses
import json
import math
from collections import Counter

import pytest
from hypothesis import given, strategies as st

from quoth.errors import InputError
from quoth.reading import Rejection, Windower
from quoth.records import Example, Span
from support.oracle import legal_spans, widened
from support.readers import KINDS, tiny_reader, tiny_tokenizer
from support.texts import few, texts

QUESTION = " Who keeps the lamp? "
CONTEXT = (
    "The lighthouse of Cabo Branco was built in 1972 at the easternmost point of the coast. Its lamp turns once every "
    "twelve seconds, and its beam is seen from a distance of thirty kilometres. The keeper was Ana Ribeiro."
)


def logits(window, start, end):
    return window.tokens[start].start + window.tokens[end].end


def losses(explanation, reader, contexts):
    """Return the reason for each rejected pair of each window, in plain loops."""
    answers = explanation.prediction.answers
    floor = answers[-1].score if answers else explanation.prediction.null_score
    scores = {(answer.context_index, answer.span): answer.score for answer in answers}
    longest, whole_words = explanation.max_answer_tokens, explanation.whole_words
    cut = {
        (index, window.index): window
        for index, context in enumerate(contexts)
        for window in Windower(reader.tokenizer, max_tokens=48, overlap=16).windows(Example("q", QUESTION, context))
    }
    best = {}
    for window in explanation.windows:
        real = cut[window.context_index, window.index]
        for first, last in legal_spans(real, longest):
            shift = real.context_tokens.start
            key = (window.context_index, first + real.first_token, last + real.first_token)
            best[key] = max(best.get(key, -math.inf), logits(window, first + shift, last + shift))
    for window in explanation.windows:
        real = cut[window.context_index, window.index]
        legal = set(legal_spans(real, longest))
        shift = real.context_tokens.start
        for first in range(len(window.tokens)):
            for last in range(len(window.tokens)):
                score = logits(window, first, last)
                if score <= floor or first == last == window.cls:
                    continue
                tokens = window.tokens[first], window.tokens[last]
                if any(token.part != "context" for token in tokens):
                    yield Rejection.OUTSIDE
                elif last < first:
                    yield Rejection.CROSSING
                elif last - first >= longest:
                    yield Rejection.TOO_LONG
                elif (first - shift, last - shift) not in legal:
                    yield Rejection.BLANK
                elif (
                    score
                    < best[window.context_index, first - shift + real.first_token, last - shift + real.first_token]
                ):
                    yield Rejection.OTHER_WINDOW
                else:
                    exact = Span(tokens[0].span.start, tokens[1].span.end)
                    place = widened(contexts[window.context_index], exact, whole_words)
                    known = scores.get((window.context_index, place))
                    if known is None:
                        overlaps = any(
                            index == window.context_index and place.start < span.end and span.start < place.end
                            for index, span in scores
                        )
                        yield Rejection.OVERLAPS if overlaps else Rejection.SAME_TEXT
                    elif known > score:
                        yield Rejection.SAME_PLACE


@pytest.mark.parametrize("kind", KINDS)
@few
@given(
    contexts=st.lists(texts, min_size=1, max_size=2),
    top_k=st.sampled_from([1, 3, 40]),
    longest=st.sampled_from([1, 4, 30]),
    whole_words=st.booleans(),
    overlapping=st.booleans(),
)
def test_every_explanation_matches_brute_force(kind, contexts, top_k, longest, whole_words, overlapping):
    reader = tiny_reader(
        kind, whole_words=whole_words, temperature=1.7, null_threshold=-1.0, null_bias=0.5, odds_scale=3.0
    )
    wanted = {"top_k": top_k, "max_answer_tokens": longest, "overlapping": overlapping}
    explanation = reader.explain(QUESTION, contexts, **wanted)
    prediction = explanation.prediction
    assert prediction == reader.answer(QUESTION, contexts, **wanted)
    assert tuple(item.answer for item in explanation.answers) == prediction.answers
    windows = {(window.context_index, window.index): window for window in explanation.windows}
    assert len(windows) == len(explanation.windows)
    for item in explanation.answers:
        context, window = (
            contexts[item.answer.context_index],
            windows[item.answer.context_index, item.answer.window_index],
        )
        first, last = window.tokens[item.start_token], window.tokens[item.end_token]
        assert first.start + last.end == item.answer.score
        assert item.exact == Span(first.span.start, last.span.end)
        assert item.answer.span == widened(context, item.exact, whole_words)
        assert item.widened == (item.exact != item.answer.span)
    for window in explanation.windows:
        assert window.null_score == logits(window, window.cls, window.cls)
        for token in window.tokens:
            assert (token.span is not None) == (token.part == "context")
            assert token.span is None or token.text == token.span.of(contexts[window.context_index])
    assert prediction.null_score == min((window.null_score for window in explanation.windows), default=None)
    expected = Counter(losses(explanation, reader, contexts))
    assert explanation.rejected_counts == dict(expected)
    assert len(explanation.rejected) == min(20, expected.total())
    json.dumps(explanation.to_dict(), allow_nan=False)


@pytest.mark.parametrize("kind", KINDS)
def test_all_shares_sum_to_one(kind):
    reader = tiny_reader(kind, temperature=2.5, whole_words=False, null_threshold=0.0)
    explanation = reader.explain(QUESTION, CONTEXT, top_k=10**6, overlapping=True)
    assert len(explanation.windows) > 1
    total = math.fsum(answer.probability for answer in explanation.prediction.answers)
    assert total + explanation.null_probability == pytest.approx(1, abs=1e-9)
    assert explanation.temperature == 2.5


def test_rejected_candidates_are_listed_best_first():
    reader = tiny_reader("wordpiece", max_answer_tokens=3)
    explanation = reader.explain(QUESTION, CONTEXT, top_k=60)
    windows = {window.index: window for window in explanation.windows}
    scores = [pair.score for pair in explanation.rejected]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] > explanation.prediction.answers[-1].score
    assert [logits(windows[p.window_index], p.start_token, p.end_token) for p in explanation.rejected] == scores
    assert {Rejection.OUTSIDE, Rejection.CROSSING, Rejection.TOO_LONG, Rejection.OTHER_WINDOW} <= set(
        explanation.rejected_counts
    )
    for pair in explanation.rejected:
        tokens = windows[pair.window_index].tokens
        first, last = tokens[pair.start_token].span, tokens[pair.end_token].span
        quotes = pair.reason not in (Rejection.OUTSIDE, Rejection.CROSSING)
        assert pair.text == (CONTEXT[first.start : last.end] if quotes else "")
    assert all(reason.sentence for reason in Rejection)


def test_tokens_have_their_part_of_the_window():
    (window, *_) = tiny_reader("bpe").explain(QUESTION, CONTEXT).windows
    parts = [token.part for token in window.tokens]
    tokenizer = tiny_tokenizer("bpe")
    words = len(tokenizer.encode([QUESTION.strip()])[0])
    assert parts[: words + 3] == ["special", *["question"] * words, "special", "special"]
    assert parts[words + 3 :] == [*["context"] * (len(parts) - words - 4), "special"]
    question = [token.text for token in window.tokens if token.part == "question"]
    assert "".join(question) == QUESTION.strip().replace(" ", "")
    assert window.tokens[0].piece == window.tokens[0].text == "<s>"
    assert window.span == Span(0, window.tokens[-2].span.end)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_context_can_be_explained(kind):
    explanation = tiny_reader(kind).explain(QUESTION, ["", ""])
    assert (explanation.windows, explanation.answers, explanation.rejected) == ((), (), ())
    assert explanation.null_probability is None
    assert explanation.to_dict()["reason"] == "the context has no text to quote"
    blank = tiny_reader(kind).explain(QUESTION, " \n")
    assert blank.answers == ()
    assert blank.null_probability == (1 if blank.windows else None)


def test_an_empty_question_is_rejected():
    with pytest.raises(InputError, match="the question must not be empty"):
        tiny_reader("bpe").explain(" ", CONTEXT)


def test_json_has_the_whole_explanation():
    explanation = tiny_reader("unigram", null_threshold="never").explain(QUESTION, CONTEXT)
    document = explanation.to_dict()
    assert document["settings"]["null_threshold"] == "never"
    assert [answer["text"] for answer in document["answers"]] == [a.answer.text for a in explanation.answers]
    assert [len(window["tokens"]) for window in document["windows"]] == [len(w.tokens) for w in explanation.windows]
    token = document["windows"][0]["tokens"][0]
    assert token.keys() == {"piece", "text", "part", "start", "end", "start_logit", "end_logit"}
    with pytest.raises(dataclasses.FrozenInstanceError):
        explanation.temperature = 1.0
