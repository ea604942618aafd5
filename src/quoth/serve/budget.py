"""A budget of bytes that many requests share."""

from __future__ import annotations


class Budget:
    """Counts bytes that are held, up to a maximum. Used on the event loop only.

    Attributes:
        held: Bytes that are held now.
        most: The maximum.
    """

    def __init__(self, most: int) -> None:
        self.held = 0
        self.most = most

    def has_room(self, size: int) -> bool:
        """Return True if this many bytes more may be held."""
        return self.held + size <= self.most

    def take(self, size: int) -> bool:
        """Hold more bytes; return False if there is no room for them."""
        if not self.has_room(size):
            return False
        self.held += size
        return True

    def give_back(self, size: int) -> None:
        """Stop holding bytes."""
        self.held -= size
