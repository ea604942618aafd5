"""Stop signals: the first one is recorded, so that work in progress can finish; a second one ends the process."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class FirstSignal:
    """A context manager that records the first SIGTERM or SIGINT.

    Attributes:
        seen: The number of the received signal; 0 if there was none.
    """

    def __init__(self) -> None:
        self.seen = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        # Only the main thread may set handlers; in other threads, signals are left to the calling program. So are those
        # with a handler that was not set from Python (getsignal returns None), because it could not be restored.
        if threading.current_thread() is threading.main_thread():
            ours = [number for number in _SIGNALS if signal.getsignal(number) is not None]
            self._before = {number: signal.signal(number, self._notice) for number in ours}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _notice(self, number: int, _: FrameType | None) -> None:
        self.seen = number
        signal.signal(number, self._before[signal.Signals(number)])
