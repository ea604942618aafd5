"""Reads files of labelling tools and other libraries as tasks, and writes examples in their formats.

file ─▶ RawTask (spans of each annotator) ─▶ Task (golds of each annotator) ─▶ merge: Examples, agreement ─▶ file
"""

from quoth.data.exchange.annotators import Agreement, Disagreement, Merged, merge
from quoth.data.exchange.formats import FORMATS, read_tasks, write_document, write_format
from quoth.data.exchange.tasks import Task

__all__ = [
    "FORMATS",
    "Agreement",
    "Disagreement",
    "Merged",
    "Task",
    "merge",
    "read_tasks",
    "write_document",
    "write_format",
]
