"""Sources of tables: every format, any range of rows, and changes during reading."""

import gzip
import json
import os

import pyarrow as pa
import pytest
from pyarrow import csv, feather, parquet

from quoth.errors import ConfigError, DataError
from quoth.tables import TableSettings
from quoth.tables.sources import Cursor, find_files, scan
from quoth.tables.sources.files import CODECS
from support.tables import table

pytestmark = pytest.mark.torch
SETTINGS = TableSettings()
ROWS = 2500


def write(path, given):
    if path.suffix in CODECS:
        plain = write(path.with_suffix(""), given)
        with pa.CompressedOutputStream(str(path), CODECS[path.suffix]) as file:
            file.write(plain.read_bytes())
        plain.unlink()
    elif path.suffix == ".parquet":
        parquet.write_table(given, path, row_group_size=700)
    elif path.suffix == ".csv":
        csv.write_csv(given, path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in given.to_pylist()))
    elif path.suffix == ".arrow":
        feather.write_feather(given, path, chunksize=600)
    else:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, given.schema) as stream:
            stream.write_table(given, max_chunksize=600)
    return path


def opened(*inputs, settings=SETTINGS, step=100):
    found = scan(find_files([str(path) for path in inputs]), settings, step)
    return found, Cursor(found, settings)


def read(cursor, start, stop):
    return pa.concat_tables(rows.table for rows in cursor.read(start, stop, 64))


def broken(cursor, rows):
    """Return the errors of all rows, by index."""
    start, found = 0, {}
    for part in cursor.read(0, rows, 64):
        found.update({start + place: error.code for place, error in part.broken.items()})
        start += part.table.num_rows
    return found


@pytest.mark.parametrize(
    "suffix", [".parquet", ".csv", ".jsonl", ".arrow", ".arrows", ".csv.gz", ".csv.bz2", ".jsonl.gz", ".jsonl.zst"]
)
def test_any_range_of_any_format_can_be_read(tmp_path, suffix):
    given = table(ROWS)
    found, cursor = opened(write(tmp_path / f"table{suffix}", given))
    assert found.rows == ROWS
    if suffix.startswith(".csv"):
        given = given.cast(pa.schema([(name, pa.string()) for name in given.schema.names]))
    # In order, ahead, back, across the whole.
    for start, stop in [(0, 100), (100, 200), (1500, 1603), (650, 720), (0, ROWS)]:
        assert read(cursor, start, stop).equals(given.slice(start, stop - start))


def test_files_of_a_folder_are_one_table_in_the_order_of_their_names(tmp_path):
    given = table(ROWS)
    for index, name in enumerate(("b.parquet", "deep/c.parquet", "a.parquet")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path / name, given.slice(index * 500, 500))
    write(tmp_path / "_left.parquet", given)
    (tmp_path / "notes.txt").write_text("no table")
    found, cursor = opened(tmp_path)
    assert read(cursor, 400, 1100).column("n").to_pylist() == [*range(1400, 1500), *range(500), *range(500, 600)]
    assert opened(f"{tmp_path}/*.parquet")[0].rows == 1000 + ROWS
    assert found.rows == 1500


def test_pieces_start_at_the_start_of_the_range(tmp_path):
    _, cursor = opened(write(tmp_path / "a.parquet", table(300)), write(tmp_path / "b.parquet", table(300)))
    assert [rows.table.num_rows for rows in cursor.read(10, 400, 128)] == [128, 128, 34, 100]


