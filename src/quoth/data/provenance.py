"""Fingerprints of what a reader has seen, by which training and measuring on the same questions is noticed.

A fingerprint says nothing about its text, so it can be kept and published with a reader.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from quoth.records import Example

Fingerprints = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much of a data set was seen before.

    Attributes:
        questions: Questions that were seen with the same context.
        contexts: Questions whose context was seen, perhaps with another question; at least ``questions``.
        total: Questions of the data set.
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
class Seen:
    """The questions and contexts of some data sets, as fingerprints.

    Attributes:
        questions: One for each question with its context, sorted, each once, ``(n,)`` uint64.
        contexts: One for each context, sorted, each once, ``(m,)`` uint64.
    """

    questions: Fingerprints
    contexts: Fingerprints

    @classmethod
    def of(cls, examples: Iterable[Example]) -> Seen:
        """Take the fingerprints of examples. White space and case make no difference."""
        pairs = [_both(example) for example in examples]
        return cls(_unique(question for question, _ in pairs), _unique(context for _, context in pairs))

    def __or__(self, other: Seen) -> Seen:
        return Seen(np.union1d(self.questions, other.questions), np.union1d(self.contexts, other.contexts))

    def overlap(self, examples: Iterable[Example]) -> Overlap:
        """Count the examples that were seen."""
        pairs = np.array([_both(example) for example in examples], dtype=np.uint64).reshape(-1, 2)
        known = np.isin(pairs[:, 0], self.questions), np.isin(pairs[:, 1], self.contexts)
        return Overlap(int(known[0].sum()), int(known[1].sum()), len(pairs))

    def to_bytes(self) -> bytes:
        """Return what :meth:`from_bytes` reads: an NPZ file with the two arrays, 8 bytes a fingerprint."""
        file = io.BytesIO()
        np.savez(file, questions=self.questions, contexts=self.contexts)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Seen:
        """Read fingerprints back.

        Raises:
            ValueError: If these are not the bytes of an NPZ file with the two arrays.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return cls(arrays["questions"].astype(np.uint64), arrays["contexts"].astype(np.uint64))
        except (OSError, KeyError, EOFError, ValueError, BadZipFile) as error:
            raise ValueError(f"must be an NPZ file of questions and contexts, but is not: {error}") from error


def _both(example: Example) -> tuple[int, int]:
    """Return the fingerprints of an example's question with its context, and of the context alone."""
    question, context = (" ".join(text.split()).casefold() for text in (example.question, example.context))
    return _fingerprint(f"{question}\n{context}"), _fingerprint(context)


def _fingerprint(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _unique(values: Iterable[int]) -> Fingerprints:
    return np.unique(np.fromiter(values, dtype=np.uint64))
