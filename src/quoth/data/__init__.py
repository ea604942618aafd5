"""Reads data sets from files and the hub as examples, and writes them. All invalid rows are reported together.

    nested SQuAD JSON ─┐
    JSONL, CSV, TSV   ─┼─▶ Row ─▶ check ─▶ Example ─▶ describe · split · write_squad
    Parquet, hub      ─┘

Each format only yields rows; one check converts the rows of all formats to examples. Reading never drops or repairs a
row.
"""

from quoth.data.describe import Description, Lengths, describe
from quoth.data.pairs import unanswerable_pairs
from quoth.data.read import Inspected, inspect, read_examples
from quoth.data.split import read_titles, split
from quoth.data.write import write_squad

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
