"""The main entry point: a reader, which consists of a tokenizer, an engine and settings."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quoth.asked import Asked, as_example, as_examples, is_live
from quoth.engines import Engine
from quoth.engines.select import ENGINES, no_such_engine
from quoth.errors import ConfigError, QuothError
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
    """Answers questions by quoting.

    It is thread-safe. It can be pickled as its origin and its settings: other processes load it at its first use, once
    per process.

    Attributes:
        settings: Window sizes and decoding settings; ``settings.decode`` has threshold and temperature.
    """

    _origin: Origin | None = None

    def __init__(self, tokenizer: Tokenizer, engine: Engine, settings: ReaderSettings) -> None:
        """Create a reader from its parts, which cannot be pickled; most callers should use :meth:`load`."""
        self.settings = settings
        self.engine = engine
        self.windower = Windower(tokenizer, max_tokens=settings.max_tokens, overlap=settings.overlap)

    @cached_property
    def engine(self) -> Engine:
        """The engine."""
        return self._loaded_from().load_once().engine

    @cached_property
    def windower(self) -> Windower:
        """The windower of this reader."""
        tokenizer = self._loaded_from().load_once().tokenizer
        return Windower(tokenizer, max_tokens=self.settings.max_tokens, overlap=self.settings.overlap)

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
        revision: str | None = None,
        token: str | bool | None = None,
    ) -> Reader:
        """Load a reader. Warns if the tokenizer's offsets lose letters.

        Args:
            source: A reader folder, a Hugging Face folder or a name on the hub, as ``deepset/roberta-base-squad2``; the
                shipped reader if ``None`` or "shipped".
            engine: "openvino", "onnxruntime", "torch", or "auto": what measured best on this kind of processor.
            precision: What to compute in where the reader's file leaves it open: "float32", "bfloat16" or "float16", as
                far as engine and processor have it; what measured best if ``None``.
            threads: Threads of the engine; all usable cores if ``None``.
            device: "cpu", or where torch computes: "cuda", "cuda:1", "mps". If ``None``, torch takes a GPU if there is
                one, and "auto" takes the CPU where the reader has a ``model.onnx``.
            revision: Of a name on the hub: a branch, a tag or a commit.
            token: To log in to the hub with; the stored login if ``None``.

        Raises:
            ReaderError: If the folder is missing, incomplete or damaged, the hub has no such reader, or the engine
                cannot run it or compute in this precision.
            TokenizerError: If there is no ``tokenizer.json``.
            ConfigError: If there is no such engine or precision, or the engine has no such device.
            MissingExtraError: If what runs it is not installed.

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
                "answers may be cut. Delete its tokenizer.json and make a sound one with: quoth export FOLDER -o DIR",
                stacklevel=2,
            )
        origin = Origin.of(source, folder, engine=engine, precision=precision, threads=threads, device=device)
        reader = cls(*origin.start(folder, tokenizer), folder.settings(tokenizer.max_tokens))
        reader._origin = origin
        return reader

    def with_settings(self, settings: ReaderSettings) -> Reader:
        """Return a reader with other settings and the same tokenizer and engine."""
        reader = type(self)(self.tokenizer, self.engine, settings)
        reader._origin = self._origin
        return reader

    def save(self, folder: str | Path) -> None:
        """Write the reader into a new or empty folder, with the settings that it has now.

        Raises:
            ConfigError: If the folder holds something.
            TypeError: If the reader was put together by hand, so that there are no files of it.
        """
        self._loaded_from("saved").find().with_settings(self.settings, {}, folder)

    @property
    def made_from(self) -> list[Used]:
        """The data sets that the reader was trained on, chosen by, fitted on and tested with, as far as it says.

        Raises:
            ReaderError: If its folder is damaged, or is not on this machine.
        """
        return self._origin.find().used if self._origin else []

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (type(self), self._loaded_from(), self.settings)

    def _loaded_from(self, purpose: str = "pickled") -> Origin:
        if self._origin is None:
            raise TypeError(
                f"a Reader must come from Reader.load to be {purpose}, but this one was put together from a tokenizer "
                "and an engine. Write its files to a folder and load it from there"
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
    ) -> Prediction:
        """Answer one question from one context, or from several: the best answers among all of them.

        Args:
            question: The question.
            context: The text to quote from, or several.
            top_k: Maximum number of answers.
            null_threshold: Overrides the reader's: a number, or "never" abstain; ``None``: as stored.
            max_answer_tokens: Overrides the reader's.
            min_probability: Answer only where the best answer's probability is at least this, in [0, 1]; instead of
                the null threshold.
            overlapping: Return every span, also spellings of one answer; else the answers do not overlap, and each has
                its ``variants`` and ``places``.
            passages: Read only so many windows of the text: those that a search by the question's words puts first.
                ``None``: all of them. ``prediction.skipped`` says how many were not read.

        Returns:
            Answers best first; ``context_index`` tells which context each one quotes. With no text to read,
            ``no_answer`` is true and ``reason`` says why.

        Raises:
            InputError: If the question is empty.
            QuestionTooLongError: If the question is too long for a window.
            ConfigError: If a number is out of its range.

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
        # As explain() and the server do it, so that all of them give the same to the last bit.
        windows = self.windower.windows(example)
        if passages is not None and passages < 1:
            raise ConfigError(f"passages must be at least 1, but is {passages}")
        chosen = windows if passages is None else best_windows(windows, passages)
        prediction = decode(example, Stream(self.windower, self.engine, unbatch).run(chosen), settings)
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
            question: As in :meth:`answer`, like all the others.
            context: The text to quote from, or several.
            top_k: Maximum number of answers to explain.
            null_threshold: Overrides the reader's.
            max_answer_tokens: Overrides the reader's.
            min_probability: Instead of the null threshold.
            overlapping: Return every span, also spellings of one answer.

        Returns:
            The explanation; its ``prediction`` is exactly what :meth:`answer` returns.

        Raises:
            InputError, QuestionTooLongError: As in :meth:`answer`.

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
        """Answer many questions, in order. The input may be an infinite stream; memory use is constant.

        A generator is answered as it comes: as soon as it has nothing ready, all that was asked is answered before more
        is waited for, so that a question may depend on the last answer.

        Args:
            examples: Examples, whose golds are ignored; pairs of a question and a context, or of a question and several
                contexts; mappings with ``question`` and ``context``; or a frame of pandas, polars, pyarrow or
                ``datasets`` with these columns. The id of what has none is its number, from 0.
            top_k: As in :meth:`answer`.
            null_threshold: As in :meth:`answer`.
            max_answer_tokens: As in :meth:`answer`.
            min_probability: As in :meth:`answer`.
            overlapping: As in :meth:`answer`.
            on_error: Called, in order, with the error of each question that cannot be read, instead of raising it;
                others are answered all the same.
            own_thread: Whether an iterator is read in a thread of its own; if not, the caller's thread reads it, up to
                768 questions ahead.

        Yields:
            Predictions, each with its question and contexts: ``prediction.example``.

        Raises:
            InputError, QuestionTooLongError: As in :meth:`answer`, with the example's id, after the answers of those
                before it.

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
        """Yield each example with the logits of its windows, from which :func:`quoth.reading.decode` takes its answers.

        Useful to inspect logits or to tune decoding settings. Yields in the order of the examples, with constant
        memory; contexts without tokens have no windows.

        Raises:
            InputError, QuestionTooLongError: As in :meth:`answer`, with the example's id.
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
            ConfigError: If both a null threshold and a least probability are given, or one is out of its range.
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
