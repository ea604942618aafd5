"""The report of an evaluation as one self-contained page, which explains its metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from quoth.display import percent
from quoth.drawing.charts import line_chart
from quoth.drawing.markup import escaped
from quoth.drawing.page import page, table
from quoth.evaluation import Comparison, Report, Slice
from quoth.evaluation.calibration import Calibration, risk_coverage
from quoth.evaluation.error_analysis import CAUSES, mistake
from quoth.evaluation.threshold import threshold_curve
from quoth.files import atomic_text
from quoth.records import Example, NullThreshold, Prediction, Span

_EXAMPLES = 20  # maximum number of examples of each cause
_AROUND = 160  # code points of the context on either side of a marked span
_FEW = 300


@dataclass
class Mistakes:
    """The wrong answers of an evaluation: the number of each cause, and some of each.

    Attributes:
        rules: The scoring rules.
        counts: Number of wrong answers by cause.
        shown: The first wrong answers of each cause.
    """

    rules: Any
    counts: dict[str, int] = field(default_factory=dict)
    shown: dict[str, list[tuple[Example, Prediction]]] = field(default_factory=dict)

    def add(self, example: Example, prediction: Prediction) -> None:
        """Add an answer if it is wrong."""
        if found := mistake(example, prediction, self.rules):
            cause = found["cause"]
            self.counts[cause] = self.counts.get(cause, 0) + 1
            if self.counts[cause] <= _EXAMPLES:
                self.shown.setdefault(cause, []).append((example, prediction))


@dataclass(frozen=True)
class ReportParts:
    """The contents of a report page.

    Attributes:
        reader, data: Names of the reader and of the data.
        report: The scores.
        mistakes: The wrong answers.
        threshold: The null threshold in use, or "never"; ``None`` if a minimum probability was used instead.
        warnings: Sentences at the top of the page.
        history: The log of the training run; empty if there is none.
        slices: Slices in addition to the report's own: dimension -> label -> slice.
        comparison: Comparison with another reader.
    """

    reader: str
    data: str
    report: Report
    mistakes: Mistakes
    threshold: NullThreshold | None = None
    warnings: Sequence[str] = ()
    history: Sequence[Mapping[str, Any]] = ()
    slices: Mapping[str, Mapping[str, Slice]] = field(default_factory=dict)
    comparison: Comparison | None = None


def report_page(parts: ReportParts) -> str:
    """Return the page, which has no scripts and loads no external resources."""
    report = parts.report
    content = [
        f"<h1>How well {escaped(parts.reader)} answers {escaped(parts.data)}</h1>",
        f"<p>The reader answers a question with a quote from the given text, or abstains if the text does not answer "
        f"it. It was evaluated on {report.total:,} questions with answers marked by annotators.</p>",
        *(f'<p class="warning">{escaped(sentence)}</p>' for sentence in _warnings(parts)),
        "<h2>Scores</h2>",
        "<p>Exact match is the percentage of questions whose answer equals a marked one, ignoring case, punctuation "
        f"and articles. F1 also gives credit for some of the {_unit(report)}. Brackets contain 95% confidence "
        "intervals: the range in which the score on similar questions would be expected.</p>",
        _scores(report),
    ]
    if parts.comparison:
        content += ["<h2>Comparison with another reader</h2>", *_comparison(parts.comparison)]
    if report.calibration:
        content += _probabilities(report.calibration)
    content += _threshold(parts)
    content += _slices({**report.slices, **parts.slices})
    content += _learning_curves(parts.history)
    content += _mistakes(parts.mistakes, report.total)
    return page(f"{parts.reader} on {parts.data}", "\n".join(content))


def write_report(file: Path, parts: ReportParts) -> str:
    """Write the page atomically, and return it."""
    content = report_page(parts).encode("utf-8", "replace").decode()
    with atomic_text(file) as opened:
        opened.write(content)
    return content


def _unit(report: Report) -> str:
    return "characters" if report.rules.endswith("characters") else "words"


def _warnings(parts: ReportParts) -> list[str]:
    total = parts.report.total
    few = (
        f"There are only {total:,} questions: confidence intervals are wide, and small differences are not meaningful."
    )
    return [*parts.warnings, *([few] if total < _FEW else []), *parts.report.notes]


def _scores(report: Report) -> str:
    kinds = {"all": report, "with an answer": report.has_answer, "without one": report.no_answer}
    if not (report.has_answer and report.no_answer):
        kinds = {"all": report}
    return _slice_table("questions", {name: part for name, part in kinds.items() if part})


def _slice_table(name: str, parts: Mapping[str, Slice]) -> str:
    rows = [
        [
            escaped(label),
            f"{part.total:,}",
            _figure(part.exact, part.exact_interval),
            _figure(part.f1, part.f1_interval),
        ]
        for label, part in parts.items()
    ]
    return table([name, "#number", "#exact match", "#F1"], rows)


def _figure(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.1f} [{interval[0]:.1f}, {interval[1]:.1f}]"


def _comparison(comparison: Comparison) -> list[str]:
    reports = zip(comparison.names, (comparison.first, comparison.second), strict=True)
    rows = [[escaped(name), f"{report.exact:.1f}", f"{report.f1:.1f}"] for name, report in reports]
    sentences = [f"<p>{escaped(sentence[:1].upper() + sentence[1:])}</p>" for sentence in comparison.sentences]
    return [table(["reader", "#exact match", "#F1"], rows), *sentences]


def _probabilities(calibration: Calibration) -> list[str]:
    full = [each for each in calibration.bins if each.total]
    points = [(each.probability or 0.0, each.accuracy or 0.0) for each in full]
    rows = [
        [f"{each.low:.2f} to {each.high:.2f}", f"{each.total:,}", f"{each.probability:.2f}", f"{each.accuracy:.2f}"]
        for each in full
    ]
    risk = risk_coverage(
        [each.decision_probability for each in calibration.answers],
        [1.0 - each.decision_exact for each in calibration.answers],
    )
    shares = (np.arange(len(risk)) + 1) / len(risk)
    coverage = [(0.0, float(risk[0])), *zip(map(float, shares), map(float, risk), strict=True)]
    return [
        "<h2>Are the probabilities reliable?</h2>",
        "<p>Each decision has a probability. Of the decisions with probability 0.8, 80% should be correct; then the "
        f"line is on the diagonal. The mean deviation is {calibration.error:.3f} (expected calibration error).</p>",
        line_chart({"reader": points, "perfect": [(0.0, 0.0), (1.0, 1.0)]}, x="probability", y="share right", top=1.0),
        f"<details><summary>The figures, with the number of questions of each</summary>"
        f"{table(['probability', '#questions', '#mean', '#share right'], rows)}</details>",
        "<h2>Risk and coverage</h2>",
        "<p>If only the most confident decisions are used, fewer of them are wrong. From left to right, a larger share "
        "of the questions is decided.</p>",
        line_chart({"wrong": coverage}, x="share of questions decided", y="share wrong", top=1.0),
    ]


def _threshold(parts: ReportParts) -> list[str]:
    report = parts.report
    if not (report.has_answer and report.no_answer) or report.missing or report.calibration is None:
        return []
    rows = [row for row in report.rows if row.confidence]
    odds = [row.confidence.null_odds for row in rows if row.confidence]
    f1 = [row.confidence.f1_share for row in rows if row.confidence]
    places, *values = threshold_curve(odds, f1, [row.answerable for row in rows])
    names = ("with an answer", "without one", "all")
    lines = {
        name: list(zip(map(float, places), map(float, each), strict=True))
        for name, each in zip(names, values, strict=True)
    }
    stored = parts.threshold if isinstance(parts.threshold, float | int) else None
    says = "It never abstains." if parts.threshold == "never" else ""
    says = f"It is {stored:.2f} here, marked by a line." if stored is not None else says
    return [
        "<h2>The null threshold</h2>",
        "<p>The reader abstains if the score of “no answer” exceeds that of its best answer by more than the null "
        f"threshold. {escaped(says)} With a higher threshold, it answers more often.</p>",
        line_chart(lines, x="null threshold", y="F1", top=100.0, marked=stored),
    ]


def _slices(slices: Mapping[str, Mapping[str, Slice]]) -> list[str]:
    tables = [_slice_table(name, parts) for name, parts in slices.items() if len(parts) > 1]
    return ["<h2>Which questions are hard?</h2>", *tables] if tables else []


def _learning_curves(history: Sequence[Mapping[str, Any]]) -> list[str]:
    scores = _curves(history, {"F1": "eval_f1", "exact match": "eval_exact"})
    losses = _curves(history, {"training": "loss", "development data": "eval_loss"})
    content = []
    if scores:
        content += [
            "<p>The scores on the development data, which selected the best checkpoint, over the training steps.</p>",
            line_chart(scores, x="step", y="per cent", top=100.0),
        ]
    if losses:
        highest = max(loss for points in losses.values() for _, loss in points)
        content += [
            "<p>The loss, which training minimizes. If it decreases on the training data but increases on the "
            "development data, the reader overfits.</p>",
            line_chart(losses, x="step", y="loss", top=float(f"{1.05 * highest:.2g}") or 1.0),
        ]
    return ["<h2>Training</h2>", *content] if content else []


def _curves(history: Sequence[Mapping[str, Any]], keys: Mapping[str, str]) -> dict[str, list[tuple[float, float]]]:
    """Return name -> (step, value) for each key of a log that has at least two values."""
    found = {
        name: [(float(row["step"]), float(row[key])) for row in history if key in row] for name, key in keys.items()
    }
    return {name: points for name, points in found.items() if len(points) > 1}


def _mistakes(mistakes: Mistakes, total: int) -> list[str]:
    wrong = sum(mistakes.counts.values())
    if not wrong:
        return ["<h2>Wrong answers</h2>", "<p>None.</p>"]
    order = sorted(mistakes.counts, key=lambda cause: -mistakes.counts[cause])
    rows = [[escaped(cause), f"{mistakes.counts[cause]:,}", escaped(CAUSES[cause])] for cause in order]
    parts = [
        f"<h2>Wrong answers: {wrong:,} of {total:,}</h2>",
        '<p>Marked in the texts: <mark class="gold">the gold answer</mark> and <mark class="predicted">the best '
        'answer of the reader</mark>, even if it abstained; <mark class="gold predicted">both</mark>.</p>',
        table(["cause", "#number", "meaning"], rows),
    ]
    for cause in order:
        shown = mistakes.shown[cause]
        more = mistakes.counts[cause] - len(shown)
        parts.append(f"<h3>{escaped(cause[:1].upper() + cause[1:])}: {mistakes.counts[cause]:,}</h3>")
        parts += [_mistake(example, prediction) for example, prediction in shown]
        parts += [f'<p class="soft">… and {more:,} more</p>'] if more else []
    return parts


def _mistake(example: Example, prediction: Prediction) -> str:
    best = prediction.answers[0] if prediction.answers else None
    golds = " or ".join(f"“{text}”" for text in dict.fromkeys(gold.text for gold in example.golds or ())) or "no answer"
    predicted = f"“{prediction.best.text}” ({percent(prediction.best.probability)})" if prediction.best else "no answer"
    index = best.context_index if best else 0
    spans = [(gold.span, "gold") for gold in example.golds or () if gold.context_index == index]
    spans += [(best.span, "predicted")] if best else []
    where = " · ".join(filter(None, (example.title, example.id)))
    return (
        f"<details open><summary>{escaped(example.question)} <small>{escaped(where)}</small></summary>"
        f"<p>Right: {escaped(golds)}. The reader: {escaped(predicted)}.</p>"
        f'<p class="text">{marked(example.contexts[index], spans)}</p></details>'
    )


def marked(context: str, spans: Sequence[tuple[Span, str]]) -> str:
    """Return the part of a context around spans, each marked by its class; spans may overlap.

    Args:
        context: The context.
        spans: Spans and their classes.
    """
    places = {place for span, _ in spans for place in (span.start, span.end)}
    shown = [(max(0, place - _AROUND), min(len(context), place + _AROUND)) for place in sorted(places)]
    ranges: list[tuple[int, int]] = []
    for start, end in shown or [(0, min(len(context), 2 * _AROUND))]:
        if ranges and start <= ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], max(end, ranges[-1][1]))
        else:
            ranges.append((start, end))
    pieces = []
    for start, end in ranges:
        pieces.append("…" if start else "")
        cuts = sorted({start, end, *(place for place in places if start < place < end)})
        for first, last in pairwise(cuts):
            kinds = " ".join(sorted({kind for span, kind in spans if span.start <= first and last <= span.end}))
            text = escaped(context[first:last])
            pieces.append(f'<mark class="{kinds}">{text}</mark>' if kinds else text)
    if ranges[-1][1] < len(context):
        pieces.append("…")
    return "".join(pieces)
