"""The script of the MLflow model. MLflow copies it beside the reader's files, and runs it to load the model.

No other module of Quoth imports it. It needs only the base install, and torch if the reader has no ``model.onnx``.
docs/guides/tracking.md shows a request and its response.
"""

from collections.abc import Iterator
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from quoth.errors import ConfigError, InputError
from quoth.inputs import wrong_context, wrong_question
from quoth.reader import Reader
from quoth.records import Example


class ReaderModel(PythonModel):
    """Answers each row of a table as ``quoth ask`` does."""

    def load_context(self, context: Any) -> None:
        """Load the reader that was logged with this script."""
        self._reader = Reader.load(context.artifacts["reader"])

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Answer each row.

        Args:
            model_input: A table with the text columns ``question`` and ``context``.
            params: ``top_k``; ``null_threshold``, a number, or ``None`` for the stored threshold; ``abstain``, "never"
                or ``None``; ``min_probability``, which replaces these two; and ``overlapping``, whether answers may
                overlap.

        Returns:
            For each row, in order, an object with the keys of ``quoth ask --json``, and ``text``: the best answer's
            text, ``""`` for no answer.

        Raises:
            MlflowException: If a row is invalid. The message lists all problems, and no row is answered; the server
                responds with status 400.
        """
        wanted = params or {}
        rows = list(enumerate(model_input[["question", "context"]].itertuples(index=False)))
        problems = [problem for row, (question, context) in rows for problem in _problems(row, question, context)]
        if wanted.get("abstain") not in (None, "never"):
            problems.append(f'abstain must be "never" or omitted, but is {wanted["abstain"]!r}')
        if problems:
            raise _refusal(problems)
        examples = [Example(f"of row {row}", question, context) for row, (question, context) in rows]
        try:
            predictions = self._reader.answer_all(
                examples,
                top_k=1 if wanted.get("top_k") is None else wanted["top_k"],
                null_threshold=wanted.get("abstain") or wanted.get("null_threshold"),
                min_probability=wanted.get("min_probability"),
                overlapping=bool(wanted.get("overlapping")),
            )
            return [{**prediction.to_dict(), "text": prediction.text} for prediction in predictions]
        except ConfigError as error:
            raise _refusal([str(error)]) from error
        except InputError as error:
            raise _refusal(list(self._unreadable(examples))) from error

    def _unreadable(self, examples: list[Example]) -> Iterator[str]:
        for example in examples:
            try:
                self._reader.windower.windows(example)
            except InputError as error:
                yield str(error)


def _problems(row: int, question: Any, context: Any) -> Iterator[str]:
    """Yield the problems of a row, which may have values of any type."""
    if wrong := wrong_question(question):
        yield f"question of row {row}: {wrong}"
    if wrong := wrong_context(context):
        yield f"context of row {row}: {wrong}"


def _refusal(problems: list[str]) -> MlflowException:
    return MlflowException.invalid_parameter_value("\n".join(problems))


set_model(ReaderModel())
