"""``pipeline("question-answering")``: the entry point for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from quoth.dropin.calls import Parameters, create_sample, read_call
from quoth.dropin.legacy import OldReader
from quoth.dropin.native import ExactReader, Result
from quoth.engines.precisions import PRECISIONS, wrong_precision
from quoth.errors import ConfigError
from quoth.lengths import WindowLengths
from quoth.reader import Reader
from quoth.reading import Tokenizer
from quoth.records import Example
from quoth.store import ReaderSettings, find_folder

TASK = "question-answering"
_MADE_OF_THE_REST = ("_reader", "_lengths", "_exact", "_old")
# Attributes of a transformers tokenizer that Quoth uses.
_NAMED = ("cls_token", "pad_token", "unk_token")
_NO_TOKENIZER = (
    "Impossible to guess which tokenizer to use. "
    "Please provide a PreTrainedTokenizer class or a path/identifier to a pretrained tokenizer."
)


class QuestionAnsweringPipeline:
    """Answers questions by quoting, with the interface of transformers' pipeline.

    It can be pickled: a reader by its origin, a transformers model with its weights.

    Attributes:
        task: ``"question-answering"``.
        compat: Whether scores and n-best lists are those of transformers 4.57.
    """

    default_input_names = "question,context"
    framework = "pt"
    # Attributes that `transformers.pipeline` needs before it loads the parts.
    _load_tokenizer = True
    _load_processor = _load_image_processor = _load_video_processor = _load_feature_extractor = False

    def __init__(
        self,
        model: Any,
        tokenizer: Any = None,
        *,
        task: str = "",
        device: Any = None,
        batch_size: int | None = None,
        compat: bool = False,
        **parameters: Any,
    ) -> None:
        """Create a pipeline; most callers should use :func:`pipeline`.

        Args:
            model: A Reader, or a question-answering model of transformers.
            tokenizer: A tokenizer of transformers, or Quoth's; with a Reader, it replaces the reader's.
            task: ``"question-answering"``.
            device: Device for a transformers model; ``None``: its current one.
            batch_size: Windows per batch, with ``compat``; 1 if ``None``.
            compat: Whether to return the scores and n-best lists of transformers 4.57.
            parameters: Default parameters of calls, such as ``top_k``.

        Raises:
            ValueError: If a parameter is out of its range.
            Exception: If a model is given without a tokenizer.
        """
        self.task = task or TASK
        self.compat = compat
        self._given = (model, tokenizer, device)
        self._parameters = Parameters().changed(parameters)
        self._batch_size = batch_size
        self._reader  # noqa: B018 (raises if the parts are incompatible)

    @cached_property
    def _reader(self) -> Reader:
        """The reader that answers."""
        model, tokenizer, device = self._given
        if not isinstance(model, Reader):
            return _wrapped(model, tokenizer, device)
        return model if tokenizer is None else Reader(_tokenizer(tokenizer), model.engine, model.settings)

    @cached_property
    def _lengths(self) -> WindowLengths:
        reader = self._reader
        return WindowLengths(reader.tokenizer, reader.engine, reader.settings.max_tokens)

    @cached_property
    def _exact(self) -> ExactReader:
        return ExactReader(self._reader)

    @cached_property
    def _old(self) -> OldReader:
        return OldReader(self._reader.tokenizer, self._reader.engine)

    @property
    def model(self) -> Any:
        """The given model, or the reader's engine."""
        model = self._given[0]
        return getattr(model.engine, "model", model.engine) if isinstance(model, Reader) else model

    @property
    def tokenizer(self) -> Any:
        """The given tokenizer, or the reader's."""
        return self._given[1] if self._given[1] is not None else self._reader.tokenizer

    @property
    def device(self) -> str:
        """Its device."""
        return str(getattr(self.model, "device", "cpu"))

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle: only the arguments, no derived objects."""
        return {name: value for name, value in vars(self).items() if name not in _MADE_OF_THE_REST}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Answer one or several questions.

        Args:
            args: Nothing, or examples: dicts with question and context, objects like ``SquadExample``, a list of them,
                or a generator.
            kwargs: ``question`` and ``context``, a text or a list each; or parameters: ``top_k``, ``doc_stride``,
                ``max_answer_len``, ``max_seq_len``, ``handle_impossible_answer``, ``align_to_words``, ``padding``,
                ``batch_size``. See :class:`Parameters <quoth.dropin.calls.Parameters>`.

        Returns:
            For one example a dict of ``score, start, end, answer``, or with ``top_k`` a list of them; for several
            examples a list of these; for a generator an iterator.

        Raises:
            KeyError: If a dict lacks question or context.
            ValueError: If the arguments are invalid, or a question or context is missing or empty.
        """
        examples = read_call(args, kwargs)
        parameters = self._fitting(self._parameters.changed(kwargs))
        batch_size = kwargs.get("batch_size") or self._batch_size or 1
        if isinstance(examples, Example):
            return next(self._answer([examples], parameters, batch_size))
        answers = self._answer(examples, parameters, batch_size)
        return list(answers) if isinstance(examples, list) else answers

    def _fitting(self, parameters: Parameters) -> Parameters:
        """Return the parameters with window sizes that the model supports.

        Raises:
            ValueError: If longer windows are requested, or the overlap is larger than the window.
        """
        longest, _ = parameters.window(self._reader.tokenizer.max_tokens)
        if parameters.max_seq_len is None and not self._lengths.takes(longest):
            return replace(parameters, max_seq_len=self._reader.settings.max_tokens)
        self._lengths.check(longest)
        return parameters

    def _answer(
        self, examples: Iterable[Example], parameters: Parameters, batch_size: int
    ) -> Iterator[Result | list[Result]]:
        if self.compat:
            return (self._old.answer(example, parameters, batch_size) for example in examples)
        return self._exact.answer(examples, parameters)

    def save_pretrained(self, save_directory: str | Path, **kwargs: Any) -> None:
        """Save the model and its tokenizer to a folder, as a reader or as a transformers model.

        Args:
            save_directory: The folder; for a reader it must be new or empty.
            kwargs: Passed on to ``save_pretrained`` of a transformers model.
        """
        model, tokenizer, _ = self._given
        if isinstance(model, Reader):
            model.save(save_directory)
            return
        model.save_pretrained(save_directory, **kwargs)
        tokenizer.save_pretrained(save_directory)

    create_sample = staticmethod(create_sample)

    def transform(self, X: Any) -> Any:  # noqa: N803 (the name that scikit-learn gives it)
        """Answer the questions in ``X``; the name is that of scikit-learn's interface."""
        return self(X)

    predict = transform

    def __repr__(self) -> str:
        return f"QuestionAnsweringPipeline(device={self.device!r}, compat={self.compat})"


