"""Writes SQuAD prediction files as a stream, atomically."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from quoth.evaluation.answer_files import answer_file, json_object, text_file
from quoth.evaluation.report import NOTHING_READ
from quoth.records import Prediction


@contextmanager
def prediction_files(
    predictions: Path | None, nbest: Path | None = None, null_odds: Path | None = None, *, excel_safe: bool = False
) -> Iterator[Callable[[Prediction], None]]:
    """Open SQuAD prediction files, and yield a function that adds a prediction to each of them.

    Nothing is kept in memory. The files are written atomically: they are unchanged if the block raises.

        with prediction_files(Path("predictions.json")) as write:
            for prediction in reader.answer_all(examples):
                write(prediction)

    Args:
        predictions: File of the answers, in the format of its extension: JSON (``{id: text}``, ``""`` for no answer),
            JSON lines, CSV, TSV or Parquet; not written if ``None``.
        nbest: File of ``{id: [answer]}``: all answers, best first, even if the reader abstains. An answer has the keys
            of :meth:`Answer.to_dict <quoth.Answer.to_dict>` except for ``variants`` and ``places``.
        null_odds: File of ``{id: null score - best score}``, for the ``--na-prob-file`` of the official v2.0 scorer; a
            higher number means that "no answer" is more likely.
        excel_safe: In a table, put an apostrophe before cells that a spreadsheet would evaluate as formulas.

    Raises:
        ConfigError: If the extension of ``predictions`` is not a supported format.
        MissingExtraError: If the format is Parquet and pyarrow is not installed.
    """
    with ExitStack() as stack:
        texts = stack.enter_context(answer_file(predictions, excel_safe=excel_safe)) if predictions else None
        lists, odds = (stack.enter_context(_json_file(path)) if path else None for path in (nbest, null_odds))

        def write(prediction: Prediction) -> None:
            if texts:
                texts(prediction)
            if lists:
                lists(prediction.id, _nbest(prediction))
            if odds:
                odds(prediction.id, _null_odds(prediction))

        yield write


def _nbest(prediction: Prediction) -> list[dict[str, Any]]:
    # Answers may overlap here, so none of them has variants or places.
    return [
        {name: value for name, value in answer.items() if name not in ("variants", "places")}
        for answer in prediction.to_dict()["answers"]
    ]


def _null_odds(prediction: Prediction) -> float:
    return NOTHING_READ if prediction.null_odds is None else float(prediction.null_odds)


@contextmanager
def _json_file(path: Path) -> Iterator[Callable[[str, object], None]]:
    with text_file(path) as file, json_object(file) as add:
        yield add
