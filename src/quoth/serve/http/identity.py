"""A reader with its name and its hash: what every response says of who answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quoth.files import sha256
from quoth.reader import Reader
from quoth.store import ReaderFolder, shipped_folder
from quoth.store.hub import hub_folder, is_hub_name
from quoth.store.layout import reader_files

_HASH_DIGITS = 16


@dataclass(frozen=True, slots=True)
class ServedReader:
    """A loaded reader, and which one it is.

    Attributes:
        reader: The reader.
        name: Name of its folder, or the last part of its name on the hub; never a path.
        hash: Of its files, its settings and its engine: changes whenever an answer might.
        scores: As its ``quoth.json`` has them.
    """

    reader: Reader
    name: str
    hash: str
    scores: Mapping[str, Any]

    @classmethod
    def load(
        cls,
        source: str | Path | None,
        *,
        engine: str = "auto",
        precision: str | None = None,
        threads: int | None = None,
    ) -> ServedReader:
        """Load a reader; see :meth:`quoth.Reader.load`.

        Raises:
            ReaderError: If the folder is missing, incomplete or damaged.
            ConfigError: If there is no such engine or precision.
            MissingExtraError: If what runs it is not installed.
        """
        name = "shipped" if source is None else Path(source).resolve().name
        if is_hub_name(source):
            source = hub_folder(str(source))
        reader = Reader.load(source, engine=engine, precision=precision, threads=threads)
        folder = shipped_folder() if source is None else ReaderFolder.open_unchecked(Path(source))
        content = {
            "files": {name: sha256(folder.path / name) for name in reader_files(folder.path)},
            "settings": reader.settings.to_json(),
            "engine": [reader.engine.name, reader.engine.precision],
        }
        digest = sha256(json.dumps(content, sort_keys=True).encode())
        scores = folder.manifest.get("scores")
        return cls(reader, name, digest[:_HASH_DIGITS], scores if isinstance(scores, dict) else {})
