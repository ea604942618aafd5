"""Where a reader was loaded from: what is pickled in place of its network, and loads it again in another process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from quoth.engines import Engine
from quoth.reading import Tokenizer
from quoth.store.folder import ReaderFolder, find_folder, open_engine
from quoth.store.hub import is_hub_name

# Readers that a process keeps for the next task that brings them.
_KEPT = 2


class Parts(NamedTuple):
    """What a reader is made of, apart from its settings."""

    tokenizer: Tokenizer
    engine: Engine


@dataclass(frozen=True, slots=True)
class Origin:
    """What a reader was loaded from, and how.

    Attributes:
        folder: The absolute path of its folder; ``None``: the reader that ships with the package.
        name: Its name on the hub, which is asked where the folder does not exist; ``None``: it has none.
        revision: The commit on the hub.
        engine: As in :meth:`quoth.Reader.load`, like all the others.
        precision: What to compute in.
        threads: Threads of the engine.
        device: Where the engine computes.
    """

    folder: str | None = None
    name: str | None = None
    revision: str | None = None
    engine: str = "auto"
    precision: str | None = None
    threads: int | None = None
    device: str | None = None

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
    ) -> Origin:
        """Return the origin of a reader whose folder has been found."""
        options = {"engine": engine, "precision": precision, "threads": threads, "device": device}
        if source is None:
            return cls(**options)  # type: ignore[arg-type]
        folder = str(found.path.absolute())
        if not is_hub_name(source):
            return cls(folder, **options)  # type: ignore[arg-type]
        # The hub's cache names the folder by the commit.
        return cls(folder, str(source), found.path.name, **options)  # type: ignore[arg-type]

    def find(self) -> ReaderFolder:
        """Return the folder: the same as before, or of the same name and commit on the hub.

        Raises:
            ReaderError: If there is none on this machine, or it is incomplete or damaged.
        """
        if self.name and self.folder and not Path(self.folder).is_dir():
            return find_folder(self.name, revision=self.revision)
        return find_folder(None if self.folder is None else Path(self.folder))

    def start(self, folder: ReaderFolder, tokenizer: Tokenizer) -> Parts:
        """Start the engine."""
        engine = open_engine(
            folder, engine=self.engine, precision=self.precision, threads=self.threads, device=self.device
        )
        return Parts(tokenizer, engine)

    def load_once(self) -> Parts:
        """Load the parts, or return those that this process has loaded from the same origin.

        Raises:
            ReaderError: If there is no such reader on this machine, or the engine cannot run it.
        """
        process = os.getpid()
        with _lock(process):
            return _load(self, process)


@lru_cache(maxsize=_KEPT)
def _load(origin: Origin, process: int) -> Parts:
    """Load a reader's parts. In a forked process those of the parent, whose threads it lacks, have another key."""
    folder = origin.find()
    return origin.start(folder, Tokenizer.load(folder.path))


@cache
def _lock(process: int) -> Lock:
    """Return the lock of a process: one that was taken while it forked would stay taken."""
    return Lock()
