"""Text as the metrics and the decoder see it: SQuAD normalisation, boundaries, UTF-16 offsets."""

from __future__ import annotations

import re
import string
import unicodedata

import regex

from quoth.records import Span

_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_GRAPHEME = regex.compile(r"\X")

# Scripts written without spaces between words, so that a letter beside a letter says nothing about words.
_UNSPACED = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}\p{Yi}\p{Bopomofo}]"
)


def normalize_answer(text: str) -> str:
    """Lower, drop ASCII punctuation and English articles, and join by single spaces.

    Source: the official SQuAD v1.1 and v2.0 evaluation scripts, ``normalize_answer``; in their order.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def replace_surrogates(text: str) -> str:
    """Replace each lone surrogate by U+FFFD, one for one, so that offsets stay and UTF-8 can hold the text."""
    return _SURROGATES.sub("\ufffd", text)


def utf16_span(context: str, span: Span) -> tuple[int, int]:
    """Return the span in UTF-16 code units, half-open, as JavaScript, Java and C# count."""
    start = _utf16_length(context[: span.start])
    return start, start + _utf16_length(span.of(context))


def _utf16_length(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)


def widen_to_graphemes(context: str, span: Span) -> Span:
    """Widen a span so that it cuts no grapheme (a letter and its combining marks, an emoji and its joiners).

    Source: Unicode Standard Annex 29, section 3 (extended grapheme clusters).
    """
    start = span.start
    if 0 < start < len(context) and not _surely_boundary(context, start):
        start = _grapheme_start(context, start)
    end = span.end
    if 0 < end < len(context) and not _surely_boundary(context, end):
        begin = _grapheme_start(context, end)
        match = _GRAPHEME.match(context, begin)
        end = match.end() if match and begin < end else end
    return span if (start, end) == (span.start, span.end) else Span(start, end)


def widen_to_words(context: str, span: Span) -> Span:
    """Widen a span so that it cuts no word, in scripts that put spaces between words."""
    start, end = span.start, span.end
    if start < end:
        while start > 0 and _inside_word(context[start - 1], context[start]):
            start -= 1
        while end < len(context) and _inside_word(context[end - 1], context[end]):
            end += 1
    return span if (start, end) == (span.start, span.end) else Span(start, end)


def _inside_word(left: str, right: str) -> bool:
    return _is_letter(left) and _is_letter(right)


def _is_letter(character: str) -> bool:
    if character.isascii():
        return character.isalnum()
    # Mn and Mc belong to the letter before them: a Devanagari word is full of them.
    return unicodedata.category(character)[0] in "LMN" and not _UNSPACED.match(character)


def _surely_boundary(context: str, position: int) -> bool:
    """Tell without a regex, for the usual case: two ASCII characters never form a grapheme, but for CR LF."""
    left, right = context[position - 1], context[position]
    return left.isascii() and right.isascii() and not (left == "\r" and right == "\n")


def _grapheme_start(context: str, position: int) -> int:
    """Return where the grapheme around a position starts; the position itself if it is a boundary."""
    # Clusters can be long (flags, families), but none reaches over a line or a plain ASCII character boundary.
    begin = position
    while begin > 0 and not (begin < position and _surely_boundary(context, begin)):
        begin -= 1
    for match in _GRAPHEME.finditer(context, begin):
        if match.end() > position:
            return match.start()
    return position
