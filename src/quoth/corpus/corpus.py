"""Corpus: add files, search them, and have a reader answer from what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from quoth.corpus.passages import sentence_around
from quoth.corpus.store import Entry, Hit, Store
from quoth.documents import Box, Document, DocumentLimits, Unread, find_files
from quoth.documents.files import read_file
from quoth.errors import CorpusError
from quoth.names import suggests_names
from quoth.records import Answer, Prediction, Span
from quoth.text import normalize_answer

if TYPE_CHECKING:
    from quoth.reader import Reader

# How many passages are read for an answer.
PASSAGES = 10
# What the search's score, and the passage's score of "no answer", weigh against an answer's score. Chosen on 102
# questions of held-out articles over the paragraphs of SQuAD v1.1: exact match 56.9 with both, 50.0 with neither.
_SEARCH_WEIGHT, _NULL_WEIGHT = 0.5, 0.5


@dataclass(slots=True)
class Indexed:
    """What came of adding files.

    Attributes:
        added, changed, unchanged: How many documents are new, were read again, or were left as they are.
        problems: Files that could not be read.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    problems: list[Unread] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CorpusAnswer:
    """An answer from a corpus.

    Attributes:
        text: Exactly the document's text at ``span``.
        document: The name of the document.
        title: Its title.
        span: Its place in the document, in code points.
        page: From 1; ``None`` without pages.
        boxes: Rectangles on the pages; empty where they are not known.
        sentence: The sentence around it.
        probability: The reader's for its passage alone, in [0, 1]; not calibrated for a corpus.
        score: The reader's.
        passage: Rank of its passage in the search, from 1.
    """

    text: str
    document: str
    title: str
    span: Span
    page: int | None
    boxes: tuple[Box, ...]
    sentence: str
    probability: float
    score: float
    passage: int

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON has it."""
        return {
            "text": self.text,
            "document": self.document,
            "title": self.title,
            "start": self.span.start,
            "end": self.span.end,
            "page": self.page,
            "boxes": [box.to_dict() for box in self.boxes],
            "sentence": self.sentence,
            "probability": self.probability,
            "score": self.score,
            "passage": self.passage,
        }


@dataclass(frozen=True, slots=True)
class Found:
    """All that is said to one question.

    Attributes:
        question: The question.
        answers: Best first, distinct by their words. What they would be even where the reader abstains.
        hits: The passages that were read, best first.
        no_answer: Whether the reader abstains.
        reason: Why there is no answer, in a sentence; ``None`` if there is one.
    """

    question: str
    answers: tuple[CorpusAnswer, ...]
    hits: tuple[Hit, ...]
    no_answer: bool
    reason: str | None

    @property
    def best(self) -> CorpusAnswer | None:
        """The best answer, or ``None`` if the reader abstains."""
        return None if self.no_answer or not self.answers else self.answers[0]


class Corpus:
    """Documents in one file. Make one with :meth:`open`; close it, or use it in a ``with`` statement."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @classmethod
    def open(cls, path: str | Path, *, create: bool = True) -> Corpus:
        """Open a corpus; a new one if there is no such file and ``create`` is true.

        Raises:
            CorpusError: If it is no corpus, or none of this format.
        """
        if str(path).startswith(("postgresql://", "postgres://")):
            raise CorpusError(f"{path}: a corpus must be a file, but this is a server, which is not supported yet")
        return cls(Store(Path(path), create=create))

    def __enter__(self) -> Corpus:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    @suggests_names
    def add(
        self,
        paths: str | Path | Iterable[str | Path],
        *,
        limits: DocumentLimits | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> Indexed:
        """Add files, folders and patterns; files that are there and have not changed are not read again.

        Args:
            paths: One or several.
            limits: What a file may cost.
            progress: Called with the name of each file that was read.
        """
        if isinstance(paths, str | Path):
            paths = [paths]
        known, result = self._store.stamps(), Indexed()
        for file in find_files(paths):
            if isinstance(file, Unread):
                result.problems.append(file)
                continue
            self._add_file(file, known.get(_key(file)), limits, result)
            if progress:
                progress(str(file))
        return result

    def _add_file(
        self, file: Path, known: tuple[str, str] | None, limits: DocumentLimits | None, result: Indexed
    ) -> None:
        try:
            stamp = _stamp(file)
            if known and (known[0] == stamp or known[1] == sha256(file.read_bytes()).hexdigest()):
                result.unchanged += 1
                if known[0] != stamp:
                    with self._store.writing():
                        self._store.restamp(_key(file), stamp)
                return
        except OSError as error:
            result.problems.append(Unread(str(file), (error.strerror or str(error)).lower()))
            return
        document = read_file(file, limits)
        if isinstance(document, Unread):
            result.problems.append(document)
            return
        with self._store.writing():
            self._store.put(_key(file), stamp, document)
        if known:
            result.changed += 1
        else:
            result.added += 1

    def add_documents(self, documents: Iterable[Document]) -> int:
        """Add documents that come from elsewhere, each under its name; return how many. Batches are whole."""
        count = 0
        for batch in _batches(documents):
            with self._store.writing():
                for document in batch:
                    self._store.put(document.name, document.file_hash, document)
            count += len(batch)
        return count

    def remove(self, names: Iterable[str | Path]) -> int:
        """Remove documents by name or path, and return how many there were."""
        keys = {entry.name: entry.key for entry in self._store.entries()}
        count = 0
        with self._store.writing():
            for name in names:
                key = keys.get(str(name), str(name))
                count += self._store.drop(key) or self._store.drop(_key(Path(name)))
        return count

    def entries(self) -> list[Entry]:
        """Return all documents, by name, without their texts."""
        return self._store.entries()

    def documents(self) -> Iterator[Document]:
        """Yield all documents, by name."""
        for entry in self._store.entries():
            yield self._store.document(entry.key)

    @suggests_names
    def search(self, question: str, k: int = PASSAGES) -> list[Hit]:
        """Return the passages that say most of a question's words, best first."""
        return self._store.search(question, k)

    @suggests_names
    def answer(
        self,
        reader: Reader,
        question: str,
        *,
        top_k: int = 1,
        passages: int = PASSAGES,
        null_threshold: Any = None,
    ) -> Found:
        """Search, read the best passages, and answer.

        Args:
            reader: Reads the passages.
            question: The question.
            top_k: How many answers to return at most.
            passages: How many passages to read.
            null_threshold: Overrides the reader's, as in ``Reader.answer``.
        """
        hits = self.search(question, passages)
        if not hits:
            return Found(question, (), (), True, "no passage has any word of the question")
        # More than are wanted, since several may be the same words.
        pairs = [(question, hit.text) for hit in hits]
        read = list(reader.answer_all(pairs, top_k=top_k + 2, null_threshold=null_threshold))
        ranked = _ranked(read, hits)
        if not ranked:
            return Found(question, (), tuple(hits), True, "the passages hold no text to quote")
        # What is said of the best answer's own passage is said of the corpus.
        best = read[ranked[0][0]]
        answers = tuple(islice(self._answers(ranked, hits), top_k))
        return Found(question, answers, tuple(hits), best.no_answer, best.reason)

    def _answers(self, ranked: list[tuple[int, Answer]], hits: list[Hit]) -> Iterator[CorpusAnswer]:
        documents: dict[str, Document] = {}
        seen = set()
        for index, answer in ranked:
            if (words := normalize_answer(answer.text) or answer.text) in seen:
                continue
            seen.add(words)
            hit = hits[index]
            if hit.key not in documents:
                documents[hit.key] = self._store.document(hit.key)
            document = documents[hit.key]
            span = Span(hit.span.start + answer.span.start, hit.span.start + answer.span.end)
            yield CorpusAnswer(
                answer.text,
                hit.document,
                hit.title,
                span,
                document.page_at(span.start),
                document.boxes_of(span),
                sentence_around(document.text, span).of(document.text),
                answer.probability,
                answer.score,
                index + 1,
            )


def _ranked(read: list[Prediction], hits: list[Hit]) -> list[tuple[int, Answer]]:
    """Return all answers with the index of their passage, best first: by reader, search and "no answer" together."""
    scored = [
        (answer.score + _SEARCH_WEIGHT * hit.score - _NULL_WEIGHT * (prediction.null_score or 0.0), index, answer)
        for index, (prediction, hit) in enumerate(zip(read, hits, strict=True))
        for answer in prediction.answers
    ]
    return [(index, answer) for _, index, answer in sorted(scored, key=lambda item: (-item[0], item[1]))]


def _key(file: Path) -> str:
    return str(file.resolve())


def _stamp(file: Path) -> str:
    status = file.stat()
    return f"{status.st_size} {status.st_mtime_ns}"


def _batches(documents: Iterable[Document], size: int = 500) -> Iterator[list[Document]]:
    batch: list[Document] = []
    for document in documents:
        batch.append(document)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
