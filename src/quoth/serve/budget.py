"""A limit on bytes that many requests share."""

from __future__ import annotations


class Budget:
    """Counts reserved bytes up to a limit. Used on the event loop only.

    Attributes:
        held: Bytes that are reserved now.
        limit: Maximum number of reserved bytes.
    """

    def __init__(self, limit: int) -> None:
        self.held = 0
        self.limit = limit

    def fits(self, size: int) -> bool:
        """Return True if this many more bytes are within the limit."""
        return self.held + size <= self.limit

    def reserve(self, size: int) -> bool:
        """Reserve bytes; return False if that would exceed the limit."""
        if not self.fits(size):
            return False
        self.held += size
        return True

    def release(self, size: int) -> None:
        """Release reserved bytes."""
        self.held -= size
