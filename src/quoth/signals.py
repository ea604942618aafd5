"""Stop signals: the first one is noted, so that what is in progress can be finished; a second one ends the process."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class FirstSignal:
    """Notes the first SIGTERM or SIGINT while it is entered.

    Attributes:
        seen: The signal that this process received; 0 before.
    """

    def __init__(self) -> None:
        self.seen = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        # Only the main thread may set handlers; elsewhere, the program around us decides about signals.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._notice) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _notice(self, number: int, _: FrameType | None) -> None:
        self.seen = number
        signal.signal(number, self._before[signal.Signals(number)])
