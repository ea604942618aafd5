"""Components for Haystack 3: a retriever over a corpus, and a reader that quotes from documents.

Haystack 3 has no extractive reader of its own any more. Both components are created from names, so that a pipeline with
them can be saved, and loaded with ``Pipeline.loads(text, allowed_modules=["quoth.adapters.haystack"])``::

    pipeline = Pipeline()
    pipeline.add_component("retriever", CorpusRetriever("contracts.quoth"))
    pipeline.add_component("reader", QuotingReader())
    pipeline.connect("retriever.documents", "reader.documents")
    pipeline.run({"retriever": {"query": question}, "reader": {"query": question}})
"""

from __future__ import annotations

from typing import Any

from haystack import Document, ExtractedAnswer, component, default_from_dict, default_to_dict

from quoth.corpus import PASSAGES, Corpus
from quoth.reader import Reader
from quoth.records import NullThreshold


@component
class CorpusRetriever:
    """Searches a corpus, and returns its best passages as documents.

    The ``meta`` of a document has ``name``, ``title``, ``page``, ``start`` and ``end`` (code points of the document).

    Args:
        corpus: The path of a corpus, or the URL of a PostgreSQL database.
        top_k: Maximum number of passages.
    """

    def __init__(self, corpus: str, top_k: int = PASSAGES) -> None:
        self.corpus = corpus
        self.top_k = top_k

    def warm_up(self) -> None:
        """Check that the corpus can be opened, so that a bad name is reported at the start."""
        Corpus.open(self.corpus, create=False).close()

    @component.output_types(documents=list[Document])
    def run(self, query: str, top_k: int | None = None) -> dict[str, Any]:
        """Search for a question.

        Args:
            query: The question.
            top_k: Maximum number of passages; as at the start if ``None``.
        """
        # Haystack may call it in any thread, and a connection belongs to one.
        with Corpus.open(self.corpus, create=False) as corpus:
            hits = corpus.search(query, self.top_k if top_k is None else top_k)
        return {
            "documents": [
                Document(
                    content=hit.text,
                    score=hit.score,
                    meta={
                        "name": hit.document,
                        "title": hit.title,
                        "page": hit.page,
                        "start": hit.span.start,
                        "end": hit.span.end,
                    },
                )
                for hit in hits
            ]
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the component for a saved pipeline."""
        return default_to_dict(self, corpus=self.corpus, top_k=self.top_k)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CorpusRetriever:
        """Create the component of a saved pipeline."""
        return default_from_dict(cls, data)


@component
class QuotingReader:
    """Answers a question by quoting from documents; without an answer, it returns none.

    Args:
        reader: The name of a reader: a folder or a name on the hub; the included one if ``None``.
        top_k: Maximum number of answers.
        null_threshold: As in ``Reader.answer``.
    """

    def __init__(self, reader: str | None = None, top_k: int = 1, null_threshold: NullThreshold | None = None) -> None:
        self.reader = reader
        self.top_k = top_k
        self.null_threshold = null_threshold
        self._loaded: Reader | None = None

    def warm_up(self) -> None:
        """Load the reader."""
        if self._loaded is None:
            self._loaded = Reader.load(self.reader)

    @component.output_types(answers=list[ExtractedAnswer])
    def run(self, query: str, documents: list[Document], top_k: int | None = None) -> dict[str, Any]:
        """Read documents.

        Args:
            query: The question.
            documents: The documents; those without text are skipped.
            top_k: Maximum number of answers; as at the start if ``None``.
        """
        self.warm_up()
        assert self._loaded is not None
        readable = [document for document in documents if document.content]
        if not readable:
            return {"answers": []}
        prediction = self._loaded.answer(
            query,
            [str(document.content) for document in readable],
            top_k=self.top_k if top_k is None else top_k,
            null_threshold=self.null_threshold,
        )
        answers = () if prediction.no_answer else prediction.answers
        return {
            "answers": [
                ExtractedAnswer(
                    query=query,
                    score=answer.probability,
                    data=answer.text,
                    document=readable[answer.context_index],
                    document_offset=ExtractedAnswer.Span(answer.span.start, answer.span.end),
                )
                for answer in answers
            ]
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the component for a saved pipeline."""
        return default_to_dict(self, reader=self.reader, top_k=self.top_k, null_threshold=self.null_threshold)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> QuotingReader:
        """Create the component of a saved pipeline."""
        return default_from_dict(cls, data)
