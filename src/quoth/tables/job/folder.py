"""The folder of a job, on a file system or in an object store. Files are written atomically.

All files except shards have names that begin with ``_``, which Arrow, pandas, Spark and Hive ignore when they read a
folder of Parquet files.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
from pyarrow import fs

from quoth.errors import ConfigError
from quoth.files import atomic_bytes, is_unfinished
from quoth.tables.sources.files import refuse_keys, system_of, without_scheme

# The subfolder of all files except shards and merged shards.
OWN = "_quoth"


# Errors of a full disk; Arrow's errors do not name the file.
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


@contextmanager
def _names_full_disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        reason = f"{os.strerror(error.errno)}. Free some, and run the same command again to resume"
        raise OSError(error.errno, reason, str(path)) from error


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder, by an absolute path or a URL such as ``s3://bucket/answers``; small enough to send to any worker.

    Attributes:
        where: The path or URL.
    """

    where: str

    @classmethod
    def of(cls, text: str | Path) -> Folder:
        """Return the folder of a path or a URL.

        Raises:
            ConfigError: If the path is a file, a URL contains a key, or its scheme is unknown.
        """
        text = without_scheme(str(text))
        if "://" not in text:
            path = Path(text).absolute()
            if file := next((each for each in (path, *path.parents) if each.is_file()), None):
                raise ConfigError(f"{path}: must be a folder, but {file} is a file")
            return cls(str(path))
        refuse_keys(text)
        system_of(text)
        head, mark, query = text.partition("?")
        return cls(head.rstrip("/") + mark + query)

    def __str__(self) -> str:
        return self.where

    @property
    def path(self) -> Path | None:
        """The path, or ``None`` in an object store."""
        return None if "://" in self.where else Path(self.where)

    def url(self, name: str) -> str:
        """Return the path or URL of a file in it."""
        return f"{self.base}/{name}{self.where[len(self.base) :]}"

    @property
    def base(self) -> str:
        """The path or URL, without the options of a URL."""
        return self.where.partition("?")[0] if self.path is None else self.where

    def make(self) -> None:
        """Create the folder if necessary; object stores need no folders."""
        if self.path is not None:
            (self.path / OWN).mkdir(parents=True, exist_ok=True)

    def names(self) -> list[str]:
        """Return the sorted names of its files and folders; empty if it does not exist."""
        system, inner = system_of(self.where)
        infos = system.get_file_info(fs.FileSelector(inner, allow_not_found=True))
        return sorted(info.base_name for info in infos)

    def exists(self, name: str) -> bool:
        """Return whether a file is in it."""
        system, inner = system_of(self.url(name))
        return bool(system.get_file_info(inner).type == fs.FileType.File)

    def open(self, name: str) -> pa.NativeFile:
        """Open a file in it for random access.

        Raises:
            OSError: If it does not exist or cannot be read.
        """
        system, inner = system_of(self.url(name))
        return system.open_input_file(inner)

    def read(self, name: str) -> bytes | None:
        """Return the content of a file in it, or ``None`` if it does not exist."""
        try:
            with self.open(name) as file:
                return cast(bytes, file.read())
        except FileNotFoundError:
            return None

    @contextmanager
    def atomic_file(self, name: str) -> Iterator[BinaryIO]:
        """Write a file atomically, so that it also survives a power failure.

        For an object store, it is written to a local temporary file and uploaded when it is complete.
        """
        if self.path is not None:
            with _names_full_disk(self.path / name), atomic_bytes(self.path / name, flush=True) as file:
                yield file
            return
        with tempfile.TemporaryFile() as draft:
            yield cast(BinaryIO, draft)
            draft.seek(0)
            system, inner = system_of(self.url(name))
            with system.open_output_stream(inner) as target:
                shutil.copyfileobj(draft, target, 1 << 20)

    def write(self, name: str, content: bytes) -> None:
        """Write a small file atomically."""
        with self.atomic_file(name) as file:
            file.write(content)

    def remove(self, name: str) -> None:
        """Remove a file, if it exists."""
        system, inner = system_of(self.url(name))
        if system.get_file_info(inner).type == fs.FileType.File:
            system.delete_file(inner)

    def clear(self) -> None:
        """Remove incomplete files of a killed process; an object store has no such files."""
        if self.path is not None:
            for path in (*self.path.iterdir(), *(self.path / OWN).iterdir()):
                if is_unfinished(path) and path.is_file():
                    path.unlink(missing_ok=True)
