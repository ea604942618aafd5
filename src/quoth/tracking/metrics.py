"""Exact match and F1 for ``mlflow.models.evaluate`` on a logged reader: those of ``quoth evaluate``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from quoth.errors import DataError
from quoth.evaluation.metrics import Unit, check_unit, exact_and_f1, rules_of
from quoth.records import Gold

if TYPE_CHECKING:
    from mlflow.models import EvaluationMetric


def squad_metrics(f1_by: Unit | None = None) -> list[EvaluationMetric]:
    """Return the metrics ``squad_exact`` and ``squad_f1`` for ``extra_metrics``, each from 0 to 100.

    The predictions are the column ``text`` of the model's output. A target is a text, a list of texts (all of them are
    correct), or an object with such a list under ``text``, as in data sets on the hub; it is empty or missing for an
    unanswerable question.

    Args:
        f1_by: What F1 compares, "words" or "characters"; by default, it depends on the targets.

    Raises:
        ConfigError: If ``f1_by`` is unknown.

    Example:
        >>> mlflow.models.evaluate(uri, frame, targets="answer", predictions="text", extra_metrics=squad_metrics())
        ... # doctest: +SKIP
    """
    from mlflow.models import make_metric

    check_unit(f1_by)

    def of(number: int, name: str) -> EvaluationMetric:
        def evaluated(predictions: Iterable[Any], targets: Iterable[Any], metrics: Any) -> Any:
            from mlflow.metrics import MetricValue

            scores = [100.0 * float(pair[number]) for pair in _scored(list(predictions), list(targets), f1_by)]
            return MetricValue(scores=scores, aggregate_results={"mean": sum(scores) / len(scores)})

        return make_metric(eval_fn=evaluated, greater_is_better=True, name=name)

    return [of(0, "squad_exact"), of(1, "squad_f1")]


def _scored(predictions: Sequence[Any], targets: Sequence[Any], f1_by: Unit | None) -> list[tuple[bool, float]]:
    """Return exact match and F1, in [0, 1], of each prediction."""
    golds = [_texts(target, row) for row, target in enumerate(targets)]
    rules = rules_of(([Gold(text, 0) for text in texts] for texts in golds), f1_by)
    predicted = [text if isinstance(text, str) else "" for text in predictions]
    return [exact_and_f1(text, texts, rules) for text, texts in zip(predicted, golds, strict=True)]


def _texts(target: Any, row: int) -> list[str]:
    """Return the texts of a target; empty if the question is unanswerable."""
    import pandas

    if isinstance(target, dict):
        target = target.get("text")
    if pandas.api.types.is_scalar(target):
        if pandas.isna(target):  # an empty cell of a data frame: None, NaN or NA
            return []
        target = [target]
    listed = list(target)
    if wrong := [each for each in listed if not isinstance(each, str)]:
        raise DataError("targets", [f"row {row} must be a text or a list of texts, but has {wrong[0]!r}"])
    return [text for text in listed if text.strip()]
