"""Answers identical to transformers 4.57.6: the same windows, scores and n-best lists.

Its score is the product of two softmaxes over a single window, so scores of different windows are not comparable: the
best answer of a long text may rank below an answer from a short last window. It selects the best pairs before removing
invalid ones, so an n-best list may be short; and it adds up the scores of answers with the same words, so a score may
exceed 1. This module exists for programs that need identical numbers.

Source: transformers 4.57.6, ``pipelines/question_answering.py`` (Apache License 2.0), the code path of fast tokenizers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray

from quoth.dropin.calls import Parameters
from quoth.engines import Engine
from quoth.reading import SpanLogits, Tokenizer, WindowBatch
from quoth.records import Example

Result = dict[str, Any]
_NO_NULL = 1_000_000.0


@dataclass(frozen=True, slots=True)
class _Window:
    """One window: its encoding, and the tokens that an answer may use."""

    encoding: tokenizers.Encoding
    allowed: NDArray[np.bool_]


class OldReader:
    """Reads and decodes like the old pipeline."""

    def __init__(self, tokenizer: Tokenizer, engine: Engine) -> None:
        """Create it from the parts of a reader. Special tokens in texts are parsed as such, as in the old pipeline."""
        self._engine = engine
        self._pad_id = tokenizer.pad_id
        self._limit = tokenizer.max_tokens
        self._inner = tokenizers.Tokenizer.from_str(tokenizer.to_json())
        # The tokenizer keeps the length of the windows, so two threads must not set it and encode at the same time.
        self._encoding = Lock()
        template = tokenizer.template
        self._cls = (
            template.prefix[template.cls_in_prefix]
            if template.cls_in_prefix is not None
            else template.suffix[template.cls_in_suffix or 0]
        )

    def answer(self, example: Example, parameters: Parameters, batch_size: int = 1) -> Result | list[Result]:
        """Answer one example.

        Raises:
            ValueError: If the question is too long for the window.
        """
        windows = self._windows(example, parameters)
        answers: list[Result] = []
        null = _NO_NULL
        for window, start, end in self._run(windows, parameters, batch_size):
            null = _collect(answers, example, window, (start, end), parameters, null)
        if parameters.handle_impossible_answer:
            answers.append({"score": null, "start": 0, "end": 0, "answer": ""})
        answers = sorted(answers, key=lambda answer: answer["score"], reverse=True)[: parameters.top_k]
        return answers[0] if len(answers) == 1 else answers

    def _windows(self, example: Example, parameters: Parameters) -> list[_Window]:
        longest, stride = parameters.window(self._limit)
        try:
            with self._encoding:
                self._inner.enable_truncation(longest, stride=stride, strategy="only_second")
                encoding = self._inner.encode(example.question, example.context)
        except BaseException as error:
            # A panic of the Rust code is a BaseException of a type that cannot be imported.
            if isinstance(error, Exception) or type(error).__name__ == "PanicException":
                raise ValueError(
                    f"the question must leave room for its context and doc_stride ({stride}) in a window of {longest} "
                    f"tokens: {error}"
                ) from error
            raise
        return [self._window(part) for part in (encoding, *encoding.overflowing)]

    def _window(self, encoding: tokenizers.Encoding) -> _Window:
        # Question and special tokens are excluded, except for CLS, wherever it is.
        context = np.array([part == 1 for part in encoding.sequence_ids], dtype=bool)
        return _Window(encoding, context | (np.array(encoding.ids) == self._cls))

    def _run(
        self, windows: list[_Window], parameters: Parameters, batch_size: int
    ) -> Iterator[tuple[_Window, NDArray[np.float32], NDArray[np.float32]]]:
        wide = 0
        if parameters.padding == "max_length":
            wide = parameters.window(self._limit)[0]
        elif parameters.padding in (True, "longest"):
            wide = max(len(window.allowed) for window in windows)
        for first in range(0, len(windows), batch_size):
            part = windows[first : first + batch_size]
            batch = self._batch(part, wide)
            logits: SpanLogits = self._engine.run(batch)
            for row, window in enumerate(part):
                # Padding is sorted too, as in the old pipeline: if all scores are 0, it affects which pairs come first.
                size = max(wide, len(window.allowed))
                yield window, logits.start[row, :size], logits.end[row, :size]

    def _batch(self, windows: list[_Window], wide: int) -> WindowBatch:
        shape = (len(windows), max(wide, *(len(window.encoding.ids) for window in windows)))
        ids = np.full(shape, self._pad_id, dtype=np.int64)
        types, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for row, window in enumerate(windows):
            size = len(window.encoding.ids)
            ids[row, :size], types[row, :size], mask[row, :size] = window.encoding.ids, window.encoding.type_ids, 1
        return WindowBatch(ids, types, mask, ())


def _collect(
    answers: list[Result],
    example: Example,
    window: _Window,
    logits: tuple[NDArray[np.float32], NDArray[np.float32]],
    parameters: Parameters,
    null: float,
) -> float:
    """Add a window's answers to the previous ones, and return the lowest null score so far."""
    allowed = np.zeros(len(logits[0]), dtype=bool)
    allowed[: len(window.allowed)] = window.allowed
    start, end = (_softmax(np.where(allowed, values, np.float32(-10000.0))) for values in logits)
    if parameters.handle_impossible_answer:
        null = min(null, float(start[0] * end[0]))
    # The first token, which the old pipeline assumes to be CLS, is not an answer.
    start[0] = end[0] = 0.0
    # More candidates are taken, because widening to words merges some of them.
    count = 2 * parameters.top_k + 10 if parameters.align_to_words else parameters.top_k
    for first, last, score in _best_pairs(start, end, count, parameters.max_answer_len, allowed):
        begin, stop = _place(window.encoding, first, last, parameters.align_to_words)
        text = example.context[begin:stop]
        same = next((answer for answer in answers if answer["answer"].lower() == text.lower()), None)
        if same:
            same["score"] += score
        else:
            answers.append({"score": score, "start": begin, "end": stop, "answer": text})
    return null


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shares: NDArray[np.float32] = np.exp(logits - logits.max())
    shares /= shares.sum()
    return shares


def _best_pairs(
    start: NDArray[np.float32], end: NDArray[np.float32], count: int, longest: int, allowed: NDArray[np.bool_]
) -> Iterator[tuple[int, int, float]]:
    """Select the best pairs of start and end, and then yield those that are valid, which may be few."""
    products = np.tril(np.triu(np.matmul(start[:, None], end[None, :])), longest - 1)
    flat = products.ravel()
    if count == 1:
        order = np.array([np.argmax(flat)])
    elif len(flat) <= count:
        order = np.argsort(-flat)
    else:
        best = np.argpartition(-flat, count)[:count]
        order = best[np.argsort(-flat[best])]
    for index in order.tolist():
        first, last = divmod(index, len(end))
        if allowed[first] and allowed[last]:
            yield first, last, float(products[first, last])


def _place(encoding: tokenizers.Encoding, first: int, last: int, align_to_words: bool) -> tuple[int, int]:
    """Return the code points of a pair of tokens, widened to the tokenizer's words."""
    if align_to_words:
        first_word, last_word = encoding.token_to_word(first), encoding.token_to_word(last)
        if first_word is not None and last_word is not None:
            begin, stop = encoding.word_to_chars(first_word, 1), encoding.word_to_chars(last_word, 1)
            if begin and stop:
                return begin[0], stop[1]
    return encoding.offsets[first][0], encoding.offsets[last][1]
