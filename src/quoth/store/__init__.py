"""A reader on disk: the layout of its folder, its settings and hashes, and readers on the hub."""

from quoth.store.engine import open_engine, open_torch
from quoth.store.folder import (
    SHIPPED,
    ReaderFolder,
    check_new_folder,
    find_folder,
    most_positions,
    shipped_folder,
)
from quoth.store.origin import Origin
from quoth.store.settings import CorpusSettings, ReaderSettings

__all__ = [
    "SHIPPED",
    "CorpusSettings",
    "Origin",
    "ReaderFolder",
    "ReaderSettings",
    "check_new_folder",
    "find_folder",
    "most_positions",
    "open_engine",
    "open_torch",
    "shipped_folder",
]
