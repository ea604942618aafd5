"""Calls of a question-answering pipeline: all forms of input, parameters, and errors.

Source: transformers 4.57.6, ``pipelines/question_answering.py`` and ``pipelines/base.py``.
"""

from __future__ import annotations

import types
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from itertools import count
from typing import Any

from quoth.names import did_you_mean
from quoth.records import Example

_PADDING = (True, False, None, "longest", "max_length", "do_not_pad")


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters, with the names of the old pipeline.

    Attributes:
        top_k: Maximum number of answers.
        doc_stride: Tokens that neighbouring windows share; ``None``: half of ``max_seq_len``, at most 128.
        max_answer_len: Maximum length of an answer, in tokens.
        max_seq_len: Maximum length of a window, in tokens; ``None``: the model's maximum, at most 384.
        max_question_len: Has no effect, as it had none with a fast tokenizer: a question is never cut.
        handle_impossible_answer: Whether "no answer" may be returned, as ``""`` with the span (0, 0).
        align_to_words: Whether answers are widened to whole words.
        padding: How windows are padded; answers do not depend on it.
    """

    top_k: int = 1
    doc_stride: int | None = None
    max_answer_len: int = 15
    max_seq_len: int | None = None
    max_question_len: int = 64
    handle_impossible_answer: bool = False
    align_to_words: bool = True
    padding: bool | str | None = "do_not_pad"

    def changed(self, given: Mapping[str, Any]) -> Parameters:
        """Return a copy with the parameters of a call; ``None`` does not change a parameter, unknown names are ignored.

        Raises:
            ValueError: If a number is out of its range.
        """
        known = {field.name for field in fields(self)}
        for name in given.keys() - known - {"topk"}:
            if meant := did_you_mean(name, known, alike=0.75):
                warnings.warn(f"{name} is not a parameter and has no effect{meant}", stacklevel=4)
        changes = {name: value for name, value in given.items() if name in known and value is not None}
        if given.get("topk") is not None and "top_k" not in changes:
            warnings.warn("topk parameter is deprecated, use top_k instead", UserWarning, stacklevel=4)
            changes["top_k"] = given["topk"]
        for name in ("top_k", "max_answer_len"):
            if name in changes and changes[name] < 1:
                raise ValueError(f"{name} parameter should be >= 1 (got {changes[name]})")
        if changes.get("padding") not in _PADDING:
            raise ValueError(
                f"{changes['padding']!r} is not a valid PaddingStrategy, please select one of "
                "['longest', 'max_length', 'do_not_pad']"
            )
        return replace(self, **changes)

    def window(self, model_max_length: int | None) -> tuple[int, int]:
        """Return the maximum length of a window and the overlap, in tokens.

        Raises:
            ValueError: If the overlap is larger than the window.
        """
        longest = self.max_seq_len if self.max_seq_len is not None else min(model_max_length or 384, 384)
        stride = self.doc_stride if self.doc_stride is not None else min(longest // 2, 128)
        if stride > longest:
            raise ValueError(f"`doc_stride` ({stride}) is larger than `max_seq_len` ({longest})")
        return longest, stride


def read_call(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Example | list[Example] | Iterator[Example]:
    """Return the inputs of a call: one example, a list, or an iterator if the input is a generator.

    Raises:
        KeyError: If a dict lacks question or context.
        ValueError: If the arguments are invalid, or a question or context is missing or empty.
    """
    inputs = _inputs(args, kwargs)
    if isinstance(inputs, types.GeneratorType) or _is_data_set(inputs):
        return map(_trusted, count(), _items(inputs))
    if isinstance(inputs, Mapping) or _is_sample(inputs):
        inputs = [inputs]
    elif not isinstance(inputs, Iterable):
        raise ValueError(f"Invalid arguments {dict(kwargs)}")
    examples = [_checked(item) for item in inputs]
    if len(examples) == 1:
        return examples[0]
    return [example for item in examples for example in (item if isinstance(item, list) else [item])]


def create_sample(question: str | list[str], context: str | list[str]) -> Example | list[Example]:
    """Return an example, or one for each question; one context may serve several questions.

    Raises:
        ValueError: If a question or a context is not text.
    """
    if isinstance(question, list):
        contexts = [context] * len(question) if isinstance(context, str) else context
        return [_example(q, c) for q, c in zip(question, contexts, strict=False)]
    return _example(question, context)


def _inputs(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    if args:
        if len(args) == 2 and all(isinstance(item, str) for item in args):
            return [{"question": args[0], "context": args[1]}]
        return args[0] if len(args) == 1 else list(args)
    for name in ("X", "data"):
        if name in kwargs:
            return kwargs[name]
    if "question" not in kwargs or "context" not in kwargs:
        raise ValueError(f"Unknown arguments {dict(kwargs)}: a question and a context must be given")
    question, context = kwargs["question"], kwargs["context"]
    for name, given in (("question", question), ("context", context)):
        if given is None or isinstance(given, float):  # NaN is a missing text in pandas
            raise ValueError(f"`{name}` cannot be {given}")
    if isinstance(question, str) and isinstance(context, str):
        return [{"question": question, "context": context}]
    if isinstance(question, list) and isinstance(context, str):
        return [{"question": item, "context": context} for item in question]
    if isinstance(question, list) and isinstance(context, list):
        if len(question) != len(context):
            raise ValueError("Questions and contexts don't have the same lengths")
        return [{"question": q, "context": c} for q, c in zip(question, context, strict=True)]
    raise ValueError("Arguments can't be understood")


def _checked(item: Any) -> Example | list[Example]:
    if _is_sample(item):
        return _sample(item)
    if not isinstance(item, Mapping):
        raise ValueError(f"{item} argument needs to be of type (SquadExample, dict)")
    for name in ("question", "context"):
        if name not in item:
            raise KeyError("You need to provide a dictionary with keys {question:..., context:...}")
        if item[name] is None:
            raise ValueError(f"`{name}` cannot be None")
        if isinstance(item[name], str) and not item[name]:
            raise ValueError(f"`{name}` cannot be empty")
    return create_sample(**item)


def _trusted(number: int, item: Any) -> Example:
    """Read an item of a generator or of a data set, which may have other keys too; an error names its number."""
    if _is_sample(item):
        example = _sample(item)
    else:
        try:
            example = _example(item["question"], item["context"])
        except ValueError as error:
            raise ValueError(f"item {number}: {error}") from None
    return example if example.id else replace(example, id=str(number))


def _is_sample(item: Any) -> bool:
    """Return True for an Example, or an object like the ``SquadExample`` of transformers."""
    return isinstance(item, Example) or (hasattr(item, "question_text") and hasattr(item, "context_text"))


def _sample(item: Any) -> Example:
    return item if isinstance(item, Example) else _example(item.question_text, item.context_text)


def _example(question: Any, context: Any) -> Example:
    for name, text in (("question", question), ("context", context)):
        if not isinstance(text, str):
            raise ValueError(f"{name} must be a str, but is {type(text).__name__}")
    return Example("", question, context)


def _is_data_set(inputs: Any) -> bool:
    """Return True for a data set of torch: it has indices, but is not a Python container."""
    return (
        not isinstance(inputs, list | tuple | str | Mapping)
        and hasattr(inputs, "__getitem__")
        and hasattr(inputs, "__len__")
    )


def _items(inputs: Any) -> Iterable[Any]:
    return inputs if isinstance(inputs, types.GeneratorType) else (inputs[index] for index in range(len(inputs)))
