"""Tasks of labelling tools, and where their marked spans stand, whatever unit their offsets count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from quoth.data.repair.places import in_other_units
from quoth.data.rows import Problems, shown
from quoth.records import Gold

Labels: TypeAlias = tuple[str, tuple[Gold, ...]]


class Marked(NamedTuple):
    """A span as a tool gives it.

    Attributes:
        start: In the tool's own unit.
        end: In the same unit, exclusive.
        text: What it says the span holds; ``None`` if it does not say.
    """

    start: int
    end: int
    text: str | None


class Raw(NamedTuple):
    """A task before its spans are placed; ``labels`` has the spans of each annotator, by name."""

    where: str
    id: str
    question: str
    context: str
    title: str
    labels: Sequence[tuple[str, Sequence[Marked]]]


@dataclass(frozen=True, slots=True)
class Task:
    """One question of one context, with what each annotator marked.

    Attributes:
        where: Its place in the file.
        id: Of the question.
        question: As written.
        context: As written.
        title: The article's, or ``""``.
        labels: Each annotator's name and golds, ``()`` for no answer; no labels if nobody has annotated it.
    """

    where: str
    id: str
    question: str
    context: str
    title: str
    labels: tuple[Labels, ...]


def placed(tasks: Iterable[Raw], problems: Problems) -> list[Task]:
    """Find each marked span in its context, by the text that it must hold.

    The unit that fits most spans of a file (code points, bytes of UTF-8, units of UTF-16, other line ends) is tried
    first. A span that fits under none is an error, and its task is left out. Without its text a span is taken for one
    of code points.
    """
    raws = list(tasks)
    units = Counter(
        unit for raw in raws for _, marks in raw.labels for mark in marks for unit, _ in _fitting(raw.context, mark)
    )
    order = {unit: place for place, (unit, _) in enumerate(units.most_common())}
    found: list[Task] = []
    for raw in raws:
        labels: list[Labels] = []
        wrong = False
        for annotator, marks in raw.labels:
            golds: dict[Gold, None] = {}
            for mark in marks:
                fitting = sorted(_fitting(raw.context, mark), key=lambda each: order[each[0]])
                if fitting:
                    golds[fitting[0][1]] = None
                else:
                    wrong = True
                    problems.add(f"{raw.where}, id {raw.id}", _misplaced(raw.context, mark), "a span that has no place")
            labels.append((annotator, tuple(golds)))
        if not wrong:
            found.append(Task(*raw[:5], tuple(labels)))
    return found


def _fitting(context: str, mark: Marked) -> Iterator[tuple[str, Gold]]:
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


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _misplaced(context: str, mark: Marked) -> str:
    there = context[max(0, mark.start) : max(0, mark.end)]
    if mark.text is None:
        length = len(context)
        return f"a span must lie within the context's {length:,} code points, but is {mark.start} to {mark.end}"
    said = f"the span from {mark.start} to {mark.end} must hold {shown(mark.text)}, but holds {shown(there)}"
    return f"{said}, in code points, bytes and units of UTF-16 alike"
