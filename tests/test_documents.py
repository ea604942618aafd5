"""Uploaded files: their text and pages, and that no content can crash the server."""

import codecs
import io
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import given, settings, strategies as st

from quoth.documents import Document, DocumentLimits, Unread, draw_page, read_document, read_documents
from quoth.documents.pool import Pool
from quoth.errors import DocumentError, DocumentKindError, DocumentTooLargeError, InputError
from quoth.records import Span
from support.files import docx, epub, pdf, with_member
from support.timing import cpu_seconds

BOOKS = Path(__file__).parent / "books"


@pytest.mark.parametrize("name", ["a.txt", "A.TXT", "some/../where.md", "a.b.markdown"])
def test_plain_text_is_unchanged(name):
    text = "# Keys\n\n* 3 of them 🔑\tare *brass*.\n"
    assert read_document(text.encode(), name).text == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_determines_the_encoding(encoding):
    assert read_document("Zoë\r\n🥁\rend".encode(encoding), "a.txt").text == "Zoë\n🥁\nend"


def test_a_name_may_be_a_path_but_the_content_must_be_bytes():
    document = read_document(b"One key.", Path("the_keys.txt"))
    assert (document.name, document.title) == ("the_keys.txt", "the keys")
    with pytest.raises(InputError, match="must be bytes, but is str; open"):
        read_document("One key.", "a.txt")


def test_a_wrong_encoding_is_reported_with_its_line():
    with pytest.raises(DocumentError, match=r"line 2 must be UTF-8, but contains the byte 0xeb; save"):
        read_document("Dear\nZoë".encode("latin-1"), "a.txt")
    with pytest.raises(DocumentError, match=r"line 2 must be UTF-8, but contains the byte 0xff; save"):
        read_document(codecs.BOM_UTF8 + b"abc\nd\xffef", "a.txt")
    with pytest.raises(DocumentError, match="line 1 must be UTF-16, but"):
        read_document(codecs.BOM_UTF16_LE + b"\x00\xd8a", "a.txt")
    with pytest.raises(DocumentError, match="NUL characters"):
        read_document(b"Zo\0", "a.txt")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_read(encoding):
    assert read_document("Ana kept the light.".encode(encoding), "a.txt").text == "Ana kept the light."


@pytest.mark.parametrize(
    ("data", "name", "title"),
    [
        (b"Some words\n\n## The *first* one ##\n\n# Second", "a.md", "The *first* one"),
        (b"Heading\n=======\n\nText", "a.txt", "Heading"),
        (b"# C# ##\n\n# Second", "a.md", "C"),
        (b"# # #\n", "a.md", "#"),
        (b"Text", "rental_agreement-2019.txt", "rental agreement 2019"),
        (b"<title> A\n title </title><h1>no</h1>x", "a.html", "A title"),
        (b"<h1>A <b>heading</b></h1>x", "a.html", "A heading"),
        (b"<p>x", "some/folder/a_b.html", "a b"),
        (b"Text", r"C:\docs\my_file.txt", "my file"),
    ],
)
def test_a_title_is_from_the_file_or_its_name(data, name, title):
    assert read_document(data, name).title == title


@pytest.mark.parametrize(
    "data", ["# a" + "#" * 400_000 + "x", "# " + " #" * 200_000 + "x", "a\n" + "=" * 400_000 + "x"]
)
def test_the_title_of_any_text_is_found_in_linear_time(data):
    """No other request of the server is served while the title is searched."""
    assert read_document(data.encode(), "a.md").text == data
    assert cpu_seconds(lambda: read_document(data.encode(), "a.md")) < 2


def test_a_text_that_is_too_long_is_rejected_before_it_is_decoded():
    data = b"\r" * 20_000_000

    def rejected():
        with pytest.raises(DocumentTooLargeError, match="must have at most 1,000 characters, but has more"):
            read_document(data, "a.txt", DocumentLimits(characters=1_000))

    assert cpu_seconds(rejected) < 0.1


def test_deeply_nested_html_is_read_completely_or_rejected():
    for depth in (200, 254, 300, 1_000):
        data = b"<div>" * depth + b"deep" + b"</div>" * depth + b"<p>after it"
        assert read_document(data, "a.html").text == "deep\n\nafter it", depth
    with pytest.raises(DocumentError, match="nested too deeply"):
        read_document(b"<div>" * 5_000 + b"deep" + b"</div>" * 5_000 + b"<p>after it", "a.html")


