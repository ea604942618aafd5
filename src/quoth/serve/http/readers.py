"""The readers of a server by name, each with its queue. A reader can be reloaded while it serves requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from quoth.errors import QuothError
from quoth.serve.errors import ApiError
from quoth.serve.http.identity import ServedReader
from quoth.serve.metrics import Metrics
from quoth.serve.queue.answerer import Answerer
from quoth.serve.queue.batcher import Batcher
from quoth.serve.settings import ServeSettings
from quoth.serve.tracing import Tracing

_LOG = logging.getLogger("quoth.serve")
# How often a replaced reader checks whether its last requests are answered, in seconds.
_POLL_S = 0.05


@dataclass(frozen=True)
class QueuedReader:
    """One reader with its queue.

    Attributes:
        served: The reader.
        batcher: Batches its windows.
        answerer: Answers questions with it.
    """

    served: ServedReader
    batcher: Batcher
    answerer: Answerer

    @classmethod
    def of(cls, served: ServedReader, settings: ServeSettings, metrics: Metrics, tracing: Tracing) -> QueuedReader:
        """Return a reader with its queue. It answers questions after :meth:`open`."""
        batcher = Batcher(
            served.reader.engine, served.reader.tokenizer.pad_id,
            longest=served.reader.settings.max_tokens, batch_tokens=settings.batch_tokens,
            queue_tokens=settings.queue_tokens, deadline_s=settings.deadline_s, observe=metrics.batch,
            load_second=served.load_second_engine,
        )  # fmt: skip
        return cls(served, batcher, Answerer(served.reader, batcher, settings, metrics.waited, tracing.span))

    @cached_property
    def _running(self) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(self.batcher.run())

    async def open(self) -> None:
        """Run the queue, and answer one question to warm up."""
        assert self._running
        await self.answerer.warm_up()

    async def close(self) -> None:
        """Answer the accepted requests, and stop."""
        while self.answerer.active:
            await asyncio.sleep(_POLL_S)
        self._running.cancel()
        with suppress(asyncio.CancelledError):
            await self._running
        # Work for which nobody waits any more may still run, and closing blocks until it ends.
        await asyncio.to_thread(self.answerer.close)
        await asyncio.to_thread(self.batcher.close)


class Readers:
    """The readers of a server. Used on the event loop.

    Args:
        readers: The readers by name; the first one answers unless a request names another.
        add_queue: Returns a reader with its queue.
    """

    def __init__(self, readers: Mapping[str, ServedReader], add_queue: Callable[[ServedReader], QueuedReader]) -> None:
        self._add_queue = add_queue
        self._readers = {name: add_queue(served) for name, served in readers.items()}
        self._loading = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def names(self) -> list[str]:
        """The names of all readers; the first one is the default."""
        return list(self._readers)

    @property
    def all(self) -> list[QueuedReader]:
        """All readers."""
        return list(self._readers.values())

    @property
    def first(self) -> QueuedReader:
        """The default reader."""
        return next(iter(self._readers.values()))

    def get(self, name: str | None, where: str = "body.reader") -> QueuedReader:
        """Return a reader; the default one if ``None``.

        Raises:
            ApiError: If no reader has this name.
        """
        if name is None:
            return self.first
        if name not in self._readers:
            known = ", ".join(self._readers)
            raise ApiError(
                404, "reader_not_found", f"reader must be one of {known}, but is {name[:100]}",
                "See GET /v1/reader for the names.", where,
            )  # fmt: skip
        return self._readers[name]

    async def open(self) -> None:
        """Warm all readers up."""
        for each in self.all:
            await each.open()

    async def close(self) -> None:
        """Answer the accepted requests, and stop."""
        await asyncio.gather(*(each.close() for each in self.all), *self._closing)

    async def reload(self, name: str | None) -> QueuedReader:
        """Reload a reader from its source. The old one answers requests until the new one is warmed up.

        Raises:
            ApiError: If no reader has this name, it has no source or cannot be loaded, or a reader is already being
                loaded. The old reader stays in use then.
        """
        old = self.get(name, "query.reader")
        key = name or self.names[0]
        load = old.served.reload
        if load is None:
            raise ApiError(
                409, "no_source", f"the reader {key} must have a source to be loaded from again, but has none",
                "Restart the server with another reader.",
            )  # fmt: skip
        if self._loading.locked():
            raise ApiError(
                409, "cannot_reload", "only one reader can be reloaded at a time, but another is being loaded",
                "Retry in some seconds.", retry_s=5.0,
            )  # fmt: skip
        async with self._loading:
            try:
                new = await self._opened(load)
            except Exception as error:  # noqa: BLE001 - whatever a damaged reader raises, the old one stays in use
                _LOG.error("kept the old reader %s: %s", key, error, exc_info=not isinstance(error, QuothError))
                raise ApiError(
                    500, "reader_failed", f"the reader {key} cannot be reloaded; see the log of the server",
                    "Repair its folder; the old reader is still in use.",
                ) from None  # fmt: skip
            self._readers[key] = new
            closing = asyncio.get_running_loop().create_task(old.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            _LOG.info("reloaded the reader %s: %s", key, new.served.hash)
            return new

    async def _opened(self, load: Callable[[], ServedReader]) -> QueuedReader:
        """Load a reader and warm it up; if that fails, or is cancelled, nothing of it remains."""
        new = self._add_queue(await asyncio.to_thread(load))
        try:
            await new.open()
        except BaseException:
            await new.close()
            raise
        return new
