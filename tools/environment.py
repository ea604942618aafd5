"""Make a virtual environment with Quoth in it: ``python3 tools/environment.py FOLDER [EXTRA,...] [GROUP,...]``.

Used by the Makefile. Needs Python alone (even one that is too old can read it, and say so), and says in a sentence what
went wrong.
"""

import os
import subprocess
import sys

OLDEST, NEWEST = (3, 11), (3, 13)


def main() -> None:
    """Make the folder, upgrade pip in it, and install."""
    folder = sys.argv[1]
    extras = sys.argv[2] if len(sys.argv) > 2 else ""
    groups = [group for group in (sys.argv[3] if len(sys.argv) > 3 else "").split(",") if group]
    here = sys.version_info[:2]
    if not OLDEST <= here <= NEWEST:
        stop(
            f"Python must be from {dotted(OLDEST)} to {dotted(NEWEST)}, but {sys.executable} is {dotted(here)}. "
            "Choose another with: make PYTHON=python3.11 ..."
        )
    if subprocess.call([sys.executable, "-m", "venv", "--clear", folder]):
        stop(f"{sys.executable} could not make a virtual environment. On Debian and Ubuntu: apt install python3-venv")
    python = os.path.join(folder, "Scripts" if os.name == "nt" else "bin", "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.call([*pip, "--upgrade", "pip>=25.1"]):
        stop("pip could not fetch its own upgrade. Can this machine reach the package index (PyPI, or PIP_INDEX_URL)?")
    package = f".[{extras}]" if extras else "."
    wanted = ["--constraint", "constraints.txt", "--editable", package]
    for group in groups:
        wanted += ["--group", group]
    if subprocess.call([*pip, *wanted]):
        stop(f"pip could not install {package}. Its own words are above; most often the package index is out of reach.")


def dotted(version: tuple) -> str:
    """Return a version as people write it."""
    return ".".join(map(str, version))


def stop(message: str) -> None:
    """Say why, and end."""
    sys.stderr.write(f"quoth: {message}\n")
    sys.exit(1)


if __name__ == "__main__":
    main()
