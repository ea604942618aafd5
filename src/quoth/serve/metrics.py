"""Prometheus metrics, in their own registry instead of the global one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_WINDOWS = (1, 2, 4, 8, 16, 32, 64)
_TOKENS = (64, 128, 256, 512, 1024, 2048, 4096, 8192)


class Metrics:
    """All metrics of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self._requests = Counter(
            "quoth_requests", "Completed requests.", ["endpoint", "method", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "quoth_request_seconds", "Time from the headers to the last byte.", ["endpoint"],
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self._refused = Counter(
            "quoth_overloaded", "Requests with status 503, by what was full.", ["reason"], registry=self.registry
        )
        self._questions = Counter("quoth_questions", "Answered questions.", registry=self.registry)
        self._no_answer = Counter("quoth_no_answer", "Questions to which the reader abstained.", registry=self.registry)
        self._windows = Histogram("quoth_batch_windows", "Windows per batch.", buckets=_WINDOWS, registry=self.registry)
        self._batch_tokens = Histogram(
            "quoth_batch_tokens", "Tokens per batch, without padding.", buckets=_TOKENS, registry=self.registry
        )
        self._tokens = Counter("quoth_tokens", "Tokens processed by the engine.", registry=self.registry)
        self._engine = Counter("quoth_engine_seconds", "Time in the engine.", registry=self.registry)
        self._waited = Histogram(
            "quoth_queue_seconds", "Time of a request in the queue.", buckets=_SECONDS, registry=self.registry
        )
        self._parsing = Histogram(
            "quoth_parsing_seconds", "Time to read an uploaded file, including the wait for a parser.",
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        ProcessCollector(registry=self.registry)
        self._info = Info("quoth_build", "Version and reader.", registry=self.registry)
        self._build: Callable[[], Mapping[str, str]] = dict

    def watch_build(self, facts: Callable[[], Mapping[str, str]]) -> None:
        """Set the function that returns the version and the reader when the metrics are read."""
        self._build = facts

    def watch(self, name: str, what: str, value: Callable[[], float]) -> None:
        """Add a gauge whose value is computed when the metrics are read."""
        Gauge(name, what, registry=self.registry).set_function(value)

    def request(self, endpoint: str, method: str, status: str, seconds: float) -> None:
        """Count a completed request; ``status`` is its code, or "gone" if the client disconnected."""
        self._requests.labels(endpoint, method, status).inc()
        self._seconds.labels(endpoint).observe(seconds)

    def refused(self, reason: str) -> None:
        """Count a request with status 503."""
        self._refused.labels(reason).inc()

    def answered(self, no_answer: bool) -> None:
        """Count an answered question."""
        self._questions.inc()
        if no_answer:
            self._no_answer.inc()

    def waited(self, seconds: float) -> None:
        """Count the time of a request in the queue."""
        self._waited.observe(seconds)

    def parsing(self) -> AbstractContextManager[object]:
        """Return a context manager that measures the time to read a file."""
        return self._parsing.time()

    def batch(self, windows: int, tokens: int, seconds: float) -> None:
        """Count a batch."""
        self._windows.observe(windows)
        self._batch_tokens.observe(tokens)
        self._tokens.inc(tokens)
        self._engine.inc(seconds)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        self._info.info(dict(self._build()))
        return generate_latest(self.registry)
