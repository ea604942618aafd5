"""A reader on disk: the layout of its folder, its settings and its hashes."""

from quoth.store.folder import ReaderFolder, open_engine, shipped_folder
from quoth.store.settings import ReaderSettings

__all__ = ["ReaderFolder", "ReaderSettings", "open_engine", "shipped_folder"]