def pipeline(
    task: str | None = None,
    model: Any = None,
    *,
    tokenizer: Any = None,
    device: Any = None,
    batch_size: int | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    dtype: Any = None,
    compat: bool = False,
    **parameters: Any,
) -> QuestionAnsweringPipeline:
    """Return the question-answering pipeline that transformers had until version 4.57.

    Args:
        task: ``"question-answering"`` or ``None``.
        model: A hub name, a folder, a Reader, or a transformers model; ``None``: the shipped reader.
        tokenizer: A hub name, a folder, or a transformers tokenizer; ``None``: the model's.
        device: The CPU if ``None``, ``-1`` or ``"cpu"``; a number, ``"cuda:0"`` or a ``torch.device`` selects a device
            of torch.
        batch_size: Windows per batch, with ``compat``; 1 if ``None``.
        revision: Branch, tag or commit of a model on the hub.
        token: Access token of the hub.
        dtype: Precision of a model in torch: ``"float32"``, ``"bfloat16"`` or ``"float16"``. ``torch_dtype`` is an
            alias.
        compat: Whether to return the scores and n-best lists of transformers 4.57, in float32. By default, the search
            is exact, answers are distinct, and the score is the reader's probability.
        parameters: Default parameters of calls, such as ``top_k``. Options that only affected loading in transformers
            (``framework``, ``use_fast``, ``device_map``, ...) are ignored.

    Raises:
        KeyError: If it is another task.
        ReaderError: If the model cannot be loaded.
        MissingExtraError: If the model needs torch, and torch is not installed.

    Example:
        >>> qa = pipeline("question-answering")
        >>> qa(question="Where do I live?", context="My name is Wolfgang and I live in Berlin")["answer"]
        'Berlin'
    """
    if task not in (None, TASK):
        raise KeyError(
            f"Unknown task {task}, available tasks are ['{TASK}']. All others are transformers' own: "
            "from transformers import pipeline"
        )
    settings = {"task": TASK, "batch_size": batch_size, "compat": compat, **parameters}
    if model is None or isinstance(model, str | Path | Reader):
        dtype = parameters.pop("torch_dtype", None) if dtype is None else dtype
        reader = (
            model if isinstance(model, Reader) else _load(model, revision, token, _device(device), _precision(dtype))
        )
        return QuestionAnsweringPipeline(reader, None if tokenizer is None else _tokenizer(tokenizer), **settings)
    if tokenizer is None:
        raise Exception(_NO_TOKENIZER)
    return QuestionAnsweringPipeline(model, tokenizer, device=device, **settings)


def _load(
    model: str | Path | None, revision: str | None, token: str | bool | None, device: str, precision: str
) -> Reader:
    # dtype is the precision of a transformers model, so a precision other than float32 needs torch.
    engine = "auto" if device == "cpu" and precision == "float32" else "torch"
    return Reader.load(model, engine=engine, precision=precision, device=device, revision=revision, token=token)


def _wrapped(model: Any, tokenizer: Any, device: Any) -> Reader:
    """Return a reader that runs a model of transformers."""
    if tokenizer is None:
        raise Exception(_NO_TOKENIZER)
    from quoth.engines.torch import TorchEngine

    if device is not None:
        model.to(_device(device))
    ours = _tokenizer(tokenizer)
    longest = min(384, ours.max_tokens or 384)
    return Reader(ours, TorchEngine(model.eval()), ReaderSettings(longest, min(128, longest // 2), stored=False))


def _tokenizer(given: Any) -> Tokenizer:
    """Return Quoth's tokenizer for a name, a folder or a tokenizer of transformers."""
    if isinstance(given, Tokenizer):
        return given
    if isinstance(given, str | Path):
        return Tokenizer.load(find_folder(given).path)
    inner = getattr(given, "backend_tokenizer", None)
    if inner is None:
        raise ConfigError(
            f"tokenizer must be a fast tokenizer of transformers, a folder or a name, but is {type(given).__name__}"
        )
    named = {name: str(value) for name in _NAMED if (value := getattr(given, name, None)) is not None}
    return Tokenizer(inner, {**named, "model_max_length": getattr(given, "model_max_length", None)})


def _device(given: Any) -> str:
    """Return the name of a torch device."""
    if given is None or (isinstance(given, int) and given < 0):
        return "cpu"
    return f"cuda:{given}" if isinstance(given, int) else str(given)


def _precision(given: Any) -> str:
    """Return the precision for a torch dtype, its name, or "auto"."""
    name = str(given).removeprefix("torch.")
    if given is None or name == "auto":
        return "float32"
    if name not in PRECISIONS:
        raise ConfigError(wrong_precision(name, what="dtype"))
    return name
