"""Traces of requests for OpenTelemetry, without texts.

Tracing is off unless ``OTEL_EXPORTER_OTLP_ENDPOINT`` or ``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`` is set. The other
variables of OpenTelemetry, such as ``OTEL_SERVICE_NAME`` and ``OTEL_TRACES_SAMPLER``, work as documented there.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_LOG = logging.getLogger("quoth.serve")
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_NAME = "quoth.serve"


class Tracing:
    """Records spans if tracing is on, else nothing.

    Attributes:
        is_on: Whether tracing is configured, and OpenTelemetry is installed.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self.is_on = False
        self._provider: Any = None
        self._tracer: Any = None
        if not any(environment.get(name) for name in _ENDPOINTS):
            return
        if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
            return
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import SERVICE_NAME, Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError:
            _LOG.warning("traces need the extra [otel], which is not installed: pip install 'quoth[otel]'")
            return
        has_name = bool(environment.get("OTEL_SERVICE_NAME"))
        resource = Resource.create() if has_name else Resource.create({SERVICE_NAME: "quoth"})
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(_NAME)
        self.is_on = True

    @contextmanager
    def request(self, name: str, headers: Mapping[str, str]) -> Iterator[Any]:
        """Record a request as a part of the trace in its headers; yield its span, or ``None`` if tracing is off."""
        if not self.is_on:
            yield None
            return
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind

        parent = extract(dict(headers))
        with self._tracer.start_as_current_span(
            name, context=parent, kind=SpanKind.SERVER, record_exception=False
        ) as span:
            yield span

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Record a part of a request."""
        if not self.is_on:
            yield
            return
        with self._tracer.start_as_current_span(name, record_exception=False):
            yield

    def close(self) -> None:
        """Send the recorded spans. May block for some seconds."""
        if self._provider is not None:
            self._provider.shutdown()
