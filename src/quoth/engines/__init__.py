"""Engines: WindowBatch -> SpanLogits. One file per runtime; the precision is always explicit."""

from quoth.engines.base import Engine, usable_cores

__all__ = ["Engine", "usable_cores"]
