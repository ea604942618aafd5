"""Finds the files of a table (files, folders and globs, local or in an object store), and detects changes."""

from __future__ import annotations

import glob
import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pyarrow as pa
from pyarrow import fs

from quoth.errors import ConfigError, DataError

# Each format with the suffixes of its files.
FORMATS = {
    "parquet": (".parquet", ".pq"),
    "csv": (".csv", ".tsv"),
    "jsonl": (".jsonl", ".ndjson"),
    "arrow": (".arrow", ".arrows", ".feather", ".ipc"),
}
# Codecs of compressed text files, by a second suffix, as in ``a.csv.gz``.
CODECS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
_TEXTS = ("csv", "jsonl")
# How long to try to reach Google's store, in seconds; its own default is 15 minutes.
_RETRY = 60
# Number of bytes of the start and of the end of a file that are part of its fingerprint.
_ENDS = 1 << 16


@dataclass(frozen=True, slots=True)
class Location:
    """One file of a table.

    Attributes:
        path: An absolute path, or a URL such as ``s3://bucket/folder/file.parquet``.
        format: A key of ``FORMATS``.
    """

    path: str
    format: str

    def text_file(self) -> io.BufferedReader:
        """Open its text, decompressed; it is read from the start, or from any byte if it is not compressed.

        Raises:
            OSError: If it cannot be read.
        """
        file, codec = self.arrow_file(), _codec(self.path)
        raw: Any = _Ranges(file) if codec is None else pa.CompressedInputStream(file, codec)
        return io.BufferedReader(raw, 1 << 20)

    def arrow_file(self) -> pa.NativeFile:
        """Open it for random access.

        Raises:
            OSError: If it cannot be read.
        """
        system, inner = system_of(self.path)
        return system.open_input_file(inner)

    def state(self) -> tuple[int, int]:
        """Return its size in bytes and its modification time in nanoseconds.

        Raises:
            OSError: If it does not exist.
        """
        system, inner = system_of(self.path)
        info = system.get_file_info(inner)
        if info.type != fs.FileType.File:
            raise FileNotFoundError(2, "no such file", self.path)
        return info.size, info.mtime_ns or 0

    def fingerprint(self) -> dict[str, Any]:
        """Return its fingerprint, to detect changes: size, modification time, and a hash of its start and end."""
        size, modified = self.state()
        digest = hashlib.sha256()
        with self.arrow_file() as file:
            start = file.read_at(min(2 * _ENDS, size), 0)
            end = start[-_ENDS:] if size <= 2 * _ENDS else file.read_at(_ENDS, size - _ENDS)
        digest.update(start[:_ENDS] + end)
        return {"size": size, "modified_ns": modified, "ends_sha256": digest.hexdigest()}


class _Ranges(io.RawIOBase):
    """A file that is read by ranges; a file of Google's store counts as closed as soon as its end has been read."""

    def __init__(self, file: pa.NativeFile) -> None:
        self._file, self._size, self._place = file, file.size(), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        return self._place

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self._size - self._place)
        if count <= 0:
            return 0
        content = self._file.read_at(count, self._place)
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)


class Scan(NamedTuple):
    """The result of scanning a file.

    Attributes:
        rows: Number of rows.
        marks: Rows at which reading can start, each with its position in the file, in units of the format.
        schema: The columns.
    """

    rows: int
    marks: list[tuple[int, int]]
    schema: pa.Schema


def find_files(inputs: Sequence[str]) -> list[Location]:
    """Return the files of a table; those of each input are sorted by name.

    Args:
        inputs: Files, folders (recursively, except names that start with "." or "_") and globs, as paths or URLs.

    Raises:
        ConfigError: If an input does not exist, has no tables, or has an unsupported format.
    """
    found = [location for text in inputs for location in _find(text)]
    twice = [location.path for location, count in Counter(found).items() if count > 1]
    if twice:
        raise ConfigError(f"{twice[0]}: must be given once, but is given several times")
    return found


def without_scheme(text: str) -> str:
    """Return the path of a URL of this machine (``file://``); other texts unchanged."""
    return url2pathname(urlsplit(text).path) if text.startswith("file://") else text


def _find(text: str) -> Iterator[Location]:
    text = without_scheme(text)
    paths = _remote(text) if "://" in text else [str(path) for path in _local(text)]
    if not paths:
        raise ConfigError(f"{text}: must contain tables ({_suffixes()}), but has none")
    for path in paths:
        yield Location(path, _format(path))


