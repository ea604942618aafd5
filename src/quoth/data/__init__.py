"""Data: files and hub data sets to examples and back, with every bad row named.

    nested SQuAD JSON ─┐
    JSONL, CSV, TSV   ─┼─▶ Row ─▶ check ─▶ Example ─▶ describe · split · write_squad
    Parquet, hub      ─┘

Each format only yields rows; one check turns the rows of all formats into examples. Reading drops and repairs nothing.
"""

from quoth.data.describe import Description, Lengths, describe
from quoth.data.pairs import unanswerable_pairs
from quoth.data.read import Inspected, inspect, read_examples
from quoth.data.split import read_titles, split
from quoth.data.squad import write_squad

__all__ = [
    "Description",
    "Inspected",
    "Lengths",
    "describe",
    "inspect",
    "read_examples",
    "read_titles",
    "split",
    "unanswerable_pairs",
    "write_squad",
]