def test_chapters_of_an_e_book_are_in_order():
    document = read_document(epub("The Keys", "<h1>One</h1><p>Brass.", "<p>Two &amp; last."), "a.epub")
    assert (document.text, document.title) == ("One\n\nBrass.\n\nTwo & last.", "The Keys")


def test_e_books_of_real_programs_have_their_text_once_and_in_order():
    pandoc, ebooklib = (read_document((BOOKS / name).read_bytes(), name) for name in ("pandoc.epub", "ebooklib.epub"))
    assert (pandoc.title, ebooklib.title) == ("The Keeper’s Log", "Ebook & Lib")
    lines = [line for line in pandoc.text.split("\n") if line]
    assert lines == [
        *("The Keeper’s Log", "Morag Airlie", "The tower"),
        *("The tower was built in 1871. Its lamp burns oil & gas; 5 < 6.", "The lamp"),
        *("The lamp turns every 20 seconds — “on time”.", "Its glass", "The glass is from Paris."),
        *("By the brothers Airlie.", "The keeper", "Ada kept the light from 1902 to 1931."),
        *("Year\tShips", "1902\t14", "1903\t21", "See the tower.", "lamp --on"),
        *("Last words", "The light went out in 1972.", "It was sold for 12,000 pounds."),
    ]
    assert ebooklib.text.split("\n\n") == [
        *("First", "Comes first.", "Nested", "Deep inside.", "Deeper", "Deepest."),
        *("Second", "Comes\u00a0second — the\u00a0keeper’s.", "A footnote of the second.", "Notes", "All notes."),
    ]


@pytest.mark.parametrize("missing", ["META-INF/container.xml", "EPUB/content.opf", "EPUB/text/ch002.xhtml"])
def test_a_broken_e_book_is_refused(tmp_path, missing):
    data = (BOOKS / "pandoc.epub").read_bytes()
    with ZipFile(io.BytesIO(data)) as old, ZipFile(tmp_path / "a.epub", "w") as new:
        assert missing in old.namelist()
        for name in old.namelist():
            if name != missing:
                new.writestr(name, old.read(name))
    for broken in ((tmp_path / "a.epub").read_bytes(), data[:4_000]):
        with pytest.raises(DocumentError, match=r"the \.epub file is damaged"):
            read_document(broken, "a.epub")


def test_the_declared_encoding_of_xhtml_is_used_and_hidden_text_is_left_out():
    page = '<?xml version="1.0" encoding="windows-1251"?><html><body><p>Маяк погас.</p><p hidden>No.</p></body></html>'
    assert read_document(page.encode("cp1251"), "a.html").text == "Маяк погас."


def test_the_box_of_an_answer_encloses_its_letters():
    pypdfium2 = pytest.importorskip("pypdfium2")
    data = pdf(["Some keys are made of", "brass, others of iron."], ["Nothing."], ["The end is brass."])
    document = read_document(data, "a.pdf")
    spans = [Span(match.start(), match.end()) for match in re.finditer(r"made of\s+brass|end is", document.text)]
    boxes = [document.boxes_of(span) for span in spans]
    assert [[box.page for box in each] for each in boxes] == [[1, 1], [3]]
    file = pypdfium2.PdfDocument(data)
    for box in (box for each in boxes for box in each):
        picture = 255 - file[box.page - 1].render(scale=4).to_numpy()[..., 0].astype(int)
        inside = picture[int(box.top * 4) : int(box.bottom * 4) + 1, int(box.left * 4) : int(box.right * 4) + 1]
        # The dark pixels fill the box from edge to edge, and the pixels around it are white.
        assert (inside.max(axis=0) > 0)[[1, -3]].all() or inside.mean() > 20
        around = picture[int(box.top * 4) : int(box.bottom * 4) + 1, int(box.left * 4) - 8 : int(box.left * 4) - 2]
        assert around.max() < 64
    assert document.page_sizes == ((612, 792),) * 3


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_the_box_of_a_word_on_a_rotated_page_fits_the_rendered_page(turn):
    pypdfium2 = pytest.importorskip("pypdfium2")
    changed = b"/Rotate %d /MediaBox [50 30 662 822]" % turn
    data = pdf(["Some keys are made of brass."]).replace(b"/MediaBox [0 0 612 792]", changed)
    document = read_document(data, "a.pdf")
    assert document.page_sizes == (((792, 612),) if turn != 180 else ((612, 792),))
    drawn = pypdfium2.PdfDocument(data)[0].render(scale=1).to_numpy()[..., 0]
    ink = [(x, y) for y, row in enumerate(drawn) for x, dark in enumerate(row) if dark < 100]
    for box in document.boxes:
        assert any(box.left <= x <= box.right and box.top <= y <= box.bottom for x, y in ink), box
    frame = [min(b.left for b in document.boxes), min(b.top for b in document.boxes)]
    frame += [max(b.right for b in document.boxes), max(b.bottom for b in document.boxes)]
    assert all(frame[0] - 2 <= x <= frame[2] + 2 and frame[1] - 2 <= y <= frame[3] + 2 for x, y in ink)


