"""Batches: padded to their longest window, and never larger than the budget."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from quoth.errors import ReaderError
from quoth.reading import SpanLogits, WindowBatch, Windower, batches_of, by_token_budget, unbatch
from quoth.records import Example
from support.readers import KINDS, tiny_tokenizer


def windows_of(lengths, kind="wordpiece"):
    """Return one window for each number of words in the context."""
    cutter = Windower(tiny_tokenizer(kind), max_tokens=128, overlap=0)
    return [cutter.windows(Example(str(n), "Who?", "lamp " * n))[0] for n in lengths]


@pytest.mark.parametrize("kind", KINDS)
def test_batch_is_padded_to_its_longest(kind):
    windows = windows_of([3, 12, 7], kind)
    pad = tiny_tokenizer(kind).pad_id
    batch = WindowBatch.of(windows, pad)
    assert batch.ids.shape == batch.type_ids.shape == batch.mask.shape == (3, len(windows[1]))
    assert {array.dtype for array in (batch.ids, batch.type_ids, batch.mask)} == {np.dtype(np.int64)}
    assert batch.mask.sum(axis=1).tolist() == [len(window) for window in windows]
    for row, window in enumerate(batch.windows):
        assert window is windows[row]
        size = len(window)
        assert batch.ids[row, :size].tolist() == window.ids.tolist()
        assert batch.type_ids[row, :size].tolist() == window.type_ids.tolist()
        assert batch.mask[row, :size].all()
        assert (batch.ids[row, size:] == pad).all()
        assert not batch.mask[row, size:].any()
        assert not batch.type_ids[row, size:].any()


def test_batch_of_nothing():
    with pytest.raises(ValueError, match="at least one window"):
        WindowBatch.of([], 0)


@given(
    lengths=st.lists(st.integers(1, 100), max_size=30),
    budget=st.integers(1, 600),
    limit=st.sampled_from([None, 10, 40, 128]),
)
def test_batches_respect_the_budget_and_contain_every_window_once(lengths, budget, limit):
    windows = windows_of(lengths)
    groups = list(by_token_budget(windows, budget, limit=limit))
    assert sorted(index for group in groups for index in group) == list(range(len(windows)))
    batches = list(batches_of(windows, budget, 0, limit=limit))
    assert [list(batch.windows) for batch in batches] == [[windows[i] for i in group] for group in groups]
    shapes = [batch.ids.shape for batch in batches]
    assert all(rows == 1 or rows * width <= budget for rows, width in shapes)
    flat = [len(windows[index]) for group in groups for index in group]
    assert flat == sorted(flat, reverse=True)
    # And none is smaller than it must be.
    assert all((rows + 1) * width > budget for rows, width in shapes[:-1])


def test_logits_are_assigned_to_their_windows():
    windows = windows_of([3, 12])
    batch = WindowBatch.of(windows, 0)
    start = np.arange(batch.ids.size, dtype=np.float32).reshape(batch.ids.shape)
    for row, item in enumerate(unbatch(batch, SpanLogits(start, -2 * start))):
        tokens = windows[row].context_tokens
        assert item.window is windows[row]
        assert item.start.tolist() == start[row, tokens.start : tokens.end].tolist()
        assert item.end.tolist() == (-2 * start)[row, tokens.start : tokens.end].tolist()
        assert item.null == -start[row, 0]
        assert not np.shares_memory(item.start, start)


def test_cls_may_be_at_the_end():
    windows = windows_of([3, 12], "unigram")
    batch = WindowBatch.of(windows, 0)
    start = np.arange(batch.ids.size, dtype=np.float32).reshape(batch.ids.shape)
    nulls = [item.null for item in unbatch(batch, SpanLogits(start, start))]
    assert nulls == [2 * float(start[row, len(window) - 1]) for row, window in enumerate(windows)]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_logits_that_are_not_finite_are_an_error(value):
    windows = windows_of([3, 12])
    batch = WindowBatch.of(windows, 0)
    logits = np.zeros(batch.ids.shape, dtype=np.float32)
    logits[0, -1] = value  # in the padding of the first: means nothing
    assert len(unbatch(batch, SpanLogits(logits, logits))) == 2
    logits[1, 5] = value
    for start, end in ((logits, logits), (np.zeros_like(logits), logits), (logits, np.zeros_like(logits))):
        with pytest.raises(ReaderError, match="question 12: the network must return finite logits"):
            unbatch(batch, SpanLogits(start, end))


@pytest.mark.parametrize(("limit", "width"), [(None, 21), (48, 32), (30, 30), (21, 21), (10, 32)])
def test_a_batch_is_padded_to_a_multiple_of_16_within_the_limit_unless_a_window_is_longer(limit, width):
    window = Windower(tiny_tokenizer("wordpiece"), max_tokens=48, overlap=0).windows(Example("q", "Who?", "a " * 15))[0]
    assert len(window) == 21
    batch = WindowBatch.of([window], 7, limit=limit)
    assert batch.ids.shape == batch.mask.shape == (1, width)
    assert batch.ids[0, 21:].tolist() == [7] * (width - 21)
    assert batch.mask.sum() == 21
