"""Fingerprints of training data, to detect that a reader is evaluated on questions that it was trained on.

A fingerprint does not reveal its text, so it can be published with a reader. It has 40 bits: of 10,000 new questions,
0.001 are expected to have the fingerprint of one of 100,000 known ones.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from quoth.files import sha256
from quoth.records import Example

Fingerprints = NDArray[np.uint64]

_BYTES = 5  # size of a fingerprint


@dataclass(frozen=True, slots=True)
class Overlap:
    """The part of a data set that was seen in training.

    Attributes:
        questions: Number of questions that were seen with the same context.
        contexts: Number of questions whose context was seen, possibly with another question; at least ``questions``.
        total: Number of questions in the data set.
    """

    questions: int
    contexts: int
    total: int

    def __bool__(self) -> bool:
        return self.contexts > 0

    def __str__(self) -> str:
        if self.questions:
            return f"{self.questions:,} of {self.total:,} questions"
        return f"the contexts of {self.contexts:,} of {self.total:,} questions"


@dataclass(frozen=True, slots=True, eq=False)
class ExampleFingerprints:
    """The fingerprints of some examples, which ignore white space and case. Each context of an example has a row.

    Attributes:
        examples: Index of the row's example, uint64, shape ``(k,)``.
        questions: Fingerprints of its question with the context, uint64, shape ``(k,)``.
        contexts: Fingerprints of the context, uint64, shape ``(k,)``.
    """

    examples: NDArray[np.uint64]
    questions: Fingerprints
    contexts: Fingerprints

    @classmethod
    def of(cls, examples: Iterable[Example]) -> ExampleFingerprints:
        """Compute them."""
        rows = [(index, *pair) for index, example in enumerate(examples) for pair in _pairs(example)]
        return cls(*np.array(rows, dtype=np.uint64).reshape(-1, 3).T)


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The questions and contexts of some data sets, as fingerprints.

    Attributes:
        questions: Fingerprints of the distinct questions, each with one of its contexts; sorted uint64, shape ``(n,)``.
        contexts: Fingerprints of the distinct contexts; sorted uint64, shape ``(m,)``.
    """

    questions: Fingerprints
    contexts: Fingerprints

    @classmethod
    def of(cls, examples: Iterable[Example]) -> Seen:
        """Collect the fingerprints of examples."""
        rows = ExampleFingerprints.of(examples)
        return cls(np.unique(rows.questions), np.unique(rows.contexts))

    def __or__(self, other: Seen) -> Seen:
        return Seen(np.union1d(self.questions, other.questions), np.union1d(self.contexts, other.contexts))

    @property
    def key(self) -> str:
        """A hash of these fingerprints: 16 hexadecimal digits."""
        return blake2b(self.questions.tobytes() + self.contexts.tobytes(), digest_size=8).hexdigest()

    def overlap(self, examples: Iterable[Example] | ExampleFingerprints) -> Overlap:
        """Count the examples that were seen; for an example with several contexts, one of them is enough.

        Args:
            examples: The examples; or their fingerprints, which take longer to compute than to look up.
        """
        rows = examples if isinstance(examples, ExampleFingerprints) else ExampleFingerprints.of(examples)
        known = (np.isin(rows.questions, self.questions), np.isin(rows.contexts, self.contexts))
        questions, contexts = (len(np.unique(rows.examples[found])) for found in known)
        return Overlap(questions, contexts, len(np.unique(rows.examples)))


