"""The settings of a table: columns, questions and reader. Frozen, and small enough to send to any worker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from quoth.config import COUNT, SHARE, check
from quoth.errors import ConfigError
from quoth.records import NullThreshold


@dataclass(frozen=True, slots=True)
class ReaderChoice:
    """The reader, as arguments of :meth:`quoth.Reader.load`.

    Attributes:
        source: A folder or a name on the hub; the shipped reader if ``None``.
        engine: "openvino", "onnxruntime", "torch" or "auto".
        precision: Precision of the engine; the engine's default if ``None``.
        threads: Number of threads of the engine; all usable cores if ``None``.
    """

    source: str | None = None
    engine: str = "auto"
    precision: str | None = None
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class TableSettings:
    """The questions for each row, and the output columns.

    Attributes:
        question: The column of the questions. Not used if ``questions`` are given.
        context: The column of the contexts.
        questions: Questions to ask about every row: a sequence, or a mapping from names to questions. Stored as pairs;
            questions without names get the names "1", "2" and so on.
        wide: With ``questions``: whether there is one row per context, with columns for each question, named
            ``NAME_answer`` and so on (``q1_answer`` for a question without a name); otherwise, there is one row per
            context and question.
        columns: The input columns to keep; all if ``None``.
        prefix: Prefix of the name of each output column.
        null_threshold: Abstain if the null odds exceed this number, or "never"; the stored threshold if ``None``.
        reader: The reader.

    Raises:
        ConfigError: If a value is out of range, a question is empty, or two questions have the same name.
    """

    question: str = "question"
    context: str = "context"
    questions: Sequence[str] | Mapping[str, str] | tuple[tuple[str, str], ...] = ()
    wide: bool = False
    columns: Sequence[str] | None = None
    prefix: str = ""
    top_k: Annotated[int, "Maximum number of answers; above 1, there is a column answers with all of them.", COUNT] = 1
    min_probability: Annotated[
        float | None, "Abstain if the best answer's probability is below it, from 0 to 1.", SHARE
    ] = None
    null_threshold: NullThreshold | None = None
    max_answer_tokens: Annotated[int | None, "Maximum length of an answer, in tokens; the reader's if None.", COUNT] = (
        None
    )
    max_context_chars: Annotated[
        int | None, "Maximum length of a context, in code points; a longer one is an error.", COUNT
    ] = None
    reader: ReaderChoice = field(default_factory=ReaderChoice)

    def __post_init__(self) -> None:
        object.__setattr__(self, "questions", _pairs(self.questions))
        if self.columns is not None:
            object.__setattr__(self, "columns", _names(self.columns))
        for name, what in (
            ("question", "the name of a column, a text"),
            ("context", "the name of a column, a text"),
            ("prefix", "a text"),
        ):
            if not isinstance(getattr(self, name), str):
                raise ConfigError(f"{name} must be {what}, but is {getattr(self, name)!r}")
        check(self)
        if self.min_probability is not None and self.null_threshold is not None:
            raise ConfigError("min_probability and null_threshold cannot be used together")
        if self.wide and not self.questions:
            raise ConfigError("wide output needs questions to ask about every row: set questions, or do not set wide")

    @property
    def asked(self) -> tuple[tuple[str, str], ...]:
        """The questions for every row, each with its name; empty if the questions are in a column."""
        return self.questions  # type: ignore[return-value]

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The columns that are read as text."""
        return (self.context,) if self.asked else (self.question, self.context)

    def role(self, name: str) -> str:
        """Return what a text column contains: "question" or "context"."""
        return "context" if name == self.context else "question"

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values, without the reader."""
        values = asdict(self)
        del values["reader"]
        values["questions"] = [list(pair) for pair in self.asked]
        values["columns"] = None if self.columns is None else list(self.columns)
        return values


def _names(columns: Any) -> tuple[str, ...]:
    """Return the names of the columns to keep.

    Raises:
        ConfigError: If they are not a list of texts.
    """
    names = () if isinstance(columns, str) or not isinstance(columns, Iterable) else tuple(columns)
    if (not names and columns not in ([], ())) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"columns must be a list of names, but is {columns!r}")
    return names


def is_unicode(text: str) -> bool:
    """Return True if a text can be encoded as UTF-8, which is not so if it contains half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _pairs(questions: Any) -> tuple[tuple[str, str], ...]:
    """Return the questions with their names.

    Raises:
        ConfigError: If one is not a text, is empty, or has the same name as another.
    """
    if isinstance(questions, str):
        raise ConfigError("questions must be a list or a mapping, but is one text. Put it into a list.")
    if not isinstance(questions, Iterable):
        raise ConfigError(f"questions must be a list or a mapping, but is {questions!r}")
    if isinstance(questions, Mapping):
        pairs = [(str(name), text) for name, text in questions.items()]
    else:
        pairs = [
            (str(item[0]), item[1]) if isinstance(item, tuple) and len(item) == 2 else (str(number), item)
            for number, item in enumerate(questions, 1)
        ]
    for name, text in pairs:
        if not isinstance(text, str) or not text.strip() or not is_unicode(name + text):
            raise ConfigError(f"question {name!a}: must be a non-empty Unicode text, but is {text!a}")
    if len({name for name, _ in pairs}) < len(pairs):
        raise ConfigError("the questions must have different names, but two have the same")
    return tuple(pairs)
