"""Tests an installed wheel as a user: ``python tools/try_wheel.py ENVIRONMENT WHEEL``.

The environment has only the wheel and its base dependencies. This checks its size, runs `quoth ask`, `predict` and
`score` in it, then installs the extra [serve] and queries a server; each is a real process in an empty folder. Used by
``make test-wheel``. Needs only Python.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from dist import ROOT, version

# Megabytes (10^6 bytes) of all files of the base install, its dependencies included.
MOST_MB = 350
OF_THE_ENVIRONMENT = {"__pycache__", "pip", "setuptools", "pkg_resources", "_distutils_hack"}
QUESTION, CONTEXT, ANSWER = "What flew into the glass?", "One night a gull flew into the glass of the lamp.", "a gull"
DEADLINE_S = 120


def main() -> None:
    """Run all checks, and exit with 1 at the first failure."""
    environment, wheel = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        tried = Installed(environment, Path(folder))
        tried.check_package()
        tried.check_size()
        tried.check_answer()
        tried.check_scores()
        tried.install(f"{wheel}[serve]")
        tried.check_server()


class Installed:
    """The wheel in its environment, used from an empty folder.

    Args:
        environment: A virtual environment in which the wheel is installed.
        folder: An empty folder: the working directory, and the home of caches.
    """

    def __init__(self, environment: Path, folder: Path) -> None:
        self.folder = folder
        self.bin = environment / ("Scripts" if os.name == "nt" else "bin")
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "QUOTH", "VIRTUAL"))
        }
        self.variables = {**kept, "HF_HUB_OFFLINE": "1", "XDG_CACHE_HOME": str(folder / "cache")}

    def run(self, *command: str) -> str:
        """Run a program of the environment and return its stdout; exit if it fails."""
        done = subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=self.folder, env=self.variables, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
        )  # fmt: skip
        expect(done.returncode == 0, f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def install(self, requirement: str) -> None:
        """Install further packages, with the tested constraints."""
        pip = ("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        self.run(*pip, "--constraint", str(ROOT / "constraints.txt"), requirement)

    def check_package(self) -> None:
        """Check that the installed package is the wheel's: its place, its version, its type information."""
        code = "import json, quoth; print(json.dumps([quoth.__file__, quoth.__version__]))"
        file, number = json.loads(self.run("python", "-c", code))
        expect(
            Path(file).is_relative_to(self.bin.parent), f"quoth must be imported from the environment, but is {file}"
        )
        expect(number == version(), f"__version__ must be {version()}, but is {number}")
        expect(Path(file).with_name("py.typed").is_file(), "py.typed is missing")
        stated = self.run("python", "-c", "from importlib.metadata import version; print(version('quoth'))").strip()
        expect(stated == number, f"the metadata must state version {number}, but states {stated}")
        expect(self.run("quoth", "--version") == f"quoth {number}\n", "quoth --version must print the version")
        self.run("python", "-m", "pip", "check", "--disable-pip-version-check")

    def check_size(self) -> None:
        """Check the size of the base install, without bytecode, pip and setuptools.

        pip and setuptools belong to the environment, and their sizes depend on the version of Python. Counted are the
        bytes of files, since the blocks that they take depend on the file system.
        """
        sizes = {file: file.lstat().st_size for file in self.bin.parent.rglob("*") if file.is_file()}
        own = [file for file in sizes if not OF_THE_ENVIRONMENT.intersection(file.relative_to(self.bin.parent).parts)]
        base = sum(sizes[file] for file in own) / 1e6
        whole = sum(sizes.values()) / 1e6
        print(f"base install: {base:.1f} MB, at most {MOST_MB}; the whole environment: {whole:.1f} MB")
        expect(base <= MOST_MB, f"the base install must have at most {MOST_MB} MB, but has {base:.1f}")

    def check_answer(self) -> None:
        """Ask on the command line and in Python."""
        (self.folder / "text.txt").write_text(CONTEXT, encoding="utf-8")
        answer = json.loads(self.run("quoth", "ask", QUESTION, "--context", "text.txt", "--json"))["answers"][0]
        expect(answer["text"].lower() == ANSWER, f"the answer must be {ANSWER!r}, but is {answer['text']!r}")
        code = f"import quoth; print(quoth.Reader.load().answer({QUESTION!r}, {CONTEXT!r}).best.text)"
        expect(self.run("python", "-c", code).strip() == answer["text"], "Python and the command line must agree")
        print(f"quoth ask: {answer['text']}")

    def check_scores(self) -> None:
        """Predict and score a small file of data."""
        gold = {"text": ANSWER, "answer_start": CONTEXT.index(ANSWER)}
        row = {"id": "1", "question": QUESTION, "context": CONTEXT, "answers": [gold]}
        answers = {"text": [gold["text"]], "answer_start": [gold["answer_start"]]}
        (self.folder / "data.jsonl").write_text(json.dumps({**row, "answers": answers}) + "\n", encoding="utf-8")
        self.run("quoth", "predict", "data.jsonl", "-o", "predictions.json")
        scores = json.loads(self.run("quoth", "score", "data.jsonl", "predictions.json", "--json"))
        expect((scores["exact"], scores["total"]) == (100.0, 1), f"one exact match expected, but got {scores}")
        print(f"quoth score: exact match {scores['exact']:.0f}")

    def check_server(self) -> None:
        """Start a server, fetch its page and a font, ask it, and stop it."""
        command = [str(self.bin / "quoth"), "serve", "--port", "0"]
        with subprocess.Popen(
            command, cwd=self.folder, env=self.variables, stderr=subprocess.PIPE, text=True
        ) as server:
            try:
                lines = iter(server.stderr or ())
                url = next((line.split()[-1].rstrip("/") for line in lines if "Listening on" in line), "")
                expect(bool(url), "quoth serve must print the URL that it listens on")
                answer = json.loads(fetch(f"{url}/v1/answer", {"question": QUESTION, "context": CONTEXT}))["answers"][0]
                expect(answer["text"].lower() == ANSWER, f"the server must answer {ANSWER!r}, but answers {answer}")
                expect(b"<html" in fetch(f"{url}/"), "the server must send its page")
                expect(bool(fetch(f"{url}/docs")), "the server must send its API documentation")
            finally:
                server.send_signal(signal.SIGTERM)
                server.communicate(timeout=DEADLINE_S)
        expect(
            server.returncode == 0, f"quoth serve must exit with 0 after SIGTERM, but exited with {server.returncode}"
        )
        print(f"quoth serve: {answer['text']}")


def fetch(url: str, body: Any = None) -> bytes:
    """Return the response of a URL; a body is sent as JSON."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as response:
        content: bytes = response.read()
    return content


def expect(holds: bool, message: str) -> None:
    """Exit with a message if a condition is not met."""
    if not holds:
        raise SystemExit(message)


if __name__ == "__main__":
    main()
