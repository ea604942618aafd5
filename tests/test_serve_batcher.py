"""The batcher: the contents and order of batches, and rejections. With a real engine, without a server."""

import asyncio
import time
from contextlib import asynccontextmanager, suppress

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from quoth.reading import DecodeSettings, WindowBatch, Windower, unbatch
from quoth.records import Example
from quoth.serve.errors import ApiError
from quoth.serve.queue.answerer import Answerer
from quoth.serve.queue.batcher import Batcher
from quoth.serve.queue.queries import Query, split_query
from quoth.serve.queue.requests import OverloadedError
from quoth.serve.settings import ServeSettings
from quoth.serve.texts import Text
from support.readers import tiny_engine, tiny_tokenizer
from support.serving import SlowEngine, slow_reader

pytestmark = pytest.mark.serve

TOKENIZER = tiny_tokenizer("wordpiece")
CUTTER = Windower(TOKENIZER, max_tokens=100, overlap=0)
SHORT = 3


def windows(count, words=SHORT):
    """Return windows of the same length, with a given number of words each."""
    return CUTTER.windows(Example("q", "Where?", "cat " * words))[:1] * count


LENGTH = len(windows(1)[0])


def batcher(engine=None, batch_tokens=4 * LENGTH, queue_tokens=10_000, deadline_s=30.0, **more):
    made = Batcher(
        engine or SlowEngine(), TOKENIZER.pad_id, batch_tokens=batch_tokens, queue_tokens=queue_tokens,
        deadline_s=deadline_s, **more,
    )  # fmt: skip
    made.rate = 1e9
    return made


@asynccontextmanager
async def running(made):
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        made.close()


def names(made, requests, now=0.0):
    """Take all batches; return each as a string with a letter for the request of each window."""
    found = []
    while batch := made.next_batch(now) or made.next_batch(now, beyond=True):
        found.append("".join("abcdefgh"[requests.index(request)] for request, _ in batch))
    return found


def later(seconds):
    return asyncio.get_running_loop().time() + seconds


def run(test):
    asyncio.run(test)


def test_a_request_gets_the_logits_of_the_engine():
    async def scene():
        seen = []
        async with running(batcher(observe=lambda *facts: seen.append(facts))) as made:
            mine = [*windows(3), *windows(2, words=30), *windows(1, words=9)]
            request = made.submit(mine, later(30))
            found = await request.done
            assert [item.logits.window for item in found] == mine
            for item in found:
                batch = WindowBatch.of([item.logits.window], TOKENIZER.pad_id)
                (alone,) = unbatch(batch, tiny_engine("wordpiece").run(batch))
                np.testing.assert_allclose(item.logits.start, alone.start, atol=1e-4)
                assert item.logits.null == pytest.approx(alone.null, abs=1e-4)
            assert 0 < request.arrived <= request.started < request.finished
            assert made.tokens == made.requests == 0
            assert sum(count for count, _, _ in seen) == 6
            assert sum(tokens for _, tokens, _ in seen) == sum(map(len, mine))

    run(scene())


def test_a_long_request_and_short_ones_alternate():
    async def scene():
        made = batcher()
        requests = [made.submit(windows(9), later(30)), *(made.submit(windows(1), later(30)) for _ in range(6))]
        assert names(made, requests) == ["abcd", "efga", "aaaa", "aa", "a"]
        made.close()

    run(scene())


def test_a_late_short_request_waits_for_no_more_than_one_batch():
    async def scene():
        made = batcher()
        requests = [made.submit(windows(400), later(30))]
        assert len(made.next_batch(0.0)) == 4
        requests.append(made.submit(windows(1), later(30)))
        assert "b" in names(made, requests)[0]
        made.close()

    run(scene())


def test_only_windows_of_similar_length_share_a_batch():
    async def scene():
        made = batcher(batch_tokens=1_000)
        requests = [made.submit(windows(2, words), later(30)) for words in (3, 40, 4, 38)]
        assert names(made, requests) == ["acac", "bdbd"]
        made.close()

    run(scene())


