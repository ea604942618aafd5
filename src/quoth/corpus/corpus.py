"""Corpus: adds files, searches them, and answers questions from the passages that are found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from quoth.config import checked_count
from quoth.corpus.backend import Backend, SearchEngine
from quoth.corpus.choice import PER_PASSAGE, PassageAnswer, choose, passage_answers
from quoth.corpus.indexing import index_files, key_of, keys_below, original_of
from quoth.corpus.passages import sentence_around
from quoth.corpus.records import CorpusAnswer, Entry, Found, Hit, Indexed, Searched
from quoth.corpus.stores import open_backend
from quoth.documents import Document, DocumentLimits, read_document
from quoth.documents.files import path_list
from quoth.errors import InputError
from quoth.inputs import wrong_context, wrong_question
from quoth.names import listed, suggests_names
from quoth.reading import DecodeSettings, search_batch
from quoth.records import Example, NullThreshold, Prediction, Span, citation
from quoth.store import CorpusSettings
from quoth.stream import Stream

if TYPE_CHECKING:
    from quoth.reader import Reader

# Number of passages that are read for an answer.
PASSAGES = 10
# Number of documents from other sources in a transaction.
_BATCH = 500


class Corpus:
    """A searchable collection of documents. Create it with :meth:`open`, and close it after use."""

    def __init__(self, store: Backend) -> None:
        self._store = store

    @classmethod
    def open(cls, path: str | Path, *, create: bool = True, search: SearchEngine | None = None) -> Corpus:
        """Open a corpus.

        Args:
            path: A file, or the URL of a PostgreSQL database (``postgresql://…``), which several machines can use.
            create: Whether to create it if it does not exist.
            search: The search engine of a file: ``fts5``, or ``tantivy`` for more than about 20,000 passages. As
                stored if ``None`` (at first ``fts5``); if it differs, the index is built again.

        Raises:
            CorpusError: If it is not a corpus, or has an unsupported format version.
            MissingExtraError: If it needs an extra that is not installed.
        """
        return cls(open_backend(path, create=create, search=search))

    def __enter__(self) -> Corpus:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def name(self) -> str:
        """Its path, or its URL without a password."""
        return self._store.name

    def close(self) -> None:
        """Close it."""
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

        Documents whose files were in a given folder, and are no longer there, are removed.

        Args:
            paths: One or several.
            limits: Limits on each file.
            progress: Called with the name of each file that was read.

        Raises:
            InputError: If a path is empty.
        """
        return index_files(self._store, path_list(paths), limits, progress)

    def add_file(self, data: bytes, name: str | Path, limits: DocumentLimits | None = None) -> Document:
        """Add the content of one file, with its name as key, and return the document.

        Raises:
            DocumentError: If it cannot be read.
        """
        document = read_document(data, name, limits)
        with self._store.writing():
            self._store.put(document.name, document.file_hash, document, original_of(document, data))
        self._store.flush()
        return document

    def original(self, key: str) -> bytes | None:
        """Return the content of a PDF by its key; ``None`` for documents of other kinds."""
        return self._store.original(key)

    def has_original(self, key: str) -> bool:
        """Return True if the content of a document's file is stored, so that its pages can be drawn."""
        return self._store.has_original(key)

    def passages(self) -> Iterator[tuple[str, int, str]]:
        """Yield the key of its document, the start and the text of each passage."""
        return self._store.passages()

    def document(self, key: str) -> Document:
        """Return a document by its key.

        Raises:
            CorpusError: If there is none.
        """
        return self._store.document(key)

    def add_documents(self, documents: Iterable[Document]) -> int:
        """Add documents from other sources, with their names as keys, and return their number. Commits in batches."""
        count, left = 0, iter(documents)
        while batch := list(islice(left, _BATCH)):
            with self._store.writing():
                for document in batch:
                    self._store.put(document.name, document.file_hash, document)
            count += len(batch)
        self._store.flush()
        return count

    def remove(self, names: str | Path | Iterable[str | Path], missing: Callable[[str], None] | None = None) -> int:
        """Remove documents by path or name, and all documents below a folder; return how many were removed.

        Args:
            names: One or several paths of files, names, or paths of folders. The files need not exist any more.
            missing: Called with each name that is not in the corpus.

        Raises:
            InputError: If a name is empty, or is that of several documents. Nothing is removed.
        """
        named: dict[str, list[str]] = {}
        for entry in self._store.entries():
            named.setdefault(entry.name, []).append(entry.key)
        keys = {key for each in named.values() for key in each}
        chosen: dict[str, None] = {}
        for name in map(str, path_list(names)):
            found = [key for key in (key_of(Path(name)), name) if key in keys][:1] or named.get(name, [])
            if len(found) > 1:
                raise InputError(
                    f"{name}: must be the name of one document, but is that of {len(found)}; give the path of one: "
                    f"{listed(found)}"
                )
            found = found or keys_below(keys, name)
            chosen.update(dict.fromkeys(found))
            if not found and missing is not None:
                missing(name)
        return self.remove_keys(chosen)

    def remove_keys(self, keys: Iterable[str]) -> int:
        """Remove documents by their keys, and return how many were removed."""
        with self._store.writing():
            count = sum(self._store.drop(key) for key in keys)
        self._store.flush()
        return count

    def entries(self) -> list[Entry]:
        """Return all documents without their texts, sorted by name."""
        return self._store.entries()

    def document_keys(self) -> Collection[str]:
        """Return the keys of all documents."""
        return self._store.known().keys()

    def documents(self) -> Iterator[Document]:
        """Yield all documents, sorted by name."""
        for entry in self._store.entries():
            yield self._store.document(entry.key)

    @suggests_names
    def search(self, question: str, k: int = PASSAGES) -> list[Hit]:
        """Return at most the ``k`` passages that best match the question's words, best first.

        Raises:
            InputError: If the question is not text.
            ConfigError: If ``k`` is not an integer, or below 1.
        """
        if wrong := wrong_context(question):
            raise InputError(f"the question {wrong}")
        return self._store.search(question, checked_count("k", k))

    @suggests_names
    def answer(
        self,
        reader: Reader,
        question: str,
        *,
        top_k: int = 1,
        passages: int = PASSAGES,
        null_threshold: NullThreshold | None = None,
        min_probability: float | None = None,
    ) -> Found:
        """Search, read the best passages, and answer.

        Args:
            reader: The reader.
            question: The question.
            top_k: Maximum number of answers.
            passages: Number of passages to read.
            null_threshold: Overrides the threshold for corpora: answer only if the evidence for the best answer is at
                least minus this; or "never" abstain.
            min_probability: Answer only if the probability is at least this, in [0, 1]; replaces the threshold.

        Raises:
            InputError: If the question is empty.
            ConfigError: If a number is out of its range, or both ``null_threshold`` and ``min_probability`` are given.
        """
        if wrong := wrong_question(question):
            raise InputError(f"the question {wrong}")
        asked = Example("", question, ())
        decode = corpus_decode(reader, top_k, null_threshold, min_probability)
        [(searched, prediction)] = self.predict_all(reader, [asked], decode, passages=passages)
        return self.found(prediction, searched.hits)

    def predict_all(
        self,
        reader: Reader,
        examples: Iterable[Example],
        decode: DecodeSettings,
        *,
        passages: int = PASSAGES,
        search: int | None = None,
    ) -> Iterator[tuple[Searched, Prediction]]:
        """Search for each question, read the best passages, and answer; in order, with constant memory.

        Args:
            reader: The reader.
            examples: The questions; their contexts are ignored.
            decode: The result of :func:`corpus_decode`.
            passages: Number of passages to read for each.
            search: Number of passages to search for; ``passages`` if ``None``.

        Yields:
            The question with all passages that were found, and the prediction from those that were read.

        Raises:
            ConfigError: If ``passages`` or ``search`` is not an integer, or below 1.
        """
        found = self.read_all(reader, examples, decode, passages=passages, search=search)
        for searched, answers, windows in found:
            yield searched, choose(searched, answers, windows, decode, corpus_settings(reader))

    def read_all(
        self,
        reader: Reader,
        examples: Iterable[Example],
        decode: DecodeSettings,
        *,
        passages: int = PASSAGES,
        search: int | None = None,
    ) -> Iterator[tuple[Searched, list[PassageAnswer], int]]:
        """Search for each question, and read the best passages; the arguments are those of :meth:`predict_all`.

        Yields:
            The question with all passages that were found, the answers of each passage that was read, and the number of
            windows.

        Raises:
            ConfigError: If ``passages`` or ``search`` is not an integer, or below 1.
        """
        passages = checked_count("passages", passages)
        depth = passages if search is None else checked_count("search", search)

        def found() -> Iterator[Searched]:
            for example in examples:
                hits = self.search(example.question, depth)
                yield Searched(example, hits, hits[:passages])

        most = max(PER_PASSAGE, decode.top_k)
        stream = Stream(reader.windower, reader.engine, partial(search_batch, settings=decode))
        for searched, windows in stream.read(found()):
            scores = [hit.score for hit in searched.hits]
            yield searched, passage_answers(searched, windows, scores, decode, most), len(windows)

    def found(self, prediction: Prediction, hits: Sequence[Hit]) -> Found:
        """Convert a prediction over passages to a result with the document, page, boxes and sentence of each answer."""
        reason = prediction.reason if hits else "no passage contains a word of the question"
        answers = tuple(self._answers(prediction, hits))
        return Found(
            prediction.question, answers, tuple(hits), prediction.no_answer, reason, prediction.null_probability
        )

    def _answers(self, prediction: Prediction, hits: Sequence[Hit]) -> Iterator[CorpusAnswer]:
        documents: dict[str, Document] = {}
        for answer in prediction.answers:
            hit = hits[answer.context_index]
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
                answer.context_index + 1,
                citation(document.text, span, 0, hit.title or hit.document),
            )


def corpus_settings(reader: Reader) -> CorpusSettings:
    """Return a reader's settings for comparing answers of several passages."""
    return reader.settings.corpus or CorpusSettings()


def corpus_decode(
    reader: Reader,
    top_k: int = 1,
    null_threshold: NullThreshold | None = None,
    min_probability: float | None = None,
) -> DecodeSettings:
    """Return a reader's decoding settings with the null threshold for corpora, or with overrides.

    Raises:
        ConfigError: As in ``Reader.answer``.
    """
    decode = reader.decode_settings(top_k, null_threshold, min_probability=min_probability)
    return decode if null_threshold is not None else decode.with_(null_threshold=corpus_settings(reader).null_threshold)
