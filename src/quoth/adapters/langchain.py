"""For LangChain: a retriever over a corpus, and a runnable that answers from it by quoting.

Example::

    CorpusRetriever(corpus="contracts.quoth").invoke(question)      # documents
    CorpusAnswer(corpus="contracts.quoth").invoke(question)         # answers with document, page and citation
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig, RunnableSerializable
from pydantic import ConfigDict

from quoth.corpus import PASSAGES, Corpus
from quoth.reader import Reader


class CorpusRetriever(BaseRetriever):
    """Searches a corpus, and returns its best passages as documents.

    The metadata of a document has ``source`` (its name), ``title``, ``page``, ``start``, ``end`` (code points of the
    document) and ``score``.

    Attributes:
        corpus: The path of a corpus, or the URL of a PostgreSQL database.
        k: Maximum number of passages.
    """

    corpus: str
    k: int = PASSAGES

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        # LangChain may call it in any thread, and a connection belongs to one.
        with Corpus.open(self.corpus, create=False) as corpus:
            hits = corpus.search(query, self.k)
        return [
            Document(
                page_content=hit.text,
                metadata={
                    "source": hit.document,
                    "title": hit.title,
                    "page": hit.page,
                    "start": hit.span.start,
                    "end": hit.span.end,
                    "score": hit.score,
                },
            )
            for hit in hits
        ]


class CorpusAnswer(RunnableSerializable[str, dict[str, Any]]):
    """Answers a question from a corpus by quoting.

    The result has ``answers`` (each as ``CorpusAnswer.to_dict`` of :mod:`quoth.corpus`, with its ``citation``),
    ``no_answer`` and ``reason``; without an answer, ``answers`` are the candidates.

    Attributes:
        corpus: The path of a corpus, or the URL of a PostgreSQL database.
        reader: The name of a reader: a folder or a name on the hub; the included one if ``None``.
        top_k: Maximum number of answers.
        passages: Number of passages to read.
        null_threshold: As in ``Corpus.answer``.
    """

    model_config = ConfigDict(ignored_types=(cached_property,))

    corpus: str
    reader: str | None = None
    top_k: int = 1
    passages: int = PASSAGES
    null_threshold: Any = None

    @cached_property
    def _loaded(self) -> Reader:
        return Reader.load(self.reader)

    def invoke(self, input: str, config: RunnableConfig | None = None, **kwargs: Any) -> dict[str, Any]:
        """Answer a question."""
        return self._call_with_config(self._answer, input, config)

    def _answer(self, question: str) -> dict[str, Any]:
        with Corpus.open(self.corpus, create=False) as corpus:
            found = corpus.answer(
                self._loaded,
                question,
                top_k=self.top_k,
                passages=self.passages,
                null_threshold=self.null_threshold,
            )
        answers = [{**answer.to_dict(), "citation": answer.to_citation()} for answer in found.answers]
        return {"answers": answers, "no_answer": found.no_answer, "reason": found.reason}