def test_csv_keeps_texts_unchanged(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes(
        '\ufeffid,question,context\r\n007,"Who, ""x""?","two\nlines"\r\n\r\n8,only two\r\n'.encode()
        + b"9,bad \xff byte,c\r\n"
    )
    found, cursor = opened(file)
    rows = read(cursor, 0, found.rows).to_pylist()
    assert rows[0] == {"id": "007", "question": 'Who, "x"?', "context": "two\nlines"}
    assert broken(cursor, found.rows) == {1: "unreadable_row", 2: "not_utf8"}
    assert rows[2]["question"] == "bad \ufffd byte"


def test_csv_with_semicolons_and_tabs_is_read(tmp_path):
    for name, mark in (("a.csv", ";"), ("b.tsv", "\t"), ("c.csv", "\t"), ("d.csv", "|")):
        file = tmp_path / name
        file.write_text(f"question{mark}context\na,b{mark}c\n")
        assert read(opened(file)[1], 0, 1).to_pylist() == [{"question": "a,b", "context": "c"}]
    file.write_text('id;question;context;"notes, free, form, text"\n1;a;b;c\n')
    assert opened(file)[1].schema.names[:3] == ["id", "question", "context"]


def test_csv_with_an_unclosed_quote_is_rejected(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text('question,context\na,b\n"c,d\n')
    with pytest.raises(DataError, match="must be CSV"):
        opened(file)


def test_a_row_of_csv_that_cannot_be_parsed_is_an_error_and_affects_no_other(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text('question,context\na,"b "c" d"\n"e",f\ng\rh,i\n"j",k\n', newline="")
    _, cursor = opened(file, step=1)
    assert broken(cursor, 4) == {0: "unreadable_row", 2: "unreadable_row"}
    assert read(cursor, 0, 4).column("question").to_pylist() == [None, "e", None, "j"]
    assert read(opened(file, step=1)[1], 3, 4).column("context").to_pylist() == ["k"]


def test_bytes_that_are_not_utf8_are_replaced(tmp_path):
    # Arrow does not check texts, but DuckDB rejects a file with such a text.
    raw = pa.array([b"Who?", b"\xff", None, b"\xfe"] * 30, pa.binary())
    bad = pa.Array.from_buffers(pa.string(), 120, raw.buffers())
    good = pa.array(["Ada."] * 120)
    given = pa.table({"question": bad, "context": good.dictionary_encode(), "kept": bad.dictionary_encode()})
    for path in (tmp_path / "a.parquet", tmp_path / "a.arrow"):
        found, cursor = opened(write(path, given))
        rows = read(cursor, 0, 120)
        rows.validate(full=True)
        assert (
            rows.column("question").to_pylist()
            == rows.column("kept").to_pylist()
            == ["Who?", "\ufffd", None, "\ufffd"] * 30
        )
        assert broken(cursor, 120) == dict.fromkeys((row for row in range(120) if row % 2), "not_utf8")
        assert rows.schema == found.schema
        no_error = opened(path, settings=TableSettings(question="context"))[1]
        assert broken(no_error, 120) == {}


def test_columns_of_views_become_columns_that_others_can_read(tmp_path):
    words = pa.array(["a", None], pa.string_view())
    given = table(2).append_column("v", words)
    given = given.append_column("d", pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.uint8()), words))
    given = given.append_column("l", pa.array([[{"x": b"a"}], None], pa.list_(pa.struct([("x", pa.binary_view())]))))
    _, cursor = opened(write(tmp_path / "a.arrows", given))
    rows = read(cursor, 0, 2)
    assert rows.to_pylist() == given.to_pylist()
    assert [str(kind) for kind in rows.schema.types[3:]] == [
        "large_string",
        "dictionary<values=large_string, indices=uint8, ordered=0>",
        "list<item: struct<x: large_binary>>",
    ]


def test_json_lines_have_the_common_type_of_the_values(tmp_path):
    rows = [
        '{"question": "a", "context": "b", "n": 1, "x": 1, "y": true, "z": [1]}',
        '{"question": 5, "context": null, "n": 2.5, "x": 2, "y": null, "z": "a"}',
        "not json",
        "[1]",
        '{"context": "c", "question": "\\ud800"}',
    ]
    file = tmp_path / "a.jsonl"
    file.write_text("\n\n".join(rows) + "\n")
    found, cursor = opened(file)
    assert {field.name: str(field.type) for field in found.schema} == {
        "question": "string",
        "context": "string",
        "n": "double",
        "x": "int64",
        "y": "bool",
        "z": "string",
    }
    assert broken(cursor, 5) == {1: "not_text", 2: "unreadable_row", 3: "unreadable_row", 4: "not_utf8"}
    read_rows = read(cursor, 0, 5).to_pylist()
    assert (read_rows[0]["z"], read_rows[1]["question"], read_rows[2]["context"]) == ("[1]", "5", None)


def test_files_have_the_common_types_of_their_columns(tmp_path):
    one = table(3).append_column("x", pa.nulls(3)).append_column("y", pa.array([1, 2, 3], pa.int32()))
    two = one.set_column(1, "question", one.column("question").cast(pa.large_string()))
    two = two.set_column(3, "x", pa.array(["a", None, "b"])).set_column(4, "y", pa.array([1.5, None, 2.5]))
    three = two.set_column(1, "question", one.column("question").dictionary_encode()).select(
        ["y", "x", *table(1).schema.names]
    )
    four = one.cast(pa.schema([field.with_nullable(False) if field.name == "n" else field for field in one.schema]))
    files = [write(tmp_path / f"{place}.parquet", given) for place, given in enumerate((one, two, three, four))]
    found, cursor = opened(*files)
    assert [str(kind) for kind in found.schema.types] == ["int64", "large_string", "string", "string", "double"]
    rows = read(cursor, 0, 12)
    assert rows.column("question").to_pylist() == table(3).column("question").to_pylist() * 4
    assert rows.column("y").to_pylist() == [1, 2, 3, 1.5, None, 2.5, 1.5, None, 2.5, 1, 2, 3]
    lines = write(tmp_path / "5.jsonl", pa.table({"question": ["a", "b"], "context": ["c", "d"]}))
    lines.write_text(lines.read_text() + '{"question": 5, "context": "e"}\n')
    mixed = opened(files[1], lines, settings=TableSettings(columns=("question",)))[1]
    assert read(mixed, 3, 6).column("question").to_pylist() == ["a", "b", "5"]


def test_files_with_different_columns_are_rejected(tmp_path):
    one = write(tmp_path / "a.parquet", table(3))
    two = write(tmp_path / "b.parquet", table(3).set_column(0, "n", pa.array(["x"] * 3)))
    wrong = (
        r"b\.parquet: must have the columns of .*a\.parquet, but the type of column 'n' is string here and int64 there"
    )
    with pytest.raises(ConfigError, match=wrong):
        opened(one, two)
    assert opened(one, two, settings=TableSettings(columns=("context",)))[0].rows == 6
    three = write(tmp_path / "c.parquet", table(3).append_column("n", pa.array(range(3))))
    with pytest.raises(ConfigError, match=r"c\.parquet.* of column 'n' is ambiguous here and int64 there"):
        opened(one, three)
    four = write(tmp_path / "d.parquet", table(3).drop_columns("n"))
    with pytest.raises(ConfigError, match=r"d\.parquet.* of column 'n' is missing here and int64 there"):
        opened(one, four)


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("nothing.parquet", None, ConfigError, "there is no such file"),
        ("notes.txt", b"a", ConfigError, "cannot infer the format from the name; use one of .parquet"),
        ("a.parquet", b"no parquet at all", DataError, "must be parquet, but cannot be read"),
        ("a.arrow", b"no arrow at all", DataError, "must be arrow, but cannot be read"),
        ("a.csv", "a,b".encode("utf-16"), DataError, "must be csv in UTF-8, but is UTF-16"),
        ("a.jsonl", "{}".encode("utf-16"), DataError, "must be jsonl in UTF-8, but is UTF-16"),
        ("a.csv", gzip.compress(b"a,b", mtime=0), DataError, "must be csv in UTF-8, but is compressed by gzip"),
        ("a.csv.gz", b"a,b", DataError, "must be csv, but cannot be read"),
        ("a.csv.gz", gzip.compress(b"question,context\na,b" * 9, mtime=0)[:-9], DataError, "cannot be read: Truncated"),
        ("a.parquet.gz", b"", ConfigError, "cannot infer the format from the name"),
        ("a.csv", b"a,b\rc,d\r", DataError, r"must be CSV, but its lines end in .r alone"),
        (
            "a.jsonl",
            b'[\n{"question": "a"}\n]\n'.replace(b"}", b"},"),
            DataError,
            "must have a JSON object in each line",
        ),
        ("a.csv", b"", DataError, "must have a header"),
        (
            "a.csv",
            "question,context,réponse\na,b,c".encode("cp1252"),
            DataError,
            r"a\.csv: .* 'r.ponse' is not. Convert",
        ),
        ("a.jsonl", rb'{"question": "a", "\ud800": 1}', DataError, r"a\.jsonl: the names of columns must be UTF-8"),
    ],
)
def test_invalid_tables_are_rejected(tmp_path, name, content, error, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=message):
        opened(tmp_path / name)


