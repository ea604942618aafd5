"""The plan of a job: the rows, file and state of each shard."""

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

# Metadata key of the counts in a shard's file.
COUNTS = b"quoth.counts"
_MOST_SHARDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Counts:
    """The numbers of answers and errors of some rows.

    Attributes:
        rows: Number of rows of the input.
        answered: Number of questions with an answer.
        abstained: Number of questions without an answer.
        errors: Number of questions that could not be read, by error code.
    """

    rows: int = 0
    answered: int = 0
    abstained: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        """Number of questions that could not be read."""
        return sum(self.errors.values())

    @property
    def questions(self) -> int:
        """Number of questions."""
        return self.answered + self.abstained + self.failed

    def __add__(self, other: Counts) -> Counts:
        errors = dict(sorted((Counter(self.errors) + Counter(other.errors)).items()))
        return Counts(self.rows + other.rows, self.answered + other.answered, self.abstained + other.abstained, errors)

    def to_dict(self) -> dict[str, Any]:
        """Return them as JSON values."""
        return {"rows": self.rows, "answered": self.answered, "abstained": self.abstained, "errors": dict(self.errors)}


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a worker needs.

    Attributes:
        table: The input.
        settings: The settings of the table.
        rows_per_shard: Number of input rows in each shard except the last.
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
        """Number of shards; an empty table has one shard without rows."""
        return max(1, -(-self.table.rows // self.rows_per_shard))

    def bounds(self, index: int) -> tuple[int, int]:
        """Return the row range of a shard, half-open."""
        start = index * self.rows_per_shard
        return start, min(self.table.rows, start + self.rows_per_shard)

    def rows_of(self, index: int) -> str:
        """Return the rows of a shard, for messages."""
        start, stop = self.bounds(index)
        return f"rows {start:,} to {stop - 1:,}"

    def name(self, index: int) -> str:
        """Return the name of a shard's file."""
        return f"part-{index:06}.parquet"

    def done(self, index: int) -> Counts | None:
        """Return the counts of a shard; ``None`` if its file is missing or incomplete."""
        try:
            with self.output.open(self.name(index)) as file:
                metadata = parquet.read_metadata(file)
            counts = Counts(**json.loads(metadata.metadata[COUNTS]))
        except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError):
            return None
        start, stop = self.bounds(index)
        return counts if counts.rows == stop - start else None
