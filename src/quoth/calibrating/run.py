"""Calibrates a reader's folder: reads the data, fits the parameters, and stores them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from quoth.calibrating.fit import Fit, fit
from quoth.data import read_examples
from quoth.data.provenance import DataSet
from quoth.errors import ConfigError
from quoth.names import suggests_names
from quoth.reader import Reader
from quoth.records import Example, NullThreshold
from quoth.store import SHIPPED, ReaderFolder, check_new_folder, find_folder
from quoth.store.hub import is_hub_name
from quoth.store.provenance import Used, warn_if_seen

Data = str | Path | Iterable[Example]


@dataclass(frozen=True, slots=True)
class CalibrateResult:
    """Result of a calibration.

    Attributes:
        folder: The folder with the calibrated reader.
        fit: The fitted parameters.
        data: Name of the file with the data; ``None`` if examples were given.
        pairs: Name of the file with additional unanswerable questions; ``None`` if there is none.
        max_cost: The argument ``max_cost``.
    """

    folder: Path
    fit: Fit
    data: str | None
    pairs: str | None
    max_cost: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return what ``quoth.json`` stores as ``calibration``."""
        return {"data": self.data, "pairs": self.pairs, "max_cost": self.max_cost, **self.fit.to_dict()}


@suggests_names
def calibrate(
    reader: str | Path,
    data: Data,
    *,
    unanswerable: Data = (),
    max_cost: float | None = None,
    right_f1: float = 100.0,
    unanswerable_share: float = 0.5,
    null_threshold: NullThreshold | None = None,
    min_probability: float | None = None,
    out: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CalibrateResult:
    """Fit a reader's probabilities, null threshold and operating points, and store them in its ``quoth.json``.

    Args:
        reader: A reader folder; with ``out``, also the shipped reader or a name on the hub.
        data: Labelled data that the reader was not trained on: a file, or examples.
        unanswerable: Additional unanswerable questions, such as from ``quoth data pairs``: a file, or examples.
        max_cost: Maximum loss of F1 points on the answerable questions by abstaining; ``None``: no limit.
        right_f1: Minimum F1 of an answer that counts as correct, above 0 and at most 100; 100: exact matches.
        unanswerable_share: Share of unanswerable questions to fit for, in (0, 1).
        null_threshold: The null threshold to store, a number or "never"; ``None``: the one with the best F1.
        min_probability: An additional operating point to report, given as a minimum probability in [0, 1].
        out: A new folder for the calibrated reader; ``None``: change ``reader`` itself.
        progress: Called after each question with the number of questions read so far, and the total number.

    Returns:
        The folder, and the fitted parameters.

    Raises:
        ConfigError: If no question is answerable, a number is out of its range, or ``out`` is not empty.
        DataError: If the data cannot be read.
        ReaderError: If there is no reader.

    Example:
        >>> result = calibrate("my-reader", "held-out.json", unanswerable="pairs.json")  # doctest: +SKIP
        >>> result.fit.probability.temperature, result.fit.threshold.threshold  # doctest: +SKIP
        (1.21, -0.4)
    """
    examples, pairs = labelled_examples(data), labelled_examples(unanswerable)
    sets = [(data, examples), *([(unanswerable, pairs)] if pairs else [])]
    folder, others = opened_for(reader, sets, out)
    loaded = Reader.load(folder.path)
    total = sum(example.golds is not None for example in (*examples, *pairs))
    found = fit(
        loaded,
        examples,
        pairs,
        max_cost=max_cost,
        right_f1=right_f1,
        unanswerable_share=unanswerable_share,
        null_threshold=null_threshold,
        min_probability=min_probability,
        progress=None if progress is None else lambda done: progress(done, total),
    )
    result = CalibrateResult(folder.path, found, file_name(data), file_name(unanswerable), max_cost)
    used = [*others, *(Used("calibrating", DataSet.of(source, each)) for source, each in sets)]
    settings = found.settings(loaded.settings)
    return replace(
        result, folder=folder.with_settings(settings, {"calibration": result.to_dict()}, out, used=used).path
    )


def opened_for(
    reader: str | Path, sets: Sequence[tuple[object, Sequence[Example]]], out: str | Path | None
) -> tuple[ReaderFolder, list[Used]]:
    """Return the folder of a reader to calibrate, and the data sets that it was made from, except for calibration.

    Warns if the reader was trained on, or selected by, questions or contexts of the calibration data.

    Args:
        reader: The reader.
        sets: The calibration data: the source of each data set, and its examples.
        out: As for :func:`calibrate`.

    Raises:
        ConfigError: If ``out`` is not empty, or if it is missing and ``reader`` is not a folder.
    """
    if out is not None:
        check_new_folder(out)
    elif str(reader) == SHIPPED or is_hub_name(str(reader)):
        raise ConfigError(f"{reader} is not a folder, so the calibrated copy must be written to a new one: --out DIR")
    folder = find_folder(reader)
    others = [each for each in folder.used if each.role != "calibrating"]
    for source, examples in sets:
        name = str(source) if isinstance(source, str | Path) else "the data"
        warn_if_seen(others, examples, name, purpose="probabilities fitted on them are not valid for new questions")
    return folder, others


def labelled_examples(data: Data) -> list[Example]:
    """Return examples as they are given, or those of a file."""
    return list(read_examples(data, places=False) if isinstance(data, str | Path) else data)


def file_name(data: Data) -> str | None:
    """Return the name of a file without its folder; ``None`` for examples."""
    return Path(data).name if isinstance(data, str | Path) else None
