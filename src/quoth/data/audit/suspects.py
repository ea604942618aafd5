"""Finds labels that contradict a reader's predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from quoth.data.audit.records import Finding, Located, Suspect
from quoth.display import percent
from quoth.records import Example, Prediction

_CONFIDENT = 0.8  # minimum probability of a prediction that contradicts a label


def suspects(
    examples: Sequence[Example],
    answer: Callable[[Sequence[Example]], Iterable[Prediction]],
    f1: Callable[[str, Sequence[str]], float],
) -> list[Suspect]:
    """Compare the predictions of a reader that was not trained on these examples with their labels.

    Args:
        examples: The examples; unlabelled ones are skipped.
        answer: Returns a prediction for each example.
        f1: Compares a text with golds, in [0, 1].
    """
    labelled = [example for example in examples if example.golds is not None]
    found: list[Suspect] = []
    for prediction in answer(labelled):
        example = prediction.example
        golds = [gold.text for gold in example.golds or ()]
        best = prediction.best
        if best is None:
            found.append(Suspect(example, "", not golds, prediction.null_probability or 0.0))
        else:
            found.append(Suspect(example, best.text, bool(golds) and f1(best.text, golds) > 0, best.probability))
    return found


def reader_findings(suspected: Iterable[tuple[str, Suspect]]) -> Iterator[Finding]:
    """Yield the labels that a reader contradicts with a high probability."""
    for source, each in suspected:
        if each.is_right or each.probability < _CONFIDENT:
            continue
        kind = "likely label error" if each.example.golds else "answerable unanswerable"
        what = f'the reader predicts "{each.text}"' if each.text else "the reader predicts no answer"
        what += f" ({percent(each.probability)})"
        yield Finding(kind, Located(source, each.example), None, what, each.probability)
