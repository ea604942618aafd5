"""A server of tools for agents, by the Model Context Protocol: ask, search and verify."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, wraps
from typing import Annotated, Any

from pydantic import Field

from quoth.corpus import Corpus
from quoth.errors import InputError, MissingExtraError, QuothError
from quoth.reader import Reader
from quoth.verification import read_claims, verify

try:
    from mcp.server import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError
except ImportError as error:
    raise MissingExtraError("quoth mcp", "mcp") from error

_INSTRUCTIONS = (
    "Answers questions by quoting texts word for word, and checks quotes. Use verify before you present text in "
    "quotation marks: each quote is exact, near (with the difference, word by word) or absent."
)
Question = Annotated[str, Field(description="A question in plain words.", min_length=1, max_length=2_000)]
Contexts = Annotated[
    list[str] | None, Field(description="Texts to look in; if left out, the documents of the corpus.", max_length=1_000)
]


class Tools:
    """The functions behind the tools.

    Args:
        corpus: The path of a corpus, or the URL of a PostgreSQL database; ``None``: every call brings its texts.
        reader: The name of a reader; the included one if ``None``.
    """

    def __init__(self, corpus: str | None, reader: str | None) -> None:
        self._corpus, self._reader = corpus, reader
        if corpus is not None:
            # A bad name is reported at the start.
            Corpus.open(corpus, create=False).close()

    @cached_property
    def _loaded(self) -> Reader:
        return Reader.load(self._reader)

    def _opened(self) -> Corpus:
        # Tools run in several threads, and a connection belongs to one.
        if self._corpus is None:
            raise InputError("contexts must be given, because the server has no corpus; start it with --corpus CORPUS")
        return Corpus.open(self._corpus, create=False)

    def ask(
        self, question: Question, contexts: Contexts = None, top_k: Annotated[int, Field(ge=1, le=20)] = 3
    ) -> dict[str, Any]:
        """Answer a question by quoting: each answer with its exact place, probability, document and page."""
        # Fewer keys than `to_dict` has, because agents pay for each token of a result.
        if contexts is not None:
            prediction = self._loaded.answer(question, contexts, top_k=top_k)
            answers = [
                {
                    "text": answer.text,
                    "context": answer.context_index,
                    "start": answer.span.start,
                    "end": answer.span.end,
                    "probability": answer.probability,
                }
                for answer in prediction.answers
            ]
            return {"answers": answers, "no_answer": prediction.no_answer, "reason": prediction.reason}
        with self._opened() as corpus:
            found = corpus.answer(self._loaded, question, top_k=top_k)
        answers = [
            {
                "text": answer.text,
                "document": answer.document,
                "page": answer.page,
                "start": answer.span.start,
                "end": answer.span.end,
                "probability": answer.probability,
                "sentence": answer.sentence,
            }
            for answer in found.answers
        ]
        return {"answers": answers, "no_answer": found.no_answer, "reason": found.reason}

    def search(self, query: Question, top_k: Annotated[int, Field(ge=1, le=100)] = 10) -> dict[str, Any]:
        """Search the documents of the corpus for passages that match a question or words, best first."""
        with self._opened() as corpus:
            hits = corpus.search(query, top_k)
        return {"passages": [hit.to_dict() for hit in hits]}

    def verify(
        self,
        quotes: Annotated[
            str, Field(description="Text whose parts in quotation marks are checked, or a JSON list of quotes.")
        ],
        contexts: Contexts = None,
    ) -> dict[str, Any]:
        """Check whether quotes stand in the texts, word for word: exact, near with its difference, or absent."""
        claims = read_claims(quotes)
        if not claims:
            raise InputError("quotes must have a quote, but has none")
        if contexts is not None:
            return {"quotes": [verdict.to_dict() for verdict in verify(claims, contexts)]}
        with self._opened() as corpus:
            return {"quotes": [verdict.to_dict() for verdict in verify(claims, corpus.documents())]}


def create_server(corpus: str | None = None, reader: str | None = None, version: str = "") -> MCPServer:
    """Return the server; its method ``run`` serves on standard input and output.

    Args:
        corpus: The path of a corpus, or the URL of a PostgreSQL database; without one, there is no tool ``search``.
        reader: The name of a reader: a folder or a name on the hub; the included one if ``None``.
        version: The version that it reports.

    Raises:
        CorpusError: If the corpus cannot be opened.
        MissingExtraError: If the extra [mcp] is not installed.
    """
    tools = Tools(corpus, reader)
    server = MCPServer("quoth", instructions=_INSTRUCTIONS, version=version, log_level="WARNING")
    functions: list[Callable[..., dict[str, Any]]] = [tools.ask, tools.verify]
    if corpus is not None:
        functions.append(tools.search)
    for function in functions:
        server.add_tool(_reporting(function))
    return server


def _reporting(function: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Return a tool whose errors are messages to the agent, and not faults of the server."""

    @wraps(function)
    def called(*arguments: Any, **named: Any) -> dict[str, Any]:
        try:
            return function(*arguments, **named)
        except QuothError as error:
            raise ToolError(str(error)) from error

    return called
