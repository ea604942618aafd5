"""Benchmark of the engines that can run a reader on this machine: speed, memory and accuracy, each in a new process."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quoth.engines.precisions import runs_in
from quoth.engines.select import best_precision, installed
from quoth.errors import ConfigError, QuothError
from quoth.evaluation import evaluate
from quoth.reader import Reader
from quoth.reading import batches_of
from quoth.records import Example
from quoth.store import find_folder, open_engine
from quoth.store.layout import has_torch_weights
from quoth.text import is_blank

# Number of questions for the latency, and number of windows whose logits are compared.
_ALONE, _COMPARED = 20, 32


@dataclass(frozen=True, slots=True)
class EngineFigures:
    """Measurements of one engine.

    Attributes:
        engine, precision: Its name, and the precision of operations that are not quantized.
        problem: Why it does not run on this machine; then the other fields are ``None``.
        questions_per_second: Throughput in batches, as in ``evaluate``.
        latency: Median time for a single question, in seconds.
        load_seconds: Time until the first answer, imports included, in seconds.
        memory: Peak memory of the process, in megabytes; ``None`` if the system does not report it.
        difference: Largest absolute difference of a logit from the first engine in the list (in float32).
        f1: F1 on the labelled questions, in [0, 100]; ``None`` if there are none.
    """

    engine: str
    precision: str
    problem: str | None = None
    questions_per_second: float | None = None
    latency: float | None = None
    load_seconds: float | None = None
    memory: float | None = None
    difference: float | None = None
    f1: float | None = None


def candidates(source: str | None) -> list[tuple[str, str]]:
    """Return the engines and precisions that can run a reader on this machine, float32 first."""
    folder = find_folder(source)
    torch = bool(folder.config and has_torch_weights(folder.path) and find_spec("torch") and find_spec("transformers"))
    names = [*(["torch"] if torch else []), *(installed() if folder.onnx else [])]
    pairs = [(name, "float32") for name in names]
    return pairs + [(name, "bfloat16") for name in names if runs_in(name, "bfloat16")]


def default_engine(source: str | None, measured: Sequence[EngineFigures]) -> EngineFigures | None:
    """Return the measured engine that is the default on this machine; ``None`` if none of them runs."""
    names = installed() if find_folder(source).onnx else ["torch"]
    runs = {(figures.engine, figures.precision): figures for figures in measured if figures.problem is None}
    return next((runs[pair] for name in names if (pair := (name, best_precision(name))) in runs), None)


def measure_engines(
    source: str | None, examples: Sequence[Example], threads: int | None = None
) -> Iterator[EngineFigures]:
    """Measure each engine that can run a reader on this machine, one after the other.

    Args:
        source: As for :meth:`quoth.Reader.load`.
        examples: The questions; those with golds are scored.
        threads: Number of threads; all usable cores if ``None``.

    Raises:
        ConfigError: If no example has a text.
        ReaderError, MissingExtraError: If no installed engine can run the reader.
    """
    if all(is_blank(context) for example in examples for context in example.contexts):
        raise ConfigError("--data must have at least one question with a text, but has none")
    pairs = candidates(source)
    if not pairs:
        open_engine(find_folder(source))  # raises an error that says what is missing
    reference: NDArray[np.float32] | None = None
    for engine, precision in pairs:
        # A new process, so that load time and memory belong to this engine only.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            try:
                figures, logits = process.submit(_measure, source, engine, precision, examples, threads).result()
            except QuothError as error:
                yield EngineFigures(engine, precision, problem=str(error))
                continue
            except BrokenProcessPool:
                problem = "its process exited without an error message (out of memory?)"
                yield EngineFigures(engine, precision, problem=problem)
                continue
        reference = logits if reference is None else reference
        yield EngineFigures(engine, precision, difference=float(np.abs(logits - reference).max(initial=0)), **figures)


def _measure(
    source: str | None, engine: str, precision: str, examples: Sequence[Example], threads: int | None
) -> tuple[dict[str, Any], NDArray[np.float32]]:
    start = time.perf_counter()
    reader = Reader.load(source, engine=engine, precision=precision, threads=threads)
    reader.answer("Does it run?", "It runs.")
    load_seconds = time.perf_counter() - start
    times = []
    for example in islice(cycle(examples), _ALONE):
        start = time.perf_counter()
        reader.answer(example.question, example.contexts)
        times.append(time.perf_counter() - start)
    start = time.perf_counter()
    list(reader.answer_all(examples))
    seconds = time.perf_counter() - start
    labelled = [example for example in examples if example.golds is not None]
    figures = {
        "questions_per_second": len(examples) / seconds,
        "latency": statistics.median(times),
        "load_seconds": load_seconds,
        "memory": _peak_memory(),
        "f1": evaluate(reader, labelled).f1 if labelled else None,
    }
    return figures, _logits(reader, examples)


def _logits(reader: Reader, examples: Sequence[Example]) -> NDArray[np.float32]:
    """Return the logits of all tokens (without padding) of some windows, concatenated."""
    windows = list(islice((window for _, group in reader.windower.each(examples) for window in group), _COMPARED))
    parts = [np.zeros(0, np.float32)]
    limit = reader.settings.max_tokens
    for batch in batches_of(windows, reader.engine.batch_tokens, reader.tokenizer.pad_id, limit=limit):
        logits = reader.engine.run(batch)
        parts += [logits.start[batch.mask == 1], logits.end[batch.mask == 1]]
    return np.concatenate(parts)


def _peak_memory() -> float | None:
    """Return the peak resident memory of this process, in megabytes."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def sample_questions() -> Path:
    """Return the file of sample questions, whose texts were written for Quoth."""
    packaged = Path(__file__).with_name("sample.json")
    return packaged if packaged.is_file() else Path(__file__).parents[2] / "examples" / "data" / "sample.json"
