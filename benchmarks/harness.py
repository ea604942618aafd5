"""What all benchmarks share: which machine this is, and the page where results go (docs/benchmarks.md)."""

from __future__ import annotations

import os
import platform
import re
import shlex
import sys
from datetime import date
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def machine() -> str:
    """Return processor, cores, and the instructions that matter to matrix products."""
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8") if info.exists() else ""
    name = re.search(r"model name\s*:\s*(.+)", text)
    flags = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16") if f" {flag}" in text]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name[1] if name else platform.processor()}, {cores} cores ({', '.join(flags) or 'no flags known'})"


def record(title: str, lines: list[str]) -> None:
    """Print a result, and put it into the page under its title, with date, machine and command; older ones go.

    Args:
        title: The claim, as the heading of its part of the page.
        lines: What was measured, in Markdown.
    """
    words = [Path(word).name if os.sep in word else word for word in sys.argv[1:]]
    command = shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *words])
    head = [f"## {title}", "", f"{date.today()}, {machine()}. `{command}`", ""]
    part = "\n".join([*head, *lines]).rstrip() + "\n"
    print(part)
    text = PAGE.read_text(encoding="utf-8")
    parts = re.split(r"(?m)^(?=## )", text)
    kept = [each for each in parts if not each.startswith(f"## {title}\n")]
    PAGE.write_text("\n".join(each.rstrip() + "\n" for each in [*kept, part]), encoding="utf-8")
