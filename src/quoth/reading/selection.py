"""Selects the windows of a long text to read, by a full-text search for the question's words."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from quoth.reading.queries import trigrams_query, words_query
from quoth.reading.windows import Window
from quoth.text import unspaced


def best_windows(windows: Sequence[Window], most: int) -> list[Window]:
    """Return the windows of one example that best match its question's words, in order.

    The search is the same as in a corpus: BM25 with English stemming, and trigrams for scripts without spaces. If too
    few windows contain a word of the question, the first of the others are added.

    Args:
        windows: All windows of the example, in order.
        most: Maximum number of windows, at least 1.
    """
    if len(windows) <= most:
        return list(windows)
    import sqlite3  # loading a reader would take longer

    # SQLite does not support lone surrogates.
    texts = [_text(window).encode("utf-8", "replace").decode() for window in windows]
    found: dict[int, float] = {}
    with closing(sqlite3.connect(":memory:")) as base:
        for tokenize, query, may_match in (
            ("porter unicode61", words_query(windows[0].example.question), lambda text: True),
            ("trigram", trigrams_query(windows[0].example.question), unspaced),
        ):
            if not query:
                continue
            base.execute("DROP TABLE IF EXISTS windows")
            base.execute(f"CREATE VIRTUAL TABLE windows USING fts5(text, content='', tokenize='{tokenize}')")
            rows = ((number, text) for number, text in enumerate(texts) if may_match(text))
            base.executemany("INSERT INTO windows (rowid, text) VALUES (?, ?)", rows)
            best = "SELECT rowid, -rank FROM windows WHERE windows MATCH ? ORDER BY rank LIMIT ?"
            for number, score in base.execute(best, (query, most)):
                found[number] = found.get(number, 0.0) + score
    ranked = sorted(found, key=lambda number: (-found[number], number))[:most]
    rest = (number for number in range(len(windows)) if number not in found)
    return [windows[number] for number in sorted([*ranked, *(next(rest) for _ in range(most - len(ranked)))])]


def _text(window: Window) -> str:
    """Return the part of the context in a window."""
    first = window.first_token
    offsets = window.context.offsets
    return window.text[offsets.item(first, 0) : offsets.item(first + len(window.context_tokens) - 1, 1)]
