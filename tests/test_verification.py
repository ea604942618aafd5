"""Claimed quotes: exact ones are found at their places, and a changed one is never exact."""

import contextlib
import json
import random
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st

from quoth.cli import main
from quoth.documents import Document
from quoth.errors import InputError
from quoth.records import Span
from quoth.verification import Claim, quoted, read_claims, verify
from quoth.verification.difference import align, tokens_of
from quoth.verification.fold import FORMS, codes_of, fold, fold_text
from quoth.verification.grams import _verified_by_hashes
from support.files import pdf
from support.quotes import TEXTS, cases
from support.texts import few, texts
from support.timing import cpu_seconds

TEXT = (
    "The notice period is two months. It begins with the first day of the con-\ntract. The ﬁrst “well-known” light was "
    "built by Ana Ribeiro in 1972; it is 13 metres high, and does not burn."
)


def one(quote, text=TEXT):
    [verdict] = verify([quote], text)
    return verdict


def changed(verdict):
    return [(step.kind, step.quote, step.text) for step in verdict.difference if step.kind not in ("same", "form")]


@few
@given(texts, st.data())
def test_a_quote_copied_from_a_text_is_exact_at_its_place(text, data):
    assume(text)
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    verdict = one(text[start:end], text)
    assert verdict.status == "exact"
    assert all(place.text == text[start:end] == place.span.of(text) for place in verdict.places)
    assert verdict.place_count > 100 or Span(start, end) in [place.span for place in verdict.places]


@few
@given(texts, st.data())
def test_places_count_code_points_utf16_units_and_lines(text, data):
    assume(text)
    start = data.draw(st.integers(0, len(text) - 1))
    place = one(text[start : start + 3], text).places[0]
    before = text[: place.span.start]
    assert place.utf16[0] == len(before.encode("utf-16-le", "surrogatepass")) // 2
    if text[len(before) - 1 : len(before) + 1] == "\r\n":
        before = before[:-1]
    assert place.line == 1 + len(re.findall("\r\n?|\n", before))


@few
@given(texts | st.text(alphabet="aB1 -\u00ad\n'’ﬁé\u0301٣"), st.sampled_from(["", *FORMS]))
def test_short_and_long_texts_are_folded_in_the_same_way(text, skip):
    assert fold_text(text, skip) == fold(codes_of(text), skip).text


@given(st.integers(0, 10**9))
def test_a_quote_with_a_changed_digit_name_or_negation_is_never_exact(seed):
    for case in cases(12, seed):
        [verdict] = verify([{"quote": case.quote, "source": case.source}], TEXTS)
        assert (verdict.status == "exact") is (case.kind == "cut")


def test_three_hundred_generated_cases_have_the_expected_status():
    made = cases(300)
    verdicts = verify([{"quote": case.quote, "source": case.source} for case in made], TEXTS)
    wrong = [
        (case, verdict.status)
        for case, verdict in zip(made, verdicts, strict=True)
        if verdict.status != case.status and not (case.status is None and verdict.status != "exact")
    ]
    assert wrong == []
    # A changed word is reported as changed; another form of the same word is not.
    for case, verdict in zip(made, verdicts, strict=True):
        if verdict.status == "near":
            assert verdict.words_changed is (case.kind not in ("form", "ellipsis")), case


@pytest.mark.parametrize(
    ("quote", "difference"),
    [
        ("the notice period is three months", [("changed", "three", "two")]),
        ("and does burn.", [("missing", "", "not")]),
        ("built by Bob Ribeiro in 1972", [("changed", "Bob", "Ana")]),
        ("built by Ana Ribeiro in 1973", [("changed", "1973", "1972")]),
        ("It never begins with the first day", [("added", "never", "")]),
        ("it is 3 metres High, and does not burn", [("changed", "3", "13")]),
        ("built by Ana Ribeiro, in 1972", [("added", ",", "")]),
    ],
)
def test_changed_words_are_listed(quote, difference):
    verdict = one(quote)
    assert (verdict.status, changed(verdict), verdict.words_changed) == ("near", difference, True)


