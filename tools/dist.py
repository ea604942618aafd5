"""Checks a built sdist and wheel: ``python tools/dist.py FOLDER``; or prints the version: ``... --version``.

The wheel must contain every file of ``src/quoth`` and nothing else but its metadata; the sdist, every tracked file.
Used by ``make build``, and by the release workflow, which compares the version with the tag. Needs only Python.
"""

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Bytes; PyPI takes files of at most 100 MB.
MOST_WHEEL, MOST_SDIST = 30_000_000, 95_000_000
# Files that a reader, the page or a type checker would miss, and that a change of the build could lose.
NEEDED = (
    "quoth/py.typed",
    "quoth/sample.json",
    "quoth/shipped/README.md",
    "quoth/shipped/model.onnx",
    "quoth/shipped/quoth.json",
    "quoth/shipped/tokenizer.json",
    "quoth/serve/docs/index.html",
    "quoth/serve/page/index.html",
    "quoth/serve/page/page.css",
)


def version() -> str:
    """Return the version, which is defined in a single place."""
    text = (ROOT / "src" / "quoth" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise SystemExit('src/quoth/__init__.py must hold a line __version__ = "...", but holds none')
    return found[1]


def tracked() -> set[str]:
    """Return the files that git tracks, by their place in the tree."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(filter(None, done.stdout.split("\0")))


def wheel_problems(wheel: Path, package: set[str], number: str) -> list[str]:
    """Return what is wrong with a wheel.

    Args:
        wheel: The archive.
        package: The files that it must contain, such as ``quoth/reader.py``.
        number: The version that its metadata must state.
    """
    metadata = f"quoth-{number}.dist-info/"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        stated = archive.read(f"{metadata}METADATA").decode() if f"{metadata}METADATA" in names else ""
    problems = [f"lacks {name}" for name in sorted({*package, *NEEDED} - names)]
    problems += [
        f"must not hold {name}"
        for name in sorted(names - package - {"quoth/sample.json"})
        if not name.startswith(metadata)
    ]
    if not any(name.startswith("quoth/serve/page/fonts/") and name.endswith(".woff2") for name in names):
        problems.append("lacks the fonts of the page")
    for name in ("licenses/LICENSE", "entry_points.txt"):
        if metadata + name not in names:
            problems.append(f"lacks {metadata}{name}")
    if f"\nVersion: {number}\n" not in stated:
        problems.append(f"must state version {number} in its METADATA")
    if wheel.stat().st_size > MOST_WHEEL:
        problems.append(f"must have at most {MOST_WHEEL:,} bytes, but has {wheel.stat().st_size:,}")
    return [f"{wheel.name}: {problem}" for problem in problems]


def sdist_problems(sdist: Path, files: set[str], number: str) -> list[str]:
    """Return the problems of an sdist, which must contain exactly `files` and ``PKG-INFO``."""
    with tarfile.open(sdist) as archive:
        names = {member.name.removeprefix(f"quoth-{number}/") for member in archive.getmembers() if member.isfile()}
    problems = [f"lacks {name}" for name in sorted(files - names)]
    problems += [f"must not hold {name}" for name in sorted(names - files - {"PKG-INFO"})]
    if sdist.stat().st_size > MOST_SDIST:
        problems.append(f"must have at most {MOST_SDIST:,} bytes, but has {sdist.stat().st_size:,}")
    return [f"{sdist.name}: {problem}" for problem in problems]


def problems_of(folder: Path) -> list[str]:
    """Return what is wrong with the archives in a folder."""
    number, files = version(), tracked()
    package = {name.removeprefix("src/") for name in files if name.startswith("src/quoth/")}
    wheel, sdist = folder / f"quoth-{number}-py3-none-any.whl", folder / f"quoth-{number}.tar.gz"
    found = {file.name for file in folder.iterdir()}
    if found != {wheel.name, sdist.name}:
        return [f"{folder} must hold {wheel.name} and {sdist.name}, but holds {', '.join(sorted(found)) or 'nothing'}"]
    return wheel_problems(wheel, package, number) + sdist_problems(sdist, files, number)


def main() -> None:
    """Print the version, or check a folder and exit with 1 if there are problems."""
    (argument,) = sys.argv[1:]
    if argument == "--version":
        print(version())
        return
    problems = problems_of(Path(argument))
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        raise SystemExit(1)
    for file in sorted(Path(argument).iterdir()):
        print(f"{file}: {file.stat().st_size / 1e6:.1f} MB, contents checked")


if __name__ == "__main__":
    main()