def _local(text: str) -> list[Path]:
    path = Path(text)
    if path.is_dir():
        inside = (file for file in path.rglob("*") if file.is_file() and not _is_hidden(file.relative_to(path).parts))
        return sorted(file.absolute() for file in inside if _known(file.name))
    if path.exists():
        return [path.absolute()]
    matches = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - a path may be absolute, which Path.glob refuses
    if not matches:
        raise ConfigError(f"{text}: must be a file, a folder or a glob of tables, but there is no such file")
    return [Path(match).absolute() for match in matches if Path(match).is_file()]


def _remote(text: str) -> list[str]:
    head, _, query = text.partition("?")
    parts = urlsplit(head)
    refuse_keys(text)
    system, inner = system_of(text)

    def with_scheme(path: str) -> str:
        user = parts.netloc.rpartition("@")[0]
        return f"{parts.scheme}://{user}{'@' if user else ''}{path}" + (f"?{query}" if query else "")

    if "*" in inner or "[" in inner:
        base = inner[: min(inner.find(mark) for mark in "*[" if mark in inner)].rpartition("/")[0]
        infos = system.get_file_info(fs.FileSelector(base, recursive=True))
        return sorted(with_scheme(info.path) for info in infos if info.is_file and fnmatchcase(info.path, inner))
    info = system.get_file_info(inner)
    if info.type == fs.FileType.File:
        return [with_scheme(inner)]
    if info.type != fs.FileType.Directory:
        raise ConfigError(f"{text}: must be a file, a folder or a glob of tables, but there is no such file")
    infos = system.get_file_info(fs.FileSelector(inner, recursive=True))
    return sorted(
        with_scheme(info.path)
        for info in infos
        if info.is_file and _known(info.path) and not _is_hidden(info.path[len(inner) :].strip("/").split("/"))
    )


def _is_hidden(parts: Sequence[str]) -> bool:
    return any(part.startswith((".", "_")) for part in parts)


def _name(path: str) -> str:
    """Return a path or URL without the options of a URL, in lower case."""
    return (path.partition("?")[0] if "://" in path else path).lower()


def _codec(path: str) -> str | None:
    return next((codec for suffix, codec in CODECS.items() if _name(path).endswith(suffix)), None)


def plain_name(path: str) -> str:
    """Return a path or URL without the suffix of a compression, and without the options of a URL, in lower case."""
    name = _name(path)
    return name.rpartition(".")[0] if _codec(path) else name


def _known(path: str) -> str | None:
    kind = next((kind for kind, suffixes in FORMATS.items() if plain_name(path).endswith(suffixes)), None)
    return None if _codec(path) and kind not in _TEXTS else kind


def _format(path: str) -> str:
    kind = _known(path)
    if kind is None:
        raise ConfigError(f"{path}: cannot infer the format from the name; use one of {_suffixes()}")
    return kind


def _suffixes() -> str:
    names = ", ".join(suffix for suffixes in FORMATS.values() for suffix in suffixes)
    return f"{names}; also {', '.join(CODECS)} after those of text"


def refuse_keys(url: str) -> None:
    """Check that a URL contains no key; ``gs://anonymous@bucket`` is one without a key.

    Raises:
        ConfigError: If it does.
    """
    parts = urlsplit(url)
    if "@" in parts.netloc and parts.netloc.rpartition("@")[0] != "anonymous":
        raise ConfigError(
            f"{parts.scheme}://…@{parts.hostname}: must not contain a key, because job.json stores the URL. Set "
            "the key in the environment, as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )


def system_of(path: str) -> tuple[fs.FileSystem, str]:
    """Return the file system of a path or URL, and the path within it.

    Raises:
        ConfigError: If there is no file system of this scheme.
    """
    if "://" not in path:
        return _local_system(), path
    head, _, query = path.partition("?")
    parts = urlsplit(head)
    try:
        system = _remote_system(parts.scheme, parts.netloc, query)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ConfigError(f"{path}: cannot be opened: {error}") from error
    return system, f"{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")


@lru_cache(maxsize=1)
def _local_system() -> fs.FileSystem:
    return fs.LocalFileSystem()


@lru_cache(maxsize=16)
def _remote_system(scheme: str, bucket: str, query: str) -> fs.FileSystem:
    if scheme in ("gs", "gcs") and "retry_limit_seconds=" not in query:
        query = f"{query}&retry_limit_seconds={_RETRY}".lstrip("&")
    system, _ = fs.FileSystem.from_uri(f"{scheme}://{bucket}/" + (f"?{query}" if query else ""))
    return system


@contextmanager
def readable(location: Location) -> Iterator[None]:
    """Convert errors of reading a file with wrong content.

    Raises:
        DataError: If the content does not have the format of its name.
        OSError: If the operating system cannot read the file.
    """
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = " ".join(str(error).split())
        raise DataError(
            location.path, [f"{location.path}: must be {location.format}, but cannot be read: {reason}"]
        ) from error
