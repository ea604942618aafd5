"""The exceptions of Quoth.

    QuothError
    ├── DataError        a data file or hub data set with errors; lists every problem
    ├── PredictionsError a predictions file that cannot be scored
    ├── ConfigError      an invalid recipe, flag or argument
    ├── InputError       a question or context that cannot be read
    │   ├── QuestionTooLongError
    │   └── DocumentError        a file without readable text
    │       ├── DocumentKindError     a file of an unsupported type
    │       └── DocumentTooLargeError     a file that exceeds the limits of size or reading time
    ├── CorpusError      a corpus that cannot be opened, or is of another format
    ├── TokenizerError   a tokenizer that cannot be loaded, or that failed on a text
    ├── ReaderError      a reader folder that is missing, incomplete or damaged
    ├── TrainingError    a run that cannot start, resume or continue
    │   └── TrainingStoppedError  a run that a signal stopped, after it was saved
    ├── JobError         a job over a table that cannot start or continue
    │   └── JobStoppedError       a job that a signal stopped; the same command continues it
    ├── ExportError      an export that failed, or did not pass its parity check or F1 gate
    └── MissingExtraError  a part of Quoth that needs an extra which is not installed

Every message is a sentence that says where the error is, what is required, what was found, and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class OverlapWarning(UserWarning):
    """Questions or contexts are used for two purposes, such as training and evaluation, so scores are misleading."""


class QuothError(Exception):
    """Base class of Quoth's exceptions. All can be pickled, so that they can be raised in other processes."""

    def __reduce__(self) -> tuple[Any, ...]:
        # By default, exceptions are unpickled from their message only, but some classes below have other arguments.
        return _recreated, (type(self), self.args), self.__dict__


def reason_of(error: OSError) -> str:
    """Return the reason of an error of the operating system, to end a sentence: ``no such file or directory``."""
    return str(error.strerror or error).lower()


def _recreated(kind: type[QuothError], arguments: tuple[Any, ...]) -> QuothError:
    return kind.__new__(kind, *arguments)


class DataError(QuothError):
    """A data file has errors.

    Attributes:
        problems: Every problem found, one sentence each, in the order of the file.
    """

    shown = 10

    def __init__(self, source: str, problems: Sequence[str], lines: Sequence[str] | None = None) -> None:
        """Create the error.

        Args:
            source: The file, or the name of the data set.
            problems: Every problem.
            lines: Lines of the message, such as one line per cause; the problems if ``None``.
        """
        self.source = source
        self.problems = tuple(problems)
        lines = self.problems if lines is None else lines
        head = "\n".join(lines[: self.shown])
        rest = len(lines) - self.shown
        if rest > 0:
            head += f"\n... and {rest} more. List every problem with: quoth data check {source}"
        super().__init__(head)


class PredictionsError(QuothError):
    """A predictions file cannot be scored."""


class ConfigError(QuothError):
    """A recipe, a flag or an argument is invalid."""


class InputError(QuothError):
    """A question or a context cannot be read."""


class QuestionTooLongError(InputError):
    """A question is so long that its context does not fit into a window."""


class DocumentError(InputError):
    """A file has no readable text: it is damaged, locked or empty, or its type differs from its name."""


class DocumentKindError(DocumentError):
    """A file has an unsupported type."""


class DocumentTooLargeError(DocumentError):
    """A file is larger, or takes longer to read, than the limits allow."""


class CorpusError(QuothError):
    """A corpus cannot be opened, or is of another format."""


class TokenizerError(QuothError):
    """A tokenizer cannot be loaded, or failed on a text."""


class ReaderError(QuothError):
    """A reader folder is missing, incomplete or damaged."""


class TrainingError(QuothError):
    """A training run cannot start, resume or continue."""


class TrainingStoppedError(TrainingError):
    """A signal stopped a run, after a checkpoint was written.

    Attributes:
        signal: The number of the signal.
    """

    def __init__(self, message: str, signal: int) -> None:
        self.signal = signal
        super().__init__(message)


class JobError(QuothError):
    """A job over a table cannot start or continue."""


class JobStoppedError(JobError):
    """A signal stopped a job, after the shards in progress were written.

    Attributes:
        signal: The number of the signal.
    """

    def __init__(self, message: str, signal: int) -> None:
        self.signal = signal
        super().__init__(message)


class ExportError(QuothError):
    """An export failed, or did not pass its parity check or F1 gate."""


class MissingExtraError(QuothError):
    """A part of Quoth needs an extra that is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{what} needs the extra [{extra}]: pip install 'quoth[{extra}]'")
