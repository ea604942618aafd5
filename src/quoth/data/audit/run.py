"""Runs the audit of texts and labels, without a reader."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from quoth.data.audit.records import KINDS, Audit, Finding, Located, Suspect
from quoth.data.audit.suspects import reader_findings
from quoth.data.near_duplicates import Groups, near_pairs
from quoth.data.terms import terms
from quoth.records import Example, Gold
from quoth.text import SENTENCE_OR_LINE_END, normalize_answer

LENGTHS = (1, 2, 4, 8, 16, 32)  # upper bounds of the bins of answer lengths; one more bin is for longer answers
_LONG = 32  # minimum length of an unusually long answer, in terms
_REPEATED, _MIN_TERMS = 0.9, 4  # minimum share of a question's terms in one sentence, and minimum number of terms
_QUESTION_WORDS = frozenset(
    (
        *("what", "which", "who", "whom", "whose", "when", "where", "why", "how", "many", "much", "did", "do", "does"),
        *("is", "are", "was", "were", "the", "a", "an", "of", "in", "to"),
    )
)


def audit(sets: Mapping[str, Sequence[Example]], suspected: Sequence[tuple[str, Suspect]] = ()) -> Audit:
    """Find problems of data sets that could distort training or evaluation.

    Args:
        sets: The data sets by name.
        suspected: Predictions of a reader that was not trained on the data, with the name of the set; see
            :func:`suspects`.
    """
    located = [Located(name, example) for name, examples in sets.items() for example in examples]
    contexts = list(dict.fromkeys(each.example.context for each in located))
    numbers = {context: number for number, context in enumerate(contexts)}
    pairs = near_pairs(contexts)
    groups = Groups(len(contexts))
    for pair in pairs:
        groups.join(pair.first, pair.second)
    group_of = {context: groups.find(number) for context, number in numbers.items()}
    findings = [
        *_shared_contexts(located, [(contexts[a], contexts[b], similarity) for a, b, similarity in pairs]),
        *_same_questions(located, group_of),
        *_labels(located),
        *reader_findings(suspected),
    ]
    order = list(KINDS)
    findings.sort(key=lambda finding: (order.index(finding.kind), -finding.order))
    no_reader = "Label errors were not searched for, because no reader was given (--reader or --folds)."
    return Audit(
        sources={name: _counts(examples) for name, examples in sets.items()},
        findings=tuple(findings),
        lengths={name: _lengths(examples) for name, examples in sets.items()},
        notes=() if suspected else (no_reader,),
        has_reader=bool(suspected),
    )


def _counts(examples: Sequence[Example]) -> dict[str, int]:
    return {
        "questions": len(examples),
        "contexts": len({example.context for example in examples}),
        "articles": len({example.title for example in examples} - {""}),
        "unanswerable": sum(example.golds == () for example in examples),
        "unlabelled": sum(example.golds is None for example in examples),
    }


def _lengths(examples: Sequence[Example]) -> tuple[int, ...]:
    counts = [0] * (len(LENGTHS) + 1)
    for example in examples:
        for gold in example.golds or ():
            length = len(terms(gold.text))
            counts[sum(length > end for end in LENGTHS)] += 1
    return tuple(counts)


def _shared_contexts(located: Sequence[Located], pairs: Sequence[tuple[str, str, float]]) -> Iterator[Finding]:
    """Yield contexts that two sets have in common, once for each pair of sets."""
    by_context: defaultdict[str, dict[str, Located]] = defaultdict(dict)
    for each in located:
        by_context[each.example.context].setdefault(each.source, each)
    for by_source in by_context.values():
        first, *others = by_source.values()
        yield from (Finding("same context", other, first, "the same text", 100) for other in others)
    for one, two, similarity in pairs:
        for first in by_context[one].values():
            for second in by_context[two].values():
                if first.source != second.source and second.source not in by_context[one]:
                    yield Finding("near context", second, first, f"{similarity:.0f}% similar", similarity)


def _same_questions(located: Sequence[Located], group_of: Mapping[str, int]) -> Iterator[Finding]:
    """Yield questions that occur twice with nearly the same context: in two sets, or with different answers."""
    asked: defaultdict[tuple[str, int], list[Located]] = defaultdict(list)
    for each in located:
        asked[" ".join(terms(each.example.question)), group_of[each.example.context]].append(each)
    for same in asked.values():
        first = same[0]
        seen = {first.source}
        for other in same[1:]:
            if other.source not in seen:
                seen.add(other.source)
                yield Finding("same question", other, first, "the same question", 100)
            if _contradict(first.example.golds, other.example.golds):
                yield Finding("contradiction", other, first, _compared(first.example, other.example), 100)


def _contradict(first: tuple[Gold, ...] | None, second: tuple[Gold, ...] | None) -> bool:
    if first is None or second is None:
        return False
    if not first or not second:
        return bool(first) != bool(second)
    words = [{word for gold in golds for word in normalize_answer(gold.text).split()} for golds in (first, second)]
    texts = ["".join(normalize_answer(gold.text).split()) for golds in (first, second) for gold in golds]
    is_contained = any(a in b or b in a for a in texts[: len(first)] for b in texts[len(first) :])
    return not (words[0] & words[1] or is_contained)


def _compared(first: Example, second: Example) -> str:
    answers = (example.golds[0].text if example.golds else "no answer" for example in (first, second))
    return " against ".join(answers)


def _labels(located: Sequence[Located]) -> Iterator[Finding]:
    for each in located:
        example = each.example
        for gold in (example.golds or ())[:1]:
            length = len(terms(gold.text))
            is_context = gold.text.strip() == example.context.strip()
            if length > _LONG or (is_context and length > 1):
                note = "the whole context" if is_context else f"{length} words"
                yield Finding("odd length", each, None, note, length)
            share = _repeated(example, gold)
            if share >= _REPEATED:
                yield Finding("repeats its sentence", each, None, f"{share:.0%} of its words", share)


def _repeated(example: Example, gold: Gold) -> float:
    """Return the share of the question's terms that the answer's sentence contains; 0 for very short questions."""
    asked = [term for term in terms(example.question) if term not in _QUESTION_WORDS]
    if len(asked) < _MIN_TERMS:
        return 0.0
    start = max((end.end() for end in SENTENCE_OR_LINE_END.finditer(example.context, 0, gold.start)), default=0)
    found = SENTENCE_OR_LINE_END.search(example.context, gold.span.end)
    sentence = set(terms(example.context[start : found.start() if found else None]))
    return sum(term in sentence for term in asked) / len(asked)
