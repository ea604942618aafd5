"""Calibrates a reader's folder for a corpus: reads the data, fits the parameters, and stores them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from quoth.calibrating.corpus_fit import CorpusFit, fit_corpus
from quoth.calibrating.fit import check_right_f1
from quoth.calibrating.run import Data, file_name, labelled_examples, opened_for
from quoth.corpus import Corpus
from quoth.data.provenance import DataSet
from quoth.errors import ConfigError
from quoth.reader import Reader
from quoth.store.provenance import Used, merged


@dataclass(frozen=True, slots=True)
class CorpusCalibrateResult:
    """Result of a calibration for a corpus.

    Attributes:
        folder: The folder with the calibrated reader.
        fit: The fitted parameters.
        data: Name of the file with the data; ``None`` if examples were given.
    """

    folder: Path
    fit: CorpusFit
    data: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return what ``quoth.json`` stores as ``corpus_calibration``."""
        return {"data": self.data, **self.fit.to_dict()}


def calibrate_for_corpus(
    reader: str | Path,
    data: Data,
    corpus: str | Path,
    *,
    every: int = 1,
    right_f1: float = 100.0,
    out: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CorpusCalibrateResult:
    """Fit a reader's settings for answering from a corpus, and store them in its ``quoth.json``.

    Args:
        reader: A reader folder; with ``out``, also the shipped reader or a name on the hub.
        data: Labelled data that the reader was not trained on: a file, or examples.
        corpus: The path or URL of a corpus that contains the contexts of the data, and many others.
        every: Fit on every Nth question of the data only, at least 1.
        right_f1: Minimum F1 of an answer that counts as correct, above 0 and at most 100; 100: exact matches.
        out: A new folder for the calibrated reader; ``None``: change ``reader`` itself.
        progress: Called after each question with the number of questions read so far, and the total number.

    Raises:
        ConfigError: If no question is answerable, the search finds nothing, a number is out of its range, or ``out`` is
            not empty.
        CorpusError: If there is no corpus.
        DataError: If the data cannot be read.
        ReaderError: If there is no reader.
    """
    if every < 1:
        raise ConfigError(f"every must be at least 1, but is {every}")
    check_right_f1(right_f1)
    examples = labelled_examples(data)
    folder, _ = opened_for(reader, [(data, examples)], out)
    examples = examples[::every]
    total = sum(bool(example.golds) for example in examples)
    loaded = Reader.load(folder.path)
    with Corpus.open(str(corpus), create=False) as opened:
        found = fit_corpus(
            opened,
            loaded,
            examples,
            right_f1=right_f1,
            progress=None if progress is None else lambda done: progress(done, total),
        )
    result = CorpusCalibrateResult(folder.path, found, file_name(data))
    used = merged([*folder.used, Used("calibrating", DataSet.of(data, examples))])
    settings = replace(loaded.settings, corpus=found.settings)
    written = folder.with_settings(settings, {"corpus_calibration": result.to_dict()}, out, used=used)
    return replace(result, folder=written.path)
