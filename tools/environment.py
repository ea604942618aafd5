"""Creates a virtual environment with Quoth in it: ``python3 tools/environment.py FOLDER [EXTRA,...] [GROUP,...]``.

Or one without Quoth, from pip's own arguments: ``python3 tools/environment.py FOLDER -- PIP ARGUMENTS``, as for the
benchmarks' peers, the release tools and the test of the wheel.

Called by the Makefile. Needs only Python; even an unsupported old version can run this file, which then reports it.
"""

import os
import subprocess
import sys
from typing import NoReturn

OLDEST, NEWEST = (3, 11), (3, 13)


def main() -> None:
    """Create the folder, upgrade pip in it, and install."""
    folder, *wanted = sys.argv[1:]
    here = sys.version_info[:2]
    if not OLDEST <= here <= NEWEST:
        stop(
            f"Python must be from {dotted(OLDEST)} to {dotted(NEWEST)}, but {sys.executable} is {dotted(here)}. "
            "Choose another with: make PYTHON=python3.11 ..."
        )
    if subprocess.call([sys.executable, "-m", "venv", "--clear", folder]):
        stop(f"{sys.executable} could not create a virtual environment. On Debian and Ubuntu: apt install python3-venv")
    python = os.path.join(folder, "Scripts" if os.name == "nt" else "bin", "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.call([*pip, "--upgrade", "pip>=25.1"]):
        stop("pip could not upgrade itself. Is the package index reachable (PyPI, or PIP_INDEX_URL)?")
    arguments = wanted[1:] if wanted[:1] == ["--"] else quoth(*wanted)
    if subprocess.call([*pip, *arguments]):
        stop(f"pip install {' '.join(arguments)} failed; its message is above. Is the package index reachable?")


def quoth(extras: str = "", groups: str = "") -> "list[str]":
    """Return pip's arguments for installing Quoth from this tree, with extras and groups."""
    wanted = ["--constraint", "constraints.txt", "--editable", f".[{extras}]" if extras else "."]
    for group in filter(None, groups.split(",")):
        wanted += ["--group", group]
    return wanted


def dotted(version: "tuple[int, ...]") -> str:
    """Return a version with dots."""
    return ".".join(map(str, version))


def stop(message: str) -> NoReturn:
    """Report a problem and exit."""
    sys.stderr.write(f"quoth: {message}\n")
    sys.exit(1)


if __name__ == "__main__":
    main()
