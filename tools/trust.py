"""Measures probabilities and scores of the shipped reader on texts of different kinds; writes docs/trust.md.

    python tools/trust.py [--reader FOLDER] [--questions N]

Reads the data sets from QUOTH_DATA. Questions that any training stage has seen are left out. Takes some minutes.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tools")]

from abstaining_data import MIXES, mixed  # noqa: E402
from quoth.data import read_examples  # noqa: E402
from quoth.data.labels import read_labels  # noqa: E402
from quoth.evaluation import Report, evaluate  # noqa: E402
from quoth.reader import Reader  # noqa: E402
from quoth.records import Example, Prediction  # noqa: E402

PAGE = ROOT / "docs" / "trust.md"
MISLEADING = ROOT / "examples" / "data" / "misleading.json"
# Why a question of SQuAD v2.0 is unanswerable, as SQuAD2-CR calls it.
REASONS = {
    "E": "it asks for another entity",
    "#": "it asks for another number",
    "N": "a negation is added or removed",
    "A": "a word is replaced by an antonym",
    "X": "the text excludes an answer",
    "I": "the text has no information on it",
}
LANGUAGES = {
    "German": ("Wer hielt das Licht?", "Ana Ribeiro hielt das Licht des Leuchtturms vierzig Jahre lang."),
    "Portuguese": ("Quem guardou o farol?", "Ana Ribeiro guardou o farol de Cabo Branco durante quarenta anos."),
    "Thai": ("ใครเฝ้าประภาคาร", "อานาเฝ้าประภาคารที่นาตาลตั้งแต่ปี ค.ศ. 1903 เบนอบขนมปังในโอลินดา"),
    "Japanese": ("灯台はどこにありますか?", "東京の灯台は海のそばにある。1972年に建てられた。"),
    "Arabic": ("من هو الحارس؟", "المنارة على الساحل. الحارس هو أحمد منذ عشرين سنة."),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: a set of questions, and how well they were answered."""

    name: str
    report: Report

    def __str__(self) -> str:
        report, found = self.report, self.report.calibration
        assert found is not None
        probability = sum(each.decision_probability for each in found.answers) / found.total
        right = sum(each.decision_exact for each in found.answers) / found.total
        answerable, unanswerable = report.has_answer, report.no_answer
        silent = [
            f"{100 * sum(not row.text for row in part.rows) / part.total:.0f}%" if part else "–"
            for part in (answerable, unanswerable)
        ]
        return (
            f"| {self.name} | {report.total:,} | {report.exact:.1f} / {report.f1:.1f} | {silent[0]} | {silent[1]} "
            f"| {probability:.2f} | {right:.2f} | {found.error:.3f} | {100 * found.coverage(0.8):.0f}% |"
        )


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("QUOTH_DATA"), help="folder of the data sets (QUOTH_DATA)")
    parser.add_argument("--reader", help="folder of the reader; by default the shipped one")
    parser.add_argument("--questions", type=int, default=2000, help="of each set at most, evenly spread")
    options = parser.parse_args()
    if not options.data:
        sys.exit("QUOTH_DATA must name the folder of the data sets, but is not set")
    reader, data = Reader.load(options.reader), Path(options.data)
    lines = [Line(name, evaluate(reader, spread(some, options.questions))) for name, some in sets(data).items()]
    unanswerable = held_out_unanswerable(data)
    reasons = read_labels(str(data / "qa" / "squad2-unanswerable-reasons.tsv.gz"), "")
    said = list(reader.answer_all(unanswerable))
    page = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    filled = {
        "sets": [HEAD, *map(str, lines)],
        "reasons": reason_table(unanswerable, said, reasons),
        "misleading": misleading_lines(reader),
        "languages": language_lines(reader),
    }
    for name, content in filled.items():
        page = put(page, name, content)
    PAGE.write_text(page, encoding="utf-8")


HEAD = (
    "| data | questions | EM / F1 | abstains: answerable | unanswerable | mean probability | share right | ECE "
    "| coverage at 80% |\n|---|---|---|---|---|---|---|---|---|"
)


