"""A reader on disk: the layout of its folder, its settings and its hashes."""

from quoth.store.folder import ReaderFolder, check_new_folder, open_engine, shipped_folder
from quoth.store.settings import ReaderSettings

__all__ = ["ReaderFolder", "ReaderSettings", "check_new_folder", "open_engine", "shipped_folder"]
