"""Turns requests into questions with the texts to quote from, within the limits of the server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from quoth.serve.errors import ApiError, too_large
from quoth.serve.http import schema
from quoth.serve.http.errors import validated
from quoth.serve.queue.queries import Query
from quoth.serve.settings import ServeSettings
from quoth.serve.store import Texts
from quoth.serve.texts import Text


class Sources:
    """The sources of questions: texts in a request, and stored texts.

    Its methods take ``where``, the place in the request that an error names.
    """

    def __init__(self, stored: Texts, limits: ServeSettings) -> None:
        """Keep the stored texts and the limits."""
        self._stored = stored
        self._limits = limits

    def rows_of(self, asked: schema.AnswersRequest, most: int, flag: str) -> list[Any]:
        """Return the rows or questions of a request.

        Raises:
            ApiError: If there are too many.
        """
        given = asked.rows if asked.rows is not None else asked.questions
        assert given is not None
        if len(given) > most:
            raise too_large("rows of a request", most, len(given), flag, "body")
        return given

    def shared(self, asked: schema.AnswersRequest) -> tuple[Text, ...] | None:
        """Return the source that all questions share; ``None`` for rows.

        Raises:
            ApiError: If the source is invalid. The whole request fails then.
        """
        return self.texts_of(asked, "body") if asked.rows is None else None

    def row(self, shared: tuple[Text, ...] | None, index: int, row: Any) -> Query:
        """Return one row of many as a query, with an error if the row is invalid."""
        where = f"body.rows.{index}" if shared is None else f"body.questions.{index}"
        try:
            if shared is None:
                found = validated(schema.Row, row, where)
                return replace(self.query(found, found.question, where), id=row_id(row))
            question = validated(schema.OneQuestion, {"question": row}, where).question
            self.check_question(question, where)
            return Query(question, shared, where)
        except ApiError as error:
            return Query("", (), where, row_id(row), error)

    def query(self, source: schema.Source, question: str, where: str) -> Query:
        """Return a question with the texts of its source.

        Raises:
            ApiError: If the question or the source is invalid.
        """
        self.check_question(question, where)
        return Query(question, self.texts_of(source, where), where)

    def texts_of(self, source: schema.Source, where: str) -> tuple[Text, ...]:
        """Return the texts of a source.

        Raises:
            ApiError: If they are too long or too many, or a handle is not that of a stored text.
        """
        if source.text is not None:
            return (self.text(source.text, f"{where}.text"),)
        if source.context is not None:
            return (Text("", self.within_limit(source.context, f"{where}.context")),)
        contexts, most = source.contexts or [], self._limits.contexts
        if len(contexts) > most:
            raise too_large("contexts of a question", most, len(contexts), "contexts", f"{where}.contexts")
        self.check_length(sum(map(len, contexts)), f"{where}.contexts")
        return tuple(Text("", context) for context in contexts)

    def text(self, handle: str, where: str) -> Text:
        """Return a stored text.

        Raises:
            ApiError: If there is none with this handle.
        """
        text = self._stored.get(handle)
        if text is not None:
            return text
        if self._stored.has_expired(handle):
            raise text_not_found(where, expired=True)
        raise text_not_found(where)

    def check_question(self, question: str, where: str) -> None:
        """Raise if a question is too long."""
        limit = self._limits.question_characters
        if len(question) > limit:
            raise too_large(
                "characters of the question", limit, len(question), "question_characters", f"{where}.question"
            )

    def within_limit(self, text: str, where: str) -> str:
        """Return a text; raise if it is too long."""
        self.check_length(len(text), where)
        return text

    def check_length(self, characters: int, where: str) -> None:
        """Raise if texts have too many characters together."""
        limit = self._limits.context_characters
        if characters > limit:
            raise too_large("characters of all texts", limit, characters, "context_characters", where)


def text_not_found(where: str, *, expired: bool = False) -> ApiError:
    """Return the error for a handle without a text."""
    code, message = "text_not_found", "no text with this handle is stored"
    if expired:
        code, message = "text_expired", "the text with this handle has expired"
    return ApiError(404, code, message, "Send it again with POST /v1/texts.", where)


def row_id(row: Any) -> str | None:
    """Return the id of a row, even if its other fields are invalid."""
    found = row.get("id") if isinstance(row, dict) else None
    return found if isinstance(found, str) else None
