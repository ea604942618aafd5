"""A reader with its name and hash, which are part of every response."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from quoth.engines import Engine
from quoth.files import sha256
from quoth.reader import Reader
from quoth.store import SHIPPED, ReaderFolder, shipped_folder
from quoth.store.hub import hub_folder, is_hub_name
from quoth.store.layout import reader_files

_HASH_DIGITS = 16
# Engines that compute only one batch at a time, also when several threads call them.
_ONE_BATCH_AT_A_TIME = ("openvino",)


@dataclass(frozen=True, slots=True)
class ServedReader:
    """A loaded reader with its identity.

    Attributes:
        reader: The reader.
        name: The name of its folder, or the last part of its hub name; never a path.
        hash: Hash of its files, settings and engine; it changes whenever answers may change.
        scores: The scores in its ``quoth.json``.
        load_second_engine: Loads a second engine, to compute two batches at the same time; ``None`` if one engine can
            do that.
        reload: Loads the reader again from its source; ``None`` if it was not loaded from one.
    """

    reader: Reader
    name: str
    hash: str
    scores: Mapping[str, Any]
    load_second_engine: Callable[[], Engine] | None = None
    reload: Callable[[], ServedReader] | None = None

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
            ConfigError: If the engine or precision is unknown.
            MissingExtraError: If the engine is not installed.
        """
        reload = partial(cls.load, source, engine=engine, precision=precision, threads=threads)
        source = None if source == SHIPPED else source
        name = SHIPPED if source is None else Path(source).resolve().name
        if is_hub_name(source):
            source = hub_folder(str(source))
        load = partial(Reader.load, source, engine=engine, precision=precision, threads=threads)
        reader = load()
        folder = shipped_folder() if source is None else ReaderFolder.open_unchecked(Path(source))
        content = {
            "files": {name: sha256(folder.path / name) for name in reader_files(folder.path)},
            "settings": reader.settings.to_dict(),
            "engine": [reader.engine.name, reader.engine.precision],
        }
        digest = sha256(json.dumps(content, sort_keys=True).encode())
        scores = folder.manifest.get("scores")
        load_second = (lambda: load().engine) if reader.engine.name in _ONE_BATCH_AT_A_TIME else None
        scores = scores if isinstance(scores, dict) else {}
        return cls(reader, name, digest[:_HASH_DIGITS], scores, load_second, reload)
