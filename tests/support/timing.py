"""Time that a test may compare with a limit."""

import time
from collections.abc import Callable


def cpu_seconds(work: Callable[[], object], runs: int = 3) -> float:
    """Return the CPU time of a call in seconds: the least of several runs, as other work only adds."""

    def once() -> float:
        before = time.process_time()
        work()
        return time.process_time() - before

    return min(once() for _ in range(runs))
