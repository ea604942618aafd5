"""Where the time of an answer goes: layers of the network, padding, splitting and decoding, and the CPU's peak."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from quoth.engines import usable_cores
from quoth.engines.counters import CountingEngine, Operations, measured_peak
from quoth.engines.select import best_precision, computes_int8
from quoth.errors import ConfigError, ReaderError
from quoth.reader import Reader
from quoth.reading import (
    DecodeSettings,
    SpanLogits,
    Tokenizer,
    Window,
    WindowBatch,
    batches_of,
    decide,
    search_batch,
)
from quoth.records import Example
from quoth.store import find_folder


@dataclass(frozen=True, slots=True)
class LayerTime:
    """The time of one kind of layer.

    Attributes:
        kind, kernel: As in :class:`quoth.engines.counters.Layer`.
        seconds: Its time.
        share: Its share of the time of all layers, in [0, 1].
    """

    kind: str
    kernel: str
    seconds: float
    share: float


@dataclass(frozen=True, slots=True)
class EngineProfile:
    """Where the time goes.

    Attributes:
        precision: Precision of operations that are not quantized.
        threads: Number of threads.
        questions, windows: Numbers of them.
        padding: Share of padding in the tokens of all batches, in [0, 1].
        split_seconds: Time to encode the texts and to split them into windows.
        engine_seconds: Time of the engine, with its counters on.
        decode_seconds: Time to find and to calibrate the answers.
        products_per_question: Operations in matrix products for one question, padding included.
        products_per_second: The same in one second of the engine's time.
        peaks: Precision -> operations per second of a product of 2,048³ in the same engine.
        layers: The kinds of layers, slowest first.
    """

    precision: str
    threads: int
    questions: int
    windows: int
    padding: float
    split_seconds: float
    engine_seconds: float
    decode_seconds: float
    products_per_question: float
    products_per_second: float
    peaks: dict[str, float]
    layers: tuple[LayerTime, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as a dictionary."""
        return asdict(self)


def profile_reader(source: str | None, examples: Sequence[Example], threads: int | None = None) -> EngineProfile:
    """Answer questions in batches, one step after the other, and measure each step. Takes a few seconds more.

    Args:
        source: As for :meth:`quoth.Reader.load`.
        examples: The questions.
        threads: Number of threads of the engine; all usable cores if ``None``.

    Raises:
        ConfigError: If no example has a text.
        ReaderError: If the reader has no ONNX file.
    """
    folder, threads = find_folder(source), threads or usable_cores()
    if folder.onnx is None:
        raise ReaderError(f"{folder.path}: must have a model.onnx to be profiled. Create it with: quoth export")
    precision = best_precision("openvino")
    engine = CountingEngine(folder.onnx, precision=precision, threads=threads, int8=computes_int8())
    tokenizer = Tokenizer.load(folder.path)
    reader = Reader(tokenizer, engine, folder.settings(tokenizer.max_tokens))
    begun = time.perf_counter()
    split = list(reader.windower.each(examples))
    split_seconds = time.perf_counter() - begun
    windows = [window for _, some in split for window in some]
    if not windows:
        raise ConfigError("--data must have at least one question with a text, but has none")
    limit = reader.settings.max_tokens
    batches = list(batches_of(windows, engine.batch_tokens, tokenizer.pad_id, limit=limit))
    engine.run(batches[0])  # the first run allocates memory
    engine.seconds.clear()
    begun = time.perf_counter()
    run = [(batch, engine.run(batch)) for batch in batches]
    engine_seconds = time.perf_counter() - begun
    decode_seconds = _decode(split, run, reader.decode_settings())
    tokens = sum(batch.ids.size for batch in batches)
    products = _products(Operations.of(folder.onnx), batches)
    total = sum(engine.seconds.values())
    return EngineProfile(
        precision=precision,
        threads=threads,
        questions=len(examples),
        windows=len(windows),
        padding=1 - sum(map(len, windows)) / tokens,
        split_seconds=split_seconds,
        engine_seconds=engine_seconds,
        decode_seconds=decode_seconds,
        products_per_question=products / len(examples),
        products_per_second=products / engine_seconds,
        peaks={kind: measured_peak(kind, threads) for kind in dict.fromkeys(("int8", "float32", precision))},
        layers=tuple(
            LayerTime(layer.kind, layer.kernel, seconds, seconds / total)
            for layer, seconds in engine.seconds.most_common()
            if seconds
        ),
    )


def _decode(
    split: Sequence[tuple[Example, Sequence[Window]]],
    run: Sequence[tuple[WindowBatch, SpanLogits]],
    settings: DecodeSettings,
) -> float:
    """Decode all answers, and return the seconds."""
    begun = time.perf_counter()
    found = {item.window: item for batch, logits in run for item in search_batch(batch, logits, settings)}
    for example, windows in split:
        decide(example, [found[window] for window in windows], settings)
    return time.perf_counter() - begun


def _products(operations: Operations, batches: Sequence[WindowBatch]) -> float:
    """Return the number of multiplications in the matrix products of some batches, padding included."""
    products = 0.0
    for batch in batches:
        rows, length = batch.ids.shape
        products += rows * (operations.per_token * length + operations.per_pair * length**2)
    return products
