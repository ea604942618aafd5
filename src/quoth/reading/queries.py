"""Turns a question into full-text queries: its words without stop words, and trigrams of scripts without spaces."""

from __future__ import annotations

import regex

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
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
_WORD = regex.compile(rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{_UNSPACED}]]+", regex.V1)
_RUN = regex.compile(rf"[{_UNSPACED}\p{{M}}\p{{N}}]{{3,}}")
UNSPACED = regex.compile(f"[{_UNSPACED}]")


def words_query(question: str) -> str:
    """Return an FTS5 query for any of the question's words; stop words only if there are no others. May be empty."""
    words = list(dict.fromkeys(word.lower() for word in _WORD.findall(question)))
    wanted = [word for word in words if word not in STOP_WORDS] or words
    return " OR ".join(f'"{word}"' for word in wanted)


def trigrams_query(question: str) -> str:
    """Return an FTS5 query for any trigram of the question in scripts without spaces. May be empty."""
    runs = [run for run in _RUN.findall(question) if UNSPACED.search(run)]
    grams = dict.fromkeys(run[index : index + 3] for run in runs for index in range(len(run) - 2))
    return " OR ".join(f'"{gram}"' for gram in grams)
