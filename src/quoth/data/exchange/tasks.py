"""Tasks of labelling tools, and conversion of their spans to code points from any unit of offsets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from quoth.data.repair.places import in_other_units
from quoth.data.rows import Problems, shown
from quoth.records import Gold

Labels: TypeAlias = tuple[str, tuple[Gold, ...]]


class MarkedSpan(NamedTuple):
    """A span, as exported by a tool.

    Attributes:
        start: Start, in the tool's unit.
        end: End, in the same unit, exclusive.
        text: The text of the span, or any other value in an invalid file; ``None`` if the tool does not export it.
        label: The name of its label; ``""`` if it has none.
    """

    start: int
    end: int
    text: object
    label: str = ""


class RawTask(NamedTuple):
    """A task before its spans are converted; ``labels`` has the name and the spans of each annotator."""

    where: str
    id: str
    question: str
    context: str
    title: str
    labels: Sequence[tuple[str, Sequence[MarkedSpan]]]


@dataclass(frozen=True, slots=True)
class Task:
    """One question about one context, with the labels of each annotator.

    Attributes:
        where: Its place in the file.
        id: The id of the question.
        question: The question.
        context: The context.
        title: The title of the article, or ``""``.
        labels: Name and golds of each annotator, ``()`` for no answer; empty if it has not been annotated.
    """

    where: str
    id: str
    question: str
    context: str
    title: str
    labels: tuple[Labels, ...]


def convert_spans(tasks: Iterable[RawTask], problems: Problems) -> list[Task]:
    """Convert the spans of tasks to golds, using the texts of the spans to determine the unit of the offsets.

    The unit that fits most spans of a file (code points, UTF-8 bytes, UTF-16 code units, other line ends) is tried
    first. A span that fits no unit is reported, and its task is skipped. Without a text, offsets are code points.
    """
    raws = _answers_only(list(tasks), problems)
    units = Counter(
        unit for raw in raws for _, marks in raw.labels for mark in marks for unit, _ in _fitting(raw.context, mark)
    )
    order = {unit: place for place, (unit, _) in enumerate(units.most_common())}
    found: list[Task] = []
    for raw in raws:
        labels: list[Labels] = []
        has_errors = False
        for annotator, marks in raw.labels:
            golds: dict[Gold, None] = {}
            for mark in marks:
                fitting = sorted(_fitting(raw.context, mark), key=lambda each: order[each[0]])
                if fitting:
                    golds[fitting[0][1]] = None
                else:
                    has_errors = True
                    problems.add(
                        f"{raw.where}, id {raw.id}",
                        _misplaced_message(raw.context, mark),
                        "a span that does not match its text",
                    )
            labels.append((annotator, tuple(golds)))
        if not has_errors:
            found.append(Task(*raw[:5], tuple(labels)))
    return found


def _answers_only(raws: list[RawTask], problems: Problems) -> list[RawTask]:
    """Return the tasks without the spans of other labels than "answer", if there are several; both is reported."""
    names = sorted({mark.label for raw in raws for _, marks in raw.labels for mark in marks} - {""})
    if len(names) < 2:
        return raws
    answers = [name for name in names if name.strip().lower() in ("answer", "answers", "ans")]
    if len(answers) != 1:
        problems.warn("", f"spans have the labels {', '.join(map(shown, names))}; all of them are read as answers")
        return raws
    others = ", ".join(shown(name) for name in names if name != answers[0])
    problems.warn("", f"only spans with the label {shown(answers[0])} are read as answers, not those with {others}")

    def kept(marks: Sequence[MarkedSpan]) -> list[MarkedSpan]:
        return [mark for mark in marks if mark.label in ("", answers[0])]

    return [raw._replace(labels=[(who, kept(marks)) for who, marks in raw.labels]) for raw in raws]


def _fitting(context: str, mark: MarkedSpan) -> Iterator[tuple[str, Gold]]:
    starts = {"code points": mark.start}
    ends = {"code points": mark.end}
    if mark.text is not None:
        starts.update(in_other_units(context, mark.start))
        ends.update(in_other_units(context, mark.end))
    for unit, start in starts.items():
        end = ends.get(unit, -1)
        if 0 <= start < end <= len(context):
            text = context[start:end]
            if mark.text is None or _plain(mark.text) == _plain(text):
                yield unit, Gold(text, start)


def _plain(text: object) -> object:
    return text.replace("\r\n", "\n").replace("\r", "\n") if isinstance(text, str) else text


def _misplaced_message(context: str, mark: MarkedSpan) -> str:
    there = context[max(0, mark.start) : max(0, mark.end)]
    if mark.text is None:
        length = len(context)
        return f"a span must be within the context's {length:,} code points, but is from {mark.start} to {mark.end}"
    message = f"the span from {mark.start} to {mark.end} must contain {shown(mark.text)}, but contains {shown(there)}"
    return f"{message}, whether offsets are code points, bytes or UTF-16 code units"
