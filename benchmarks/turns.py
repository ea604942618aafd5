"""Sides of a comparison, each in its own process, that alternate, so that a slow machine affects all of them."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WARM = 16  # questions that are not timed

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, eq=False)
class Side:
    """One of the compared systems.

    Attributes:
        name: Its name in the table.
        role: Its role in the claims.
        kind: Key of ``sides.SIDES``.
        python: The Python of its environment; ``None`` if there is none.
        folder: The folder that it loads; "" is the shipped reader.
        settings: Arguments of its ``__init__``.
        call: Settings of each call.
    """

    name: str
    role: str
    kind: str
    python: Path | None
    folder: str
    settings: dict[str, Any] = field(default_factory=dict)
    call: dict[str, Any] = field(default_factory=dict)


@dataclass
class Result:
    """The answers of a side in the order of the questions, and the seconds and speed of each block."""

    answers: list[Any] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    turns: list[float] = field(default_factory=list)

    @property
    def speed(self) -> float:
        """Questions per second."""
        return len(self.answers) / sum(self.seconds)

    def add(self, answers: list[Any], seconds: float) -> None:
        """Add a block."""
        self.answers += answers
        self.seconds.append(seconds)
        self.turns.append(len(answers) / seconds)


class Worker:
    """A process that answers for one or several sides of the same kind, folder and settings.

    Attributes:
        described: Its description of what it loaded.
    """

    def __init__(self, side: Side, threads: int) -> None:
        """Start it, and wait until it is loaded.

        Raises:
            RuntimeError: If it does not run; with the last line of its output.
        """
        if side.python is None:
            raise RuntimeError("its environment is missing; create it with: make peers")
        self.said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - open as long as it
        command = [str(side.python), str(Path(__file__).with_name("sides.py")), side.kind, side.folder, str(threads)]
        self.process = subprocess.Popen(
            [*command, json.dumps(side.settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.given, self.replies = self.process.stdin, self.process.stdout
        self.described: str = self._reply()["described"]

    def ask(self, pairs: Pairs, call: dict[str, Any]) -> dict[str, Any]:
        """Return the seconds and answers of one block."""
        with suppress(BrokenPipeError):  # it exited; _reply raises the reason
            self.given.write(json.dumps({"questions": pairs, "settings": call}) + "\n")
            self.given.flush()
        return self._reply()

    def _reply(self) -> dict[str, Any]:
        if line := self.replies.readline():
            reply: dict[str, Any] = json.loads(line)
            return reply
        self.process.wait()
        self.said.seek(0)
        lines = [line.strip() for line in self.said.read().splitlines() if line.strip()]
        self.close()
        raise RuntimeError(lines[-1] if lines else "exited without an error message")

    def close(self) -> None:
        """Stop the process; does nothing if it is stopped."""
        with suppress(BrokenPipeError):
            self.given.close()
        self.process.wait()
        self.replies.close()
        self.said.close()


class Workers:
    """One worker for each kind, folder and settings; and the reasons why others do not run."""

    def __init__(self, threads: int, stack: ExitStack) -> None:
        self.threads, self.stack = threads, stack
        self.running: dict[str, Worker] = {}
        self.failed: dict[str, str] = {}

    def ask(self, side: Side, pairs: Pairs) -> dict[str, Any] | None:
        """Return the answers of a side, or ``None`` if it cannot run."""
        if side.name in self.failed:
            return None
        try:
            return self._worker(side, pairs[:WARM]).ask(pairs, side.call)
        except RuntimeError as error:
            self.failed[side.name] = str(error)
            print(f"{side.name}: does not run here: {error}", file=sys.stderr)
            return None

    def described(self, side: Side) -> str:
        """Return the description of a running side."""
        return self.running[_key(side)].described

    def _worker(self, side: Side, warm: Pairs) -> Worker:
        key = _key(side)
        if key not in self.running:
            worker = Worker(side, self.threads)
            self.stack.callback(worker.close)
            worker.ask(warm, side.call)
            self.running[key] = worker
        return self.running[key]


def _key(side: Side) -> str:
    return json.dumps([side.kind, side.folder, side.settings])


def take_turns(workers: Workers, sides: list[Side], pairs: Pairs, blocks: int) -> dict[Side, Result]:
    """Let every side answer every block; each round starts with another side.

    Returns:
        The results of those that ran to the end.
    """
    results = {side.name: Result() for side in sides}
    size = -(-len(pairs) // blocks)
    for turn, start in enumerate(range(0, len(pairs), size)):
        block = pairs[start : start + size]
        for side in [*sides[turn % len(sides) :], *sides[: turn % len(sides)]]:
            if reply := workers.ask(side, block):
                if side.kind != "peak" and len(reply["answers"]) != len(block):
                    sys.exit(f"{side.name}: must answer {len(block)} questions, but answers {len(reply['answers'])}")
                results[side.name].add(reply["answers"], reply["seconds"])
    return {side: results[side.name] for side in sides if side.name not in workers.failed}