def to_bytes(sets: Mapping[str, Seen]) -> bytes:
    """Return a compressed NPZ file for :func:`from_bytes`, about 3 bytes per fingerprint.

    Sorted fingerprints are stored as differences, byte by byte, because most of the high bytes are 0.
    """
    file = io.BytesIO()
    arrays = {}
    for key, seen in sorted(sets.items()):
        arrays[f"{key}.questions"], arrays[f"{key}.contexts"] = _packed(seen.questions), _packed(seen.contexts)
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def from_bytes(content: bytes) -> dict[str, Seen]:
    """Read fingerprints from the bytes of :func:`to_bytes`.

    Raises:
        ValueError: If they are not such a file.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            keys = dict.fromkeys(name.rpartition(".")[0] for name in arrays.files)
            return {
                key: Seen(_unpacked(arrays[f"{key}.questions"]), _unpacked(arrays[f"{key}.contexts"])) for key in keys
            }
    except (OSError, KeyError, EOFError, ValueError, BadZipFile) as error:
        raise ValueError(f"must be an NPZ file of questions and contexts, but is not: {error}") from error


@dataclass(frozen=True, slots=True, eq=False)
class DataSet:
    """A data set that was used for training or calibration.

    Attributes:
        name: Name of its file or on the hub, without the folder; or its type in memory.
        sha256: SHA-256 of its file; ``None`` if it was not a file.
        questions: Number of questions.
        unanswerable: Number of unanswerable questions.
        contexts: Number of distinct contexts.
        seen: Its fingerprints; ``None`` if they were not stored.
    """

    name: str
    sha256: str | None
    questions: int
    unanswerable: int
    contexts: int
    seen: Seen | None

    @classmethod
    def of(cls, source: object, examples: Sequence[Example]) -> DataSet:
        """Describe a data set.

        Args:
            source: The path or hub name that it was read from, or the object in memory.
            examples: Its examples.
        """
        seen = Seen.of(examples)
        name, digest = type(source).__name__, None
        if isinstance(source, str | os.PathLike):
            path = Path(source)
            name, digest = (path.name, sha256(path)) if path.is_file() else (os.fspath(source), None)
            name = path.name if path.is_dir() else name
        unanswerable = sum(example.golds == () for example in examples)
        return cls(name, digest, len(examples), unanswerable, len(seen.contexts), seen)

    def to_dict(self) -> dict[str, Any]:
        """Return its name, hash and counts, and ``seen``, the key of its fingerprints."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "questions": self.questions,
            "unanswerable": self.unanswerable,
            "contexts": self.contexts,
            "seen": self.seen.key if self.seen else None,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], sets: Mapping[str, Seen]) -> DataSet:
        """Create it from the result of :meth:`to_dict`; missing values become ``None`` or 0.

        Args:
            document: The result of :meth:`to_dict`.
            sets: The fingerprints by key.
        """
        questions, unanswerable, contexts = (
            int(document.get(name) or 0) for name in ("questions", "unanswerable", "contexts")
        )
        seen = sets.get(str(document.get("seen")))
        return cls(str(document.get("name")), document.get("sha256"), questions, unanswerable, contexts, seen)


def _pairs(example: Example) -> list[tuple[int, int]]:
    """Return the fingerprints of an example's question with each context, and of the context alone."""
    question = _plain(example.question)
    contexts = map(_plain, example.contexts)
    return [(_fingerprint(f"{question}\n{context}"), _fingerprint(context)) for context in contexts]


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _fingerprint(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_BYTES).digest(), "little")


def _packed(values: Fingerprints) -> NDArray[np.uint8]:
    """Return the differences of sorted values as bytes, uint8, shape ``(5, n)``; the lowest bytes are the first row."""
    differences = np.diff(values, prepend=np.uint64(0)).astype("<u8")
    return np.ascontiguousarray(differences.view(np.uint8).reshape(-1, 8)[:, :_BYTES].T)


def _unpacked(packed: NDArray[np.uint8]) -> Fingerprints:
    if packed.ndim != 2 or packed.shape[0] != _BYTES or packed.dtype != np.uint8:
        raise ValueError(f"fingerprints must be {_BYTES} rows of bytes, but are {packed.dtype} of shape {packed.shape}")
    padded = np.zeros((packed.shape[1], 8), dtype=np.uint8)
    padded[:, :_BYTES] = packed.T
    return np.cumsum(padded.view("<u8").reshape(-1), dtype=np.uint64)