def test_urgent_requests_go_first_by_deadline():
    async def scene():
        made = batcher(batch_tokens=LENGTH, deadline_s=10)
        requests = [made.submit(windows(2), 1e9 + deadline) for deadline in (1000.0, 4.0, 3.0)]
        assert names(made, requests, now=1e9) == ["c", "c", "b", "b", "a", "a"]
        made.close()

    run(scene())


def test_cancelled_requests_are_never_computed():
    async def scene():
        engine = SlowEngine(0.02)
        async with running(batcher(engine)) as made:
            gone = made.submit(windows(40), later(30))
            staying = made.submit(windows(1), later(30))
            late = made.submit(windows(4), later(-1))
            gone.done.cancel()
            await staying.done
            assert isinstance(late.done.exception(), TimeoutError)
            assert made.tokens == 0
            assert sum(len(batch.windows) for batch in engine.batches) == 1

    run(scene())


def test_a_deadline_detected_by_the_batcher_is_a_timeout():
    async def scene():
        engine = SlowEngine()
        engine.free.clear()
        async with running(batcher(engine)) as made:
            made.submit(windows(1), later(30))
            while not engine.batches:
                await asyncio.sleep(0.01)
            query = Query("Where?", (Text.of("A cat."),))
            answerer = Answerer(slow_reader(engine), made, ServeSettings(deadline_s=0.2))
            asked = asyncio.create_task(answerer.ask(lambda: [query], DecodeSettings(), lambda replies, times: replies))
            while not made.requests:
                await asyncio.sleep(0.01)
            time.sleep(0.3)
            made.check_capacity(1)
            with pytest.raises(ApiError) as refused:
                await asked
            assert (refused.value.status_code, refused.value.problem.code) == (504, "deadline_s_limit")
            engine.free.set()
            answerer.close()

    run(scene())


def test_a_full_queue_rejects_at_once_with_a_retry_time():
    async def scene():
        made = batcher(queue_tokens=5 * LENGTH)
        made.rate = LENGTH / 2.0
        made.submit(windows(2), later(30))
        with pytest.raises(OverloadedError) as refused:
            made.submit(windows(4), later(30))
        assert refused.value.retry_s == pytest.approx(4.0)
        assert made.requests == 1
        made.close()

    run(scene())


def test_the_queue_accepts_a_quarter_of_a_deadlines_work():
    async def scene():
        made = batcher(deadline_s=20.0)
        made.rate = 2.0 * LENGTH  # ten windows in a quarter of a deadline
        for _ in range(10):
            made.submit(windows(1), later(10))
        with pytest.raises(OverloadedError):
            made.submit(windows(1), later(10))
        made.close()

    run(scene())


def test_tokens_beyond_the_fair_share_do_not_count_against_others():
    async def scene():
        made = batcher(deadline_s=20.0)  # a fair share of eight windows
        made.rate = 4.0 * LENGTH  # twenty windows in a quarter of a deadline
        long = made.submit(windows(1_000), later(20))
        assert made.tokens_beyond == pytest.approx(992 * LENGTH, abs=LENGTH)
        for _ in range(2):
            made.submit(windows(1), later(20))
        with pytest.raises(OverloadedError):  # but another text of its length has to wait until it is done
            made.submit(windows(1_000), later(20))
        made.submit(windows(9), later(20))  # and one that is a little beyond its share has not
        assert made.requests == 4
        long.done.cancel()
        made.submit(windows(1_000), later(20))
        made.close()

    run(scene())


def test_tokens_beyond_the_fair_share_do_not_overtake_others():
    async def scene():
        made = batcher(deadline_s=1e12)
        requests = [made.submit(windows(20), 1e9), *(made.submit(windows(1), 9e11) for _ in range(3))]
        # The long request is urgent, and goes first, but only with its fair share; the rest is in the second lane.
        assert names(made, requests, now=0.0)[:3] == ["abcd", "aaaa", "aaa"]
        assert made.next_batch(0.0) == []
        made.close()

    run(scene())


