"""Engines: WindowBatch -> SpanLogits. One file a runtime; precision is always explicit."""

from quoth.engines.base import Engine, usable_cores

__all__ = ["Engine", "usable_cores"]
