"""Validation of questions and contexts, with the same messages in all interfaces."""

from __future__ import annotations

EMPTY_QUESTION = "must not be empty"


def wrong_question(question: object) -> str | None:
    """Return the problem of a question, as the end of a sentence that begins with its name; ``None`` if it is valid."""
    if isinstance(question, str):
        return None if question.strip() else EMPTY_QUESTION
    return wrong_context(question)


def wrong_context(context: object) -> str | None:
    """Return the problem of a context, like :func:`wrong_question`. A context may be empty."""
    return None if isinstance(context, str) else f"must be text, but is {repr(context)[:80]}"
