"""Evaluation: the official exact match and F1, one row per question, and totals computed from the rows."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from quoth.deprecated import renamed
from quoth.errors import ConfigError, DataError, PredictionsError
from quoth.evaluation.calibration import Calibration, Confidence
from quoth.evaluation.compare import Comparison, compare
from quoth.evaluation.metrics import Rules, Unit, check_unit, exact_and_f1, rules_of
from quoth.evaluation.predicted import Predicted, check_predicted, read_predicted, read_predictions
from quoth.evaluation.predictions import prediction_files
from quoth.evaluation.report import Report, ScoredRow, Slice
from quoth.evaluation.slices import Traits
from quoth.names import suggests_names
from quoth.records import Example, Gold, Prediction

__all__ = [
    "AnswersAll",
    "Calibration",
    "Comparison",
    "Confidence",
    "Predicted",
    "Report",
    "Rules",
    "ScoredRow",
    "Slice",
    "Traits",
    "compare",
    "evaluate",
    "prediction_files",
    "read_predicted",
    "read_predictions",
    "score",
]

__getattr__ = renamed(__name__, {"Row": "ScoredRow"})


class AnswersAll(Protocol):
    """Anything that answers a stream of examples, such as a ``Reader``."""

    def answer_all(self, examples: Iterable[Example], /) -> Iterator[Prediction]:
        """Yield one prediction for each example."""


class _Outcome(NamedTuple):
    """The values of one labelled example that the rules need, without its long context."""

    id: str
    golds: tuple[Gold, ...]
    text: str | None
    traits: Traits
    best: str | None = None  # text of the best answer, also where the reader abstains
    probability: float | None = None
    null_odds: float | None = None
    null_probability: float = 0.0
    abstains: bool = False

    @classmethod
    def of(cls, example: Example, prediction: Prediction | Predicted | str | None) -> _Outcome:
        golds = example.golds or ()
        if isinstance(prediction, Predicted):
            text, probability, silence, odds = prediction
            best = text or None
            return cls(example.id, golds, text, Traits.of(example), best, probability, odds, silence or 0.0, not text)
        if not isinstance(prediction, Prediction):
            return cls(example.id, golds, prediction, Traits.of(example))
        traits = Traits.of(example, prediction.windows or None)
        first, odds = prediction.answers[0] if prediction.answers else None, prediction.null_odds
        best, probability = (first.text, first.probability) if first and odds is not None else (None, None)
        silence, abstains = prediction.null_probability or 0.0, prediction.no_answer
        return cls(example.id, golds, prediction.text, traits, best, probability, odds, silence, abstains)


@suggests_names
def score(
    examples: Iterable[Example],
    predictions: Mapping[str, str | Predicted | None] | Iterable[Prediction],
    *,
    f1_by: Unit | None = None,
) -> Report:
    """Score predictions of any system against the golds of a data set.

    Args:
        examples: The data set. Unlabelled examples are skipped and counted.
        predictions: Texts by example id, ``None`` or ``""`` for no answer; what :func:`read_predicted` returns, with
            its probabilities and null odds; or predictions of a reader.
        f1_by: What F1 compares, "words" or "characters". By default, characters if most answers are in a script without
            spaces, such as Chinese, and else words, as in the official scorers. The report's ``rules`` name it.

    Returns:
        A report with one row per labelled example, in order. Missing predictions count as wrong, and unknown ids are
        ignored; the report counts both.

    Raises:
        DataError: If no example is labelled.
        PredictionsError: If a prediction has another type, or a number that is out of its range.
        ConfigError: If an argument is invalid.

    Source: the official evaluation scripts of SQuAD v1.1 and v2.0; Rajpurkar et al. 2016, section 6.1, and 2018.

    Example:
        >>> examples = [Example("56be4db0", "Who won?", "The Denver Broncos won.", (Gold("Denver Broncos", 4),))]
        >>> score(examples, {"56be4db0": "Denver Broncos!"}).f1
        100.0
    """
    if isinstance(examples, str | os.PathLike | None):
        raise ConfigError(f"score takes examples and predictions, but got {examples!r}: read them with read_examples")
    check_unit(f1_by)
    known = _by_id(predictions)
    outcomes, seen, unlabelled = [], set(), 0
    for example in examples:
        seen.add(example.id)
        if example.golds is None:
            unlabelled += 1
        else:
            outcomes.append(_Outcome.of(example, _text_or_more(known[example.id]) if example.id in known else None))
    return _report(outcomes, len(known.keys() - seen), unlabelled, f1_by)


def _by_id(
    predictions: Mapping[str, str | Predicted | None] | Iterable[Prediction],
) -> Mapping[str, Prediction | Predicted | str | None]:
    """Return checked predictions by id."""
    if isinstance(predictions, str | os.PathLike | None):
        raise ConfigError(f"score takes predictions, but got {predictions!r}: read them with read_predicted")
    if not isinstance(predictions, Mapping):
        listed = list(predictions)
        if wrong := [each for each in listed if not isinstance(each, Prediction)]:
            raise PredictionsError(f"predictions must be texts by id, or a reader's, but one is {repr(wrong[0])[:80]}")
        return {each.id: each for each in listed}
    for id, prediction in predictions.items():
        if not isinstance(prediction, Prediction):
            check_predicted(id, prediction)
    return predictions


def _text_or_more(prediction: Prediction | Predicted | str | None) -> Prediction | Predicted | str:
    return "" if prediction is None else prediction


@suggests_names
def evaluate(
    reader: AnswersAll,
    examples: Iterable[Example],
    *,
    progress: Callable[[int], None] | None = None,
    each: Callable[[Example, Prediction], None] | None = None,
    f1_by: Unit | None = None,
) -> Report:
    """Predict and score in one pass. Memory grows only by a small row per question.

    Args:
        reader: The reader. It answers only labelled examples.
        examples: The data set, a list or a stream. Unlabelled examples are skipped and counted.
        progress: Called after each question with the number of questions answered so far.
        each: Called with each labelled example and its prediction.
        f1_by: What F1 compares, as for :func:`score`.

    Returns:
        The same report as ``score`` returns for these predictions, and the calibration of the probabilities.

    Raises:
        DataError: If no example is labelled.
        PredictionsError: If the reader answers other examples.
        ConfigError: If an argument is invalid.

    Example:
        >>> from quoth import Reader
        >>> examples = [Example("1", "Who wrote it?", "Ada Lovelace wrote it.", (Gold("Ada Lovelace", 0),))]
        >>> evaluate(Reader.load(), examples).exact
        100.0
    """
    silent: Counter[Example] = Counter()  # examples without a prediction so far
    unlabelled = 0

    def labelled() -> Iterator[Example]:
        nonlocal unlabelled
        for example in examples:
            if example.golds is None:
                unlabelled += 1
            else:
                silent[example] += 1
                yield example

    if isinstance(examples, str | os.PathLike | None):
        raise ConfigError(f"evaluate takes a reader and examples, but got {examples!r}: read them with read_examples")
    check_unit(f1_by)  # before the questions are answered
    outcomes: list[_Outcome] = []
    # A list is read by this thread and in full blocks, so that two runs are bit-identical.
    asked = list(labelled()) if isinstance(examples, Sequence) else labelled()
    for prediction in reader.answer_all(asked):
        example = prediction.example
        if not silent[example]:
            raise PredictionsError(f"the reader must answer the given examples, but answered {example.name}")
        silent[example] -= 1
        if not silent[example]:
            del silent[example]
        outcomes.append(_Outcome.of(example, prediction))
        if each is not None:
            each(example, prediction)
        if progress is not None:
            progress(len(outcomes))
    outcomes.extend(_Outcome.of(example, None) for example in silent.elements())
    return _report(outcomes, 0, unlabelled, f1_by)


def _report(outcomes: list[_Outcome], unknown: int, unlabelled: int, f1_by: Unit | None) -> Report:
    """Return the report for the labelled examples."""
    if not outcomes:
        found = "all of them are unlabelled" if unlabelled else "there are none"
        raise DataError("data", [f"data must have labelled questions to be scored, but {found}"])
    rules = rules_of((outcome.golds for outcome in outcomes), f1_by)
    return Report(tuple(_row(outcome, rules) for outcome in outcomes), rules, unknown, unlabelled)


def _row(outcome: _Outcome, rules: Rules) -> ScoredRow:
    exact, f1 = False, 0.0
    if outcome.text is not None:
        exact, f1 = exact_and_f1(outcome.text, [gold.text for gold in outcome.golds], rules)
    confidence = _confidence(outcome, rules)
    odds = outcome.null_odds
    return ScoredRow(outcome.id, exact, f1, outcome.text, bool(outcome.golds), outcome.traits, confidence, odds)


def _confidence(outcome: _Outcome, rules: Rules) -> Confidence | None:
    if outcome.probability is None:
        return None
    exact, f1 = False, 0.0
    if outcome.golds and outcome.best is not None:
        exact, f1 = exact_and_f1(outcome.best, [gold.text for gold in outcome.golds], rules)
    odds = math.nan if outcome.null_odds is None else outcome.null_odds
    null, has = outcome.null_probability, bool(outcome.golds)
    return Confidence(outcome.probability, odds, exact, f1, null, outcome.abstains, has, outcome.best is not None)
