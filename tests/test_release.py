"""Releases: the version in one place, and the contents of wheel and sdist."""

import io
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import dist
import quoth

ROOT = Path(__file__).parent.parent
PACKAGE = {"quoth/__init__.py", "quoth/reader.py", *dist.NEEDED, "quoth/serve/page/fonts/a.woff2"} - {
    "quoth/sample.json"
}
METADATA = {
    "quoth-9.8.dist-info/METADATA": "Metadata-Version: 2.4\nName: quoth\nVersion: 9.8\n",
    "quoth-9.8.dist-info/entry_points.txt": "",
    "quoth-9.8.dist-info/licenses/LICENSE": "",
}


def wheel_of(folder, names, metadata=METADATA):
    file = folder / "quoth-9.8-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in {**dict.fromkeys(names, ""), **metadata}.items():
            archive.writestr(name, text)
    return file


def sdist_of(folder, names):
    file = folder / "quoth-9.8.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(f"quoth-9.8/{name}"), io.BytesIO())
    return file


def test_a_complete_wheel_has_no_problems(tmp_path):
    assert dist.wheel_problems(wheel_of(tmp_path, {*PACKAGE, "quoth/sample.json"}), PACKAGE, "9.8") == []


@pytest.mark.parametrize("missing", sorted({*PACKAGE, "quoth/sample.json"} - {"quoth/serve/page/fonts/a.woff2"}))
def test_a_wheel_with_a_missing_file_is_rejected(tmp_path, missing):
    wheel = wheel_of(tmp_path, {*PACKAGE, "quoth/sample.json"} - {missing})
    assert dist.wheel_problems(wheel, PACKAGE, "9.8") == [f"{wheel.name}: lacks {missing}"]


@pytest.mark.parametrize("extra", ["tests/test_reader.py", "quoth/data.csv", "quoth/__pycache__/reader.pyc"])
def test_a_wheel_with_another_file_is_rejected(tmp_path, extra):
    wheel = wheel_of(tmp_path, {*PACKAGE, "quoth/sample.json", extra})
    assert dist.wheel_problems(wheel, PACKAGE, "9.8") == [f"{wheel.name}: must not hold {extra}"]


def test_a_wheel_without_fonts_licence_or_the_right_version_is_rejected(tmp_path):
    package = PACKAGE - {"quoth/serve/page/fonts/a.woff2"}
    metadata = {"quoth-9.8.dist-info/METADATA": "Metadata-Version: 2.4\nName: quoth\nVersion: 9.7\n"}
    wheel = wheel_of(tmp_path, {*package, "quoth/sample.json"}, metadata)
    problems = "\n".join(dist.wheel_problems(wheel, package, "9.8"))
    assert "lacks the fonts" in problems
    assert "licenses/LICENSE" in problems
    assert "must state version 9.8" in problems


@pytest.mark.parametrize(
    ("names", "problems"),
    [
        ({"Makefile", "tests/test_a.py", "PKG-INFO"}, []),
        ({"Makefile", "PKG-INFO"}, ["lacks tests/test_a.py"]),
        ({"Makefile", "tests/test_a.py", "notes.txt"}, ["must not hold notes.txt"]),
    ],
)
def test_an_sdist_contains_exactly_the_tracked_files(tmp_path, names, problems):
    sdist = sdist_of(tmp_path, names)
    found = dist.sdist_problems(sdist, {"Makefile", "tests/test_a.py"}, "9.8")
    assert found == [f"{sdist.name}: {problem}" for problem in problems]


def test_the_version_is_written_in_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert "version" not in project["project"]
    assert dist.version() == quoth.__version__
    command = [sys.executable, str(ROOT / "tools" / "dist.py"), "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == quoth.__version__
    # A version follows a name: quoth==0.1.0, quoth:0.1.0, version: 0.1.0.
    pattern = re.compile(rf"(quoth|version)['\"]?\s*[:=]+\s*['\"]?v?{re.escape(quoth.__version__)}\b", re.IGNORECASE)
    folders = ("*.toml", "*.cff", "*.yml", "Makefile", "deploy/*", "tools/*.py", "docs/**/*.md", ".github/**/*.y*ml")
    files = [file for folder in folders for file in ROOT.glob(folder) if file.is_file()]
    assert [file.name for file in files if pattern.search(file.read_text(encoding="utf-8"))] == []
