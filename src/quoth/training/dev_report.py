"""The report of a finished run: the scores of its reader on the dev examples, as one HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from quoth.drawing.report import Mistakes, ReportParts, write_report
from quoth.evaluation import evaluate
from quoth.evaluation.metrics import rules_of
from quoth.reader import Reader
from quoth.store.provenance import warnings_of
from quoth.training.sources import Labelled

_TOO_HIGH = "scores on them are higher than on new questions"


def write_dev_report(folder: Path, dev: Labelled, history: Sequence[Mapping[str, Any]], file: Path) -> str:
    """Evaluate the reader of a run on the dev examples, write the page of ``quoth evaluate --html``, and return it.

    Args:
        folder: The reader's folder, as written at the end of the run, with its null threshold.
        dev: The dev examples. The page warns that they selected the checkpoint.
        history: The log of the run, for the learning curve.
        file: The file of the page.
    """
    reader = Reader.load(folder)
    names = ", ".join(Path(each.name).name for each in dev.sets)
    wrong = Mistakes(rules_of(example.golds for example in dev))
    report = evaluate(reader, dev.examples, each=wrong.add)
    seen = warnings_of(reader.made_from, dev.examples, names, purpose=_TOO_HIGH)
    threshold = reader.settings.decode.null_threshold
    return write_report(file, ReportParts(folder.resolve().name, names, report, wrong, threshold, seen, history))
