"""The main entry point: a reader, which consists of a tokenizer, an engine and settings."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quoth.asked import Asked, as_example, as_examples, is_live
from quoth.config import checked_count
from quoth.engines import Engine
from quoth.engines.select import ENGINES, no_such_engine
from quoth.errors import ConfigError, QuothError
from quoth.lengths import WindowLengths
from quoth.names import suggests_names
from quoth.reading import (
    DecodeSettings,
    Explanation,
    Tokenizer,
    Windower,
    WindowLogits,
    best_windows,
    decide,
    decode,
    explain,
    lost_letters,
    search_batch,
    unbatch,
    unbatch_whole,
)
from quoth.records import Example, NullThreshold, Prediction
from quoth.store import Origin, ReaderSettings, find_folder
from quoth.stream import Stream

if TYPE_CHECKING:
    from quoth.store.provenance import Used


class Reader:
    """Answers questions with spans quoted from the given texts.

    It is thread-safe. A reader that comes from :meth:`load` can be pickled: only its origin and its settings are
    pickled, and another process loads it at its first use, once per process.

    Attributes:
        settings: Window sizes and decoding settings; ``settings.decode`` has the null threshold and the temperatures.
    """

    _origin: Origin | None = None

    def __init__(self, tokenizer: Tokenizer, engine: Engine, settings: ReaderSettings) -> None:
        """Create a reader from its parts. It can be neither pickled nor saved; most callers should use :meth:`load`."""
        self.settings = settings
        self.engine = engine
        self.windower = self._windower(tokenizer)

    @cached_property
    def engine(self) -> Engine:
        """The engine."""
        return self._loaded_from().load_once().engine

    @cached_property
    def windower(self) -> Windower:
        """The windower of this reader."""
        return self._windower(self._loaded_from().load_once().tokenizer)

    def _windower(self, tokenizer: Tokenizer) -> Windower:
        settings = self.settings
        lengths = WindowLengths(tokenizer, self.engine, settings.max_tokens) if settings.widens else None
        return Windower(
            tokenizer,
            max_tokens=settings.max_tokens,
            overlap=settings.overlap,
            longest=lengths.longest if lengths else None,
        )

    @classmethod
    @suggests_names
    def load(
        cls,
        source: str | Path | None = None,
        *,
        engine: str = "auto",
        precision: str | None = None,
        threads: int | None = None,
        device: str | None = None,
        streams: int | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
    ) -> Reader:
        """Load a reader from a folder or from the Hugging Face Hub.

        Warns if the tokenizer's offsets lose letters, because answers may then be cut.

        Args:
            source: A reader folder, a Hugging Face model folder, or a model name on the hub such as
                ``deepset/roberta-base-squad2``; the shipped reader if ``None`` or "shipped".
            engine: "openvino", "onnxruntime", "torch", or "auto": the fastest one for the reader's files on this kind
                of CPU.
            precision: "float32", "bfloat16" or "float16", for operations that are not quantized; the fastest on this
                kind of CPU if ``None``. Not every engine and CPU supports all of them.
            threads: Number of threads of the engine; all usable cores if ``None``.
            device: "cpu", or a torch device such as "cuda", "cuda:1" or "mps". If ``None``, torch uses a GPU if there
                is one, and "auto" uses the CPU if the reader has a ``model.onnx``.
            streams: Number of batches that :meth:`answer_all` computes at the same time with OpenVINO, from 1 to the
                number of threads, which they share; one for each thread, but at most 16, if ``None``. With more than
                1, the network is loaded a second time when there is enough to read.
            revision: Branch, tag or commit on the hub; the main branch if ``None``.
            token: Access token of the hub; the stored login if ``None``, no login if ``False``.

        Raises:
            ReaderError: If the folder is missing, incomplete or damaged, the hub has no such reader, or the engine
                cannot run it or does not support the precision.
            TokenizerError: If ``tokenizer.json`` is missing or cannot be read.
            ConfigError: If the engine, precision or device is unknown, or the engine does not support so many streams.
            MissingExtraError: If the engine is not installed.

        Example:
            >>> reader = Reader.load()
            >>> reader.answer("Who wrote it?", "It was written by Ada Lovelace.").text
            'Ada Lovelace'
        """
        # Checked first, because no folder has weights for a misspelt engine.
        if engine not in ("auto", *ENGINES, "torch"):
            raise no_such_engine(engine)
        folder = find_folder(source, revision=revision, token=token)
        tokenizer = Tokenizer.load(folder.path)
        if lost := lost_letters(tokenizer):
            warnings.warn(
                f"{folder.path}: the tokenizer's offsets lose letters (of {', '.join(map(repr, lost[:3]))}), so "
                "answers may be cut. Delete its tokenizer.json and create a new one with: quoth export FOLDER -o DIR",
                stacklevel=2,
            )
        origin = Origin.of(
            source, folder, engine=engine, precision=precision, threads=threads, device=device, streams=streams
        )
        reader = cls(*origin.start(folder, tokenizer), folder.settings(tokenizer.max_tokens))
        reader._origin = origin
        return reader

    def with_settings(self, settings: ReaderSettings) -> Reader:
        """Return a reader with other settings and the same tokenizer and engine."""
        reader = type(self)(self.tokenizer, self.engine, settings)
        reader._origin = self._origin
        return reader

    def save(self, folder: str | Path) -> None:
        """Save the reader, with its current settings, to a new or empty folder.

        Raises:
            ConfigError: If the folder is not empty.
            ReaderError: If the folder from which the reader was loaded is missing, incomplete or damaged.
            TypeError: If the reader was created from a tokenizer and an engine, so that it has no files.
        """
        self._loaded_from("saved").find().with_settings(self.settings, {}, folder)

    @property
    def made_from(self) -> list[Used]:
        """The data sets used to train, select, calibrate and accept the reader; empty if its folder records none.

        Raises:
            ReaderError: If its folder is damaged or does not exist on this machine.
        """
        return self._origin.find().used if self._origin else []

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (type(self), self._loaded_from(), self.settings)

    def _loaded_from(self, purpose: str = "pickled") -> Origin:
        if self._origin is None:
            raise TypeError(
                f"a Reader must come from Reader.load to be {purpose}, but this one was created from a tokenizer and "
                "an engine. Write its files to a folder and load it from there"
            )
        return self._origin

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer."""
        return self.windower.tokenizer

    @suggests_names
    def answer(
        self,
        question: str,
        context: str | Sequence[str],
        *,
        top_k: int = 1,
        null_threshold: NullThreshold | None = None,
        max_answer_tokens: int | None = None,
        min_probability: float | None = None,
        overlapping: bool = False,
        passages: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Prediction:
        """Answer one question from one or more contexts, with the best answers over all of them.

        Args:
            question: The question.
            context: The text to quote from, or several texts.
            top_k: Maximum number of answers, at least 1.
            null_threshold: Abstain if the null odds exceed this number, or "never"; the stored threshold if ``None``.
            max_answer_tokens: Maximum length of an answer, in tokens; the stored maximum if ``None``.
            min_probability: Abstain if the best answer's probability is below this, in [0, 1]. It replaces the null
                threshold; the two cannot be used together.
            overlapping: Return the best spans even if they overlap or have the same words. By default, answers are
                distinct, and each has the other spans of the same answer as ``variants`` and ``places``.
            passages: Maximum number of windows to read, selected by a full-text search for the question's words; all
                windows if ``None``. ``prediction.skipped`` is the number of windows that were not read.
            progress: Called after each batch with the number of windows read so far, and of all that will be read. It
                may raise an exception to stop.

        Returns:
            A prediction with its answers, best first; ``context_index`` is the index of the context that an answer
            quotes. If there is no text to read, ``no_answer`` is true, and ``reason`` is a sentence that says why.

        Raises:
            InputError: If the question is empty or not text, or a context is not text.
            QuestionTooLongError: If the question is too long for a window.
            ConfigError: If a number is out of range, or both ``null_threshold`` and ``min_probability`` are given.
            TokenizerError: If the tokenizer fails on a text.
            ReaderError: If the engine fails, or returns logits that are not finite.

        Example:
            >>> reader = Reader.load()
            >>> best = reader.answer("Who wrote it?", "It was written by Ada Lovelace in 1843.").best
            >>> best.text, best.span
            ('Ada Lovelace', Span(start=18, end=30))
        """
        example = as_example("", question, context)
        settings = self.decode_settings(
            top_k, null_threshold, max_answer_tokens, min_probability=min_probability, overlapping=overlapping
        )
        # The same steps as in explain() and in the server, so that all results are bit-identical.
        windows = self.windower.windows(example)
        chosen = windows if passages is None else best_windows(windows, checked_count("passages", passages))
        prediction = decode(example, Stream(self.windower, self.engine, unbatch).run(chosen, progress), settings)
        return replace(prediction, skipped=skipped) if (skipped := len(windows) - len(chosen)) else prediction

    @suggests_names
    def explain(
        self,
        question: str,
        context: str | Sequence[str],
        *,
        top_k: int = 3,
        null_threshold: NullThreshold | None = None,
        max_answer_tokens: int | None = None,
        min_probability: float | None = None,
        overlapping: bool = False,
    ) -> Explanation:
        """Explain the answers: windows, tokens, logits, and why candidates with higher scores were rejected.

        Args:
            question: The question.
            context: The text to quote from, or several texts.
            top_k: Maximum number of answers to explain, at least 1.
            null_threshold: As in :meth:`answer`.
            max_answer_tokens: As in :meth:`answer`.
            min_probability: As in :meth:`answer`.
            overlapping: As in :meth:`answer`.

        Returns:
            The explanation; its ``prediction`` is exactly what :meth:`answer` returns for the same arguments.

        Raises:
            InputError, QuestionTooLongError, ConfigError, TokenizerError, ReaderError: As in :meth:`answer`.

        Example:
            >>> explanation = Reader.load().explain("Who wrote it?", "It was written by Ada Lovelace in 1843.")
            >>> explanation.answers[0].answer.text, len(explanation.windows)
            ('Ada Lovelace', 1)
        """
        example = as_example("", question, context)
        settings = self.decode_settings(
            top_k, null_threshold, max_answer_tokens, min_probability=min_probability, overlapping=overlapping
        )
        whole = Stream(self.windower, self.engine, unbatch_whole).run(self.windower.windows(example))
        return explain(example, whole, settings, self.tokenizer)

    @suggests_names
    def answer_all(
        self,
        examples: Iterable[Asked] | Any,
        *,
        top_k: int = 1,
        null_threshold: NullThreshold | None = None,
        max_answer_tokens: int | None = None,
        min_probability: float | None = None,
        overlapping: bool = False,
        on_error: Callable[[QuothError], None] | None = None,
        own_thread: bool = True,
    ) -> Iterator[Prediction]:
        """Answer many questions, in order. The input may be an infinite stream; memory use is bounded.

        If the next item of a generator is not ready, the answers to all earlier items are yielded before it is waited
        for. So an item may depend on the answer to the previous one.

        Args:
            examples: Examples, whose golds are ignored; pairs of a question and a context or several contexts; mappings
                with the keys ``question`` and ``context``; or a pandas, polars or pyarrow table or a ``datasets``
                data set with these columns. The id of an item without one is its index, from 0.
            top_k: As in :meth:`answer`.
            null_threshold: As in :meth:`answer`.
            max_answer_tokens: As in :meth:`answer`.
            min_probability: As in :meth:`answer`.
            overlapping: As in :meth:`answer`.
            on_error: Called, in order, with the error of each question that cannot be read, instead of raising it.
                Other questions are answered as usual.
            own_thread: Whether to read an iterator in a separate thread. If false, the caller's thread reads it, up to
                768 questions ahead.

        Yields:
            One prediction for each question; ``prediction.example`` has its question and contexts.

        Raises:
            InputError, QuestionTooLongError, TokenizerError: As in :meth:`answer`, with the example's id in the
                message, after the answers to earlier questions; not raised if ``on_error`` is given.
            ConfigError, ReaderError: As in :meth:`answer`.

        Example:
            >>> pairs = [("Who wrote it?", "Ada wrote it."), ("When?", ["In 1843.", "In London."])]
            >>> [(prediction.question, prediction.text) for prediction in Reader.load().answer_all(pairs)]
            [('Who wrote it?', 'Ada'), ('When?', '1843')]
        """
        settings = self.decode_settings(
            top_k, null_threshold, max_answer_tokens, min_probability=min_probability, overlapping=overlapping
        )
        stream = Stream(self.windower, self.engine, partial(search_batch, settings=settings))
        live = own_thread and is_live(examples)
        for example, windows in stream.read(as_examples(examples), live=live, on_error=on_error):
            yield decide(example, windows, settings)

    def read_all(self, examples: Iterable[Example]) -> Iterator[tuple[Example, list[WindowLogits]]]:
        """Yield each example with the logits of its windows, in the order of the examples; memory use is bounded.

        The logits are the input of :func:`quoth.reading.decode`. Use this method to inspect logits, or to tune decoding
        settings. Contexts without tokens have no windows.

        Raises:
            InputError, QuestionTooLongError, TokenizerError, ReaderError: As in :meth:`answer_all`.
        """
        return Stream(self.windower, self.engine, unbatch).read(examples)

    def decode_settings(
        self,
        top_k: int = 1,
        null_threshold: NullThreshold | None = None,
        max_answer_tokens: int | None = None,
        *,
        min_probability: float | None = None,
        overlapping: bool = False,
    ) -> DecodeSettings:
        """Return the stored settings with the overrides of :meth:`answer`.

        Raises:
            ConfigError: If both ``null_threshold`` and ``min_probability`` are given, or a number is out of range.
        """
        if min_probability is not None and null_threshold is not None:
            raise ConfigError("min_probability and null_threshold cannot be used together")
        stored = self.settings.decode
        return replace(
            stored,
            top_k=top_k,
            null_threshold=stored.null_threshold if null_threshold is None else null_threshold,
            max_answer_tokens=stored.max_answer_tokens if max_answer_tokens is None else max_answer_tokens,
            min_probability=min_probability,
            overlapping=overlapping,
        )

    def __repr__(self) -> str:
        settings = self.settings
        if "engine" not in vars(self) and self._origin:  # not loaded yet in this process
            return f"Reader(not loaded yet, {self._origin})"
        precision = self.engine.precision
        if self._origin and self._origin.quantized and self.engine.name != "torch":
            precision = f"int8 and {precision}"
        return (
            f"Reader(engine={self.engine.name!r}, precision={precision!r}, "
            f"max_tokens={settings.max_tokens}, overlap={settings.overlap}, "
            f"null_threshold={settings.decode.null_threshold!r})"
        )


def _unpickled(kind: type[Reader], origin: Origin, settings: ReaderSettings) -> Reader:
    """Return a reader that is loaded at its first use, because pools hang if unpickling fails."""
    reader = kind.__new__(kind)
    reader._origin, reader.settings = origin, settings
    return reader
