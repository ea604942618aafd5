"""Shared by all benchmarks: data, threads, peers' environments, targets, and the results page (docs/benchmarks.md)."""

from __future__ import annotations

import argparse
import os
import platform
import random
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
# The float checkpoint of the shipped reader.
FLOAT = ROOT / "readers" / "shipped"
# Speed counts only without a loss of quality: at most so many points of F1 below the peer, on the same questions.
F1_MARGIN = 0.3

T = TypeVar("T")


def machine() -> str:
    """Return the processor, its cores, and its instruction sets for matrix products."""
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8") if info.exists() else ""
    name = re.search(r"model name\s*:\s*(.+)", text)
    flags = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16") if f" {flag}" in text]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name[1] if name else platform.processor()}, {cores} cores ({', '.join(flags) or 'no flags known'})"


def options(doc: str, questions: int) -> argparse.ArgumentParser:
    """Return a parser with the common options of the answering benchmarks.

    Args:
        doc: The module's docstring; its first line describes the command.
        questions: Default number of questions.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    data = os.environ.get("QUOTH_DATA")
    file = Path(data) / "squad" / "squad-v1.1-dev.json" if data else None
    parser.add_argument("--data", default=file, required=not file, help="SQuAD v1.1 dev; by default in QUOTH_DATA")
    parser.add_argument("--model", default=FLOAT, help="float checkpoint of the shipped reader, a Hugging Face folder")
    parser.add_argument("--questions", type=int, default=questions, help=f"number of questions ({questions}); 0: all")
    parser.add_argument("--threads", type=int, default=2, help="threads and cores of every side (2)")
    add_no_record(parser)
    return parser


def add_no_record(parser: argparse.ArgumentParser) -> None:
    """Add the option --no-record."""
    parser.add_argument("--no-record", action="store_true", help="only print; do not change docs/benchmarks.md")


def sample(items: Sequence[T], count: int) -> list[T]:
    """Return `count` random items, the same each time; all in order if `count` is 0 or at least their number."""
    if not 0 < count < len(items):
        return list(items)
    return random.Random(0).sample(items, count)


def pin(threads: int) -> int:
    """Pin this process and its children to as many cores as threads, and return their number.

    The libraries of all sides use these environment variables, or the CPU affinity.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))[:threads]
        os.sched_setaffinity(0, cores)
        threads = len(cores)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = str(threads)
    return threads


def peer_python(name: str) -> Path | None:
    """Return the Python of a peer's environment, or ``None`` without one (``make .peers/NAME/.made`` creates it)."""
    python = ROOT / ".peers" / name / "bin" / "python"
    return python if python.exists() else None


@dataclass(frozen=True, slots=True)
class Bar:
    """A claim, its measured value and its target.

    Attributes:
        claim: What is claimed, with its peer.
        value: The measured value.
        bound: The target: a minimum, or a maximum.
        at_most: Whether the target is a maximum.
        unit: Unit, written after the numbers.
        digits: Decimal places of the value.
        condition: Whether a further condition is met, such as answers of the same quality; and its description.
    """

    claim: str
    value: float
    bound: float
    at_most: bool = False
    unit: str = "×"
    digits: int = 1
    condition: tuple[bool, str] = (True, "")

    @property
    def holds(self) -> bool:
        """Whether the target is met."""
        kept = self.value <= self.bound if self.at_most else self.value >= self.bound
        return kept and self.condition[0]

    def __str__(self) -> str:
        words = f"; {self.condition[1]}" if self.condition[1] else ""
        bound = f"at {'most' if self.at_most else 'least'} {self.bound:g}{self.unit}"
        return f"- {self.claim}: {self.value:.{self.digits}f}{self.unit} ({bound}{words}): {verdict(self.holds)}"


def verdict(holds: bool) -> str:
    """Return whether a target is met, as Markdown."""
    return "holds" if holds else "**does not hold**"


def table(*rows: Sequence[object]) -> list[str]:
    """Return the lines of a Markdown table; the first row is its head."""
    lines = [f"| {' | '.join(map(str, row))} |" for row in rows]
    return [lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]


def record(title: str, lines: list[str], *, keep: bool = True, page: Path = PAGE) -> None:
    """Print a result and write it to the page with date, machine and command, replacing an older one.

    Args:
        title: The heading of its section of the page.
        lines: The results, in Markdown.
        keep: Whether to write the page; otherwise, the results are only printed.
        page: The page.
    """
    words = [Path(word).name if os.sep in word else word for word in sys.argv[1:]]
    command = shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *words])
    head = [f"## {title}", "", f"{date.today()}, {machine()}. `{command}`", ""]
    part = "\n".join([*head, *lines]).rstrip() + "\n"
    print(part)
    if keep:
        page.write_text(replaced(page.read_text(encoding="utf-8"), title, part), encoding="utf-8")


def replaced(text: str, title: str, part: str) -> str:
    """Return the page with a section replaced by the new one of the same title, or with it appended."""
    parts = re.split(r"(?m)^(?=## )", text)
    places = [at for at, each in enumerate(parts) if each.startswith(f"## {title}\n")]
    if places:
        parts[places[0]] = part
    else:
        parts.append(part)
    return "\n".join(each.rstrip() + "\n" for at, each in enumerate(parts) if at not in places[1:])
