"""Text functions of metrics and decoding: SQuAD normalization, word and grapheme boundaries, UTF-16 offsets."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterator

import regex

from quoth.records import Span

_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_GRAPHEME = regex.compile(r"\X")
# A grapheme boundary always separates two adjacent characters of these classes, because no rule of UAX 29 joins them.
# The first may end a Hangul syllable (V, T, LV, LVT), and the second may begin one (L, LV, LVT).
_ENDS = "".join(rf"\p{{Grapheme_Cluster_Break={kind}}}" for kind in ("Other", "LV", "LVT", "V", "T"))
_BEGINS = "".join(rf"\p{{Grapheme_Cluster_Break={kind}}}" for kind in ("Other", "LV", "LVT", "L"))
_TWO_PLAIN = regex.compile(f"[{_ENDS}][{_BEGINS}]")
_TWO_PLAIN_BACKWARDS = regex.compile(f"(?r){_TWO_PLAIN.pattern}")

# ASCII characters with a word and grapheme boundary on both sides: all but letters, digits, and CR and LF, which
# together are one grapheme. The empty string stands for the start and the end of the text.
_EDGES = frozenset(character for character in map(chr, range(128)) if not character.isalnum()) - {*"\r\n"} | {""}

# Letters, digits and combining marks (Mn and Mc, which are frequent in Devanagari), except in scripts without spaces
# between words, where adjacent letters need not belong to one word.
UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}\p{Yi}\p{Bopomofo}"
_UNSPACED = regex.compile(f"[{UNSPACED}]")
# A character of those scripts with its marks, or a word of another script.
PIECE = regex.compile(rf"[{UNSPACED}]\p{{M}}*|[^\s{UNSPACED}]+")
_ANY_PUNCTUATION = regex.compile(r"[\p{P}" + re.escape("$+<=>^`|~") + "]")
_LETTER = rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{UNSPACED}]]"
# Invisible characters inside words (soft hyphens, joiners and non-joiners, direction marks): UAX 29, rule WB4.
_UNSEEN = r"[\p{Word_Break=Format}\u200c\u200d]"
_NEXT = regex.compile(f"{_UNSEEN}*{_LETTER}", regex.V1)
_LAST = regex.compile(f"(?r){_LETTER}{_UNSEEN}*", regex.V1)
_WORD = regex.compile(f"(?:{_NEXT.pattern})+", regex.V1)
_WORD_BACKWARDS = regex.compile(f"(?r)(?:{_LETTER}{_UNSEEN}*)+", regex.V1)

# Variants of quotation marks and hyphens, besides those of ASCII.
SINGLE_QUOTES, DOUBLE_QUOTES = "‘’‚‛′´`ʼ", "“”„‟″«»"
HYPHENS = "‐‑‒–—―−﹘﹣－"

_CLOSING = r"[\p{Pe}\p{Pf}\"\']*"
_SENTENCE = rf"[.!?…]{_CLOSING}\s+|[\p{{Sentence_Terminal}}--[.!?…]]{_CLOSING}\s*"
# The end of a sentence, with closing quotation marks and white space: marks of Latin scripts only before white space,
# those of other scripts (Chinese, Arabic, Devanagari, Ethiopic, ...) always. The second pattern also matches line ends.
SENTENCE_END = regex.compile(_SENTENCE, regex.V1)
SENTENCE_OR_LINE_END = regex.compile(rf"{_SENTENCE}|[\n\r\u2028\u2029]", regex.V1)


def normalize_answer(text: str) -> str:
    """Lowercase, remove ASCII punctuation and English articles, and normalize white space.

    Source: ``normalize_answer`` of the official SQuAD v1.1 and v2.0 evaluation scripts, steps in the same order.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def normalize_by_characters(text: str) -> str:
    """Lowercase, remove the punctuation of all scripts, and put a space between characters of scripts without spaces.

    Source: ``normalize_answer`` for Chinese in MLQA's ``mlqa_evaluation_v1.py`` (Lewis et al. 2020); here for all such
    scripts.
    """
    return " ".join(PIECE.findall(_ANY_PUNCTUATION.sub("", text.lower())))


def unspaced(text: str) -> bool:
    """Return True if a text has letters of a script that is written without spaces between words."""
    return _UNSPACED.search(text) is not None


def count_words(text: str) -> int:
    """Return the number of words between spaces; in scripts without spaces, each character counts as a word."""
    return len(normalize_by_characters(text).split()) if unspaced(text) else len(text.split())


def find_all(text: str, wanted: str) -> Iterator[int]:
    """Yield all places of a text that is not empty in another one, in order, including overlapping ones."""
    place = text.find(wanted)
    while place >= 0:
        yield place
        place = text.find(wanted, place + 1)


def replace_surrogates(text: str) -> str:
    """Replace each lone surrogate by U+FFFD, so that offsets do not change and the text can be encoded as UTF-8."""
    return _SURROGATES.sub("\ufffd", text)


def is_blank(text: str) -> bool:
    """Return True if a text has only white space, control and invisible characters, and U+FFFD.

    Source: BERT's ``BasicTokenizer._clean_text``, which drops them (Unicode's category C).
    """
    return all(c.isspace() or c == "\ufffd" or unicodedata.category(c).startswith("C") for c in text)


def widen_to_graphemes(context: str, span: Span) -> Span:
    """Widen a span to whole graphemes (a letter with its combining marks, an emoji with its joiners).

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
    """Widen a span to whole words, in scripts with spaces between words."""
    start, end = span.start, span.end
    if start < end:
        before = _WORD_BACKWARDS.match(context, 0, start) if _NEXT.match(context, start) else None
        start = before.start() if before else start
        after = _WORD.match(context, end) if _LAST.match(context, 0, end) else None
        end = after.end() if after else end
    return span if (start, end) == (span.start, span.end) else Span(start, end)


def surely_uncut(context: str, span: Span) -> bool:
    """Return True if a quick check shows that a span cuts no grapheme and no word."""
    start, end = span.start, span.end
    if context[start - 1 : start] in _EDGES and context[end : end + 1] in _EDGES and span.of(context).isascii():
        return True
    return _two_plain_ascii(context, start) and _two_plain_ascii(context, end)


def _two_plain_ascii(context: str, position: int) -> bool:
    pair = context[position - 1 : position + 1] if position else ""
    return len(pair) < 2 or (pair.isascii() and not pair.isalnum() and pair != "\r\n")


def _surely_boundary(context: str, position: int) -> bool:
    """Return True if a quick check of the neighbouring characters shows that a position is a grapheme boundary."""
    return _TWO_PLAIN.match(context, position - 1) is not None


def _grapheme_start(context: str, position: int) -> int:
    """Return the start of the grapheme around a position; the position itself if it is a boundary."""
    # Clusters can be long (flags, families), but none crosses a certain boundary.
    sure = _TWO_PLAIN_BACKWARDS.search(context, 0, position)
    for match in _GRAPHEME.finditer(context, sure.start() + 1 if sure else 0):
        if match.end() > position:
            return match.start()
    return position