def sets(data: Path) -> dict[str, list[Example]]:
    """Return the questions of each data set that no training stage has seen."""
    squad, more = data / "squad", data / "qa"
    trained = {
        each.id for some in mixed(data, squad / "squad-v1.1-train.json", MIXES["shipped-6"]).values() for each in some
    }
    unseen = {
        name: [each for each in read_examples(more / file) if each.id not in trained]
        for name, file in (("FairytaleQA (stories)", "fairytaleqa-spans.json.gz"), ("QAMR (sentences)", "qamr.json.gz"))
    }
    return {
        "SQuAD v1.1 dev": read_examples(squad / "squad-v1.1-dev.json"),
        "SQuAD v2.0 dev": read_examples(squad / "squad-v2.0-dev.json"),
        **unseen,
        "misleading questions about manuals, contracts and news": read_examples(MISLEADING),
    }


def spread(examples: Sequence[Example], most: int) -> list[Example]:
    """Return at most a given number of examples, evenly spaced."""
    return list(examples[:: -(-len(examples) // most)])


def held_out_unanswerable(data: Path) -> list[Example]:
    """Return the human-written unanswerable questions of the held-out articles."""
    titles = (data / "squad" / "held-out-titles.txt").read_text(encoding="utf-8").splitlines()
    return [each for each in read_examples(data / "qa" / "squad2-train-unanswerable.json.gz") if each.title in titles]


def reason_table(examples: Sequence[Example], said: Sequence[Prediction], reasons: dict[str, str]) -> Iterable[str]:
    """Yield a line for each reason: how often the reader abstains, and one question that it answers nevertheless."""
    yield "| reason | questions | abstains | a question that it answers nevertheless | its answer |"
    yield "|---|---|---|---|---|"
    for reason, text in REASONS.items():
        rows = [pair for pair in zip(examples, said, strict=True) if reasons.get(pair[0].id) == reason]
        if not rows:
            continue
        silent = sum(prediction.no_answer for _, prediction in rows) / len(rows)
        wrong = [(example, prediction.best) for example, prediction in rows if prediction.best]
        example, best = min(wrong, key=lambda pair: len(pair[0].question)) if wrong else (None, None)
        shown = f"{example.question} | {best.text} ({best.probability:.0%})" if example and best else "– | –"
        yield f"| {text} | {len(rows):,} | {silent:.0%} | {shown} |"


def misleading_lines(reader: Reader) -> Iterable[str]:
    """Yield what the reader says to the first misleading question about each text."""
    yield "| text | question | its answer |\n|---|---|---|"
    seen: set[str] = set()
    for example in read_examples(MISLEADING):
        if example.golds == () and example.title not in seen:
            seen.add(example.title)
            prediction = reader.answer(example.question, example.context)
            yield f"| {example.title} | {example.question} | {shown(prediction)} |"


def language_lines(reader: Reader) -> Iterable[str]:
    """Yield what the reader answers from texts in other languages; (!) marks a prediction with a warning."""
    yield "| language | question | text | its answer |\n|---|---|---|---|"
    for language, (question, context) in LANGUAGES.items():
        prediction = reader.answer(question, context)
        mark = " (!)" if prediction.warning else ""
        yield f"| {language} | {question} | {context} | {shown(prediction)}{mark} |"


def shown(prediction: Prediction) -> str:
    """Return the answer or "no answer", with its probability."""
    if best := prediction.best:
        return f"{best.text} ({best.probability:.0%})"
    return f"no answer ({prediction.null_probability or 1:.0%})"


def put(page: str, name: str, lines: Iterable[str]) -> str:
    """Replace the lines between the markers of a name."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, _, rest = page.partition(begin)
    if not rest:
        raise SystemExit(f"{PAGE} must hold {begin.strip()}, but does not")
    return before + begin + "\n".join(lines) + "\n" + end + rest.partition(end)[2]


if __name__ == "__main__":
    main()
