"""Corpus: adds files, searches them, and answers questions from the passages that are found."""

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

# Number of passages that are read for an answer.
PASSAGES = 10
# Weights of the search score and of the passage's null score, relative to the answer's score. Chosen on 102 questions
# of held-out articles over the paragraphs of SQuAD v1.1: exact match 56.9 with both, 50.0 with neither.
_SEARCH_WEIGHT, _NULL_WEIGHT = 0.5, 0.5


@dataclass(slots=True)
class Indexed:
    """Result of adding files.

    Attributes:
        added, changed, unchanged: Number of documents that are new, were read again, or did not change.
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
        title: The title of the document.
        span: Its span in the document, in code points.
        page: Page number, from 1; ``None`` without pages.
        boxes: Rectangles on the pages; empty if the format has none.
        sentence: The sentence that contains it.
        probability: The reader's probability given only its passage, in [0, 1]; not calibrated for a corpus.
        score: The reader's score.
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
        """Return the answer for JSON."""
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
    """The result for one question.

    Attributes:
        question: The question.
        answers: Best first, with distinct words. If the reader abstains, these are its candidates.
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
    """A searchable collection of documents in one file. Create it with :meth:`open`, and close it after use."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @classmethod
    def open(cls, path: str | Path, *, create: bool = True) -> Corpus:
        """Open a corpus. If the file does not exist and ``create`` is true, create it.

        Raises:
            CorpusError: If the file is not a corpus, or has another format version.
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
        """Add files, folders and patterns. Files that are in the corpus and have not changed are not read again.

        Args:
            paths: One or several.
            limits: Limits on each file.
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
        """Add documents from other sources, with their names as keys, and return their number. Commits in batches."""
        count = 0
        for batch in _batches(documents):
            with self._store.writing():
                for document in batch:
                    self._store.put(document.name, document.file_hash, document)
            count += len(batch)
        return count

    def remove(self, names: Iterable[str | Path]) -> int:
        """Remove documents by name or path, and return how many were removed."""
        keys = {entry.name: entry.key for entry in self._store.entries()}
        count = 0
        with self._store.writing():
            for name in names:
                key = keys.get(str(name), str(name))
                count += self._store.drop(key) or self._store.drop(_key(Path(name)))
        return count

    def entries(self) -> list[Entry]:
        """Return all documents without their texts, sorted by name."""
        return self._store.entries()

    def documents(self) -> Iterator[Document]:
        """Yield all documents, sorted by name."""
        for entry in self._store.entries():
            yield self._store.document(entry.key)

    @suggests_names
    def search(self, question: str, k: int = PASSAGES) -> list[Hit]:
        """Return the passages that best match the question's words, best first."""
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
            reader: The reader.
            question: The question.
            top_k: Maximum number of answers.
            passages: Number of passages to read.
            null_threshold: Overrides the reader's threshold, as in ``Reader.answer``.
        """
        hits = self.search(question, passages)
        if not hits:
            return Found(question, (), (), True, "no passage contains a word of the question")
        # Request more answers, because several may have the same words.
        pairs = [(question, hit.text) for hit in hits]
        read = list(reader.answer_all(pairs, top_k=top_k + 2, null_threshold=null_threshold))
        ranked = _ranked(read, hits)
        if not ranked:
            return Found(question, (), tuple(hits), True, "the passages have no text to quote")
        # The reader abstains for the corpus if it abstains for the passage of the best answer.
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
    """Return all answers with the index of their passage, best first, by the weighted sum of the scores."""
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
