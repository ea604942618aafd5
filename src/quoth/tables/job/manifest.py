"""``_quoth/job.json``: the inputs of a job, and everything that its answers depend on. A run that differs is rejected.

format      1
inputs      for each file: path, format, size, modification time, a hash of its start and end, rows, entry points
columns     of the input, with their types; ``schema`` is the same in Arrow's format
rows, rows_per_shard, shards
settings    the settings of the table
reader      sha256 of its files and settings; engine, precision, threads
versions    of Quoth, pyarrow and the engine
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import pyarrow as pa

from quoth.errors import ConfigError, JobError
from quoth.files import sha256
from quoth.store import ReaderFolder
from quoth.store.layout import reader_files
from quoth.tables.job.folder import OWN, Folder
from quoth.tables.job.plan import Plan
from quoth.tables.sources import Table, TableFile

MANIFEST = f"{OWN}/job.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Started:
    """Engine and precision of a loaded reader.

    Attributes:
        engine: The engine.
        precision: The precision.
    """

    engine: str
    precision: str


def reader_hash(folder: ReaderFolder) -> str:
    """Return a hash of everything that a reader's answers depend on."""
    parts = {name: sha256(folder.path / name) for name in reader_files(folder.path)}
    content = {"files": parts, **folder.settings().to_dict()}
    return sha256(json.dumps(content, sort_keys=True).encode())


def inputs_json(table: Table) -> list[dict[str, Any]]:
    """Return the files of a table for the manifest."""
    return [file.to_dict() for file in table.files]


def manifest(plan: Plan, reader_sha256: str, started: Started) -> dict[str, Any]:
    """Return the manifest of a job."""
    choice = plan.settings.reader
    return {
        "format": FORMAT,
        "inputs": inputs_json(plan.table),
        "columns": {field.name: str(field.type) for field in plan.table.schema},
        "rows": plan.table.rows,
        "rows_per_shard": plan.rows_per_shard,
        "shards": plan.shards,
        "settings": plan.settings.to_dict(),
        "reader": {
            "sha256": reader_sha256,
            "engine": started.engine,
            "precision": started.precision,
            "threads": choice.threads,
        },
        "versions": {"quoth": version("quoth"), "pyarrow": pa.__version__, started.engine: version(started.engine)},
        "schema": base64.b64encode(plan.table.schema.serialize().to_pybytes()).decode(),
    }


def read_manifest(folder: Folder) -> dict[str, Any] | None:
    """Return the manifest of a folder, or ``None`` if there is none and the folder is new or empty.

    Raises:
        ConfigError: If the folder contains other files.
        JobError: If the manifest cannot be read.
    """
    content = folder.read(MANIFEST)
    if content is None:
        if other := [name for name in folder.names() if name != OWN]:
            raise ConfigError(
                f"{folder}: must be a new or empty folder, or the folder of this job, but contains {other[0]}"
            )
        return None
    file = folder.url(MANIFEST)
    try:
        found = json.loads(content)
    except ValueError as error:
        raise JobError(f"{file}: must be JSON, but cannot be read: {error}. Start again in another folder.") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise JobError(f"{file}: format must be {FORMAT}. Was it written by another version of Quoth?")
    return found


def table_of(found: Mapping[str, Any]) -> Table:
    """Return the table of a manifest."""
    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(found["schema"])))
    return Table(tuple(TableFile.from_dict(values) for values in found["inputs"]), schema)


def write_manifest(folder: Folder, content: Mapping[str, Any]) -> None:
    """Write the manifest atomically."""
    folder.write(MANIFEST, as_json(content))


def as_json(document: Mapping[str, Any]) -> bytes:
    """Return a JSON document as it is written to a file."""
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def check_same(folder: Folder, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Check that a run matches a manifest.

    Raises:
        ConfigError: If something differs; the message lists all differences.
    """
    found = list(_differences(before, now))
    if found:
        more = f" (and {len(found) - 3} more)" if len(found) > 3 else ""
        raise ConfigError(
            f"{folder}: contains the job of another command: {'; '.join(found[:3])}{more}. "
            "Run that command again, or choose another folder."
        )


def _differences(before: Any, now: Any, where: str = "") -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys([*before, *now]):
            if name != "schema":
                yield from _differences(before.get(name), now.get(name), f"{where}.{name}" if where else str(name))
    elif isinstance(before, list) and isinstance(now, list) and where == "inputs":
        if len(before) != len(now):
            yield f"inputs were {len(before)} files, but are {len(now)}"
        for one, other in zip(before, now, strict=False):
            yield from _differences(one, other, str(one.get("path")))
    elif before != now:
        yield f"{where} was {_shown(before)}, but is {_shown(now)}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:60] + "…"
