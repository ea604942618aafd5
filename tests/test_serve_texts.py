"""Stored texts: their handles, their pages, and their expiry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quoth.records import Span
from quoth.serve.http.hosted import HostedTask
from quoth.serve.http.schema import HostedRequest
from quoth.serve.texts import Text, Texts
from support.readers import tiny_reader

pytestmark = pytest.mark.serve


class Clock:
    """Seconds that pass when told."""

    now = 100.0

    def __call__(self):
        return self.now


def test_a_text_expires_some_time_after_its_last_use():
    clock = Clock()
    texts = Texts(10_000, 60.0, clock)
    first, second = Text.of("first"), Text.of("second")
    assert texts.put(first)
    clock.now += 40
    assert texts.put(second)
    assert texts.get(first.handle) == first
    clock.now += 59
    assert texts.get(first.handle) == first
    assert texts.get(second.handle) == second
    clock.now += 61
    texts.expire()
    assert (len(texts), texts.size) == (0, 0)
    assert texts.get(first.handle) is None


def test_the_least_recently_used_text_is_evicted():
    one, two, three = (Text.of(letter * 1_000) for letter in "abc")
    texts = Texts(2 * one.size, 60.0)
    for text in (one, two, two):
        assert texts.put(text)
    assert texts.get(one.handle)
    assert texts.put(three)
    assert texts.get(two.handle) is None
    assert texts.get(one.handle)
    assert texts.get(three.handle)
    assert not texts.put(Text.of("long" * 10_000))
    assert len(texts) == 2


@given(st.lists(st.text(max_size=50), max_size=30))
def test_stored_texts_never_exceed_the_limit(given_texts):
    texts = Texts(500, 60.0)
    for text in map(Text.of, given_texts):
        texts.put(text)
        assert 0 <= texts.size <= 500
        assert texts.size == sum(kept.size for kept, _ in texts._kept.values())


def test_pages_are_part_of_the_name_and_are_found_again():
    plain, paged = Text.of("one\ntwo"), Text.of("one\ntwo", (Span(0, 3), Span(4, 7)))
    assert plain.handle != paged.handle
    assert plain.page(2) is None
    assert [paged.page(position) for position in (0, 2, 3, 4, 6)] == [1, 1, 1, 2, 2]


def test_a_long_question_of_the_hosted_task_is_truncated_by_tokens():
    request = {"inputs": {"question": "Where did the cat sit?", "context": "On the mat."}}
    reader = tiny_reader("wordpiece")
    assert HostedTask.of(HostedRequest.model_validate(request), reader).question == "Where did the cat sit?"
    request["parameters"] = {"max_question_len": 1}
    cut = HostedTask.of(HostedRequest.model_validate(request), reader).question
    assert "Where did the cat sit?".startswith(cut)
    assert len(reader.tokenizer.encode([cut])[0]) == 1