@pytest.mark.parametrize(
    ("quote", "form", "stands"),
    [
        ("THE NOTICE PERIOD", "case", "The notice period"),
        ("notice  period\tis", "spaces", "notice period is"),
        ('first "well-known" light', "quotation marks", "ﬁrst “well-known” light"),
        ("day of the contract", "hyphens", "day of the con-\ntract"),
        ("The first “well-known”", "ligatures", "The ﬁrst “well-known”"),
        ("no\u00adtice period", "invisible characters", "notice period"),
        ("built by Ana … does not burn", "ellipsis", "built by Ana"),
        ("[...] does not burn", "ellipsis", "does not burn"),
    ],
)
def test_another_form_is_near_without_changed_words(quote, form, stands):
    verdict = one(quote)
    assert (verdict.status, verdict.words_changed) == ("near", False)
    assert form in verdict.forms
    assert verdict.places[0].text == stands


def test_a_letter_and_its_accent_may_be_one_code_point_or_two():
    assert one("café", "le cafe\u0301 noir").forms == ("Unicode form",)
    # Without its accent, it is another word.
    assert changed(one("le cafe noir", "le cafe\u0301 noir")) == [("changed", "cafe", "cafe\u0301")]


def test_parts_must_be_in_order_in_one_source():
    assert one("does not burn … notice period").status == "absent"
    [verdict] = verify(["notice … burns"], ["the notice", "it burns"])
    assert verdict.status == "absent"
    assert verdict.closest.text in ("notice", "burns")


def test_a_quote_that_splits_a_number_or_a_word_is_exact_with_a_note():
    for quote, text in (("3 metres", TEXT), ("possible", "It is impossible."), ("5 %", "It is 1.5 %."), ("5", "at -5")):
        verdict = one(quote, text)
        assert (verdict.status, verdict.places[0].whole_words) == ("exact", False)
        assert verdict.note == "the quote begins or ends inside a longer word or number of the text"
    # The number is longer than in the quote, so it is a changed word, and is shown completely.
    assert changed(one("3  metres high")) == [("changed", "3", "13")]


def test_an_absent_quote_has_the_closest_passage():
    verdict = one("the period of notice was agreed upon by nobody")
    assert verdict.status == "absent"
    assert "notice" in verdict.closest.text
    assert one("灯台", TEXT).closest is None


def test_all_places_are_returned_whole_words_first():
    verdict = one("a", "banana a")
    assert [(place.span.start, place.whole_words) for place in verdict.places] == [
        (7, True),
        (1, False),
        (3, False),
        (5, False),
    ]
    many = one("no", "no " * 500)
    assert (len(many.places), many.place_count) == (100, 500)


def test_only_the_claimed_source_is_searched():
    texts = {"a.txt": "two months", "b/c.txt": "three months"}
    found = verify([Claim("three months", "c.txt"), Claim("three months", 1), Claim("three months", "a.txt")], texts)
    assert [verdict.status for verdict in found] == ["exact", "exact", "absent"]
    assert found[2].note == "the exact quote is in b/c.txt, not in a.txt"
    with pytest.raises(InputError, match=r"quote 2: source must be one of a.txt, b/c.txt, but is d.txt"):
        verify(["two", {"quote": "two", "source": "d.txt"}], texts)


def test_similar_places_in_other_sources_do_not_hide_a_near_match_in_the_claimed_one():
    clause = "The notice period for this agreement is {} months after written notice. "
    texts = {f"contract {number}": clause.format("three") for number in range(100)}
    [verdict] = verify([Claim(clause.format("four"), "contract 99")], texts)
    assert (verdict.status, verdict.places[0].source) == ("near", "contract 99")
    [verdict] = verify([Claim("net income", "last")], {"first": "Net Income. " * 1_100, "last": "NET income rose."})
    assert (verdict.status, verdict.places[0].text) == ("near", "NET income")


@dataclass
class Pages:
    """A source of two pages."""

    text: str
    name: str = "paged"

    def page_at(self, position):
        return 1 + self.text.count("\f", 0, position)

    def boxes_of(self, span):
        return ()


