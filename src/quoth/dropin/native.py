"""Quoth's own answers with the old keys: exact search, distinct answers, and a probability as the score."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

from quoth.dropin.calls import Parameters
from quoth.errors import ConfigError, InputError
from quoth.reader import Reader
from quoth.records import NEVER, Example, NullThreshold, Prediction

Result = dict[str, Any]
_NOTHING: Result = {"score": 0.0, "start": 0, "end": 0, "answer": ""}


class ExactReader:
    """Answers with a reader and the old parameters."""

    def __init__(self, reader: Reader) -> None:
        """Store the reader, which may abstain only with ``handle_impossible_answer``."""
        self._reader = reader
        self._with = lru_cache(maxsize=8)(self._changed)

    def answer(self, examples: Iterable[Example], parameters: Parameters) -> Iterator[Result | list[Result]]:
        """Answer examples, in order.

        Raises:
            ValueError: If a question is blank or too long for the window, or the sizes are invalid.
        """
        try:
            longest, overlap = parameters.window(self._reader.tokenizer.max_tokens)
            reader = self._with(longest, min(overlap, longest - 1), parameters.align_to_words)
            # Request more answers, because those with the same words are merged.
            wanted = parameters.top_k if parameters.top_k == 1 else 2 * parameters.top_k + 10
            stored = reader.settings.threshold_when_asked
            threshold: NullThreshold = stored if parameters.handle_impossible_answer else NEVER
            limits: dict[str, Any] = {
                "max_answer_tokens": parameters.max_answer_len,
                "null_threshold": threshold,
                "overlapping": True,
            }
            for prediction in reader.answer_all(examples, top_k=wanted, **limits):
                count = wanted
                while len(_distinct(prediction)) < parameters.top_k and len(prediction.answers) == count:
                    count *= 4
                    (prediction,) = reader.answer_all([prediction.example], top_k=count, **limits)
                yield _results(prediction, parameters)
        except (ConfigError, InputError) as error:
            raise ValueError(str(error)) from error

    def _changed(self, max_tokens: int, overlap: int, whole_words: bool) -> Reader:
        stored = self._reader.settings
        decode = replace(stored.decode, whole_words=whole_words)
        settings = replace(stored, max_tokens=max_tokens, overlap=overlap, decode=decode, widens=False)
        return self._reader.with_settings(settings)


def _distinct(prediction: Prediction) -> list[Result]:
    """Return the answers with distinct words, best first, ignoring case like the old pipeline."""
    found: dict[str, Result] = {}
    for answer in prediction.answers:
        result = {
            "score": answer.probability,
            "start": answer.span.start,
            "end": answer.span.end,
            "answer": answer.text,
        }
        found.setdefault(answer.text.lower(), result)
    return list(found.values())


def _results(prediction: Prediction, parameters: Parameters) -> Result | list[Result]:
    """Return the answers; "no answer" is the first of them if and only if the reader abstains."""
    answers = _distinct(prediction)
    if parameters.handle_impossible_answer:
        share = prediction.null_probability
        nothing = {**_NOTHING, "score": 1.0 if share is None else share}
        first = 0 if prediction.no_answer else 1
        rest = sorted([*answers[first:], nothing], key=lambda answer: -answer["score"])
        answers = [nothing, *answers] if prediction.no_answer else [*answers[:1], *rest]
    answers = answers[: parameters.top_k] or [dict(_NOTHING)]
    return answers[0] if len(answers) == 1 else answers
