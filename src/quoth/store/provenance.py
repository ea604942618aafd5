"""The data that a reader was made from: data sets in its ``quoth.json``, and their fingerprints in ``seen.npz``.

With these, a warning names the data set if the same questions or contexts are used for training, selection, calibration
or evaluation.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from quoth.data.provenance import DataSet, ExampleFingerprints, Overlap, from_bytes, to_bytes
from quoth.errors import OverlapWarning, ReaderError
from quoth.files import atomic_bytes
from quoth.records import Example
from quoth.store.layout import MANIFEST, SEEN

# Use of a data set -> the end of a sentence after its name.
ROLES = {
    "training": "which {whose} was trained on",
    "choosing": "by which {whose} was chosen among the checkpoints",
    "calibrating": "on which the probabilities of {whose} were fitted",
    "gating": "by which the int8 form of {whose} was accepted",
}

# Types of the values of an entry in quoth.json; each may be missing or null.
_KINDS = {
    "role": str,
    "of": str,
    "name": str,
    "sha256": str,
    "questions": int,
    "unanswerable": int,
    "contexts": int,
    "seen": str,
}


@dataclass(frozen=True, slots=True, eq=False)
class Used:
    """A data set, and what it was used for.

    Attributes:
        role: One of ``ROLES``.
        data: The data set.
        of: "base" or "teacher" if it was used for one of them, and not for the reader itself.
    """

    role: str
    data: DataSet
    of: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as an entry of ``data`` in ``quoth.json``."""
        return {"role": self.role, **({"of": self.of} if self.of else {}), **self.data.to_dict()}

    @property
    def whose(self) -> str:
        """Whose data it is, for a sentence."""
        return {"base": "the base of ", "teacher": "the teacher of "}.get(self.of or "", "") + "this reader"


def read_used(folder: Path, manifest: Mapping[str, Any]) -> list[Used]:
    """Return the data sets that a reader was made from; empty if its folder records none.

    Raises:
        ReaderError: If ``seen.npz`` is damaged, or the manifest's ``data`` is not a list of such objects.
    """
    entries, where = manifest.get("data", []), f"{folder / MANIFEST}: data"
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise ReaderError(f"{where} must be a list of objects, but is {entries!r}")
    for index, entry in enumerate(entries):
        for name, kind in _KINDS.items():
            value = entry.get(name)
            if value is not None and not isinstance(value, kind):
                raise ReaderError(f"{where}[{index}].{name} must be of type {kind.__name__}, but is {value!r}")
    file = folder / SEEN
    try:
        sets = from_bytes(file.read_bytes()) if entries and file.is_file() else {}
    except ValueError as error:
        raise ReaderError(f"{file}: {error}. Copy the whole folder, or delete the file") from error
    return [
        Used(str(entry.get("role")), DataSet.from_dict(entry, sets), entry.get("of"))
        for entry in entries
        if entry.get("role") in ROLES
    ]


def write_seen(folder: Path, used: Iterable[Used]) -> None:
    """Write the fingerprints of the data sets, each once."""
    sets = {each.data.seen.key: each.data.seen for each in used if each.data.seen}
    if not sets:
        (folder / SEEN).unlink(missing_ok=True)
        return
    with atomic_bytes(folder / SEEN) as file:
        file.write(to_bytes(sets))


def inherited(used: Iterable[Used], of: str) -> list[Used]:
    """Return the data sets that a reader inherits from its base or teacher: those of its training and selection."""
    return [replace(each, of=each.of or of) for each in used if each.role in ("training", "choosing")]


def merged(used: Iterable[Used]) -> list[Used]:
    """Return the data sets, each once for each purpose; those of the reader itself come first."""
    found: dict[tuple[str, str, str | None], Used] = {}
    for each in sorted(used, key=lambda one: one.of is not None):
        found.setdefault((each.role, each.data.name, each.data.sha256), each)
    return list(found.values())


def warnings_of(used: Sequence[Used], examples: Sequence[Example], name: str, *, purpose: str) -> list[str]:
    """Return a warning for each data set of a reader that shares questions or contexts with some examples.

    Args:
        used: The reader's data sets.
        examples: The examples.
        name: The name of the examples in the messages.
        purpose: The second half of the messages: the consequence.

    Returns:
        One sentence for each data set that shares questions, or contexts.
    """
    fingerprints = ExampleFingerprints.of(examples)
    sentences = []
    for each in used:
        if each.data.seen and (shared := each.data.seen.overlap(fingerprints)):
            clause = ROLES[each.role].format(whose=each.whose)
            sentences.append(f"{Path(name).name}: {_with_verb(shared)} in {each.data.name}, {clause}; {purpose}")
    return sentences


def warn_if_seen(used: Sequence[Used], examples: Sequence[Example], name: str, *, purpose: str) -> list[str]:
    """Warn of each data set of a reader that shares questions or contexts with some examples; return the sentences."""
    sentences = warnings_of(used, examples, name, purpose=purpose)
    for sentence in sentences:
        warnings.warn(sentence, OverlapWarning, stacklevel=3)
    return sentences


def _with_verb(shared: Overlap) -> str:
    return f"{shared} {'is' if shared.questions == 1 else 'are'}"
