"""The stream: parallel splitting, engine and decoding, in order, bounded, and without leftover threads."""

import itertools
import queue
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest

from quoth import Reader
from quoth.engines import Sequential
from quoth.errors import QuestionTooLongError, ReaderError
from quoth.reading import SpanLogits, Window, WindowBatch, unbatch
from quoth.records import Example
from quoth.stream import _QUEUED, LOOK_AHEAD, Stream
from support.readers import tiny_engine, tiny_reader

QUESTION = "Who keeps the lamp?"
CONTEXT = "The keeper of the lighthouse was Ana Ribeiro, and she lit the lamp at nine. "


def examples(count):
    """Make examples of one to four windows, some without a text."""
    return [Example(f"q{n}", QUESTION, CONTEXT * (n % 5) if n % 11 else " ") for n in range(count)]


@dataclass
class WatchedEngine(Sequential):
    """A real engine that records when it ran, and can fail or wait."""

    name: str = "watched"
    precision: str = "float32"
    batch_tokens: int = 4_096
    fails_at: int = -1
    seconds: float = 0.0
    spans: list[tuple[float, float]] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)

    def run(self, batch: WindowBatch) -> SpanLogits:
        if len(self.spans) == self.fails_at:
            raise ReaderError("the network must read 3 windows, but failed")
        before = time.perf_counter()
        logits = tiny_engine("wordpiece").run(batch)
        time.sleep(self.seconds)
        self.spans.append((before, time.perf_counter()))
        self.threads.add(threading.current_thread().name)
        return logits


class Size(NamedTuple):
    """A window, reduced to its size."""

    window: Window
    tokens: int


def reader_on(engine):
    tiny = tiny_reader("wordpiece")
    return Reader(tiny.tokenizer, engine, tiny.settings)


def our_threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("quoth-")]


@pytest.mark.parametrize("count", [0, 1, LOOK_AHEAD - 1, LOOK_AHEAD, LOOK_AHEAD + 1, 3 * LOOK_AHEAD + 7])
def test_a_stream_has_the_order_and_answers_of_single_calls(count):
    reader = tiny_reader("wordpiece")
    asked = examples(count)
    predictions = list(reader.answer_all(iter(asked)))
    assert [prediction.id for prediction in predictions] == [example.id for example in asked]
    for prediction, example in list(zip(predictions, asked, strict=True))[:: 1 + count // 40]:
        alone = reader.answer(example.question, example.context)
        assert [answer.span for answer in prediction.answers] == [answer.span for answer in alone.answers]
        assert (prediction.windows, prediction.no_answer) == (alone.windows, alone.no_answer)
    assert our_threads() == []


def test_a_stream_is_deterministic():
    reader = tiny_reader("wordpiece")
    asked = examples(2 * LOOK_AHEAD + 9)
    assert list(reader.answer_all(asked)) == list(reader.answer_all(asked))


def test_windows_are_yielded_with_their_examples():
    reader = tiny_reader("wordpiece")
    asked = examples(LOOK_AHEAD + 20)
    for (example, items), wanted in zip(reader.read_all(asked), asked, strict=True):
        assert example is wanted
        assert [item.window.index for item in items] == list(range(len(reader.windower.windows(wanted))))
        assert all(item.window.example is wanted for item in items)


def test_the_engine_runs_in_one_other_thread():
    engine = WatchedEngine()
    list(reader_on(engine).answer_all(examples(2 * LOOK_AHEAD)))
    assert len(engine.threads) == 1
    assert threading.current_thread().name not in engine.threads
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(engine.spans))


class StreamsEngine:
    """An engine with several streams; each of its parts records its batches."""

    name, precision, batch_tokens = "streams", "float32", 1_024

    def __init__(self, streams):
        self.streams = streams
        self.alone, self.loaded, self.most = 0, 0, 0
        self.running = 0
        self.lock = threading.Lock()

    def run(self, batch):
        self.alone += 1
        return tiny_engine("wordpiece").run(batch)

    @property
    def parallel(self):
        self.loaded += 1
        return ParallelPart(self)


@dataclass
class ParallelPart(Sequential):
    whole: StreamsEngine
    batch_tokens: int = 512

    def run(self, batch):
        with self.whole.lock:
            self.whole.running += 1
            self.whole.most = max(self.whole.most, self.whole.running)
        time.sleep(0.01)
        logits = tiny_engine("wordpiece").run(batch)
        with self.whole.lock:
            self.whole.running -= 1
        return logits


@pytest.mark.parametrize("count", [LOOK_AHEAD - 1, 2 * LOOK_AHEAD])
def test_each_stream_of_an_engine_runs_a_batch_at_the_same_time(count):
    engine, asked = StreamsEngine(3), examples(count)
    found = list(reader_on(engine).answer_all(asked))
    assert found == list(tiny_reader("wordpiece").answer_all(asked))
    assert (engine.most, engine.alone) == (3, 0)
    assert our_threads() == []


