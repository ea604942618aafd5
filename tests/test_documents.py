"""Uploaded files: their text and pages, and that no content can crash the server."""

import codecs
import io
import os
import re
import signal
import zlib
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth.documents import Document, DocumentLimits, Unread, read_document, read_documents
from quoth.documents.pool import Pool
from quoth.errors import DocumentError, DocumentKindError, DocumentTooLargeError
from quoth.records import Span
from support.files import docx, epub, pdf, with_member

BOOKS = Path(__file__).parent / "books"


@pytest.mark.parametrize("name", ["a.txt", "A.TXT", "some/../where.md", "a.b.markdown"])
def test_plain_text_is_unchanged(name):
    text = "# Keys\n\n* 3 of them 🔑\tare *brass*.\n"
    assert read_document(text.encode(), name).text == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_determines_the_encoding(encoding):
    assert read_document("Zoë\r\n🥁\rend".encode(encoding), "a.txt").text == "Zoë\n🥁\nend"


def test_a_wrong_encoding_is_reported_with_its_line():
    with pytest.raises(DocumentError, match=r"line 2 must be UTF-8, but contains the byte 0xeb; save"):
        read_document("Dear\nZoë".encode("latin-1"), "a.txt")
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
        (b"Text", "rental_agreement-2019.txt", "rental agreement 2019"),
        (b"<title> A\n title </title><h1>no</h1>x", "a.html", "A title"),
        (b"<h1>A <b>heading</b></h1>x", "a.html", "A heading"),
        (b"<p>x", "some/folder/a_b.html", "a b"),
    ],
)
def test_a_title_is_from_the_file_or_its_name(data, name, title):
    assert read_document(data, name).title == title


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
        os.kill(first[0], signal.SIGKILL)
        with pytest.raises(DocumentTooLargeError, match="memory"):
            read_document(b"<p>b", "a.html", pool=pool)
        assert read_document(b"<p>c", "a.html", pool=pool).text == "c"
        assert pool.processes() != first
    finally:
        pool.close()
    assert pool.processes() == []


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
    assert "1 files of other kinds are skipped, such as c.xyz" in problems[0]
    assert [Path(each.name).name for each in read_documents([f"{tmp_path}/*.txt"])] == ["a.txt"]


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
    [("", "utf-8"), ("", "cp1252"), ('<meta charset="iso-8859-2">', "iso-8859-2"), ("<meta charset=no>", "cp1252")],
)
def test_html_declares_its_encoding(head, encoding):
    assert read_document(f"{head}<p>Zoë".encode(encoding), "a.htm").text == "Zoë"


def test_a_word_file_has_paragraphs_and_tables():
    data = docx("Two keys\tand\na 🥁", "", "Next", table=[("a", "b"), ("c", "d")])
    assert read_document(data, "a.docx").text == "Two keys\tand\na 🥁\n\nNext\n\na\tb\nc\td"


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
    with pytest.raises(DocumentError, match=r"no text.*OCR"):
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
