"""The origin of a reader, which is pickled instead of its network and loads it again in another process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from quoth.engines import Engine
from quoth.reading import Tokenizer
from quoth.store.engine import open_engine
from quoth.store.folder import SHIPPED, ReaderFolder, find_folder
from quoth.store.hub import is_hub_name

# Number of readers that a process caches for later tasks.
_KEPT = 2


class Parts(NamedTuple):
    """The parts of a reader, without its settings."""

    tokenizer: Tokenizer
    engine: Engine


@dataclass(frozen=True, slots=True)
class Origin:
    """The source and the options from which a reader was loaded.

    Attributes:
        folder: The absolute path of its folder; ``None``: the shipped reader.
        name: Its hub name, which is used if the folder does not exist; ``None``: not from the hub.
        revision: The commit on the hub.
        engine: As in :meth:`quoth.Reader.load`, like the following ones.
        precision: The precision.
        threads: Number of threads.
        device: The device.
        streams: Number of batches at the same time.
        quantized: Whether the folder's ONNX file has int8 weights.
    """

    folder: str | None = None
    name: str | None = None
    revision: str | None = None
    engine: str = "auto"
    precision: str | None = None
    threads: int | None = None
    device: str | None = None
    streams: int | None = None
    quantized: bool = False

    @classmethod
    def of(
        cls,
        source: str | Path | None,
        found: ReaderFolder,
        *,
        engine: str,
        precision: str | None,
        threads: int | None,
        device: str | None,
        streams: int | None,
    ) -> Origin:
        """Return the origin of a reader in a folder."""
        options = {"engine": engine, "precision": precision, "threads": threads, "device": device, "streams": streams}
        options["quantized"] = found.quantized
        if source is None or source == SHIPPED:
            return cls(**options)  # type: ignore[arg-type]
        folder = str(found.path.absolute())
        if not is_hub_name(source):
            return cls(folder, **options)  # type: ignore[arg-type]
        # In the hub's cache, the name of the folder is the commit.
        return cls(folder, str(source), found.path.name, **options)  # type: ignore[arg-type]

    def find(self) -> ReaderFolder:
        """Return the folder: the original one, or the same name and commit from the hub.

        Raises:
            ReaderError: If it does not exist on this machine, or is incomplete or damaged.
        """
        if self.name and self.folder and not Path(self.folder).is_dir():
            return find_folder(self.name, revision=self.revision)
        return find_folder(None if self.folder is None else Path(self.folder))

    def start(self, folder: ReaderFolder, tokenizer: Tokenizer) -> Parts:
        """Load the engine."""
        engine = open_engine(
            folder,
            engine=self.engine,
            precision=self.precision,
            threads=self.threads,
            device=self.device,
            streams=self.streams,
        )
        return Parts(tokenizer, engine)

    def load_once(self) -> Parts:
        """Load the parts, or return the cached parts that this process loaded from the same origin.

        Raises:
            ReaderError: If the reader does not exist on this machine, or the engine cannot run it.
        """
        process = os.getpid()
        with _lock(process):
            return _load(self, process)


@lru_cache(maxsize=_KEPT)
def _load(origin: Origin, process: int) -> Parts:
    """Load a reader's parts. The process is part of the key, because forks cannot use the parent's threads."""
    folder = origin.find()
    return origin.start(folder, Tokenizer.load(folder.path))


@cache
def _lock(process: int) -> Lock:
    """Return the lock of a process, because a lock that was held during a fork would never be released."""
    return Lock()
