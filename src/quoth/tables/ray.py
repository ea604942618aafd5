"""Tables on Ray: answers a Ray data set, or runs the shards of a job in actors of a cluster.

A job has the same plan, shards and manifest as on one machine. Each shard is one block. Each actor has one reader, and
writes its shards atomically to a folder that all nodes can access. If an actor is killed, Ray restarts it and repeats
its shard.
"""

from __future__ import annotations

import json
import logging
import pickle
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from quoth.engines.base import usable_cores
from quoth.errors import ConfigError, JobError, MissingExtraError, QuothError
from quoth.tables.answer import TableAnswerer
from quoth.tables.job.folder import OWN, Folder
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

# Exists while a job is being stopped: actors start no more shards.
_STOP = f"{OWN}/stop"
# How long to wait for a cluster to answer, in seconds.
_CONNECT = 10.0
_QUIET = {"log_to_driver": False, "logging_level": logging.ERROR}


def answer(
    dataset: Any, settings: TableSettings, *, workers: int = 1, num_cpus: float = 1, batch_size: int = 1024
) -> Any:
    """Answer the questions of a Ray data set.

    Args:
        dataset: A ``ray.data.Dataset``.
        settings: The settings of the table.
        workers: Number of actors, each with one reader.
        num_cpus: Number of CPUs that Ray reserves for each; set ``threads`` of the reader to the same number. Leave
            one CPU free for the tasks that read the data set; otherwise, they wait forever.
        batch_size: Number of rows per batch.

    Returns:
        A lazy data set with the kept columns and the answers.
    """
    return dataset.map_batches(
        _TableActor,
        fn_constructor_args=(settings,),
        batch_format="pyarrow",
        batch_size=batch_size,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=num_cpus,
    )


@dataclass(frozen=True, slots=True)
class RayEngine:
    """Runs the shards of a plan on a cluster; replaces :func:`quoth.tables.job.local.run_local`.

    Attributes:
        address: Address of the cluster; "auto": the one of this machine; "local": a new one on this machine.
        num_cpus: Number of CPUs that Ray reserves for each actor.
    """

    address: str
    num_cpus: float = 1

    def __call__(self, plan: Plan, shards: list[int], workers: int | None, watch: Watch) -> None:
        """Process shards with several actors; as many as the cluster's cores allow if their number is ``None``.

        Raises:
            ConfigError: If the cluster cannot be reached, or a node cannot access the files.
            JobError: If Ray cannot start, or an actor has an unexpected error.
            QuothError, OSError: The error of an actor.
        """
        with self._cluster(workers), _stop_file(plan.output, watch):
            for started in _check_nodes(plan):
                watch.started(started)
            room = max(1, int(ray.cluster_resources().get("CPU", 1) / max(self.num_cpus, 1e-9)))
            workers = min(workers or room, len(shards))
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
                    watch.progress(Progress(row["shard"], Counts(**json.loads(row["counts"])), True, row["began"]))

    @contextmanager
    def _cluster(self, workers: int | None) -> Iterator[None]:
        if ray.is_initialized():
            yield
            return
        _check_address(self.address)
        try:
            with _restored_handlers():
                if self.address == "local":
                    cpus = usable_cores() if workers is None else max(1, round(workers * self.num_cpus))
                    ray.init(address="local", num_cpus=cpus, include_dashboard=False, **_QUIET)
                else:
                    ray.init(address=self.address, **_QUIET)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise _no_cluster(self.address, "Ray finds no cluster there") from error
        except Exception as error:  # Ray has no specific exception for a node that does not start in time
            raise JobError(f"--ray {self.address}: Ray cannot start: {' '.join(str(error).split())}") from error
        try:
            ray.data.DataContext.get_current().enable_progress_bars = False
            yield
        finally:
            ray.shutdown()


def _check_address(address: str) -> None:
    """Check that a server listens at an address, because Ray itself would retry for minutes.

    Raises:
        ConfigError: If none does, or the address is invalid.
    """
    if address in ("auto", "local"):
        return
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        if parts.hostname is None or parts.port is None:
            raise _no_cluster(address, "has no host and port, such as 10.0.0.1:6379")
        socket.create_connection((parts.hostname, parts.port), timeout=_CONNECT).close()
    except (OSError, ValueError) as error:
        raise _no_cluster(address, "no server answers there") from error


