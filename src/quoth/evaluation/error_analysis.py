"""Error analysis: wrong answers with their cause and an excerpt, as a JSON-lines file to read through."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quoth.evaluation.metrics import Rules, exact_and_f1
from quoth.files import atomic_text
from quoth.records import Example, Gold, Prediction
from quoth.text import SENTENCE_OR_LINE_END, normalize_answer

_REACH = 100  # code points of the context on either side of prediction and gold
_NEAR = 200  # maximum distance of gold and prediction that counts as nearby, in code points

# Cause -> its meaning, in the order in which they are checked.
CAUSES = {
    "abstained": "the reader abstained, but the question has an answer",
    "should abstain": "the reader answered, but the question has no answer",
    "spelling": "equals the gold except for spaces, hyphens and other marks that the metrics do not ignore",
    "too long": "contains the gold and more",
    "too short": "a part of the gold",
    "shifted": "overlaps the gold, but each has words that the other does not have",
    "same sentence": "another part of the sentence with the gold",
    "nearby": "another sentence, within 200 code points of the gold",
    "elsewhere": "further away from the gold",
}


@contextmanager
def mistake_file(
    path: str | Path, rules: Rules
) -> Iterator[tuple[Callable[[Example, Prediction], None], Counter[str]]]:
    """Open a JSON-lines file for wrong answers, which is written atomically.

    Args:
        path: The file.
        rules: The scoring rules of the report, see :func:`quoth.evaluation.metrics.rules_of`.

    Yields:
        A function that takes an example and its prediction, and writes them if the prediction is wrong; and the counts
        of causes so far.
    """
    counts: Counter[str] = Counter()
    with atomic_text(Path(path)) as file:

        def write(example: Example, prediction: Prediction) -> None:
            if found := mistake(example, prediction, rules):
                counts[found["cause"]] += 1
                file.write(json.dumps(found, ensure_ascii=False).encode("utf-8", "backslashreplace").decode() + "\n")

        yield write, counts


def mistake(example: Example, prediction: Prediction, rules: Rules) -> dict[str, Any] | None:
    """Describe a wrong answer; ``None`` if it is right or the example unlabelled.

    Args:
        example: The example.
        prediction: The prediction for it.
        rules: The scoring rules; must be v2.0 for an unanswerable example.

    Returns:
        ``id``, ``title``, ``cause`` (a key of ``CAUSES``), ``question``, ``golds``, ``prediction`` (``""`` if the
        reader abstained), ``best`` (the best answer, even then), ``same_kind`` (whether it and the gold are both
        numbers, both names, or neither), ``probability``, ``null_odds``, ``f1`` (0 to 100) and ``excerpt``: the context
        around gold and best answer, marked as ``{{gold}}`` and ``[[best]]``, if both are in the same context.
    """
    if example.golds is None:
        return None
    exact, f1 = exact_and_f1(prediction.text, [gold.text for gold in example.golds], rules)
    if exact:
        return None
    best = prediction.answers[0] if prediction.answers else None
    return {
        "id": example.id,
        "title": example.title,
        "cause": _cause(example, prediction),
        "question": example.question,
        "golds": list(dict.fromkeys(gold.text for gold in example.golds)),
        "prediction": prediction.text,
        "best": best.text if best else "",
        "same_kind": best is not None and any(_kind(best.text) == _kind(gold.text) for gold in example.golds),
        "probability": best.probability if best else None,
        "null_odds": prediction.null_odds,
        "f1": 100.0 * f1,
        "excerpt": _excerpt(example, prediction),
    }


def _cause(example: Example, prediction: Prediction) -> str:
    golds, best = example.golds or (), prediction.best
    if best is None:
        return "abstained"
    if not golds:
        return "should abstain"
    if any(_letters(gold.text) == _letters(best.text) for gold in golds):
        return "spelling"
    golds = tuple(gold for gold in golds if gold.context_index == best.context_index)
    if not golds:
        return "elsewhere"
    overlapping = [gold for gold in golds if gold.span.start < best.span.end and best.span.start < gold.span.end]
    if overlapping:
        return _boundary(overlapping, best.text)
    gold = _nearest(golds, best.span.start)
    between = sorted((gold.span, best.span))
    gap = example.contexts[best.context_index][between[0].end : between[1].start]
    if not SENTENCE_OR_LINE_END.search(gap):
        return "same sentence"
    return "nearby" if len(gap) <= _NEAR else "elsewhere"


def _boundary(golds: Sequence[Gold], text: str) -> str:
    words = normalize_answer(text)
    if any(normalize_answer(gold.text) in words for gold in golds):
        return "too long"
    return "too short" if any(words in normalize_answer(gold.text) for gold in golds) else "shifted"


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _kind(text: str) -> str:
    """Return "number" for a text with a digit, "name" if all longer words are capitalized, else "other"."""
    if any(map(str.isdigit, text)):
        return "number"
    words = [word for word in text.split() if len(word) > 3]
    return "name" if words and all(word[:1].isupper() for word in words) else "other"


def _nearest(golds: Sequence[Gold], place: int) -> Gold:
    return min(golds, key=lambda gold: abs(gold.start - place))


def _excerpt(example: Example, prediction: Prediction) -> str:
    """Return the context around gold and best answer, both marked; ``…`` stands for omitted text."""
    best = prediction.answers[0] if prediction.answers else None
    index = best.context_index if best else example.golds[0].context_index if example.golds else 0
    context = example.contexts[index] if example.contexts else ""
    marked = [(best.span, "[[", "]]")] if best else []
    if golds := [gold for gold in example.golds or () if gold.context_index == index]:
        marked.append((_nearest(golds, best.span.start if best else 0).span, "{{", "}}"))
    # At the same offset, ends come before starts; of two starts the longer span is first, of two ends the shorter.
    marks = [(span.start, 1, -span.end, left) for span, left, _ in marked]
    marks += [(span.end, 0, -span.start, right) for span, _, right in marked]
    pieces: list[str] = []
    done = 0
    for place, *_, mark in sorted(marks):
        pieces += [_shortened(context, done, place, keep_head=bool(pieces)), mark]
        done = place
    pieces.append(_shortened(context, done, len(context), keep_head=True, keep_tail=False))
    return " ".join("".join(pieces).split())


def _shortened(context: str, start: int, end: int, *, keep_head: bool, keep_tail: bool = True) -> str:
    """Return a part of the context; if it is long, without the text that is far from the marks."""
    if end - start <= 2 * _REACH:
        return context[start:end]
    head = context[start : start + _REACH] if keep_head else ""
    return f"{head} … {context[end - _REACH : end] if keep_tail else ''}"