def test_offsets_of_citations_are_checked_and_repaired():
    text = "Two keys. 🔑 Two keys."
    cited = {"type": "char_location", "cited_text": "Two keys.", "document_index": 0}
    for start, end, offsets, first in ((12, 21, "right", 12), (13, 22, "repaired", 12), (1, 10, "repaired", 0)):
        [verdict] = verify([{**cited, "start_char_index": start, "end_char_index": end}], text)
        assert (verdict.status, verdict.offsets, verdict.places[0].span.start) == ("exact", offsets, first)
    [verdict] = verify([{**cited, "cited_text": "Ten keys.", "start_char_index": 0, "end_char_index": 9}], text)
    assert (verdict.status, verdict.offsets) == ("near", "wrong")
    paged = {"type": "page_location", "cited_text": "Two keys.", "start_page_number": 2, "end_page_number": 3}
    [verdict] = verify([paged], [Pages("Two keys.\fTwo keys.")])
    assert (verdict.offsets, verdict.places[0].page) == ("right", 2)
    [verdict] = verify([paged], [Pages("Two keys.\f")])
    assert (verdict.offsets, verdict.places[0].page) == ("repaired", 1)


def test_quotes_are_read_from_quotation_marks_and_from_json():
    assert quoted('He said "a b", „c d“ and «e».') == ("a b", "c d", "e")
    assert quoted("no marks") == ("no marks",)
    answer = {
        "content": [
            {"type": "text", "text": "Hello."},
            {"type": "text", "text": "x", "citations": [{"cited_text": "a", "document_title": "t"}]},
        ]
    }
    assert read_claims(json.dumps(answer)) == (Claim("a", "t"),)
    assert read_claims('["a", {"quote": "b", "source": 1}]') == (Claim("a"), Claim("b", 1))
    with pytest.raises(InputError, match='quote 2: must have a text under "quote"') as caught:
        read_claims('["a", {"said": "b"}, 7]')
    assert "quote 3: must be text or an object" in str(caught.value)
    with pytest.raises(InputError, match="start_char_index must be a whole number from 0, but is -1"):
        read_claims('[{"cited_text": "a", "start_char_index": -1}]')


@pytest.mark.parametrize(
    ("text", "quotes"),
    [
        # A quote within a quote is a part of it.
        ("“He said ‘no’ to “me” twice.”", ["He said ‘no’ to “me” twice."]),
        ("„Er sagte ‚nein‘ und „ja“.“ »Sie auch.«", ["Er sagte ‚nein‘ und „ja“.", "Sie auch."]),
        ("«il a dit «non» hier», « la pluie »", ["il a dit «non» hier", "la pluie"]),
        ("「彼は「はい」と言った」", ["彼は「はい」と言った"]),
        ('The "rent (see "Annex") is due", he said.', ['rent (see "Annex") is due']),
        # Marks that open and close, after spaces, brackets, colons and letters of scripts without spaces.
        ("”Han kom hem” och ”hon”, ״שלום״", ["Han kom hem", "hon", "שלום"]),
        ('他说"灯塔"。又说"船", see:"a",("b")', ["灯塔", "船", "a", "b"]),
        ('A 5" pipe and a 6" pipe', ['A 5" pipe and a 6" pipe']),
        # Several paragraphs; no end.
        ("“First.\n\n“Second.” x “third\n\nNo quote.", ["First.", "Second.", "third"]),
        ('It says "no" and "yes', ["no", "yes"]),
        # Single marks, if there are no others; apostrophes are none.
        ("‘The tenants’ duty,’ he said, ‚Ja‘ und ‹Nein›", ["The tenants’ duty,", "Ja", "Nein"]),
        ("'The rent's due' and 'pay it'", ["The rent's due", "pay it"]),
        ("It's the tenants' duty", ["It's the tenants' duty"]),
        ("It's \"a\" 'b'", ["a"]),
    ],
)
def test_quotes_are_found_in_the_marks_of_every_language(text, quotes):
    assert list(quoted(text)) == quotes


@few
@given(
    st.lists(st.text("ab \n", min_size=1).filter(str.strip), min_size=1), st.sampled_from(["“”", "«»", "„“", "「」"])
)
def test_every_part_in_quotation_marks_is_a_quote(parts, marks):
    text = " said: ".join(f"{marks[0]}{part}{marks[1]}" for part in parts)
    assert list(quoted(text)) == [part.strip() for part in parts]


def test_the_claimed_place_is_found_among_many():
    text = "The rent is due. " * 1_000
    for index in (0, 500, 999):
        claim = {"quote": "The rent is due.", "start": index * 17, "end": index * 17 + 16}
        [verdict] = verify([claim], text)
        assert (verdict.offsets, verdict.places[0].span.start, verdict.place_count) == ("right", index * 17, 1_000)
        [verdict] = verify([{**claim, "start": index * 17 + 3}], text)
        assert (verdict.offsets, verdict.places[0].span.start) == ("repaired", index * 17)