def _no_cluster(address: str, why: str) -> ConfigError:
    return ConfigError(f"--ray {address}: must be the address of a Ray cluster, auto or local, but {why}")


@contextmanager
def _restored_handlers() -> Iterator[None]:
    """Restore the handlers of stop signals, which Ray replaces by handlers that exit immediately."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _TableActor:
    """Answers batches, with one reader."""

    def __init__(self, settings: TableSettings) -> None:
        limit_threads(settings.reader.threads)
        self._answerer = TableAnswerer(settings)

    def __call__(self, batch: pa.Table) -> pa.Table:
        return self._answerer(batch)


class _ShardActor:
    """Runs shards with one reader."""

    def __init__(self, plan: Plan) -> None:
        limit_threads(plan.settings.reader.threads)
        self._plan = plan
        self._answerer = TableAnswerer(plan.settings)
        self._cursor = Cursor(plan.table, plan.settings)

    def __call__(self, batch: pa.Table) -> pa.Table:
        rows = [self._run_shard(shard) for shard in batch.column("shard").to_pylist()]
        schema = pa.schema(
            [("shard", pa.int64()), ("began", pa.float64()), ("counts", pa.string()), ("error", pa.binary())]
        )
        return pa.Table.from_pylist(rows, schema)

    def _run_shard(self, shard: int) -> dict[str, Any]:
        if self._plan.output.exists(_STOP):
            return {"shard": shard}
        began = time.time()
        try:
            counts = write_shard(self._plan, shard, self._cursor, self._answerer, lambda _: None)
        except Exception as error:  # noqa: BLE001 - the driver raises it
            return {"shard": shard, "error": pickle.dumps(_for_driver(error, self._plan.rows_of(shard)))}
        return {"shard": shard, "began": began, "counts": json.dumps(counts.to_dict())}


def _for_driver(error: Exception, where: str) -> QuothError | OSError:
    """Return the error that the driver raises for an error of an actor.

    Args:
        error: The error of the actor. Types that are not expected may be impossible to pickle.
        where: The rows, or the node.
    """
    if isinstance(error, QuothError | OSError):
        return error
    return JobError(f"{where}: failed because of an unexpected error: {type(error).__name__}: {error}")


@contextmanager
def _stop_file(folder: Folder, watch: Watch) -> Iterator[None]:
    """Signal the actors to stop, by a file that all of them can access."""
    folder.remove(_STOP)
    ended = threading.Event()

    def watch_for_stop() -> None:
        while not ended.wait(0.2):
            if watch.stopped():
                folder.write(_STOP, b"")
                return

    thread = threading.Thread(target=watch_for_stop, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        folder.remove(_STOP)


def _check_nodes(plan: Plan) -> list[Started]:
    """Load the reader on each node, and check that the node can access the input and the output.

    Raises:
        ConfigError: If a node cannot access them.
    """
    token = f"{OWN}/reach-{uuid.uuid4().hex}"
    plan.output.write(token, b"")
    try:
        nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
        probe = ray.remote(_check_node)
        found: list[Any] = ray.get(
            [
                probe.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(
                    plan, token
                )
                for node in nodes
            ]
        )
    finally:
        plan.output.remove(token)
    for node, result in zip(nodes, found, strict=True):
        if isinstance(result, str):
            raise ConfigError(
                f"{result}: must be reachable from every node of the cluster, but is not from "
                f"{node['NodeManagerAddress']}. Use a folder that all nodes mount."
            )
        if isinstance(result, Exception):
            raise result
    return found


def _check_node(plan: Plan, token: str) -> Started | str | Exception:
    """Return engine and precision of the reader on a node; an inaccessible path; or the error of loading the reader."""
    try:
        if not plan.output.exists(token):
            return str(plan.output)
    except OSError:
        return str(plan.output)
    for file in plan.table.files:
        try:
            file.check_unchanged()
        except (QuothError, OSError):
            return file.location.path
    limit_threads(plan.settings.reader.threads)
    try:
        engine = TableAnswerer(plan.settings).reader.engine
    except Exception as error:  # noqa: BLE001 - the driver raises it
        return _for_driver(error, "a node")
    return Started(engine.name, engine.precision)
