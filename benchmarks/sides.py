"""One side of a comparison: answers questions in its own process, in the environment of its library.

    PYTHON benchmarks/sides.py KIND FOLDER THREADS [SETTINGS]

Started by ``answering.py``. KIND is a key of ``SIDES``, SETTINGS a JSON object for its ``__init__``. Each line of
standard input is a JSON object with ``questions`` (pairs of question and context) and ``settings`` of the call; each is
answered by one line: ``seconds``, and ``answers``, each a text or null. The first line only says what was loaded
(``described``). Only Quoth's own side imports Quoth.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

Pairs = list[tuple[str, str]]
Answers = list[str | None]


class Quoth:
    """``Reader.answer_all``. It never abstains, since its peers never do."""

    BATCH_TOKENS = 4096

    def __init__(self, folder: str, threads: int, **settings: Any) -> None:
        from quoth import Reader

        self.reader = Reader.load(folder or None, threads=threads, **settings)
        self.described = f"{self.reader.engine.name} in {self.reader.engine.precision}"

    def answer(self, pairs: Pairs, part: str = "", one_at_a_time: bool = False) -> Answers:
        """Answer; or do only a part of the work: split into ``"windows"``, or also run the ``"network"``."""
        from quoth import Example
        from quoth.reading import batches_of

        if one_at_a_time:
            return [self.reader.answer(*pair, null_threshold="never").text for pair in pairs]
        examples = [Example(str(number), *pair) for number, pair in enumerate(pairs)]
        if not part:
            return [each.text for each in self.reader.answer_all(examples, null_threshold="never")]
        windows = [window for _, group in self.reader.windower.each(examples) for window in group]
        if part == "network":
            limit = self.reader.settings.max_tokens
            for batch in batches_of(windows, self.BATCH_TOKENS, self.reader.tokenizer.pad_id, limit=limit):
                self.reader.engine.run(batch)
        return []


class Pipeline:
    """The question-answering pipeline of transformers 4, one question per call, or a list with a batch size."""

    def __init__(self, folder: str, threads: int, **settings: Any) -> None:
        import torch
        from transformers import logging, pipeline

        logging.set_verbosity_error()
        torch.set_num_threads(threads)
        self.pipe = pipeline("question-answering", model=folder, **settings)

    def answer(self, pairs: Pairs, batch_size: int = 0) -> Answers:
        if not batch_size:
            return [self.pipe(question=question, context=context)["answer"] for question, context in pairs]
        questions, contexts = map(list, zip(*pairs, strict=True))
        found = self.pipe(question=questions, context=contexts, batch_size=batch_size)
        # For a single question it does not return a list.
        return [each["answer"] for each in (found if isinstance(found, list) else [found])]


class Haystack:
    """``TransformersExtractiveReader``, with one question per call; its best answer that is not "no answer"."""

    def __init__(self, folder: str, threads: int, **settings: object) -> None:
        os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
        import torch
        from haystack import Document
        from haystack_integrations.components.readers.transformers import TransformersExtractiveReader

        torch.set_num_threads(threads)
        self.document = Document
        self.reader = TransformersExtractiveReader(folder, **settings)
        self.reader.warm_up()

    def answer(self, pairs: Pairs) -> Answers:
        return [self._one(question, context) for question, context in pairs]

    def _one(self, question: str, context: str) -> str | None:
        answers: list[Any] = self.reader.run(query=question, documents=[self.document(content=context)])["answers"]
        return next((each.data for each in answers if each.data), None)


class Txtai:
    """``txtai.pipeline.Questions``, which takes the best start and the best end independently.

    It raises an error if one of them is not in the context; such a question has no answer.
    """

    def __init__(self, folder: str, threads: int, **settings: object) -> None:
        import torch
        from txtai.pipeline import Questions

        torch.set_num_threads(threads)
        self.questions = Questions(folder, gpu=False, **settings)

    def answer(self, pairs: Pairs) -> Answers:
        return [self._one(question, context) for question, context in pairs]

    def _one(self, question: str, context: str) -> str | None:
        try:
            answers: list[str] = self.questions([question], [context])
        except TypeError:
            return None
        return answers[0]


class Peak:
    """The machine: floating-point operations per second of torch's product of two 2048 × 2048 matrices.

    The precision is float32 or bfloat16: the one in which smaller matrices are multiplied faster.
    """

    SIZE, TIMES = 2048, 10

    def __init__(self, folder: str, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        small = torch.randn(self.SIZE // 8, self.SIZE // 8)
        dtype = max((torch.float32, torch.bfloat16), key=lambda dtype: self._speed(small.to(dtype)))
        self.one = torch.randn(self.SIZE, self.SIZE).to(dtype)

    def answer(self, pairs: Pairs) -> list[float]:
        """Return the best of several products."""
        return [self._speed(self.one)]

    def _speed(self, matrix: Any) -> float:
        speeds = []
        for _ in range(self.TIMES):
            before = time.perf_counter()
            matrix @ matrix
            speeds.append(2 * len(matrix) ** 3 / (time.perf_counter() - before))
        return max(speeds)


SIDES: dict[str, Callable[..., Any]] = {
    "quoth": Quoth,
    "pipeline": Pipeline,
    "haystack": Haystack,
    "txtai": Txtai,
    "peak": Peak,
}


def main() -> None:
    """Load the side, report it, and answer line by line."""
    warnings.filterwarnings("ignore")
    kind, folder, threads, *settings = sys.argv[1:]
    # Output of the library must not appear between the lines.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    side = SIDES[kind](folder, int(threads), **(json.loads(settings[0]) if settings else {}))
    print(json.dumps({"described": getattr(side, "described", "")}), file=answers, flush=True)
    for line in sys.stdin:
        block = json.loads(line)
        before = time.perf_counter()
        found = side.answer(block["questions"], **block["settings"])
        print(json.dumps({"seconds": time.perf_counter() - before, "answers": found}), file=answers, flush=True)


if __name__ == "__main__":
    main()
