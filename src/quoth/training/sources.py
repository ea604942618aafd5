"""The data of a run: labelled examples, their sources, and their overlap with the data of the base."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from quoth.data import read_examples
from quoth.data.provenance import DataSet
from quoth.errors import OverlapWarning, TrainingError
from quoth.records import Example
from quoth.store import SHIPPED, ReaderFolder
from quoth.store.provenance import Used, inherited, merged, warnings_of

# The name of a data set that was not read from a file.
IN_MEMORY = "examples in memory"
_TOO_GOOD = "its scores are too high and may select the wrong checkpoint. Use questions about other texts"


# The float checkpoint of the shipped reader, which is in the repository, not in the wheel.
CHECKPOINT = Path(__file__).parents[3] / "readers" / "shipped"


@dataclass(frozen=True, slots=True)
class Labelled:
    """Labelled examples, and the data sets that they are from.

    Attributes:
        examples: The examples of all sets, in order.
        sets: The data sets: files, hub names, or examples in memory.
    """

    examples: tuple[Example, ...]
    sets: tuple[DataSet, ...]

    def __iter__(self) -> Iterator[Example]:
        return iter(self.examples)

    def __len__(self) -> int:
        return len(self.examples)


def labelled(data: str | Path | Sequence[str | Path | Example] | Labelled) -> Labelled:
    """Return labelled examples from examples, files or hub names.

    Raises:
        DataError: If the data cannot be read.
        TrainingError: If an example is unlabelled.
    """
    if isinstance(data, Labelled):
        return data
    read: list[tuple[object, list[Example]]] = []
    for item in [data] if isinstance(data, str | Path) else data:
        if not isinstance(item, Example):
            read.append((item, read_examples(item)))
        elif read and read[-1][0] is IN_MEMORY:
            read[-1][1].append(item)
        else:
            read.append((IN_MEMORY, [item]))
    examples = [example for _, each in read for example in each]
    unlabelled = sum(example.golds is None for example in examples)
    if unlabelled:
        raise TrainingError(f"{unlabelled} of {len(examples)} questions must have answers, but are unlabelled")
    return Labelled(tuple(examples), tuple(DataSet.of(source, each) for source, each in read))


def used_by(data: Labelled, dev: Labelled, parents: Iterable[tuple[str, Path]]) -> list[Used]:
    """Return all data sets of a run: training data, dev data, and the data of its base and its teacher.

    Args:
        data: The training data.
        dev: The data that select the checkpoint.
        parents: "base" or "teacher", and its folder, which need not be a reader's folder or exist.
    """
    used = [Used("training", each) for each in data.sets] + [Used("choosing", each) for each in dev.sets]
    for name, folder in parents:
        if folder.is_dir():
            used += inherited(ReaderFolder.open_unchecked(folder).used, name)
    return merged(used)


def warn_of_overlap(used: Sequence[Used], dev: Labelled) -> None:
    """Warn of each data set that the run, its base or its teacher is trained on and that shares texts with dev."""
    learned = [each for each in used if each.role == "training"]
    for data in dev.sets:
        examples = list(dev.examples) if len(dev.sets) == 1 else _of_set(dev, data)
        name = "dev" if data.name == IN_MEMORY else data.name
        for sentence in warnings_of(learned, examples, name, purpose=_TOO_GOOD):
            warnings.warn(sentence, OverlapWarning, stacklevel=3)


def _of_set(dev: Labelled, data: DataSet) -> list[Example]:
    start = sum(each.questions for each in dev.sets[: dev.sets.index(data)])
    return list(dev.examples[start : start + data.questions])


def checkpoint_of(name: str) -> str:
    """Return the name or folder for transformers to load; for "shipped", the folder of its float weights.

    Raises:
        TrainingError: If the name is "shipped", and Quoth is not an editable installation of its repository.
    """
    if name != SHIPPED:
        return name
    if not (CHECKPOINT / "model.safetensors").is_file():
        raise TrainingError(
            f"{SHIPPED!r} needs the float weights in Quoth's repository (44 MB), which this installation does not "
            "include. Give their folder in a clone of the repository (--base readers/shipped), or install the clone "
            "with: pip install -e ."
        )
    return str(CHECKPOINT)
