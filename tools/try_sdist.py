"""Unpacks an sdist and runs tests in it: ``python tools/try_sdist.py SDIST [TEST FILE...]``.

Collects every test of the unpacked tree, and runs the given files of tests, with the packages of the Python that runs
this, but with Quoth from the sdist. Used by ``make test-sdist``; ``make test`` in the unpacked folder runs all of them.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path


def main() -> None:
    """Unpack, collect and run."""
    sdist, *files = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        (root,) = Path(folder).iterdir()
        pytest(root, "--collect-only", "--quiet", "tests")
        pytest(root, "--quiet", "-m", "not long and not data", *files)


def pytest(root: Path, *arguments: str) -> None:
    """Run pytest in the unpacked tree; a failure ends this program with its exit status."""
    variables = {**os.environ, "PYTHONPATH": str(root / "src")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=root, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        raise SystemExit(done.returncode)
    print(f"{root.name}: {done.stdout.strip().splitlines()[-1]}")


if __name__ == "__main__":
    main()