def test_beyond_fair_shares_nothing_is_urgent():
    async def scene():
        made = batcher(deadline_s=1e12)
        first, urgent = made.submit(windows(20), 9e11), made.submit(windows(20), 1e9)
        assert first.urgent > 0.0 > urgent.urgent
        assert made.next_batch(0.0)[0][0] is urgent
        while made.next_batch(0.0):
            pass
        first.turn, urgent.turn = 100, 101
        assert made.next_batch(0.0, beyond=True)[0][0] is first
        made.close()

    run(scene())


def test_a_long_request_gets_its_share_of_the_engine_over_time():
    async def scene():
        made = batcher(deadline_s=1e9)
        made.rate = 16.0 * LENGTH  # so a sixteenth of it is one window a second
        request = made.submit(windows(100), 1e12)
        share = made.share
        assert request.fair(share, request.came) == 8 * LENGTH
        assert request.fair(share, request.came + 5) == 13 * LENGTH
        assert request.fair(share, request.came + 1e6) == 100 * LENGTH
        made.close()

    run(scene())


def test_a_short_request_does_not_wait_for_a_batch_beyond_the_share_of_another():
    async def scene():
        second = SlowEngine()
        second.free.clear()
        made = batcher(SlowEngine(0.05), load_second=lambda: second)
        made.rate = 80.0 * LENGTH  # as fast as the engine is
        async with running(made):
            long = made.submit(windows(80), later(30))
            async with asyncio.timeout(10):
                while not second.batches:
                    await asyncio.sleep(0.01)
            for _ in range(5):
                await asyncio.wait_for(made.submit(windows(1), later(30)).done, 5)
            assert not long.done.done()
            second.free.set()
            await long.done

    run(scene())


def test_a_failure_of_the_engine_only_affects_its_batch():
    class Breaking(SlowEngine):
        def run(self, batch):
            if len(batch.windows) == 3:
                raise FloatingPointError("broken")
            return super().run(batch)

    async def scene():
        async with running(batcher(Breaking(), batch_tokens=3 * LENGTH)) as made:
            broken = made.submit(windows(3), later(30))
            with pytest.raises(FloatingPointError):
                await broken.done
            fine = made.submit(windows(2), later(30))
            assert len(await fine.done) == 2

    run(scene())


def test_the_speed_is_measured():
    async def scene():
        made = Batcher(
            SlowEngine(0.05), TOKENIZER.pad_id, batch_tokens=10 * LENGTH, queue_tokens=10_000, deadline_s=30.0
        )
        await made.warm_up(windows(1)[0])
        assert 50 * LENGTH < made.rate < 10 * LENGTH / 0.05
        made.close()

    run(scene())


@settings(max_examples=40)
@given(
    st.lists(st.lists(st.integers(1, 60), min_size=1, max_size=8), min_size=1, max_size=8),
    st.integers(20, 300),
    st.sampled_from([None, 100]),
)
def test_every_window_is_computed_once_within_the_budget(requests, budget, longest):
    async def scene():
        made = batcher(batch_tokens=budget, queue_tokens=1_000_000, longest=longest)
        queued = [
            made.submit([window for words in request for window in windows(1, words)], 1e12) for request in requests
        ]
        read = []
        while batch := made.next_batch(0.0) or made.next_batch(0.0, beyond=True):
            lengths = [len(request.windows[index]) for request, index in batch]
            padded = WindowBatch.of([request.windows[index] for request, index in batch], 0, limit=longest)
            assert len(batch) == 1 or padded.ids.size <= budget
            assert min(lengths) >= 0.75 * max(lengths)
            read += [(queued.index(request), index) for request, index in batch]
        assert sorted(read) == [
            (number, index) for number, request in enumerate(requests) for index in range(len(request))
        ]
        assert made.tokens == 0
        made.close()

    run(scene())


def test_a_question_without_tokens_is_empty():
    split = split_query(CUTTER, Query("\u00ad", (Text.of("cat"),), "body.rows.0"))
    assert (split.windows, split.error.problem.code, split.error.problem.where) == (
        (), "question_empty", "body.rows.0.question",
    )  # fmt: skip