def test_the_claimed_page_is_found_among_many():
    pages = tuple(Span(start, start + 16) for start in range(0, 17_000, 17))
    document = Document("The rent is due. " * 1_000, pages, "a.pdf")
    citation = {"cited_text": "The rent is due.", "start_page_number": 700, "end_page_number": 701}
    [verdict] = verify([citation], document)
    assert (verdict.offsets, verdict.places[0].page) == ("right", 700)


@few
@given(st.text("ab", min_size=1, max_size=300), st.integers(1, 40))
def test_hashes_find_the_same_places_as_comparing(text, size):
    wanted = codes_of(text[:size])
    starts = np.arange(max(0, len(text) - len(wanted)) + 1)
    slow = [start for start in starts.tolist() if text.startswith(text[:size], start)]
    assert _verified_by_hashes(codes_of(text), wanted, starts).tolist() == slow


@pytest.mark.parametrize("filling", [" ", "\n", "\u200b ", ". ", "\u2026", "[", "...", "1.", "\n\n\u201c", "a-\n"])
def test_a_quote_of_nothing_but_spaces_and_marks_takes_linear_time(filling):
    """A client of the server may send such quotes, and no other request is served while a pattern is matched."""
    quote = f"a{filling * (20_000 // len(filling))}b"
    assert cpu_seconds(lambda: (quoted(quote), read_claims(json.dumps([quote]))[0].parts)) < 2
    started = time.process_time()
    assert one(f"the first{filling * 200}day", f"the first{filling * 100_000}day") is not None
    assert time.process_time() - started < 15


def test_texts_that_repeat_themselves_take_linear_time():
    for quote, text, status in (
        ("a" * 50, "a" * 1_000_000, "exact"),
        ("a" * 20_000, "a" * 1_000_000, "exact"),
        ("a" * 5_000 + "b" + "a" * 5_000, "a" * 300_000, "absent"),
        ("The rent is due on Monday.", "The rent is due on Friday. " * 40_000, "near"),
        ("x " + "The rent is due. " * 8_000 + "y", "z " + "The rent is due. " * 8_000 + "z", "near"),
    ):
        started = time.process_time()
        assert one(quote, text).status == status
        assert time.process_time() - started < 15, quote[:20]


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("The price of the. rose to nine", f"The price of the-{chr(10) * 30_000}. rose to ten"),
        ("x1…" * 4_000, TEXT),
        ("day…" * 4_000, TEXT),
    ],
)
def test_many_line_feeds_and_many_parts_take_linear_time(quote, text):
    calls = []
    verify([quote], text, before_each=lambda: calls.append(None))
    assert len(calls) > quote.count("…"), "a check must be able to end before each part"
    assert cpu_seconds(lambda: verify([quote], text)) < 4


@few
@given(st.lists(st.sampled_from("abc"), max_size=60), st.lists(st.sampled_from("abcd"), max_size=60), st.booleans())
def test_an_alignment_in_pieces_covers_both_texts(ours, theirs, together):
    theirs = ours + theirs if together else theirs
    quote, text = tokens_of(" ".join(ours)), tokens_of(" ".join(theirs))
    steps = align(quote, text)
    assert [(step.q0, step.t0) for step in steps[1:]] == [(step.q1, step.t1) for step in steps[:-1]]
    assert not steps or (steps[-1].q1, steps[-1].t1) == (len(quote), len(text))
    for step in steps:
        if step.kind == "same":
            assert [each.key for each in quote[step.q0 : step.q1]] == [each.key for each in text[step.t0 : step.t1]]


def test_a_changed_word_in_a_very_long_quote_is_found():
    words = [f"word{number}" for number in range(12_000)]
    changed_words = [*words[:6_000], "other", *words[6_001:]]
    steps = align(tokens_of("x " + " ".join(changed_words) + " y"), tokens_of("z " + " ".join(words) + " z"))
    assert [(step.kind, step.q0) for step in steps if step.kind != "same"] == [
        *(("changed", 0), ("changed", 6_001), ("changed", 12_001)),
    ]


@pytest.mark.parametrize("quote", ["", {"quote": ""}])
def test_an_empty_quote_is_rejected(quote):
    with pytest.raises(InputError):
        verify([quote], TEXT)


