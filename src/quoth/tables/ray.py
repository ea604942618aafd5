"""Tables on Ray Data: a data set of your own, or a job whose shards are done by actors of a cluster.

A job has the same plan, shards and manifest as on one machine. Each shard is one block, and each actor has one reader
and writes its shards by rename into a folder that all nodes reach. If an actor is killed, Ray starts it again and
repeats its shard.
"""

from __future__ import annotations

import json
import pickle
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from quoth.errors import ConfigError, MissingExtraError, QuothError
from quoth.tables.answer import TableAnswerer
from quoth.tables.job.local import Progress, Watch, limit_threads
from quoth.tables.job.manifest import Started
from quoth.tables.job.plan import Counts, Plan
from quoth.tables.job.shards import write_shard
from quoth.tables.settings import TableSettings
from quoth.tables.sources import Cursor

try:
    import ray
    import ray.data
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ImportError as error:
    raise MissingExtraError("quoth.tables.ray", "ray") from error

# Is there while a job is being stopped: actors begin no more shards.
_STOP = ".stop"


def answer(
    dataset: Any, settings: TableSettings, *, workers: int = 1, num_cpus: float = 1, batch_size: int = 1024
) -> Any:
    """Answer the questions of a Ray data set.

    Args:
        dataset: A ``ray.data.Dataset``.
        settings: What is asked.
        workers: Actors, each with one reader.
        num_cpus: What Ray reserves for each; set ``threads`` of the reader to the same.
        batch_size: Rows of a batch.

    Returns:
        A data set with the kept columns and the answers; nothing runs until its rows are needed.
    """
    return dataset.map_batches(
        TableAnswerer,
        fn_constructor_args=(settings,),
        batch_format="pyarrow",
        batch_size=batch_size,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=num_cpus,
    )


@dataclass(frozen=True, slots=True)
class RayEngine:
    """Does the shards of a plan on a cluster; takes the place of :func:`quoth.tables.job.local.run_local`.

    Attributes:
        address: Of the cluster; "auto": the one that this machine belongs to; "local": a new one on this machine.
        num_cpus: What Ray reserves for each actor.
    """

    address: str
    num_cpus: float = 1

    def __call__(self, plan: Plan, shards: list[int], workers: int, watch: Watch) -> None:
        """Do shards with several actors.

        Raises:
            ConfigError: If the cluster cannot be reached, or a node of it cannot reach the files.
            QuothError, OSError: What an actor failed with.
        """
        plan = replace(plan, output=plan.output.absolute())
        workers = min(workers, len(shards))
        with self._cluster(workers), _stop_file(plan.output, watch):
            for started in _probed(plan):
                watch.started(started)
            tasks = ray.data.from_items([{"shard": shard} for shard in shards], override_num_blocks=len(shards))
            done = tasks.map_batches(
                _ShardActor,
                fn_constructor_args=(plan,),
                batch_format="pyarrow",
                batch_size=None,
                compute=ray.data.ActorPoolStrategy(size=workers),
                num_cpus=self.num_cpus,
            )
            for row in done.iter_rows():
                if row["error"]:
                    raise pickle.loads(row["error"])
                if row["counts"]:
                    watch.progress(Progress(row["shard"], Counts(**json.loads(row["counts"])), True))

    @contextmanager
    def _cluster(self, workers: int) -> Iterator[None]:
        if ray.is_initialized():
            yield
            return
        try:
            if self.address == "local":
                cpus = max(1, round(workers * self.num_cpus))
                ray.init(address="local", num_cpus=cpus, include_dashboard=False, log_to_driver=False)
            else:
                ray.init(address=self.address, log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ConfigError(f"--ray {self.address}: must be the address of a Ray cluster, but: {error}") from error
        try:
            ray.data.DataContext.get_current().enable_progress_bars = False
            yield
        finally:
            ray.shutdown()


class _ShardActor:
    """Does shards, with one reader."""

    def __init__(self, plan: Plan) -> None:
        limit_threads(plan.settings.reader.threads)
        self._plan = plan
        self._answerer = TableAnswerer(plan.settings)
        self._cursor = Cursor(plan.table, plan.settings)

    def __call__(self, batch: pa.Table) -> pa.Table:
        rows = [self._do(shard) for shard in batch.column("shard").to_pylist()]
        schema = pa.schema([("shard", pa.int64()), ("counts", pa.string()), ("error", pa.binary())])
        return pa.Table.from_pylist(rows, schema)

    def _do(self, shard: int) -> dict[str, Any]:
        if (self._plan.output / _STOP).exists():
            return {"shard": shard}
        try:
            counts = write_shard(self._plan, shard, self._cursor, self._answerer, lambda _: None)
        except (QuothError, OSError) as error:
            return {"shard": shard, "error": pickle.dumps(error)}
        return {"shard": shard, "counts": json.dumps(counts.to_dict())}


@contextmanager
def _stop_file(folder: Path, watch: Watch) -> Iterator[None]:
    """Tell the actors of a stop signal, by a file that all of them reach."""
    (folder / _STOP).unlink(missing_ok=True)
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.2):
            if watch.stopped():
                (folder / _STOP).touch()
                return

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        (folder / _STOP).unlink(missing_ok=True)


def _probed(plan: Plan) -> list[Started]:
    """Load the reader on each node, and see that it reaches the input and the output.

    Raises:
        ConfigError: If one does not.
    """
    token = plan.output / f".reach-{uuid.uuid4().hex}"
    token.touch()
    try:
        nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
        probe = ray.remote(_probe)
        found: list[Any] = ray.get(
            [
                probe.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(
                    plan, str(token)
                )
                for node in nodes
            ]
        )
    finally:
        token.unlink(missing_ok=True)
    for node, result in zip(nodes, found, strict=True):
        if isinstance(result, str):
            raise ConfigError(
                f"{result}: must be reachable from every node of the cluster, but is not from "
                f"{node['NodeManagerAddress']}. Use a folder that all nodes mount."
            )
        if isinstance(result, Exception):
            raise result
    return found


def _probe(plan: Plan, token: str) -> Started | str | Exception:
    """Return what the reader is on a node; the path that it does not reach; or why the reader cannot be loaded."""
    if not Path(token).exists():
        return str(plan.output)
    for file in plan.table.files:
        try:
            file.check_unchanged()
        except (QuothError, OSError):
            return file.location.path
    limit_threads(plan.settings.reader.threads)
    try:
        engine = TableAnswerer(plan.settings).reader.engine
    except QuothError as error:
        return error
    return Started(engine.name, engine.precision)