def test_the_values_of_a_form_are_read_and_drawn():
    from pypdf import PdfWriter
    from pypdf.generic import ArrayObject, DictionaryObject, FloatObject, NameObject, StreamObject

    def made(kind, **entries):
        item = kind()
        item.update({NameObject(f"/{key}"): value for key, value in entries.items()})
        return item

    def name(text):
        return NameObject(f"/{text}")

    def box(*sides):
        return ArrayObject(map(FloatObject, sides))

    writer, file = PdfWriter(io.BytesIO(pdf(["Name of the tenant:"]))), io.BytesIO()
    page = writer.pages[0]
    shown = made(StreamObject, Subtype=name("Form"), BBox=box(0, 0, 200, 20), Resources=page["/Resources"])
    shown.set_data(b"BT /F1 12 Tf 2 4 Td (Maria Keller) Tj ET")
    looks = made(DictionaryObject, N=writer._add_object(shown))
    field = made(DictionaryObject, Type=name("Annot"), Subtype=name("Widget"), FT=name("Tx"), AP=looks)
    field.update({name("Rect"): box(250, 715, 450, 735), name("F"): FloatObject(4)})
    page[name("Annots")] = ArrayObject([writer._add_object(field)])
    writer.write(file)
    document = read_document(file.getvalue(), "a.pdf")
    assert document.text.split() == ["Name", "of", "the", "tenant:", "Maria", "Keller"]
    [value] = document.boxes_of(Span(document.text.index("Maria"), len(document.text)))
    assert 250 < value.left < value.right < 330
    assert draw_page(file.getvalue(), 1) != draw_page(pdf(["Name of the tenant:"]), 1)


def test_a_pdf_that_was_cut_off_is_read_with_a_note():
    whole = pdf(["One."], ["Two."])
    assert read_document(whole, "a.pdf").notes == ()
    cut = read_document(whole.removesuffix(b"%%EOF\n"), "a.pdf")
    assert (cut.text, cut.notes) == ("One.\n\nTwo.", ("the file has no end, so that pages or texts may be missing",))


def test_a_character_of_a_script_without_spaces_has_a_box_of_its_own():
    document = read_document((BOOKS / "chinese.pdf").read_bytes(), "a.pdf")
    start = document.text.index("1871")
    [year] = document.boxes_of(Span(start, start + 4))
    [line] = document.boxes_of(Span(0, len(document.text)))
    assert year.right - year.left < 0.3 * (line.right - line.left)


def test_the_title_that_a_program_writes_if_it_knows_none_is_not_used():
    from pypdf import PdfWriter

    writer, file = PdfWriter(io.BytesIO(pdf(["One key."]))), io.BytesIO()
    writer.add_metadata({"/Title": "untitled"})
    writer.write(file)
    assert read_document(file.getvalue(), "the_keys.pdf").title == "the keys"


def test_pages_without_text_are_reported():
    assert read_document(pdf(["One."], [], ["Three."]), "a.pdf").notes == ("without text (scanned?): page 2",)


def test_a_file_has_a_hash_of_its_bytes_and_one_of_its_text():
    one, same, other = (read_document(data, "a.txt") for data in (b"a\nb", b"a\r\nb", b"a\nc"))
    assert one.file_hash != same.file_hash
    assert one.text_hash == same.text_hash != other.text_hash


def test_a_process_is_reused_and_replaced_after_a_failure():
    pool = Pool(DocumentLimits().memory_bytes, workers=1)
    try:
        assert read_document(b"<p>a", "a.html", pool=pool).text == "a"
        first = pool.processes()
        with pytest.raises(DocumentError, match="damaged"):
            read_document(b"no zip", "a.docx", pool=pool)
        assert pool.processes() == first != []
        # As the system does if it runs out of memory.
        killing = threading.Timer(0.1, os.kill, (first[0], signal.SIGKILL))
        killing.start()
        with pytest.raises(DocumentTooLargeError, match="memory"):
            read_document(b"<p>slow" * 100_000, "a.html", pool=pool)
        killing.join()
        assert read_document(b"<p>b", "a.html", pool=pool).text == "b"
        [second] = pool.processes()
        assert second != first[0]
        os.kill(second, signal.SIGKILL)
        os.waitid(os.P_PID, second, os.WEXITED | os.WNOWAIT)
        assert read_document(b"<p>c", "a.html", pool=pool).text == "c"
    finally:
        pool.close()
    assert pool.processes() == []


