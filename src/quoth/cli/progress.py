"""Progress bars of commands that read, and what reading costs, said before most of it is done."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from quoth.cli.console import note, stderr

# Reading that takes longer is announced, in seconds.
_LONG_S = 3.0


@contextmanager
def reading_bar(total: int | None = None) -> Iterator[Callable[..., None]]:
    """Show a progress bar on a terminal; yield a function of the number of examples so far, and the total number."""
    from rich.progress import Progress

    # Answers arrive in batches, so the remaining time is estimated from many of them.
    bar = Progress(console=stderr(), disable=not sys.stderr.isatty(), transient=True, speed_estimate_period=600)
    with bar:
        task = bar.add_task("Reading", total=total)
        yield lambda done, total=None: bar.update(task, completed=done, total=total)


@contextmanager
def announced(advice: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function of the number of passages read so far, and of all.

    If the first of them show that the rest takes some seconds, a note says how long, and a bar shows the progress.

    Args:
        advice: The end of the note: how to read less.
    """
    begun = time.perf_counter()
    show: Callable[..., None] | None = None
    with ExitStack() as stack:

        def progress(done: int, total: int) -> None:
            nonlocal show
            if show is None:  # the first passages have been read
                show = _no_progress
                seconds = (time.perf_counter() - begun) / done * (total - done)
                if seconds >= _LONG_S:
                    note(f"Reading {total:,} passages takes about {seconds:.0f} seconds; {advice}")
                    show = stack.enter_context(reading_bar(total))
            show(done, total)

        yield progress


def _no_progress(done: int, total: int) -> None:
    """Show no progress."""
