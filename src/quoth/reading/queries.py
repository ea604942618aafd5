"""Turns a question into full-text queries: its words without stop words, and trigrams of scripts without spaces."""

from __future__ import annotations

import regex

from quoth.text import UNSPACED, unspaced

# Words that do not help to find an answer.
STOP_WORDS = frozenset(
    regex.findall(
        r"\w+",
        "a about after all also an and any are as at be been before being between both but by can could did "
        "do does doing during each for from further had has have having he her here hers him his how i if in "
        "into is it its itself just many me more most much my no nor not of on once only or other our out "
        "over own s same she should so some such t than that the their theirs them then there these they this "
        "those through to too under until up very was we were what when where which while who whom whose why "
        "will with would you your",
    )
)
_WORD = regex.compile(rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{UNSPACED}]]+", regex.V1)
_RUN = regex.compile(rf"[{UNSPACED}\p{{M}}\p{{N}}]{{3,}}")
# Of ASCII, all but letters and digits becomes a space: five times as fast as the pattern.
_SPACES = {code: " " for code in range(128) if not chr(code).isalnum()}


def query_words(question: str) -> list[str]:
    """Return the question's words in lower case, without repetitions; stop words only if there are no others."""
    words = list(dict.fromkeys(word.lower() for word in words_of(question)))
    return [word for word in words if word not in STOP_WORDS] or words


def words_of(text: str) -> list[str]:
    """Return the words of a text in scripts with spaces: runs of letters, marks and digits."""
    return text.translate(_SPACES).split() if text.isascii() else _WORD.findall(text)


def trigrams_of(text: str) -> list[str]:
    """Return all trigrams of a text in scripts without spaces, without repetitions."""
    if text.isascii():
        return []
    runs = [run for run in _RUN.findall(text) if unspaced(run)]
    return list(dict.fromkeys(run[index : index + 3] for run in runs for index in range(len(run) - 2)))


def words_query(question: str) -> str:
    """Return an FTS5 query for any of the question's words. May be empty."""
    return " OR ".join(f'"{word}"' for word in query_words(question))


def trigrams_query(question: str) -> str:
    """Return an FTS5 query for any trigram of the question in scripts without spaces. May be empty."""
    return " OR ".join(f'"{gram}"' for gram in trigrams_of(question))
