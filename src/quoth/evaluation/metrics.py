"""Exact match and F1 of a prediction by the rules of SQuAD v1.1 or v2.0, identical to the official scorers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from quoth.text import normalize_answer

Rules = Literal["v1.1", "v2.0"]


def rules_of(golds: Iterable[Sequence[object] | None]) -> Rules:
    """Return the scoring rules for questions with these golds.

    Args:
        golds: The golds of each question: empty if unanswerable, ``None`` if unlabelled.

    Returns:
        "v2.0" if any question is unanswerable, else "v1.1".
    """
    return "v2.0" if any(each is not None and not each for each in golds) else "v1.1"


def exact_and_f1(text: str, golds: Sequence[str], rules: Rules) -> tuple[bool, float]:
    """Compare a prediction with its golds, and return the best exact match and the best F1 over all golds.

    The rules differ only for texts that are empty after normalization ("The", "...", ""). v2.0 drops such golds, and
    F1 is 1 if both texts are empty; in v1.1 that is an exact match with F1 0.

    Args:
        text: The prediction; ``""`` for no answer.
        golds: The annotated texts; empty if the question is unanswerable (only with v2.0 rules).
        rules: The scoring rules.

    Returns:
        Whether it matches exactly, and F1 in [0, 1].

    Raises:
        ValueError: If there are no golds and the rules are "v1.1".

    Source: the official evaluation scripts; Rajpurkar et al. 2016, section 6.1, and Rajpurkar et al. 2018.

    Example:
        >>> exact_and_f1("The Denver Broncos!", ["Denver Broncos", "Broncos"], "v1.1")
        (True, 1.0)
        >>> exact_and_f1("Denver", ["Denver Broncos"], "v1.1")
        (False, 0.6666666666666666)
    """
    predicted = normalize_answer(text)
    wanted = [normalize_answer(gold) for gold in dict.fromkeys(golds)]
    if rules == "v2.0":
        wanted = [gold for gold in wanted if gold] or [""]
    words = predicted.split()
    return predicted in wanted, max(_f1(words, gold.split(), rules) for gold in wanted)


def _f1(predicted: list[str], gold: list[str], rules: Rules) -> float:
    """Return the harmonic mean of precision and recall of two bags of words."""
    if rules == "v2.0" and not (predicted and gold):
        return float(predicted == gold)
    shared = sum((Counter(predicted) & Counter(gold)).values())
    if shared == 0:
        return 0.0
    precision = shared / len(predicted)
    recall = shared / len(gold)
    return (2 * precision * recall) / (precision + recall)
