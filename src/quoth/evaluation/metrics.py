"""Exact match and F1 of one prediction, by SQuAD v1.1's rules or v2.0's, as the official scorers compute them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from quoth.text import normalize_answer

Rules = Literal["v1.1", "v2.0"]


def rules_of(golds: Iterable[Sequence[object] | None]) -> Rules:
    """Say by whose rules questions are scored, from the golds of each of them.

    Args:
        golds: None of them means unanswerable, ``None`` unlabelled.

    Returns:
        v2.0's if any question is unanswerable, else v1.1's.
    """
    return "v2.0" if any(each is not None and not each for each in golds) else "v1.1"


def exact_and_f1(text: str, golds: Sequence[str], rules: Rules) -> tuple[bool, float]:
    """Compare a prediction with its golds and return the best exact match and the best F1, each over all golds.

    The two sets of rules differ only where a text normalises to nothing ("The", "...", ""): v2.0 leaves such golds
    out, and agreeing on nothing has an F1 of 1; in v1.1 it is an exact match with an F1 of 0.

    Args:
        text: The prediction; ``""`` for no answer.
        golds: The annotated texts. None of them means unanswerable, which only v2.0's rules know.
        rules: Whose rules.

    Returns:
        Whether it matches exactly, and F1 in [0, 1].

    Raises:
        ValueError: If there are no golds and the rules are v1.1's.

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
