"""``quoth ask`` and its output, on a terminal and piped, for usual and unusual inputs."""

import codecs
import contextlib
import fcntl
import io
import json
import math
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from hypothesis import given, strategies as st
from rich.cells import cell_len
from rich.console import Console

from quoth import __version__
from quoth.cli import COMMANDS, app, main
from quoth.cli.ask import _document
from quoth.cli.draw import Mark, passage, place, put
from quoth.display import one_line, percent, visible
from quoth.errors import InputError
from quoth.records import Example, Prediction, Span

READER = str(Path(__file__).parent / "tiny" / "wordpiece")
TEXT = "The black cat sat on the mat. It was tired."
BRACKETS = Mark("", "[[", "]]")
# Characters that a terminal interprets, which must never be printed.
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.fixture
def quoth(quoth, tmp_path):
    """Run the command line in an empty folder; return its exit status, stdout and stderr."""
    with contextlib.chdir(tmp_path):
        yield quoth


def process(*words, stdin=b"", **environment):
    """Run ``quoth`` in a separate process, with pipes."""
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    command = [sys.executable, "-m", "quoth", *words]
    done = subprocess.run(command, input=stdin, capture_output=True, env=kept | environment, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


def on_terminal(*words, columns=40, typed=b"", **environment):
    """Run ``quoth`` on a terminal of its own; return its exit status and what appears there.

    ``typed`` is typed in, and Ctrl-D after it.
    """
    ours, its = pty.openpty()
    os.write(ours, typed + b"\x04")
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    environment = kept | {"TERM": "xterm-256color"} | environment
    command = [sys.executable, "-m", "quoth", *words]
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environment) as running:
        os.close(its)
        seen = b""
        # Linux ends a terminal whose other side is closed with an error.
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 4096):
                seen += piece
        os.close(ours)
    return running.returncode, seen.decode().replace("\r\n", "\n")


# Output


def test_piped_output_is_plain_and_marks_the_answer():
    status, out, err = process("ask", "Who sat?", "--reader", READER, stdin=TEXT.encode())
    assert (status, err) == (0, "")
    answer, where, empty, drawn = out.decode().splitlines()
    start, end = map(int, re.fullmatch(r"\d+\.\d% · stdin:1:\d+ · code points (\d+)–(\d+)", where).groups())
    assert answer == TEXT[start:end]
    assert (empty, drawn) == ("", f"  {TEXT[:start]}[[{answer}]]{TEXT[end:]}")


def test_a_terminal_shows_the_answer_highlighted_and_wrapped():
    text = f"{TEXT} \x1b[5mIt slept.\x07 [bold]שלום[/bold] 🐈 {TEXT}"
    words = ("ask", "Who sat?", "--reader", READER, "--top-k", "3", "--text", text)
    status, seen = on_terminal(*words)
    assert status == 0
    assert "\x1b[1;30;103m" in seen
    assert "[[" not in seen
    assert "\x1b[5m" not in seen
    assert "\x07" not in seen
    shown = re.sub(r"\x1b\[[0-9;]*m", "", seen)
    assert "␛[5mIt slept.␇ [bold]שלום[/bold] 🐈" in " ".join(shown.split())
    # The first line is the answer, which the terminal wraps by itself.
    assert max(cell_len(line) for line in shown.splitlines()[1:]) <= 40

    status, seen = on_terminal(*words, NO_COLOR="1")
    assert status == 0
    assert "\x1b[1;7m" in seen
    assert not re.search(r"\x1b\[[0-9;]*(3[0-7]|4[0-7]|9[0-7]|10[0-7])m", seen)


def test_without_a_text_the_message_says_how_to_pass_one():
    status, seen = on_terminal("ask", "Who sat?", columns=200)
    assert status == 2
    assert seen == (
        "quoth: ask: must have a text to quote from, but has none. "
        "Give one with --context FILE or --text TEXT, or pipe it in: cat FILE | quoth ask QUESTION\n"
    )