def test_a_few_batches_do_not_load_the_network_again():
    engine = StreamsEngine(3)
    found = list(reader_on(engine).answer_all(examples(20)))
    assert len(found) == 20
    assert engine.loaded == 0 < engine.alone


def test_the_engine_runs_while_the_caller_is_busy():
    engine = WatchedEngine(seconds=0.002)
    predictions = reader_on(engine).answer_all(examples(3 * LOOK_AHEAD))
    next(predictions)
    seen = len(engine.spans)
    deadline = time.monotonic() + 30
    while len(engine.spans) == seen and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(engine.spans) > seen
    predictions.close()


def test_a_question_may_depend_on_the_last_answer():
    answers: queue.Queue[str] = queue.Queue()

    def source() -> Iterator[tuple[str, str]]:
        question = QUESTION
        for _ in range(5):
            yield question, CONTEXT
            question = f"{QUESTION} {answers.get(timeout=60)}"

    asked = []
    for prediction in tiny_reader("wordpiece").answer_all(source()):
        asked.append(prediction.question)
        answers.put(prediction.text or "nobody")
    assert len(asked) == 5
    assert asked[1] != asked[0]
    assert our_threads() == []


def test_a_program_on_the_other_end_of_a_pipe_gets_each_answer_before_it_asks_again():
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from support.readers import tiny_reader
for prediction in tiny_reader("wordpiece").answer_all((line, {CONTEXT!r}) for line in sys.stdin):
    print(prediction.id, flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        for number in range(3):
            run.stdin.write(f"{QUESTION}\n")
            run.stdin.flush()
            assert run.stdout.readline() == f"{number}\n"
        run.stdin.close()
        assert run.stdout.read() == ""
    assert run.returncode == 0


def test_items_that_arrive_while_the_engine_is_busy_share_a_block():
    engine = WatchedEngine(seconds=0.05)

    def source() -> Iterator[Example]:
        for number in range(200):
            time.sleep(0.001)
            yield Example(str(number), QUESTION, "Ana Ribeiro")

    assert len(list(reader_on(engine).answer_all(source()))) == 200
    assert len(engine.spans) < 40


def test_leaving_a_live_input_early_ends_its_threads():
    left = threading.Event()

    def source() -> Iterator[Example]:
        try:
            for number in itertools.count():
                yield Example(str(number), QUESTION, "Ana Ribeiro")
        finally:
            left.set()

    predictions = tiny_reader("wordpiece").answer_all(source())
    next(predictions)
    predictions.close()
    assert our_threads() == []
    assert left.wait(10)


def test_an_input_that_blocks_does_not_block_closing():
    held = threading.Event()

    def source() -> Iterator[Example]:
        yield Example("1", QUESTION, "Ana Ribeiro")
        held.wait(60)

    predictions = tiny_reader("wordpiece").answer_all(source())
    next(predictions)
    started = time.monotonic()
    predictions.close()
    assert time.monotonic() - started < 10
    held.set()


def test_a_cursor_is_read_by_its_own_thread_or_the_error_has_a_remedy():
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript("CREATE TABLE t (q, c); INSERT INTO t VALUES ('Who?', 'Ana kept it.')")
        reader = tiny_reader("wordpiece")
        rows = "SELECT q, c FROM t"
        assert len(list(reader.answer_all(database.execute(rows)))) == 1
        assert len(list(reader.answer_all((tuple(row) for row in database.execute(rows)), own_thread=False))) == 1
        with pytest.raises(sqlite3.ProgrammingError) as caught:
            list(reader.answer_all(tuple(row) for row in database.execute(rows)))
        assert "own_thread=False" in caught.value.__notes__[0]


def test_without_its_own_thread_the_caller_reads_the_input_and_not_far_ahead():
    asked: list[str] = []

    def source() -> Iterator[Example]:
        for number in itertools.count():
            asked.append(threading.current_thread().name)
            yield Example(str(number), QUESTION, "Ana Ribeiro")

    predictions = tiny_reader("wordpiece").answer_all(source(), own_thread=False)
    for number in range(3 * LOOK_AHEAD):
        assert next(predictions).id == str(number)
        assert len(asked) <= (3 + number // LOOK_AHEAD) * LOOK_AHEAD
    assert set(asked) == {threading.current_thread().name}
    predictions.close()


@pytest.mark.parametrize("taken", [1, LOOK_AHEAD + 3])
def test_stopping_early_ends_the_threads(taken):
    engine = WatchedEngine(seconds=0.005)
    predictions = reader_on(engine).answer_all(examples(20 * LOOK_AHEAD))
    for _ in range(taken):
        next(predictions)
    assert our_threads() != []
    predictions.close()
    assert our_threads() == []
    ran = len(engine.spans)
    time.sleep(0.05)
    assert len(engine.spans) == ran
    assert list(predictions) == []


def test_a_dropped_stream_ends_its_threads():
    predictions = tiny_reader("wordpiece").answer_all(examples(5 * LOOK_AHEAD))
    next(predictions)
    del predictions
    assert our_threads() == []


@pytest.mark.parametrize("count", [0, 10, LOOK_AHEAD - 1, LOOK_AHEAD, LOOK_AHEAD + 44, 2 * LOOK_AHEAD])
def test_results_before_an_input_error_are_yielded(count):
    def source() -> Iterator[Example]:
        yield from examples(count)
        raise OSError("the disk is gone")

    found: list[str] = []
    predictions = tiny_reader("wordpiece").answer_all(source())
    with pytest.raises(OSError, match="the disk is gone"):
        found.extend(prediction.id for prediction in predictions)
    assert found == [example.id for example in examples(count)]
    assert list(predictions) == []
    assert our_threads() == []


def test_interrupting_the_input_does_not_wait_for_answers():
    def source() -> Iterator[Example]:
        yield from examples(10)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(tiny_reader("wordpiece").answer_all(source()))
    assert our_threads() == []


@pytest.mark.parametrize("place", [3, LOOK_AHEAD + 3, 2 * LOOK_AHEAD + 3])
@pytest.mark.parametrize("make", [list, iter])
def test_an_example_that_cannot_be_read_affects_no_other(place, make):
    asked = examples(3 * LOOK_AHEAD)
    asked[place] = Example("56be", QUESTION * 20, CONTEXT)
    found = []
    with pytest.raises(QuestionTooLongError, match="question 56be: must leave room"):
        found.extend(prediction.id for prediction in tiny_reader("wordpiece").answer_all(make(asked)))
    assert found == [f"q{number}" for number in range(place)], "those before it are answered first"
    assert our_threads() == []
    asked[place + 2] = Example("empty", " ", CONTEXT)
    asked.insert(place, ("Who?", None))
    errors = []
    answered = tiny_reader("wordpiece").answer_all(make(asked), on_error=lambda error: errors.append(str(error)))
    ids = [prediction.id for prediction in answered]
    assert ids == [each.id for each in asked if isinstance(each, Example) and each.id not in ("56be", "empty")]
    named = [error.split(" must")[0].split(":")[0] for error in errors]
    assert named == [f"question {place}", "question 56be", "question empty"]
    assert our_threads() == []


@pytest.mark.parametrize("count", [20, 2 * LOOK_AHEAD])
def test_an_error_of_the_engine_is_raised(count):
    engine = WatchedEngine(fails_at=2 if count > LOOK_AHEAD else 0)
    with pytest.raises(ReaderError, match="must read 3 windows, but failed"):
        list(reader_on(engine).answer_all(examples(count)))
    assert our_threads() == []


def test_a_batch_is_freed_after_it_is_reduced():
    """Of a batch, only the result of ``reduce`` is kept; at the end of a stream, of at most two blocks."""
    tiny = tiny_reader("wordpiece")
    stream = Stream(tiny.windower, tiny.engine, lambda batch, logits: [Size(each, len(each)) for each in batch.windows])
    found = list(stream.read(examples(LOOK_AHEAD + 5)))
    assert all(
        [each.tokens for each in sizes] == [len(w) for w in tiny.windower.windows(example)] for example, sizes in found
    )
    assert all(each.window.example is example for example, sizes in found for each in sizes)
    assert len(stream.run([])) == 0
    cut = [window for example in examples(40) for window in tiny.windower.windows(example)]
    read = Stream(tiny.windower, tiny.engine, unbatch).run(cut)
    assert [item.window for item in read] == cut


def test_a_program_that_exits_does_not_wait_for_the_queue():
    """If an interrupted caller leaves a stream, the engine runs only the batches that are already queued."""
    code = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_stream import WatchedEngine, examples, reader_on
import atexit
engine = WatchedEngine()
predictions = reader_on(engine).answer_all(examples(512))
next(predictions)
seen = len(engine.spans)
atexit.register(lambda: print(seen, len(engine.spans)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seen, ran = map(int, done.stdout.split())
    assert ran <= seen + 1 + _QUEUED
    assert done.stderr == ""


def test_long_texts_are_not_read_far_ahead():
    # Every second text fills a block by itself: of such, three blocks are read ahead, not three times 256 examples.
    taken = []

    def asked():
        for number in range(40):
            taken.append(number)
            yield Example(f"q{number}", QUESTION, CONTEXT * (10 if number % 2 else 1))

    reader = tiny_reader("wordpiece")
    stream = Stream(reader.windower, WatchedEngine(), unbatch, block_characters=9 * len(CONTEXT)).read(asked())
    assert next(stream)[0].id == "q0"
    assert 3 < max(taken) < 10
    assert [example.id for example, _ in stream] == [f"q{number}" for number in range(1, 40)]
