"""The questions of a request, and their windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event

from quoth.errors import QuothError
from quoth.inputs import wrong_question
from quoth.reading import Window, Windower
from quoth.records import Example
from quoth.serve.errors import ApiError, of_quoth
from quoth.serve.texts import Text


@dataclass(frozen=True, slots=True)
class Query:
    """One question and its texts.

    Attributes:
        question: The question.
        texts: The texts.
        where: Path of the question in the request, for errors.
        id: What the client calls it, if anything.
        error: What is wrong with it already; then it is not asked.
    """

    question: str
    texts: tuple[Text, ...]
    where: str = "body"
    id: str | None = None
    error: ApiError | None = None


# Returns the queries of a request. It runs in a thread, because a request may have hundreds.
Build = Callable[[], Sequence[Query]]


@dataclass(frozen=True, slots=True)
class Cut:
    """A query and its windows.

    Attributes:
        query: The query.
        example: Its question and contexts.
        windows: All its windows, in their order.
        error: The error, if windows could not be created; then there are none.
    """

    query: Query
    example: Example
    windows: tuple[Window, ...] = ()
    error: ApiError | None = None


def cut_one(windower: Windower, query: Query) -> Cut:
    """Create the windows of one query, or its error."""
    example = Example(query.id or "", query.question, [text.text for text in query.texts])
    where = f"{query.where}.question"
    if query.error:
        return Cut(query, example, error=query.error)
    if wrong := wrong_question(query.question):
        error = ApiError(422, "question_empty", f"the question {wrong}", "Ask a question.", where)
        return Cut(query, example, error=error)
    try:
        return Cut(query, example, tuple(windower.windows(example)))
    except QuothError as problem:
        return Cut(query, example, error=of_quoth(problem, where))


def cut_all(windower: Windower, queries: Sequence[Query], most_tokens: int, left: Event) -> list[Cut]:
    """Create the windows of queries; stop if the request was cancelled.

    Raises:
        ApiError: If they have more tokens than the maximum capacity of the queue.
    """
    cuts: list[Cut] = []
    tokens = 0
    for query in queries:
        if left.is_set():
            break
        cuts.append(cut_one(windower, query))
        tokens += sum(map(len, cuts[-1].windows))
        if tokens > most_tokens:
            raise ApiError(
                413, "queue_tokens_limit",
                f"the windows of a request must have at most {most_tokens:,} tokens in total, but have more",
                "Send less text or fewer questions at once.", query.where,
            )  # fmt: skip
    return cuts