def test_a_file_does_not_get_the_text_of_one_whose_reading_was_interrupted():
    def interrupt(signum, frame):
        raise TimeoutError

    pool = Pool(DocumentLimits().memory_bytes, workers=1)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        assert read_document(b"<p>a", "a.html", pool=pool).text == "a"
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(TimeoutError):
            read_document(b"<p>slow" * 100_000, "slow.html", pool=pool)
        assert pool.processes() == []
        assert read_document(b"<p>b", "b.html", pool=pool).text == "b"
        pool.close()
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(TimeoutError):
            read_document(b"<p>c", "c.html", pool=pool)  # while its process starts; pytest fails if it is left
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        pool.close()


def test_a_forked_process_leaves_the_parsers_to_its_parent():
    # In a process of its own, because a fork of one with several threads warns.
    program = """
import os
from quoth.documents import DocumentLimits, read_document
from quoth.documents.pool import shared_pool

pool = shared_pool(DocumentLimits().memory_bytes)
assert read_document(b"<p>one", "a.html").text == "one"
parents = pool.processes()
if (child := os.fork()) == 0:
    assert pool.processes() == []
    assert read_document(b"<p>two", "a.html").text == "two"
    assert pool.processes() != parents
else:
    assert os.waitpid(child, 0) == (child, 0)
    assert read_document(b"<p>three", "a.html").text == "three"
    assert pool.processes() == parents
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_a_folder_is_read_in_order_and_unreadable_files_are_reported(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_text("First.")
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.4 nonsense")
    (tmp_path / "c.xyz").write_text("?")
    (tmp_path / ".hidden.txt").write_text("?")
    (tmp_path / "sub" / "d.html").write_text("<p>Last.")
    found = list(read_documents([tmp_path, tmp_path / "a.txt", tmp_path / "no.pdf"]))
    assert [each.text for each in found if isinstance(each, Document)] == ["First.", "Last."]
    problems = [str(each) for each in found if isinstance(each, Unread)]
    assert [problem.removeprefix(str(tmp_path)).split(":")[0] for problem in problems] == ["", "/b.pdf", "/no.pdf"]
    assert "1 file of another kind is skipped: c.xyz" in problems[0]
    assert [Path(each.name).name for each in read_documents([f"{tmp_path}/*.txt"])] == ["a.txt"]
    assert [each.text for each in read_documents(f"{tmp_path}/a.txt")] == ["First."]
    assert [each.text for each in read_documents(tmp_path / "a.txt")] == ["First."]
    with pytest.raises(InputError, match="a path must not be empty"):
        list(read_documents(["a.txt", ""]))


def test_closing_the_iterator_stops_the_parsers_and_leaves_out_the_files_that_wait(tmp_path):
    (tmp_path / "a.txt").write_text("One.")
    slow = pdf(*[["words " * 10] * 50] * 400)  # takes more than 5 s
    for number in range(10):
        (tmp_path / f"b{number}.pdf").write_bytes(slow)
    documents = read_documents([tmp_path])
    assert next(documents).text == "One."
    begun = time.monotonic()
    documents.close()
    assert time.monotonic() - begun < 5


def test_a_path_that_cannot_be_searched_is_reported_and_the_others_are_read(tmp_path):
    (tmp_path / "a.txt").write_text("One.")
    paths = [f"{tmp_path}/**.md", "x" * 300, f"*{'x' * 300}/*", "a\0b.txt", f"{tmp_path}/a.txt"]
    pattern, *long, nul, file = read_documents(paths)
    # Python 3.13 reads ** as *, and refuses NUL characters.
    assert re.search(r"pattern, but(: Invalid pattern| nothing matches)", pattern.problem)
    assert [each.problem for each in long] == ["file name too long"] * 2
    assert re.search(r"pattern, but(: .*embedded null character| nothing matches)", nul.problem)
    assert file.text == "One."


def test_links_in_a_folder_are_told_if_they_lead_nowhere_or_to_a_folder(tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text("One.")
    (tmp_path / "files" / "gone.pdf").symlink_to(tmp_path / "nowhere.pdf")
    (tmp_path / "files" / "loop").symlink_to(tmp_path / "files")
    folder = tmp_path / "files"
    assert [str(each) for each in read_documents([folder]) if isinstance(each, Unread)] == [
        f"{folder}: 1 linked folder is skipped: loop",
        f"{folder}/gone.pdf: is a link to a file that does not exist",
    ]


def test_a_folder_that_may_not_be_read_is_told():
    with tempfile.TemporaryDirectory() as name:  # other users may not enter the folders of pytest
        folder = Path(name)
        folder.chmod(0o755)
        locked = folder / "locked"
        locked.mkdir(mode=0o000)
        listed = folder / "listed"  # its names may be read, but not its files
        (listed / "sub").mkdir(parents=True)
        (listed / "b.txt").write_text("Two.")
        listed.chmod(0o444)
        (folder / "a.txt").write_text("One.")
        # Called once before, because the other user may not be able to import what it needs.
        program = (
            f"import os; from quoth.documents import find_files; find = lambda: [*find_files([{name!r}])]; find(); "
            "os.getuid() or os.setuid(65534); print(*find(), sep=chr(10))"
        )
        said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        locked.chmod(0o700)
        listed.chmod(0o700)
    *problems, file = said.splitlines()
    assert sorted(problems) == [f"{path}: permission denied" for path in (listed / "b.txt", listed / "sub", locked)]
    assert file == f"{folder}/a.txt"


def test_html_is_laid_out_as_text():
    page = (
        b"<!doctype html><title>no</title><body><h1>Two  <b>keys</b>\n here</h1><!-- no --><p>One<br>two"
        b"<script>no()</script>, three.<style>no</style></p>four<table><tr><th>a<td>b</tr><tr><td>c</td>\n<td>d</td>"
        b"</tr></table><pre>x\n  y</pre><ul><li>p<li>q</ul><textarea>no</textarea>&lt;i&gt; &amp; caf\xc3\xa9"
    )
    wanted = "Two keys here\n\nOne\ntwo, three.\n\nfour\n\na\tb\nc\td\n\nx\n  y\n\np\nq\n\n<i> & café"
    assert read_document(page, "a.html").text == wanted


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        *(
            ("", "utf-8"),
            ("", "cp1252"),
            ('<meta charset="iso-8859-2">', "iso-8859-2"),
            ("<meta charset=no>", "cp1252"),
        ),
        *(("", "utf-16-le"), ("", "utf-16"), ("<meta charset=rot13>", "cp1252"), ("<meta charset=utf-16>", "utf-8")),
    ],
)
def test_html_declares_its_encoding(head, encoding):
    assert read_document(f"{head}<p>Zoë".encode(encoding), "a.htm").text == "Zoë"


@pytest.mark.parametrize(
    ("label", "text", "encoding"),
    [
        *(("iso-8859-1", "‘5 €’", "cp1252"), ("windows-31j", "灯台①", "cp932"), ("x-sjis", "灯台①", "cp932")),
        *(("gb2312", "燈塔", "gb18030"), ("windows-1251", "Маяк", "cp1251"), ("iso-8859-8-i", "מגדלור", "iso-8859-8")),
    ],
)
def test_html_is_decoded_as_a_browser_does(label, text, encoding):
    page = f'<meta charset="{label}"><p>{text}'
    assert read_document(page.encode(encoding), "a.html").text == text


def test_a_wrong_byte_of_html_does_not_change_the_other_letters():
    for data in (b'<meta charset="utf-8"><p>' + "Zoë’s".encode() + b"\xff key", "<p>Zoë’s\ufffd keyë".encode()[:-1]):
        assert read_document(data, "a.html").text.startswith("Zoë’s\ufffd key")


def test_all_that_a_browser_displays_is_read():
    page = (
        "<?xml version='1.0'?><html><body><p>One <![CDATA[a < b]]></p><details><summary>Sum</summary>Hid</details>"
        "<dialog>Ask</dialog><p>x = <math><mn>5</mn><annotation>no</annotation></math>, <svg><desc>no</desc>"
        "<text>Drawn</text></svg></p></body></html><p>After the end<html><body><p>Second file"
    )
    wanted = "One a < b\n\nSum\nHid\n\nAsk\n\nx = 5,\n\nDrawn\n\nAfter the end\n\nSecond file"
    assert read_document(page.encode(), "a.html").text == wanted


def test_paragraphs_in_the_cells_of_a_table_stay_on_its_line():
    page = (
        b"<table><tr><td><p>Year</p></td>\n<td><p>Ships</p><p>seen</p></td></tr><tr><td> <p>1902<td><p>14</table><p>End"
    )
    assert read_document(page, "a.html").text == "Year\tShips\n\nseen\n\n1902\t14\n\nEnd"


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ("<tr><td>Year<td>2019<tr><td><td>2020", "Year\t2019\n\t2020"),
        ("<tr><td><td>\n<td>2020<tr><td><br><td>2021", "\t\t2020\n\t2021"),
        ("<tr><td>Year<td><tr><td>2019<td><p> </p>", "Year\n2019"),
        ("<tr><td hidden>No<td>Year<tr><td>2019", "Year\n2019"),
        ("<tr><td><td><table><tr><td>In<td><tr><td><td>it</table><td>2020", "\tIn\n\tit\t2020"),
        ("<tr><td><td>", ""),
    ],
)
def test_a_row_with_empty_cells_is_not_joined_to_the_text_around_it(rows, text):
    page = f"<p>It is 42</p><table>{rows}</table><p>End"
    assert read_document(page.encode(), "a.html").text == "\n\n".join(filter(None, ("It is 42", text, "End")))


@pytest.mark.parametrize("tag", ["<!--", "<script>", "<style>", "<textarea>", "<title>"])
def test_text_that_a_browser_does_not_display_because_of_a_missing_end_is_told(tag):
    document = read_document(f"<p>One</p>\n{tag}<p>Two".encode(), "a.html")
    assert (document.text, len(document.notes)) == ("One", 1)
    assert "the text from line 2 on is not read" in document.notes[0]
    end = "-->" if tag == "<!--" else f"</{tag[1:]}"
    assert read_document(f"<p>One</p>\n{tag}<p>Two{end}".encode(), "a.html").notes == ()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        # Of pandoc (EPUB 2), LibreOffice, Word, Wikipedia, and a link back.
        (
            "It was built in 1871.<a href='#f1' id='r1'>1</a> It<p id=f1>Or 1872.<a href='#r1'>↩︎</a>",
            "1871. It\n\nOr 1872.",
        ),
        (
            "In 1871.<sup><a href='#s1' name='a1'>1</a></sup> It<p><a name=s1 href='#a1'>1</a>Or 1872.",
            "1871. It\n\n1 Or 1872.",
        ),
        ("the tower<a href='#_ftn1' name='_ftnref1'><sup>[1]</sup></a> is", "the tower is"),
        ("the tower<sup id=r><a href='#n'>[a]</a></sup>.", "the tower."),
        ("the tower<a href='notes.html#n'>*</a>, the<a href='notes.html#m'>†</a> lamp", "the tower, the lamp"),
        # No notes: links to sections, exponents, lists of contents, citations within a sentence.
        ("see 1.<a href='#s12'>2</a>, and (<a href='#s3'>3</a>), <a href='#s4'>4</a>", "see 1.2, and (3), 4"),
        ("5 m<sup>2</sup>, as <a href='#c1'>[1]</a> says", "5 m2, as [1] says"),
        (
            "<ul><li><a id=t1 href='#c1'>1</a><li><a href='#c2'>2</a></ul><h2 id=c1><a href='#t1'>1</a></h2>",
            "1\n2\n\n1",
        ),
    ],
)
def test_the_markers_of_notes_are_left_out_and_other_links_stay(body, text):
    assert read_document(f"<body>{body}".encode(), "a.html").text.endswith(text)


def test_the_notes_of_an_e_book_may_be_in_another_file():
    book = epub(
        "Keys",
        "<p>In 1871.<a id='r1' href='c1.xhtml#n1'>1</a> It burns; see 1.<a id='s' href='c1.xhtml#n2'>2</a>.</p>",
        "<p id='n1'><a href='c0.xhtml#r1'>1</a>Or 1872.</p><p id='n2'>Else.</p>",
    )
    assert read_document(book, "a.epub").text == "In 1871. It burns; see 1.2.\n\n1 Or 1872.\n\nElse."


def test_pages_of_an_e_book_outside_its_reading_order_are_told():
    book = epub("Keys", "<p>One.", "<p>Two.")
    package = ZipFile(io.BytesIO(book)).read("OPS/book.opf")
    changed = with_member(book, "OPS/book.opf", package.replace(b'<itemref idref="c1"/>', b""))
    assert read_document(changed, "a.epub").notes == ("not read, because not in the reading order: c1.xhtml",)
    contents = b'<guide><reference type="toc" href="c1.xhtml"/></guide></package>'
    listed = with_member(book, "OPS/book.opf", package.replace(b"</package>", contents))
    assert (read_document(listed, "a.epub").text, read_document(listed, "a.epub").notes) == ("One.", ())


def test_an_e_book_with_encrypted_pages_is_refused_but_not_one_with_obfuscated_fonts():
    book = epub("Keys", "<p>One.")
    for name, is_refused in (("OPS/c0.xhtml", True), ("OPS/font.otf", False)):
        content = f'<encryption><EncryptedData><CipherReference URI="{name}"/></EncryptedData></encryption>'
        locked = with_member(book, "META-INF/encryption.xml", content)
        if is_refused:
            with pytest.raises(DocumentError, match=r"encrypted \(DRM\)"):
                read_document(locked, "a.epub")
        else:
            assert read_document(locked, "a.epub").text == "One."


def test_a_word_file_has_paragraphs_and_tables():
    data = docx("Two keys\tand\na 🥁", "", "Next", table=[("a", "b"), ("c", "d")])
    assert read_document(data, "a.docx").text == "Two keys\tand\na 🥁\n\nNext\n\na\tb\nc\td"


def test_a_word_file_has_its_footnotes_and_formulas():
    document = read_document((BOOKS / "notes.docx").read_bytes(), "notes.docx")
    assert document.text.split("\n\n") == [
        *("The tower", "The tower was built in 1871. Its lamp has x2=5 parts."),
        *("The footnote says it cost 900 pounds.", "Two paragraphs.", "The second one."),
    ]
    assert document.notes == ()


def test_a_word_file_has_its_headers_and_footers_once_and_comments_are_told():
    from docx import Document as Word

    file, saved = Word(), io.BytesIO()
    file.sections[0].header.paragraphs[0].text = "Contract No. 4711"
    file.sections[0].footer.paragraphs[0].text = "12"
    footer = file.add_section().footer
    footer.is_linked_to_previous = False
    footer.paragraphs[0].text = "Confidential"
    file.add_comment(file.add_paragraph("The rent is due.").runs, text="Is it?", author="A")
    file.save(saved)
    document = read_document(saved.getvalue(), "a.docx")
    assert document.text == "Contract No. 4711\n\nThe rent is due.\n\nConfidential"
    assert document.notes == ("not read: comments (1)",)


def test_an_encrypted_word_file_is_reported():
    with pytest.raises(DocumentError, match=r"needs a password, or is a \.doc file"):
        read_document(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(2_000), "a.docx")


@pytest.mark.parametrize("kind", ["pdf", "docx", "epub", "html"])
def test_a_file_with_the_name_of_another_kind_is_refused(kind):
    files = {
        "pdf": pdf(["One."]),
        "docx": docx("One."),
        "epub": epub("A", "<p>One."),
        "png": b"\x89PNG\r\n" + bytes(range(256)),
    }
    for other, data in files.items():
        if other != kind:
            with pytest.raises(DocumentError, match="another format than its name says"):
                read_document(data, f"a.{kind}")


def test_a_word_file_includes_insertions_but_not_deletions():
    runs = (
        '<w:ins w:id="1"><w:r><w:t>new</w:t></w:r></w:ins><w:del w:id="2"><w:r><w:delText>old</w:delText></w:r></w:del>'
        "<w:sdt><w:sdtContent><w:r><w:t> field</w:t></w:r></w:sdtContent></w:sdt>"
    )
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    body = f'<w:document xmlns:w="{space}"><w:body><w:p>{runs}</w:p></w:body></w:document>'
    assert read_document(with_member(docx(), "word/document.xml", body), "a.docx").text == "new field"


def test_a_pdf_keeps_its_pages():
    document = read_document(pdf(["One key.", "Brass."], [], ["Two keys."]), "a.pdf")
    assert document.text == "One key.\nBrass.\n\nTwo keys."
    assert [span.of(document.text) for span in document.pages] == ["One key.\nBrass.", "", "Two keys."]


def test_a_pdf_with_a_password_is_reported():
    from pypdf import PdfWriter

    writer, file = PdfWriter(io.BytesIO(pdf(["One key."]))), io.BytesIO()
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(file)
    with pytest.raises(DocumentError, match="needs a password"):
        read_document(file.getvalue(), "a.pdf")


@pytest.mark.parametrize("name", ["a.exe", "a", "", "pdf", "a.doc", "a.p\x00df"])
def test_other_extensions_are_reported(name):
    with pytest.raises(DocumentKindError, match=r"must be .txt, .md, .html, .docx, .pdf or .epub, but"):
        read_document(b"text", name)


@pytest.mark.parametrize("kind", ["html", "docx", "pdf", "txt", "md"])
def test_a_file_without_text_is_reported(kind):
    data = {"html": b"<p> </p>", "docx": docx(" "), "pdf": pdf([]), "txt": b" \n", "md": b""}[kind]
    said = {"pdf": "the file has no text; if its pages are scanned, run text recognition", "md": "the file is empty"}
    with pytest.raises(DocumentError, match=said.get(kind, "the file has no text$")):
        read_document(data, f"a.{kind}")


@pytest.mark.parametrize("kind", ["docx", "pdf"])
def test_a_truncated_file_is_reported(kind):
    whole = docx("Two keys") if kind == "docx" else pdf(["One key."])
    for data in (b"", b"nonsense", whole[: len(whole) // 2]):
        with pytest.raises(DocumentError, match=r"damaged|no text"):
            read_document(data, f"a.{kind}")


@pytest.mark.parametrize(
    ("data", "name", "limits", "message"),
    [
        (b"123456", "a.txt", DocumentLimits(file_bytes=5), "at most 5 bytes, but has 6"),
        (b"123456", "a.txt", DocumentLimits(characters=5), "at most 5 characters, but has 6; split"),
        (pdf(["a"], ["b"], ["c"]), "a.pdf", DocumentLimits(pages=2), "at most 2 pages, but has 3"),
        (
            pdf(*[["words " * 10] * 50] * 50),
            "a.pdf",
            DocumentLimits(seconds=0.01),
            "within 0.01 s, but this .pdf file takes longer",
        ),
    ],
)
def test_exceeded_limits_are_reported(data, name, limits, message):
    with pytest.raises(DocumentTooLargeError, match=message):
        read_document(data, name, limits)


def test_a_zip_bomb_is_not_unpacked():
    bomb = with_member(docx("a"), "word/media/image1.png", bytes(60_000_000))
    assert len(bomb) < 200_000
    with pytest.raises(DocumentTooLargeError, match="unpack to at most 50,000,000 bytes, but unpacks to 60"):
        read_document(bomb, "a.docx", DocumentLimits(unpacked_bytes=50_000_000))


@pytest.mark.long
def test_a_pdf_bomb_only_crashes_the_parser_process():
    def packed(shown):
        stream = zlib.compress(b"BT /F1 12 Tf (a key) Tj ET " + shown, 9)
        head = b"4 0 obj\n<< /Filter /FlateDecode /Length %d >>\nstream\n" % len(stream)
        return re.sub(rb"4 0 obj.*?endstream", lambda _: head + stream + b"\nendstream", pdf(["a"]), flags=re.DOTALL)

    limits = DocumentLimits(memory_bytes=400_000_000, seconds=20)
    assert read_document(packed(b""), "a.pdf", limits).text == "a key"
    with pytest.raises(DocumentError):
        read_document(packed(bytes(400_000_000)), "a.pdf", limits)


@given(data=st.binary(max_size=200), name=st.sampled_from(["a.txt", "a.md", "a.exe"]))
def test_any_bytes_give_a_document_or_a_document_error(data, name):
    gives_a_document_or_the_error(data, name)


# Each example starts a process, so only a few are drawn, except in the long tests.
@pytest.mark.parametrize("kind", ["html", "docx", "pdf"])
@given(draw=st.data())
@settings(max_examples=3)
def test_any_parsed_bytes_give_a_document_or_a_document_error(kind, draw):
    gives_a_document_or_the_error(draw.draw(broken(kind)), f"a.{kind}")


@pytest.mark.long
@pytest.mark.parametrize("kind", ["html", "docx", "pdf"])
@given(draw=st.data())
@settings(max_examples=60)
def test_many_parsed_bytes_give_a_document_or_a_document_error(kind, draw):
    gives_a_document_or_the_error(draw.draw(broken(kind)), f"a.{kind}")


def gives_a_document_or_the_error(data, name):
    try:
        document = read_document(data, name)
    except DocumentError as error:
        said = str(error)
    else:
        said = document.text
        assert all(0 <= page.start <= page.end <= len(said) for page in document.pages)
    assert said.strip()
    said.encode()
    assert "\0" not in said


def broken(kind):
    """Files of a kind with some bytes changed at a random place, or random bytes."""
    sound = {
        "html": b"<table><tr><td>a<td>b</table><pre>x\n y</pre><svg><p>c</svg><meta charset=utf-16>&#0;&#xd800;",
        "docx": docx("a key", table=[("a", "b")]),
        "pdf": pdf(["One key."], ["Two keys."]),
    }[kind]
    changes = st.lists(st.tuples(st.integers(0, len(sound)), st.binary(max_size=8)), min_size=1, max_size=5)

    def change(places):
        data = sound
        for place, new in places:
            data = data[:place] + new + data[place + len(new) :]
        return data

    return st.one_of(st.binary(max_size=300), changes.map(change))