def test_offsets_far_beyond_the_text_are_repaired():
    [verdict] = verify({"cited_text": "a b", "start_char_index": 10**20, "end_char_index": 10**20}, "a b, a b")
    assert (verdict.offsets, verdict.places[0].span) == ("repaired", Span(5, 8))


@pytest.mark.parametrize("quote", [Claim("three months", "a"), {"quote": "three months", "source": "a"}])
def test_one_claim_is_checked_like_a_list_of_one(quote):
    texts = {"a": "after three months", "b": "three months"}
    [verdict] = verify(quote, texts)
    assert [(verdict.quote, place.source) for place in verdict.places] == [("three months", "a")]


@pytest.mark.parametrize(
    ("quotes", "texts", "message"),
    [
        (None, "text", "quotes must be text, or one or several quotes, but is NoneType"),
        ([{1: "two"}], "text", 'must have a text under "quote" or "cited_text", but has the keys: 1'),
        ([{"quote": "two", "source": True}], ["one", "two"], "source must be a name or an index, but is True"),
        ("two", None, "texts must be one or several texts or documents, but is NoneType"),
        ("two", ["two", None], "text 2 must be text or a document, but is NoneType"),
        ("two", b"two", "texts must be one or several texts or documents, but is bytes"),
        ("two", [b"two"], "text 1 must be text or a document, but is bytes"),
        ("two", {"a": "two", "b": None}, "text 'b' must be text, but is NoneType"),
    ],
)
def test_inputs_of_other_types_are_named(quotes, texts, message):
    with pytest.raises(InputError) as caught:
        verify(quotes, texts)
    assert str(caught.value) == message


@pytest.mark.long
def test_sources_in_different_batches_are_distinguished():
    texts = (text * 450_000 for text in ("It says nothing here. ", "The key is brass; see. ", "There is no more 🔑. "))
    exact, near = verify(["The key is brass", "There is one more 🔑."], texts)
    assert (exact.status, exact.places[0].source_index, exact.place_count) == ("exact", 1, 450_000)
    assert (near.status, near.places[0].source_index, near.places[0].source) == ("near", 2, "text 3")


@pytest.mark.long
def test_a_thousand_quotes_against_ten_megabytes_take_linear_time():
    import time

    draw = random.Random(7)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randrange(2, 9))) for _ in range(20_000)]

    def seconds(size):
        text = " ".join(draw.choices(words, k=size // 6))
        quotes = [text[start : start + 80] for start in (draw.randrange(len(text) - 80) for _ in range(1_000))]
        quotes = [quote if number % 2 else quote[:40] + "not" + quote[43:] for number, quote in enumerate(quotes)]
        started = time.process_time()
        found = verify(quotes, text)
        assert all(verdict.status == "exact" for verdict in found[1::2])
        assert not any(verdict.status == "exact" for verdict in found[::2])
        return time.process_time() - started

    small, large = seconds(2_500_000), seconds(10_000_000)
    assert large < 10 * small


@pytest.fixture
def quoth(quoth, tmp_path):
    (tmp_path / "c.txt").write_text(TEXT, encoding="utf-8")
    with contextlib.chdir(tmp_path):
        yield quoth


def test_the_command_exits_1_if_any_quote_is_not_exact(quoth):
    assert quoth("verify", "notice period is two months", "--context", "c.txt")[0] == 0
    status, out, _ = quoth("verify", 'It says "two months" and "ten months".', "--context", "c.txt", "--json")
    assert status == 1
    [first, second] = json.loads(out)["quotes"]
    assert (first["status"], first["places"][0]["start"], first["difference"]) == ("exact", 21, None)
    assert second["status"] != "exact"
    assert set(first) >= {"quote", "status", "places", "difference", "closest"}


def test_the_command_shows_the_difference(quoth):
    _, out, _ = quoth("verify", "the notice period is three months", "--context", "c.txt")
    assert "[-three-] {+two+}" in out.replace("][", "] [").replace("]{", "] {")
    assert "0 exact, 1 near, 0 absent" in out


@pytest.mark.parametrize("length", [60, 3_000])
def test_a_quote_on_the_command_line_may_be_longer_than_a_file_name(quoth, length):
    status, out, err = quoth("verify", "word " * length, "--text", "word " * length)
    assert (status, err, "1 exact, 0 near" in out) == (0, "", True)


def test_a_context_whose_name_is_too_long_is_reported_with_the_others(quoth):
    status, _, err = quoth("verify", "rent", "--context", "no.txt", "--context", "x" * 300)
    assert (status, "no.txt: must be a file" in err) == (1, True)
    assert "xxx: must be a readable file, but: file name too long" in err


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("no.json", "--context", "c.txt"), 1, "no.json: must be a file, but does not exist"),
        (("  ", "--context", "c.txt"), 1, "QUOTES: must have a quote, but has none"),
        (('[{"quot": 1}]', "--context", "c.txt"), 1, 'QUOTES: quote 1: must have a text under "quote"'),
        (("-", "--context", "-"), 2, "must not both be standard input"),
        (("-",), 2, "must have a text to search"),
        (("c.txt", "--context", "c.txt", "d.txt"), 2, "There must be one QUOTES, but there is also: d.txt."),
        (("two months", "c.txt", "--text", TEXT), 2, "There must be one QUOTES"),
    ],
)
def test_wrong_use_is_reported(quoth, words, status, sentence):
    code, _, err = quoth("verify", *words)
    assert (code, sentence in err) == (status, True), err


