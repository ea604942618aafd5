"""Splits text of any script into terms, to search and compare texts."""

from __future__ import annotations

import regex

from quoth.text import UNSPACED

_RUN = regex.compile(rf"[[\p{{L}}\p{{M}}\p{{N}}_]&&[{UNSPACED}]]+|[[\p{{L}}\p{{M}}\p{{N}}_]--[{UNSPACED}]]+", regex.V1)
_WITHOUT_SPACES = regex.compile(rf"[{UNSPACED}]", regex.V1)


def terms(text: str) -> list[str]:
    """Return the case-folded words of a text, and the character bigrams of scripts without spaces.

    Source: search engines use character bigrams for Chinese, Japanese and Thai, such as Lucene's ``CJKAnalyzer``.

    Example:
        >>> terms("Ana kept 灯塔在 1903.")
        ['ana', 'kept', '灯塔', '塔在', '1903']
    """
    folded = text.casefold()
    if folded.isascii():
        return _RUN.findall(folded)
    found: list[str] = []
    for run in _RUN.findall(folded):
        if len(run) > 1 and _WITHOUT_SPACES.match(run):
            found.extend(run[place : place + 2] for place in range(len(run) - 1))
        else:
            found.append(run)
    return found