@pytest.mark.parametrize("command", ["ask", "explain", "verify"])
def test_a_script_that_gives_no_text_is_told_so(command):
    """Without a terminal, standard input is empty; it is a text only if it is given as one."""
    words = [sys.executable, "-m", "quoth", command, "Who sat?"]
    done = subprocess.run(words, input="\n", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"quoth: {command}: must have a text to quote from, but has none. Give one with")


def test_a_text_can_be_typed():
    words = ("ask", "Who?", "--context", "-", "--reader", READER, "--max-answer-tokens", "1")
    status, seen = on_terminal(*words, columns=80, typed=b"Cats.\n")
    assert status == 0
    assert "Reading the text from the terminal; end it with Ctrl-D.\n" in seen
    assert " · stdin:1:1 · code points 0–" in seen


def test_the_best_answer_comes_from_any_of_the_texts(quoth):
    Path("one.txt").write_text(TEXT, encoding="utf-8")
    Path("two.txt").write_text("A dog barked.", encoding="utf-8")
    words = ("ask", "Who?", "--reader", READER, "--context", "one.txt", "--context", "two.txt", "--text", "Yes.")
    status, out, err = quoth(*words, "--top-k", 500, "--json")
    document = json.loads(out)
    assert (status, err) == (0, "")
    assert {(a["context_index"], a["context"]) for a in document["answers"]} == {
        (0, "one.txt"),
        (1, "two.txt"),
        (2, "text"),
    }
    assert document["best"] == document["answers"][0]
    scores = [answer["score"] for answer in document["answers"]]
    assert scores == sorted(scores, reverse=True)

    status, out, _ = quoth(*words, "--top-k", 3)
    first, _, _, _, _, heading, *more = out.splitlines()
    texts = [answer["text"] for answer in document["answers"][:3]]
    assert (first, heading, len(more)) == (texts[0], "Next best", 2)
    for line, answer in zip(more, document["answers"][1:3], strict=True):
        assert f"%  {answer['text']} · {answer['context']}:1:" in line


def test_further_answers_of_only_signs_are_in_the_json_only(quoth):
    words = ("ask", "Who?", "--reader", READER, "--text", "Ana. Ben!", "--overlapping", "--top-k", 99)
    texts = [answer["text"] for answer in json.loads(quoth(*words, "--json")[1])["answers"]]
    shown = [line.split("  ")[-1].split(" · ")[0] for line in quoth(*words)[1].split("Next best\n")[1].splitlines()]
    assert {".", "!"} <= set(texts[1:])
    assert shown == [text for text in texts[1:] if any(map(str.isalnum, text))]


def test_json_has_all_fields(quoth):
    text = "Das 🎹 steht.\r\nDas 🎹 fiel."
    status, out, err = quoth(
        "ask", "Was?", "--reader", READER, "--text", text, "--json", "--overlapping", "--top-k", 100
    )
    document = json.loads(out)
    assert (status, err) == (0, "")
    assert set(document) == {
        *("question", "answers", "best", "no_answer", "reason", "null_score", "null_probability"),
        *("windows", "skipped", "warning"),
    }
    assert (document["question"], document["no_answer"], document["reason"]) == ("Was?", False, None)
    assert len(document["answers"]) > 10
    for answer in document["answers"]:
        assert set(answer) == {
            *("text", "start", "end", "start_utf16", "end_utf16", "score", "probability"),
            *("context", "context_index", "window_index", "page", "boxes", "variants", "places"),
        }
        assert_quotes(answer, text)


def test_a_text_in_another_script_has_a_warning(quoth):
    status, out, err = quoth("ask", "What is the capital?", "--text", "Москва — столица России.", "--top-k", 1)
    assert status == 0
    assert "Москва" in out
    assert "Warning: the reader's vocabulary covers little of the text" in err


