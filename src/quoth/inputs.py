"""What a question and a context must be: one check, with one wording, for everything that takes them."""

from __future__ import annotations

EMPTY_QUESTION = "must not be empty"


def wrong_question(question: object) -> str | None:
    """Return what is wrong with a question, as the end of a sentence that begins with its name; ``None``: nothing."""
    if isinstance(question, str):
        return None if question.strip() else EMPTY_QUESTION
    return wrong_context(question)


def wrong_context(context: object) -> str | None:
    """Return what is wrong with a context, as :func:`wrong_question` does. A context may be empty."""
    return None if isinstance(context, str) else f"must be text, but is {repr(context)[:80]}"
