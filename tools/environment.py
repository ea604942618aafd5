"""Make a virtual environment with Quoth in it: ``python3 tools/environment.py FOLDER [EXTRA,...] [GROUP,...]``.

Or one for a peer of the benchmarks, without Quoth: ``python3 tools/environment.py FOLDER -r REQUIREMENTS``.

Used by the Makefile. Needs Python alone (even one that is too old can read it, and say so), and says in a sentence what
went wrong.
"""

import os
import subprocess
import sys

OLDEST, NEWEST = (3, 11), (3, 13)


def main() -> None:
    """Make the folder, upgrade pip in it, and install."""
    folder, *wanted = sys.argv[1:]
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
    if wanted[:1] != ["-r"]:
        wanted = quoth(*wanted)
    if subprocess.call([*pip, *wanted]):
        what = wanted[-1] if wanted[0] == "-r" else wanted[3]
        stop(f"pip could not install {what}. Its own words are above; most often the package index is out of reach.")


def quoth(extras: str = "", groups: str = "") -> list:
    """Return what pip needs to be told to install Quoth from here, with extras and groups."""
    wanted = ["--constraint", "constraints.txt", "--editable", f".[{extras}]" if extras else "."]
    for group in filter(None, groups.split(",")):
        wanted += ["--group", group]
    return wanted


def dotted(version: tuple) -> str:
    """Return a version as people write it."""
    return ".".join(map(str, version))


def stop(message: str) -> None:
    """Say why, and end."""
    sys.stderr.write(f"quoth: {message}\n")
    sys.exit(1)


if __name__ == "__main__":
    main()