def assert_quotes(answer, text):
    """Check that both spans of an answer contain exactly its text."""
    assert text[answer["start"] : answer["end"]] == answer["text"] != ""
    units = text.encode("utf-16-le", "surrogatepass")[2 * answer["start_utf16"] : 2 * answer["end_utf16"]]
    assert units.decode("utf-16-le", "surrogatepass") == answer["text"]
    assert 0 <= answer["probability"] <= 1


def test_no_answer_has_a_reason_and_the_best_candidate(quoth):
    words = ("ask", "Who?", "--reader", READER, "--text", TEXT, "--null-threshold", "-inf")
    status, out, err = quoth(*words)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "No answer"
    assert lines[1].startswith("The text does not seem to answer the question (null odds ")
    assert re.fullmatch(r"Closest: \S.*", lines[3])
    assert f"[[{lines[3].removeprefix('Closest: ')}]]" in lines[6]

    document = json.loads(quoth(*words, "--json")[1])
    assert (document["no_answer"], document["best"], len(document["answers"])) == (True, None, 1)
    assert document["reason"].startswith("the text does not seem to answer")


def test_offsets_count_line_ends_but_no_byte_order_mark(quoth):
    Path("a.txt").write_bytes(codecs.BOM_UTF8 + b"One.\r\nTwo.")
    words = ("--context", "a.txt", "--json", "--overlapping", "--top-k", 99)
    document = json.loads(quoth("ask", "Who?", "--reader", READER, *words)[1])
    assert {"One": 0, "Two": 6}.items() <= {answer["text"]: answer["start"] for answer in document["answers"]}.items()


def test_an_empty_text_among_others_is_noted(quoth):
    status, out, err = quoth("ask", "Who?", "--reader", READER, "--text", " ", "--text", TEXT)
    assert status == 0
    assert err == "text1: has no text to quote\n"
    assert " · text2:1:" in out


def test_json_has_no_nan():
    document = _document(Prediction(Example("", "Who?", ""), (), math.nan, True, "a reason"), [])
    assert [document[name] for name in ("question", "answers", "null_score", "no_answer")] == ["Who?", [], None, True]
    assert json.loads(json.dumps(document, allow_nan=False)) == document


@pytest.mark.parametrize("format", [[], ["--json"]])
def test_output_that_stdout_cannot_encode_is_escaped(format):
    words = [os.fsencode(word) for word in ("ask", "--reader", READER, "--text", "Zoë 🎹", *format, "--")]
    status, out, err = process(*words, b"Who \xff?", PYTHONIOENCODING="ascii")
    assert (status, err) == (0, "")
    if format:
        document = json.loads(out)
        assert document["question"] == "Who \udcff?"
        assert_quotes(document["best"], "Zoë 🎹")
    else:
        assert re.search(rb"Zo\\xeb|\\U0001f3b9", out)


# Unusual inputs


@dataclass
class Odd:
    """An unusual input of a user; ``says`` must occur in the output."""

    question: str = "Who sat?"
    text: bytes | None = TEXT.encode()
    more: tuple[str, ...] = ()
    status: int = 0
    says: str = ""


