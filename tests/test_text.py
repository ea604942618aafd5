"""Text: normalisation, graphemes, words, UTF-16."""

from itertools import product

import pytest
from hypothesis import given, strategies as st

from quoth.records import Span
from quoth.text import (
    normalize_answer,
    replace_surrogates,
    surely_uncut,
    widen_to_graphemes,
    widen_to_words,
)
from support.oracle import grapheme_boundaries, inside_word
from support.texts import many, texts
from support.timing import cpu_seconds


@st.composite
def texts_with_span(draw):
    text = draw(texts)
    start = draw(st.integers(0, len(text)))
    return text, Span(start, draw(st.integers(start, len(text))))


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("  The  Broncos! ", "broncos"),
        ("an apple a day", "apple day"),
        ("U.S.", "us"),
        ("theatre", "theatre"),
        ("a-b", "ab"),
        ("the", ""),
        ("“the”", "“ ”"),
        ("ÁGUA", "água"),
    ],
)
def test_normalization_equals_the_official_one(text, normal):
    assert normalize_answer(text) == normal


@many
@given(texts)
def test_surrogates_are_replaced_one_for_one(text):
    clean = replace_surrogates(text)
    clean.encode("utf-8")
    assert len(clean) == len(text)
    assert all(new == old or "\ud800" <= old <= "\udfff" for new, old in zip(clean, text, strict=True))


@many
@given(texts_with_span())
def test_utf16_spans_count_code_units(given_text):
    text, span = given_text
    units = [position + sum(c > "\uffff" for c in text[:position]) for position in (span.start, span.end)]
    # A pair of lone surrogates is two code points for Python, and two code units too.
    assert span.utf16(text) == tuple(units)


def test_utf16_span_of_an_emoji():
    assert Span(1, 3).utf16("a👍b") == (1, 4)


def test_many_utf16_spans_late_in_a_long_text_are_fast():
    """The server counts the units of up to 100 answers between two others' requests."""
    text = "è" * 400_000
    assert Span(399_990, 399_991).utf16(text) == (399_990, 399_991)
    assert cpu_seconds(lambda: [Span(399_990, 399_991).utf16(text) for _ in range(400)]) < 1


@many
@given(texts_with_span())
def test_widening_never_splits_a_grapheme_and_adds_no_other(given_text):
    text, span = given_text
    boundaries = grapheme_boundaries(text)
    expected = Span(max(b for b in boundaries if b <= span.start), min(b for b in boundaries if b >= span.end))
    assert widen_to_graphemes(text, span) == expected


@pytest.mark.parametrize(
    ("text", "span", "whole"),
    [
        ("cafe\u0301!", Span(0, 4), Span(0, 5)),
        ("x👨‍👩‍👧y", Span(1, 2), Span(1, 6)),
        ("🇵🇹🇧🇷", Span(2, 3), Span(2, 4)),
        ("🇵🇹🇧🇷", Span(1, 2), Span(0, 2)),
        ("a\r\nb", Span(0, 2), Span(0, 3)),
        ("plain", Span(1, 3), Span(1, 3)),
    ],
)
def test_graphemes(text, span, whole):
    assert widen_to_graphemes(text, span) == whole


HANGUL = ("가", "각", "\u1100", "\u1161", "\u11a8", "a", "क", "\u094d", "\u0301", "\u200d", "\u0600", "🇵", "👍")


def test_no_grapheme_of_two_characters_is_split():
    """All pairs of Hangul characters, and of Hangul with extending, prepending and joining characters."""
    for before, one, other in product(HANGUL, repeat=3):
        text = before + one + other
        whole = widen_to_graphemes(text, Span(len(before), len(before)))
        assert (whole.start == len(before)) == (len(before) in grapheme_boundaries(text)), text


def test_hangul_graphemes_are_found_without_scanning_the_text():
    text = "".join(map(chr, range(0xAC00, 0xD7A4))) * 9
    assert widen_to_graphemes(text, Span(100_000, 100_001)) == Span(100_000, 100_001)
    assert cpu_seconds(lambda: [widen_to_graphemes(text, Span(100_000, 100_001)) for _ in range(80)]) < 1


@many
@given(texts_with_span())
def test_widening_never_splits_a_word_and_adds_no_other(given_text):
    text, span = given_text
    wide = widen_to_words(text, span)
    assert wide.start <= span.start <= span.end <= wide.end
    if len(span):
        assert not inside_word(text, wide.start)
        assert not inside_word(text, wide.end)
        assert all(inside_word(text, position) for position in range(wide.start + 1, span.start + 1))
        assert all(inside_word(text, position) for position in range(span.end, wide.end))
    else:
        assert wide == span


@pytest.mark.parametrize(
    ("text", "span", "whole"),
    [
        ("the lighthouse stands", Span(6, 9), Span(4, 14)),
        ("the lighthouse stands", Span(4, 14), Span(4, 14)),
        ("the lighthouse stands", Span(3, 14), Span(3, 14)),
        ("the lighthouse stands", Span(5, 5), Span(5, 5)),
        ("Atlântico", Span(2, 4), Span(0, 9)),
        ("in 1972.", Span(4, 5), Span(3, 7)),
        ("東京の灯台", Span(1, 2), Span(1, 2)),
        ("NHK東京", Span(1, 2), Span(0, 3)),
        ("ประเทศไทย", Span(6, 7), Span(6, 7)),
        ("हिन्दी भाषा", Span(1, 2), Span(0, 6)),
        ("don't", Span(0, 3), Span(0, 3)),
        # Soft hyphens and joiners are part of a word, and none of what stands beside it.
        ("Donau\xaddampf\xadschiff", Span(0, 5), Span(0, 18)),
        ("Donau\xaddampf\xadschiff", Span(12, 18), Span(0, 18)),
        ("می\u200cخواهم گفت", Span(0, 2), Span(0, 8)),
        ("so\xad it", Span(0, 2), Span(0, 2)),
        ("so\xad it", Span(2, 4), Span(2, 4)),
    ],
)
def test_words(text, span, whole):
    assert widen_to_words(text, span) == whole


@many
@given(texts_with_span())
def test_the_fast_check_for_uncut_spans_is_correct(given_text):
    text, span = given_text
    if surely_uncut(text, span):
        assert widen_to_graphemes(text, span) == widen_to_words(text, span) == span


@pytest.mark.parametrize(
    ("text", "span", "sure"),
    [
        ("in 1972.", Span(3, 7), True),
        ("1972", Span(0, 4), True),
        ("in Belém, at", Span(3, 8), True),
        ("don't", Span(0, 3), True),
        ("(1972)", Span(0, 5), True),
        ("in 1972.", Span(3, 5), False),
        ("in 1972.", Span(4, 7), False),
        ("cafe \u0301", Span(0, 5), False),
        ("a\r\nb", Span(0, 2), False),
        ("a\r\nb", Span(2, 4), False),
        ("«1972»", Span(1, 5), False),
        ("in \u030119 a", Span(3, 6), False),
    ],
)
def test_the_fast_check_covers_the_usual_case(text, span, sure):
    assert surely_uncut(text, span) == sure
