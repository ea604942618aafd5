"""Stored texts: their handles, their pages, and their expiry."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest
from hypothesis import given, strategies as st

from quoth.records import Span
from quoth.serve.http.hosted import HostedTask
from quoth.serve.http.schema import HostedRequest
from quoth.serve.store import Texts, store_folder
from quoth.serve.texts import Text
from support.readers import tiny_reader

pytestmark = pytest.mark.serve


@pytest.fixture
def store():
    """Open a store in a folder; it is closed after the test."""
    with ExitStack() as opened:
        yield lambda folder, *more: opened.enter_context(closing(Texts(folder / "texts.sqlite", *more)))


class Clock:
    """A clock that the test controls."""

    now = 100.0

    def __call__(self):
        return self.now


def test_a_text_expires_some_time_after_its_last_use(tmp_path, store):
    clock = Clock()
    texts = store(tmp_path, 10_000, 60.0, clock)
    first, second = Text.of("first"), Text.of("second")
    assert texts.put(first)
    clock.now += 40
    assert texts.put(second)
    assert texts.get(first.handle) == first
    clock.now += 59
    assert texts.get(first.handle) == first
    assert texts.get(second.handle) == second
    clock.now += 61
    assert texts.get(first.handle) is None
    assert texts.has_expired(first.handle)
    texts.expire()
    assert (len(texts), texts.size) == (0, 0)
    assert texts.get(first.handle) is None
    assert texts.has_expired(first.handle)
    assert not texts.has_expired(Text.of("never").handle)
    assert texts.put(first)
    assert not texts.has_expired(first.handle)
    assert texts.delete(first.handle)
    assert not texts.has_expired(first.handle)
    assert not texts.delete(first.handle)


def test_the_least_recently_used_text_is_evicted(tmp_path, store):
    one, two, three = (Text.of(letter * 1_000) for letter in "abc")
    clock = Clock()
    texts = store(tmp_path, 2_000, 60.0, clock)
    for text in (one, two, two):
        clock.now += 2
        assert texts.put(text)
    clock.now += 2
    assert texts.get(one.handle)
    assert texts.put(three)
    assert texts.get(two.handle) is None
    assert texts.get(one.handle)
    assert texts.get(three.handle)
    assert not texts.put(Text.of("long" * 10_000))
    assert len(texts) == 2


@given(st.lists(st.text(max_size=50), max_size=30))
def test_stored_texts_never_exceed_the_limit(given_texts):
    with store_folder() as file, closing(Texts(file, 500, 60.0)) as texts:
        for text in map(Text.of, given_texts):
            texts.put(text)
            assert 0 <= texts.size <= 500
            assert texts.get(text.handle) == text
    assert not file.exists()


def test_threads_and_other_connections_share_a_store(tmp_path, store):
    one, other = store(tmp_path, 1_000_000, 60.0), store(tmp_path, 1_000_000, 60.0)
    paged = Text.of("one\ntwo 🐦", (Span(0, 3), Span(4, 9)))
    one.put(paged)
    assert other.get(paged.handle) == paged
    texts = [Text.of(f"{number} " * 50) for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one.put, texts[::2]))
        assert all(pool.map(other.put, texts[1::2]))
        assert list(pool.map(other.get, [text.handle for text in texts])) == texts


def test_pages_are_part_of_the_handle_and_are_stored():
    plain, paged = Text.of("one\ntwo"), Text.of("one\ntwo", (Span(0, 3), Span(4, 7)))
    assert plain.handle != paged.handle
    assert plain.page_at(2) is None
    assert [paged.page_at(position) for position in (0, 2, 3, 4, 6)] == [1, 1, 1, 2, 2]


def test_a_long_question_of_the_hosted_task_is_truncated_by_tokens():
    request = {"inputs": {"question": "Where did the cat sit?", "context": "On the mat."}}
    reader = tiny_reader("wordpiece")
    assert HostedTask.of(HostedRequest.model_validate(request), reader).question == "Where did the cat sit?"
    request["parameters"] = {"max_question_len": 1}
    cut = HostedTask.of(HostedRequest.model_validate(request), reader).question
    assert "Where did the cat sit?".startswith(cut)
    assert len(reader.tokenizer.encode([cut])[0]) == 1