NO_TEXT = "No answer\nThe context has no text to quote.\n"
ODD = {
    "empty question": Odd("", status=1, says="quoth: the question must not be empty\n"),
    "blank question": Odd(" \t\n\u3000", status=1, says="the question must not be empty"),
    "question of NUL": Odd("\0", status=1, says="must have at least one token"),
    "question with NUL": Odd("Who\0sat?"),
    "question of one sign": Odd("?"),
    "question of an emoji": Odd("🐈"),
    "question in Arabic": Odd("من جلس؟"),
    "question of combining marks": Odd("\u0301\u0302"),
    "question with a lone surrogate": Odd("Who \udcff sat?"),
    "question of a lone surrogate": Odd("\ud800", status=1, says="must have at least one token"),
    "question with an escape": Odd("\x1b]0;title\x07Who?"),
    "question in markup": Odd("[bold]Who[/nothing]?"),
    "question like an option": Odd("--", more=("--who is it?",)),
    "question of two dashes": Odd("--", more=("--",)),
    "question like an unknown option": Odd("--who", status=2, says="No such option: --who"),
    "question with a line break": Odd("Who\nsat?\r\n"),
    "question of 20,000 letters": Odd("w" * 20_000),
    "question of 5,000 words": Odd("who sat? " * 2_500, status=1, says="Ask it in fewer words"),
    "two questions": Odd(more=("Where?",), status=2, says="There must be one QUESTION, but there is also: Where?."),
    "empty file": Odd(text=b"", says=NO_TEXT),
    "white space": Odd(text=" \t\r\n\u00a0\u2028\u3000".encode(), says=NO_TEXT),
    "only a byte order mark": Odd(text=codecs.BOM_UTF8, says=NO_TEXT),
    "byte order mark": Odd(text=codecs.BOM_UTF8 + TEXT.encode()),
    "two byte order marks": Odd(text=2 * codecs.BOM_UTF8 + TEXT.encode()),
    "only NUL": Odd(text=b"\0\0", says=NO_TEXT),
    "NUL within": Odd(text=b"The cat\0sat on\0 the mat."),
    "all control characters": Odd(text=" cat ".join(map(chr, [*range(32), *range(127, 160)])).encode()),
    "escapes": Odd(text=b"The \x1b[31mblack\x1b[0m cat \x1b]8;;http://x\x07sat\x1b[2J."),
    "only escapes": Odd(text=b"\x1b\x1b\x1b"),
    "carriage returns to overwrite": Odd(text=b"The cat\rsat\r\ron it."),
    "backspaces": Odd(text=b"The cat\x08\x08\x08dog sat."),
    "markup": Odd(text=b"[bold]The[/] [link=x]cat[/bold] \\[sat :cat:"),
    "only markup": Odd(text=b"[/]"),
    "direction overrides": Odd(text="The \u202ecat\u2066 sat.".encode()),
    "Hebrew": Odd(text="החתול ישב על השטיח.".encode()),
    "Arabic with marks": Odd(text="جَلَسَ القِطُّ عَلَى البِسَاطِ.".encode()),
    "Chinese": Odd(text="黑猫坐在垫子上。".encode()),
    "emoji": Odd(text="👩‍👩‍👧‍👦🇩🇪🏳️‍🌈❤️".encode()),
    "combining marks": Odd(text=("Z" + "\u0335\u0301" * 500 + "e sat.").encode()),
    "only combining marks": Odd(text=("\u0301" * 50).encode()),
    "unassigned and private": Odd(text="\ue000\U0010ffff\u0378\ufffe".encode()),
    "line and paragraph separators": Odd(text="The cat\u2028sat.\u2029It slept.\x85Yes.".encode()),
    "lines of CR LF": Odd(text=TEXT.replace(" ", "\r\n").encode()),
    "form feeds": Odd(text=b"The cat.\fThe dog.\fThe cow."),
    "one word of 20,000 letters": Odd(text=b"a" * 20_000),
    "20,000 signs": Odd(text=b"?" * 20_000),
    "100 KB": Odd(text=(TEXT + "\n").encode() * 2_300),
    "Latin-1": Odd(text=b"The cat.\nZo\xeb sat.", status=1, says="line 2 must be UTF-8, but contains the byte 0xeb"),
    "encoded surrogate": Odd(text=b"\xed\xa0\x80 sat", status=1, says="line 1 must be UTF-8, but"),
    "binary": Odd(text=b"\x7fELF\0\0\xff\xfe", status=1, says="line 1 must be UTF-8, but contains the byte 0xff"),
    "missing file": Odd(more=("--context", "no.txt"), status=1, says="quoth: no.txt: must be a file, but"),
    "folder": Odd(more=("--context", "."), says="text.txt:1:"),
    "two bad files": Odd(more=("--context", "no.txt", "--context", "no.md"), status=1, says="exist\nno.md: must be"),
    "empty file name": Odd(more=("--context", ""), status=1, says="quoth: '': must be a file"),
    "RTF": Odd(text=b"{\\rtf1 The cat sat.}", status=1, says="or .epub, but is RTF; save it as .docx\n"),
    "small PDF": Odd(text=b"%PDF-1.4 The cat sat.", status=1, says="give it as a file whose name ends in .pdf"),
    "old Word file": Odd(text=b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", status=1, says="but is a .doc, .xls or .ppt"),
    "corpus": Odd(text=b"SQLite format 3\0\x10\0\1\1\0", status=1, says="if it is a corpus, give it with --corpus"),
    "URL": Odd(more=("--context", "https://a.de/b.html?c"), status=1, says="but is a URL, which is not fetched"),
    "no match": Odd(
        more=("--context", "*.md"), status=1, says="quoth: *.md: must be a file, a folder or a pattern, but"
    ),
    "file name with an escape": Odd(more=("--context", "\x1b[2J"), status=1, says="quoth: ␛[2J: must be a file"),
    "file name with NUL": Odd(more=("--context", "a\0b"), status=1, says="embedded null"),
    "too long a file name": Odd(more=("--context", "a" * 5_000), status=1, says="file name too long"),
    "file below a file": Odd(more=("--context", "text.txt/a"), status=1, says="not a directory"),
    "standard input twice": Odd(more=("--context", "-", "--context", "-"), status=2, says="given at most once"),
    "no option value": Odd(more=("--context",), status=2, says="requires an argument"),
    "empty inline text": Odd(text=None, more=("--text", ""), says=NO_TEXT),
    "inline text with lone surrogates": Odd(text=None, more=("--text", "\udcff cat \ud83d sat")),
    "no answers": Odd(more=("--top-k", "0"), status=2, says="Invalid value for '--top-k'"),
    "a fraction of answers": Odd(more=("--top-k", "1.5"), status=2, says="Invalid value for '--top-k'"),
    "very many answers": Odd(more=("--top-k", "9" * 30)),
    "threshold nan": Odd(more=("--null-threshold", "nan"), status=2, says="must be a number or never, but is nan"),
    "threshold never": Odd(more=("--null-threshold", "never")),
    "threshold inf": Odd(more=("--null-threshold", "inf")),
    "threshold -inf": Odd(more=("--null-threshold", "-inf"), says="No answer\nThe text does not seem to answer"),
    "threshold of a word": Odd(more=("--null-threshold", "x"), status=2, says="must be a number or never, but is x"),
    "answers of no token": Odd(more=("--max-answer-tokens", "0"), status=2, says="Invalid value"),
    "answers of one token": Odd(more=("--max-answer-tokens", "1")),
    "answers of very many tokens": Odd(more=("--max-answer-tokens", "9" * 12)),
    "no such reader": Odd(more=("--reader", "none"), status=1, says="none: must be the folder of a reader"),
    "reader that is none": Odd(more=("--reader", "."), status=1, says="must contain a reader"),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_unusual_inputs_get_an_answer_or_a_clear_error(quoth, odd):
    words = ["ask", "--reader", READER, odd.question, *odd.more]
    if odd.text is not None:
        Path("text.txt").write_bytes(odd.text)
        words[1:1] = ["--context", "text.txt"]
    status, out, err = quoth(*words)
    assert status == odd.status, err
    assert odd.says in (err if status else out)
    assert "Traceback" not in err
    assert not OBEYED.search(out + err)
    if status:
        assert out == ""
        return
    assert err == "" or (err.count("\n") == 1 and re.search("vocabulary covers little|^read 20 of ", err))
    assert out.startswith("No answer\n") or re.search(r"^  .*\[\[.+\]\]", out, re.MULTILINE)

    status, out, err = quoth(*words[:1], "--json", *words[1:])
    assert status == 0
    assert err == "" or re.fullmatch("read 20 of .*\n", err)
    document = json.loads(out, parse_constant=pytest.fail)
    assert document["no_answer"] == (document["reason"] is not None) == (document["best"] is None)
    text = odd.more[-1] if odd.text is None else odd.text.removeprefix(codecs.BOM_UTF8).decode()
    for answer in document["answers"]:
        assert_quotes(answer, text)


def test_a_folder_without_a_text_is_one_error(quoth):
    Path("empty").mkdir()
    status, _, err = quoth("ask", "Who?", "--context", "empty")
    kinds = ".txt, .md, .html, .docx, .pdf or .epub"
    assert (status, err) == (1, f"quoth: empty: must have {kinds} files with text, but has none\n")
    Path("empty/a.txt").touch()
    assert quoth("ask", "Who?", "--context", "empty")[2].startswith(
        "empty/a.txt: the file is empty\nquoth: empty: must"
    )


def test_text_of_another_kind_is_read_if_it_is_named(quoth):
    Path("table.csv").write_text(TEXT)
    assert " · table.csv:1:" in quoth("ask", "Who?", "--reader", READER, "--context", "table.csv")[1]


def test_binary_stdin_is_reported():
    status, out, err = process("ask", "Who?", "--context", "-", "--reader", READER, stdin=b"\xff")
    assert (status, out) == (1, b"")
    assert err == "quoth: -: line 1 must be UTF-8, but contains the byte 0xff; save the file as UTF-8\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_text_in_utf_16_is_read(quoth, encoding):
    Path("text.txt").write_bytes(TEXT.encode(encoding))
    status, out, _ = quoth("ask", "--json", "Who sat?", "--context", "text.txt", "--reader", READER)
    assert status == 0
    for answer in json.loads(out)["answers"]:
        assert_quotes(answer, TEXT)


def test_debug_shows_the_traceback(quoth):
    with pytest.raises(InputError):
        main(["ask", "Who?", "--context", "no.txt", "--debug"])
    status, out, err = process("--debug", "ask", "Who?", "--context", "no.txt")
    assert (status, out) == (1, b"")
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.endswith("InputError: no.txt: must be a file, but does not exist\n")


# The drawing


def drawn(context, answer, **options):
    start = context.index(answer)
    return passage(context, Span(start, start + len(answer)), BRACKETS, **options).plain


def test_a_passage_is_the_paragraph_around_the_answer():
    text = "One.\n\nTwo is\r\n  longer, by far.\n \nThree."
    assert drawn(text, "longer") == "Two is [[longer]], by far."
    assert drawn(text, "One") == "[[One]]."
    assert drawn(text, "Three.") == "[[Three.]]"
    assert drawn("One.\fTwo is longer.\fThree.", "Two") == "[[Two]] is longer."


def test_a_passage_is_cut_at_sentences_or_words_with_an_ellipsis():
    text = "It rained all day. We stayed in. Nobody came. The fire went out. So we slept."
    assert drawn(text, "Nobody", reach=20) == "… We stayed in. [[Nobody]] came. …"
    assert drawn(text, "Nobody", reach=12) == "… [[Nobody]] came. …"
    assert drawn(text, "Nobody", reach=5) == "… [[Nobody]] …"
    assert drawn(text, "rained all day", reach=9) == "It [[rained all day]]. …"
    assert drawn(text, "It", reach=9) == "[[It]] rained …"
    assert drawn(text, "Nobody", reach=99) == text.replace("Nobody", "[[Nobody]]")
    assert drawn("a" * 50 + "X" + "b" * 50, "X", reach=5) == "…aaaaa[[X]]bbbbb…"
    chinese = "下雨了。我们在家。没人来。火灭了。我们睡了。"
    assert drawn(chinese, "没人", reach=6) == "… 我们在家。[[没人]]来。火灭了。 …"


@given(st.text(), st.text(), st.text(), st.integers(0, 20))
def test_a_passage_contains_the_answer_and_no_control_characters(before, answer, after, reach):
    context = before + answer + after
    span = Span(len(before), len(before) + len(answer))
    text = passage(context, span, Mark("reverse"), reach=reach)
    assert not OBEYED.search(text.plain)
    assert "\n" not in text.plain
    assert [text.plain[part.start : part.end] for part in text.spans if part.style == "reverse"] == [
        one_line(answer)
    ] * bool(answer)
    # Spaces around the ellipses are added to the reach.
    assert len(text) <= 2 * (reach + 2) + len(one_line(answer))


@given(st.text(), st.integers(0, 30))
def test_a_position_counts_lines_columns_and_pages(context, start):
    start = min(start, len(context))
    name, line, rest = place(context, Span(start, start), "n").split(":", 2)
    before = context[:start].replace("\r\n", "\n").replace("\r", "\n").split("\n")
    parts = rest.split(" · ")
    # A position between CR and LF is on the next line already, for both.
    assert (name, int(line), int(parts[0])) == ("n", len(before), len(before[-1]) + 1)
    assert parts[1] == f"code points {start}–{start}"
    assert parts[2:] == [f"page {context[:start].count(chr(12)) + 1}"] * (chr(12) in context)


@pytest.mark.parametrize("name", ["a.html", "b/A.DOCX", "c.pdf", "d.epub"])
def test_a_position_in_a_parsed_file_has_no_line(name):
    assert place("One.\nTwo.", Span(5, 8), name) == f"{name} · code points 5–8 of its text"


def test_probabilities_are_never_rounded_to_0_or_100():
    shown = [percent(value) for value in (0, 0.0004, 0.001, 0.5, 0.999, 0.99999, 1)]
    assert shown == ["0.0%", "<0.1%", "0.1%", "50.0%", "99.9%", ">99.9%", "100.0%"]


def test_control_characters_are_replaced_one_for_one():
    assert visible("a\x1b[0m\x00\x7f\x9b\u202e\udcff\r\n\té🐈") == "a␛[0m␀␡���␍\n\té🐈"


@pytest.mark.parametrize("width", [12, 40, 200])
def test_output_fits_the_width_of_the_terminal(width):
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=width, soft_wrap=True)
    text = f"שלום 🐈🐈🐈 {'x' * 50} {TEXT * 5}"
    put(console, passage(text, Span(5, 8), BRACKETS), indent=2)
    lines = console.file.getvalue().splitlines()
    assert all(line.startswith("  ") and line == line.rstrip() for line in lines)
    assert max(map(cell_len, lines)) <= min(width, 96)
    assert "".join("".join(lines).split()) == "".join(passage(text, Span(5, 8), BRACKETS).plain.split())


def test_the_demo_shows_every_answer_in_its_text():
    demo = Path(__file__).parents[1] / "examples" / "demo.py"
    done = subprocess.run([sys.executable, demo, READER], capture_output=True, text=True, timeout=120, check=True)
    blocks = [block.splitlines() for block in done.stdout.strip().split("\n\n")]
    assert (len(blocks), done.stderr) == (10, "")
    assert [block[1].split(":")[0].strip() for block in blocks[8:]] == ["exact", "near"]
    for question, text, where in blocks[:8]:
        assert question.endswith("?")
        assert re.fullmatch(r"  .*\[\[.+\]\].*", text)
        assert re.fullmatch(r"  \d+ to \d+, \d+\.\d% sure", where)
    question, text, where = blocks[0]
    assert question == "What is the Atlântico going to have tomorrow?"
    context = "Tomorrow the Atlântico is going to have a delicious team lunch!"
    start, end = map(int, re.findall(r"\d+", where)[:2])
    assert text == f"  {context[:start]}[[{context[start:end]}]]{context[end:]}"


# The command line


def test_help_fits_a_narrow_terminal():
    for words in (["--help"], ["ask", "--help"]):
        status, out, err = process(*words, COLUMNS="60")
        lines = out.decode().splitlines()
        assert (status, err) == (0, "")
        assert max(map(cell_len, lines)) <= 60
    assert any(line.startswith(" Example: quoth ask ") for line in lines)


@pytest.mark.parametrize("command", [*COMMANDS, "data check", "data describe", "data windows", "data split"])
def test_every_help_has_an_example(quoth, command):
    status, out, err = quoth(*command.split(), "--help")
    assert (status, err) == (0, "")
    assert command == "data" or f"Example: quoth {command} " in out


def test_the_top_level_help_imports_no_command_and_has_their_help_texts():
    code = (
        "import sys; from quoth.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        "found = [name for name in sys.modules if name.startswith(('quoth.cli.', 'numpy', 'quoth.reading'))]\n"
        "print(found, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    group = typer.main.get_command(app)
    for name, line in COMMANDS.items():
        assert " ".join(group.get_command(None, name).help.split("\n\n")[0].split()) == line


def test_a_mistyped_command_gets_a_suggestion(quoth):
    status, out, err = quoth("aks")
    assert (status, out) == (2, "")
    assert "No such command 'aks'. Did you mean 'ask'?" in err


def test_version_is_printed(quoth):
    assert quoth("--version") == (0, f"quoth {__version__}\n", "")


def test_without_arguments_the_help_is_printed(quoth):
    _, out, err = quoth()
    assert all(f"│ {command} " in out + err for command in COMMANDS)


@pytest.mark.parametrize(("typed", "completed"), [("quoth as", "ask"), ("quoth data de", "describe")])
def test_commands_complete(typed, completed):
    environment = {"_QUOTH_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    status, out, err = process(**environment)
    assert (status, out.decode().split(), err) == (0, [completed], "")


def test_a_very_long_text_is_searched_first_and_the_command_says_so(quoth):
    Path("long.txt").write_text("The black cat sat on the mat. It was tired and slept. " * 4_000)
    words = ("ask", "Where did the cat sit?", "--context", "long.txt", "--reader", READER)
    status, out, err = quoth(*words, "--json")
    document = json.loads(out)
    assert (status, document["windows"]) == (0, 20)
    total = document["windows"] + document["skipped"]
    assert total > 200
    assert f"read 20 of {total:,} passages; to read all of them, use --passages all" in err
    assert json.loads(quoth(*words, "--json", "--passages", "3")[1])["windows"] == 3
    Path("short.txt").write_text("The black cat sat on the mat. It was tired and slept. " * 20)
    status, out, err = quoth("ask", "Where?", "--context", "short.txt", "--reader", READER, "--json")
    assert (json.loads(out)["skipped"], err) == (0, "")
    for wrong in ("0", "some", "-1"):
        assert "--passages must be an integer of at least 1, or all" in quoth(*words, "--passages", wrong)[2]


def test_long_reading_is_announced_with_its_cost_and_the_way_to_read_less(capsys):
    from quoth.cli.progress import announced

    for total, said in ((20, ""), (20_000, "; --passages 20 reads less\n")):
        with announced("--passages 20 reads less") as progress:
            time.sleep(0.01)
            for done in (10, total):
                progress(done, total)
        err = capsys.readouterr().err
        assert err.endswith(said)
        assert bool(re.fullmatch(r"Reading 20,000 passages takes about \d+ seconds; .*\n", err)) == bool(said)


def test_the_progress_of_one_answer_may_stop_it():
    from support.readers import tiny_reader

    reader, text = tiny_reader("wordpiece"), "The keeper was Ana. " * 2_000
    seen = []
    prediction = reader.answer("Who was it?", text, progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert len(seen) > 2
    assert seen[-1] == (prediction.windows, prediction.windows)

    def stop(done, total):
        raise InterruptedError(f"{done} of {total}")

    with pytest.raises(InterruptedError, match=f"{seen[0][0]} of {prediction.windows}"):
        reader.answer("Who was it?", text, progress=stop)