def test_a_file_given_twice_and_a_folder_without_tables_are_rejected(tmp_path):
    with pytest.raises(ConfigError, match="but has none"):
        find_files([str(tmp_path)])
    file = write(tmp_path / "a.parquet", table(1))
    with pytest.raises(ConfigError, match="given several times"):
        find_files([str(file), str(tmp_path)])


def test_a_damaged_file_is_named(tmp_path):
    file = write(tmp_path / "a.parquet", table(300))
    place = parquet.ParquetFile(file).metadata.row_group(0).column(1).dictionary_page_offset
    content = bytearray(file.read_bytes())
    content[place : place + 20] = b"\xff" * 20
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.parquet: must be parquet, but cannot be read"):
        read(opened(file)[1], 0, 300)


def test_a_file_that_changes_while_it_is_read_is_detected(tmp_path):
    file = write(tmp_path / "a.parquet", table(300))
    _, cursor = opened(file)
    pieces = cursor.read(0, 300, 100)
    next(pieces)
    os.utime(file, ns=(1, 1))
    with pytest.raises(DataError, match="must not change while it is read"):
        list(pieces)
    with pytest.raises(DataError, match="must not change while it is read"):
        read(cursor, 0, 10)


def test_a_key_in_a_url_is_rejected():
    with pytest.raises(ConfigError, match="must not contain a key"):
        find_files(["s3://key:secret@bucket/a.parquet"])
