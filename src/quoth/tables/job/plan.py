"""The plan of a job: which rows make up which shard, where the shards go, and the state of each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from quoth.errors import ConfigError
from quoth.tables.job.folder import Folder
from quoth.tables.settings import TableSettings
from quoth.tables.sources import Table

# Key of the counts in the metadata of a shard's file.
COUNTS = b"quoth.counts"
_MOST_SHARDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Counts:
    """What came out of some rows.

    Attributes:
        rows: Rows of the input.
        answered: Questions with an answer.
        abstained: Questions at which the reader abstained.
        errors: Questions that could not be read, by their code.
    """

    rows: int = 0
    answered: int = 0
    abstained: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        """How many questions could not be read."""
        return sum(self.errors.values())

    @property
    def questions(self) -> int:
        """How many questions there were."""
        return self.answered + self.abstained + self.failed

    def __add__(self, other: Counts) -> Counts:
        errors = dict(sorted((Counter(self.errors) + Counter(other.errors)).items()))
        return Counts(self.rows + other.rows, self.answered + other.answered, self.abstained + other.abstained, errors)

    def to_dict(self) -> dict[str, Any]:
        """Return them as JSON values."""
        return {"rows": self.rows, "answered": self.answered, "abstained": self.abstained, "errors": dict(self.errors)}


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a worker needs to know.

    Attributes:
        table: The input.
        settings: What is asked.
        rows_per_shard: Rows of the input in each shard but the last.
        output: The folder of the shards.
    """

    table: Table
    settings: TableSettings
    rows_per_shard: int
    output: Folder

    def __post_init__(self) -> None:
        if self.shards > _MOST_SHARDS:
            raise ConfigError(
                f"there must be at most {_MOST_SHARDS:,} shards, but {self.rows_per_shard:,} rows in each make "
                f"{self.shards:,}. Set --rows-per-shard higher."
            )

    @property
    def shards(self) -> int:
        """How many shards there are: one, without rows, for an empty table."""
        return max(1, -(-self.table.rows // self.rows_per_shard))

    def bounds(self, index: int) -> tuple[int, int]:
        """Return the rows of a shard, half-open."""
        start = index * self.rows_per_shard
        return start, min(self.table.rows, start + self.rows_per_shard)

    def name(self, index: int) -> str:
        """Return the name of a shard's file."""
        return f"part-{index:06}.parquet"

    def done(self, index: int) -> Counts | None:
        """Return what came out of a shard, or ``None`` if its file is not there, or is not whole."""
        try:
            with self.output.open(self.name(index)) as file:
                metadata = parquet.read_metadata(file)
            counts = Counts(**json.loads(metadata.metadata[COUNTS]))
        except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError):
            return None
        start, stop = self.bounds(index)
        return counts if counts.rows == stop - start else None
