"""Trains readers for ``quoth data audit --folds``, each on all folds but one, to predict the answers of that one."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from quoth.cli.console import note
from quoth.records import Example

if TYPE_CHECKING:
    from quoth.data.audit import Suspect

# Number of questions with which the duration is estimated, and number of epochs of each reader.
_PROBES, _EPOCHS = 48, 2


def by_folds(
    sets: Mapping[str, Sequence[Example]], folds: int, base: str, f1: Callable[[str, Sequence[str]], float]
) -> list[tuple[str, Suspect]]:
    """Train a reader for each fold on the other folds, and compare its predictions with the labels of that fold.

    Args:
        sets: The data sets, by name. Their questions are split by article.
        folds: The number of readers, at least 2.
        base: The encoder of the readers.
        f1: Compares a text with golds, in [0, 1].

    Returns:
        The name of the data set of each labelled question, and the prediction of the reader of its fold.
    """
    from quoth.data.audit import Located, suspects
    from quoth.data.split import part_of_each
    from quoth.reader import Reader

    every = [Located(source, each) for source, some in sets.items() for each in some if each.golds is not None]
    parts: list[list[Located]] = [[] for _ in range(folds)]
    for each, part_index in zip(every, part_of_each([each.example for each in every], [1.0] * folds), strict=True):
        parts[part_index].append(each)
    found: list[tuple[str, Suspect]] = []
    with tempfile.TemporaryDirectory(prefix="quoth-folds-") as folder:
        _print_duration([each.example for each in every], folds, base, Path(folder) / "probe")
        for number, part in enumerate(parts, 1):
            others = [each.example for other in parts if other is not part for each in other]
            _train(others, base, Path(folder) / str(number))
            loaded = Reader.load(Path(folder) / str(number))
            for source in sets:
                own = [each.example for each in part if each.source == source]
                found.extend((source, suspect) for suspect in suspects(own, loaded.answer_all, f1))
            note(f"Fold {number} of {folds} is done.")
    return found


def _print_duration(every: Sequence[Example], folds: int, base: str, folder: Path) -> None:
    """Train on a few questions, and print how long the training of all readers will take."""
    probed = every[:: max(1, len(every) // _PROBES)][:_PROBES]
    seconds = _train(probed, base, folder, epochs=1.0) / len(probed)
    passes = _EPOCHS * len(every) * (folds - 1)
    minutes = seconds * passes / 60
    long = f"about {minutes:,.0f} minutes" if minutes >= 2 else f"about {60 * minutes:.0f} seconds"
    note(
        f"Training {folds} readers on {len(every):,} questions: {passes:,} training questions in total, {long}; "
        "answering takes additional time."
    )


def _train(examples: Sequence[Example], base: str, out: Path, epochs: float = _EPOCHS) -> float:
    """Train a reader without tracking, and return the seconds. Examples get new ids, because sets may share ids."""
    from quoth.training import train

    named = [replace(example, id=str(number)) for number, example in enumerate(examples)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the null threshold, which this temporary reader does not need
        return train(named, out=out, base=base, epochs=epochs, tracking=False).seconds
