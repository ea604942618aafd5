"""Files and folders that are written atomically."""

import hashlib
import json
from pathlib import Path

import pytest

from quoth.files import (
    atomic_bytes,
    atomic_folder,
    atomic_text,
    format_suffix,
    is_unfinished,
    recover_folders,
    sha256,
    write_json,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_atomically(tmp_path):
    file = tmp_path / "a.txt"
    with atomic_text(file) as stream:
        stream.write("é")
        assert not file.exists()
    assert file.read_bytes() == "é".encode()
    assert names(tmp_path) == ["a.txt"]


def test_a_name_may_be_nearly_as_long_as_the_file_system_allows(tmp_path):
    with atomic_text(tmp_path / ("質" * 75 + ".json")) as stream:
        stream.write("{}")


def test_a_failed_file_keeps_the_old_one(tmp_path):
    file = tmp_path / "a.bin"
    file.write_bytes(b"old")
    with pytest.raises(TypeError), atomic_bytes(file) as stream:
        stream.writelines([b"new", "no bytes"])
    assert file.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_a_json_document_is_not_escaped(tmp_path):
    write_json(tmp_path / "a.json", {"é": [1]})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"é": [1]}
    assert "é" in text
    assert text.endswith("}\n")


@pytest.mark.parametrize("flush", [False, True])
def test_a_folder_is_written_atomically(tmp_path, flush):
    folder = tmp_path / "parents" / "are" / "made"
    with atomic_folder(folder, flush=flush) as part:
        (part / "sub").mkdir()
        (part / "sub" / "a").write_text("x")
        assert not folder.exists()
        assert is_unfinished(part)
    assert (folder / "sub" / "a").read_text() == "x"
    assert names(folder.parent) == ["made"]


def test_a_folder_replaces_the_old_one(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "old").touch()
    with atomic_folder(folder) as part:
        (part / "new").touch()
        assert names(folder) == ["old"]
    assert names(folder) == ["new"]
    assert names(tmp_path) == ["folder"]


def test_overlapping_writes_do_not_mix(tmp_path):
    """As of two threads."""
    file, folder = tmp_path / "a.bin", tmp_path / "folder"
    with atomic_bytes(file) as first:
        first.write(b"first")
        with atomic_bytes(file) as second:
            second.write(b"2")
        assert file.read_bytes() == b"2"
    assert file.read_bytes() == b"first"
    with atomic_folder(folder) as one:
        (one / "a").touch()
        with atomic_folder(folder) as other:
            (other / "b").touch()
        assert names(folder) == ["b"]
    assert names(folder) == ["a"]
    assert names(tmp_path) == ["a.bin", "folder"]


def test_a_failed_folder_keeps_the_old_one(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "old").touch()
    with pytest.raises(FileNotFoundError), atomic_folder(folder) as part:
        (part / "new" / "there is no such folder").touch()
    assert names(folder) == ["old"]
    assert names(tmp_path) == ["folder"]


def test_a_folder_that_cannot_be_moved_keeps_the_old_one(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "old").touch()
    with pytest.raises(FileNotFoundError), atomic_folder(folder) as part:
        part.rmdir()
    assert names(folder) == ["old"]
    assert names(tmp_path) == ["folder"]


def test_a_folder_is_written_to_the_target_of_a_link(tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to("target")
    with atomic_folder(tmp_path / "link") as part:
        (part / "new").touch()
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "target") == ["new"]


def test_a_folder_has_default_permissions(tmp_path):
    (tmp_path / "plain").mkdir()
    with atomic_folder(tmp_path / "whole"):
        pass
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_an_old_folder_is_restored_after_a_kill(tmp_path):
    (tmp_path / ".a-1.old").mkdir()
    (tmp_path / ".a-2.old").mkdir()
    (tmp_path / ".b.old").mkdir()
    (tmp_path / "a-2").mkdir()
    recover_folders(tmp_path, "a-*")
    assert names(tmp_path) == [".a-2.old", ".b.old", "a-1", "a-2"]
    assert [is_unfinished(path) for path in sorted(tmp_path.iterdir())] == [True, True, False, False]


def test_the_hash_is_computed_from_the_content(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(b"abc") == sha256(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.csv", ".csv"), ("a.v1.CSV.GZ", ".csv"), ("a.json.txt", ".txt"), ("a.gz", ""), ("a", ""), (".gz", "")],
)
def test_the_format_is_the_last_suffix_without_gz(name, suffix):
    assert format_suffix(Path("folder.json") / name) == suffix
