"""The table of inverted lines matches the sources. ``tools/invert_lines.py`` tries the rows."""

import pytest

from invert_lines import ROOT, ROWS, invert


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.file}: {row.line}")
def test_each_row_matches_the_sources_and_its_tests_exist(tmp_path, row):
    copy = tmp_path / "quoth" / row.file
    copy.parent.mkdir(parents=True)
    copy.write_text((ROOT / "src" / "quoth" / row.file).read_text(encoding="utf-8"), encoding="utf-8")
    invert(row, tmp_path)
    assert row.line not in copy.read_text(encoding="utf-8") or row.line in row.inverted
    assert all((ROOT / "tests" / word).is_file() for word in row.tests.split() if word.endswith(".py"))
