"""Exact match and F1 of a prediction by the rules of SQuAD v1.1 or v2.0, identical to the official scorers.

These compare words separated by spaces. In scripts without spaces, such as Chinese, each answer would be one word, and
F1 would be exact match. There, F1 compares characters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, Protocol, cast, get_args

from quoth.errors import ConfigError
from quoth.text import normalize_answer, normalize_by_characters, unspaced

Rules = Literal["v1.1", "v2.0", "v1.1 by characters", "v2.0 by characters"]
# What F1 compares.
Unit = Literal["words", "characters"]


class HasText(Protocol):
    """A gold."""

    @property
    def text(self) -> str:
        """The annotated text."""


def check_unit(f1_by: Unit | None) -> None:
    """Check what F1 is to compare.

    Raises:
        ConfigError: If it is unknown.
    """
    if f1_by not in (None, *get_args(Unit)):
        raise ConfigError(f'f1_by must be "words", "characters" or None, but is {f1_by!r}')


def rules_of(golds: Iterable[Sequence[HasText] | None], f1_by: Unit | None = None) -> Rules:
    """Return the scoring rules for questions with these golds.

    Args:
        golds: The golds of each question: empty if unanswerable, ``None`` if unlabelled.
        f1_by: What F1 compares; if ``None``, it depends on the golds.

    Returns:
        "v2.0" if any question is unanswerable, else "v1.1"; "by characters" if more than half of the answerable
        questions have a gold with letters of a script that is written without spaces.

    Raises:
        ConfigError: If ``f1_by`` is unknown.
    """
    check_unit(f1_by)
    impossible, answerable, in_unspaced = False, 0, 0
    for each in golds:
        if each:
            answerable += 1
            in_unspaced += any(unspaced(gold.text) for gold in each)
        elif each is not None:
            impossible = True
    by_characters = f1_by == "characters" if f1_by else 2 * in_unspaced > answerable
    return cast("Rules", ("v2.0" if impossible else "v1.1") + (" by characters" if by_characters else ""))


def rules_for_texts(texts: Iterable[str]) -> Rules:
    """Return the v2.0 rules; by characters if any of the texts has letters of a script without spaces."""
    return "v2.0 by characters" if any(map(unspaced, texts)) else "v2.0"


def about_rules(rules: Rules) -> str:
    """Return a phrase that names the rules, for messages."""
    version, _, by_characters = rules.partition(" ")
    unit = ", F1 by characters for scripts without spaces (as MLQA and DRCD)" if by_characters else ""
    return f"SQuAD {version} rules{unit}"


def exact_and_f1(text: str, golds: Sequence[str], rules: Rules) -> tuple[bool, float]:
    """Compare a prediction with its golds, and return the best exact match and the best F1 over all golds.

    The rules differ only for texts that are empty after normalization ("The", "...", ""). v2.0 drops such golds, and
    F1 is 1 if both texts are empty; in v1.1 that is an exact match with F1 0.

    By characters, each letter of a script without spaces counts as a word, punctuation of all scripts is removed, and
    English articles are not: as in MLQA's script for Chinese. CMRC's script compares the longest common substring
    instead, which is at most as high.

    Args:
        text: The prediction; ``""`` for no answer.
        golds: The annotated texts; empty if the question is unanswerable (only with v2.0 rules).
        rules: The scoring rules.

    Returns:
        Whether it matches exactly, and F1 in [0, 1].

    Raises:
        ValueError: If there are no golds and the rules are "v1.1".

    Source: the official evaluation scripts; Rajpurkar et al. 2016, section 6.1, and Rajpurkar et al. 2018; Lewis et al.
    2020, "MLQA", ``mlqa_evaluation_v1.py``; Shao et al. 2018, "DRCD", section 4.

    Example:
        >>> exact_and_f1("The Denver Broncos!", ["Denver Broncos", "Broncos"], "v1.1")
        (True, 1.0)
        >>> exact_and_f1("Denver", ["Denver Broncos"], "v1.1")
        (False, 0.6666666666666666)
    """
    normalize = normalize_by_characters if rules.endswith("characters") else normalize_answer
    predicted = normalize(text)
    wanted = [normalize(gold) for gold in dict.fromkeys(golds)]
    second = rules.startswith("v2.0")
    if second:
        wanted = [gold for gold in wanted if gold] or [""]
    words = predicted.split()
    return predicted in wanted, max(_f1(words, gold.split(), second) for gold in wanted)


def _f1(predicted: list[str], gold: list[str], second: bool) -> float:
    """Return the harmonic mean of precision and recall of two bags of words, by the rules of v2.0 or v1.1."""
    if second and not (predicted and gold):
        return float(predicted == gold)
    shared = sum((Counter(predicted) & Counter(gold)).values())
    if shared == 0:
        return 0.0
    precision = shared / len(predicted)
    recall = shared / len(gold)
    return (2 * precision * recall) / (precision + recall)