def test_documents_of_any_kind_are_searched_with_their_pages(quoth):
    Path("lease").mkdir()
    Path("lease/a.pdf").write_bytes(pdf(["Nothing here."], ["The rent is due monthly."]))
    Path("lease/b.html").write_text("<h1>Notice</h1><p>The notice is in writing.")
    Path("lease/c.docx").write_bytes(b"broken")
    status, out, err = quoth("verify", '["rent is due", "notice is in writing"]', "--context", "lease", "--json")
    first, second = (each["places"][0] for each in json.loads(out)["quotes"])
    assert (status, first["source"], first["page"], len(first["boxes"])) == (0, "lease/a.pdf", 2, 1)
    assert first["boxes"][0]["page"] == 2
    assert (second["source"], second["page"]) == ("lease/b.html", None)
    assert "lease/c.docx: the .docx file is damaged" in err
    status, _, err = quoth("verify", "rent", "--context", "lease/c.docx")
    assert (status, err.startswith("quoth: lease/c.docx: the .docx file is damaged")) == (1, True)


def test_quotes_may_be_in_a_document_of_any_kind(quoth):
    Path("answer.html").write_text('<p class="none">It says &ldquo;two months&rdquo; and "ten years".')
    _, out, _ = quoth("verify", "answer.html", "--context", "c.txt", "--json")
    assert [each["quote"] for each in json.loads(out)["quotes"]] == ["two months", "ten years"]
    assert (
        quoth("verify", "none.pdf", "--context", "c.txt")[2] == "quoth: none.pdf: must be a file, but does not exist\n"
    )


def test_quotes_are_searched_in_a_corpus(capsys, tmp_path):
    (tmp_path / "lease.txt").write_text("Head\n\nThe rent is due monthly.")
    (tmp_path / "b.pdf").write_bytes(pdf(["One."], ["The pump turns slowly."]))

    def quoth(*words):
        with pytest.raises(SystemExit) as stopped:
            main([*words])
        return stopped.value.code or 0, *capsys.readouterr()

    with contextlib.chdir(tmp_path):
        assert quoth("index", "lease.txt", "b.pdf", "-o", "c.quoth")[0] == 0
        status, out, _ = quoth("verify", '"rent is due monthly", "pump turns fast"', "--corpus", "c.quoth", "--json")
        first, second = json.loads(out)["quotes"]
        assert (status, first["status"], first["places"][0]["source"]) == (1, "exact", "lease.txt")
        assert (second["status"], second["places"][0]["page"]) == ("near", 2)
        assert "lease.txt:3:5" in quoth("verify", "rent is due monthly", "--corpus", "c.quoth")[1]
        assert quoth("verify", "rent is due monthly", "--corpus", "c.quoth")[0] == 0
        assert quoth("verify", "x", "--corpus", "c.quoth", "--text", "y")[0] == 2


@pytest.mark.parametrize("before", ["", "The rent is due monthly. ", "The is of two months. "])
@pytest.mark.parametrize("after", ["", " The notice is short.", " It is the notice of three months."])
def test_a_changed_word_is_found_between_other_words_of_the_quote(before, after):
    verdict = one("the notice period is three months", f"{before}The notice period is two months.{after}")
    assert (verdict.status, verdict.places[0].text) == ("near", "The notice period is two months")
    assert changed(verdict) == [("changed", "three", "two")]
