"""The questions of a request, and their windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event

from quoth.errors import InputError, QuothError
from quoth.inputs import wrong_question
from quoth.reading import Window, Windower
from quoth.records import Example
from quoth.serve.errors import ApiError, api_error, question_empty
from quoth.serve.texts import Text


@dataclass(frozen=True, slots=True)
class Query:
    """One question and its texts.

    Attributes:
        question: The question.
        texts: The texts.
        where: Path of the question in the request, for errors.
        id: The id that the client gave to it, if any.
        error: The error of an invalid query, which is not read.
    """

    question: str
    texts: tuple[Text, ...]
    where: str = "body"
    id: str | None = None
    error: ApiError | None = None


# Returns the queries of a request. Called in a thread, because a request may have hundreds of queries.
BuildQueries = Callable[[], Sequence[Query]]


@dataclass(frozen=True, slots=True)
class SplitQuery:
    """A query and its windows.

    Attributes:
        query: The query.
        example: Its question and contexts.
        windows: All its windows, in order.
        error: The error if the query is invalid or could not be split; there are no windows then.
    """

    query: Query
    example: Example
    windows: tuple[Window, ...] = ()
    error: ApiError | None = None


def split_query(windower: Windower, query: Query) -> SplitQuery:
    """Return one query with its windows, or with its error."""
    example = Example(query.id or "", query.question, [text.text for text in query.texts])
    where = f"{query.where}.question"
    if query.error:
        return SplitQuery(query, example, error=query.error)
    if wrong_question(query.question):
        return SplitQuery(query, example, error=question_empty(where))
    try:
        return SplitQuery(query, example, tuple(windower.windows(example)))
    except QuothError as problem:
        if type(problem) is InputError:  # of a question without tokens; the subclasses say more
            return SplitQuery(query, example, error=question_empty(where))
        return SplitQuery(query, example, error=api_error(problem, where))


def split_queries(windower: Windower, queries: Sequence[Query], max_tokens: int, cancelled: Event) -> list[SplitQuery]:
    """Return queries with their windows.

    Args:
        windower: Creates the windows.
        queries: The queries.
        max_tokens: Maximum number of tokens of all windows together: the maximum capacity of the queue.
        cancelled: Set if the request was cancelled. The remaining queries are skipped then.

    Raises:
        ApiError: If the windows have more tokens.
    """
    splits: list[SplitQuery] = []
    tokens = 0
    for query in queries:
        if cancelled.is_set():
            break
        splits.append(split_query(windower, query))
        tokens += sum(map(len, splits[-1].windows))
        if tokens > max_tokens:
            raise ApiError(
                413, "queue_tokens_limit",
                f"the windows of a request must have at most {max_tokens:,} tokens in total, but have more",
                "Send less text or fewer questions at once.", query.where,
            )  # fmt: skip
    return splits
