"""Engines: WindowBatch -> SpanLogits. One file per runtime; the precision is always explicit."""

from quoth.engines.base import Engine, Sequential, usable_cores

__all__ = ["Engine", "Sequential", "usable_cores"]
