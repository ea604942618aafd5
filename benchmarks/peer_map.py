"""The peer of tables.py: a script of `datasets.map` around the old pipeline. Needs transformers below 5.

.peers/pipeline/bin/python benchmarks/peer_map.py FOLDER IN.parquet OUT.parquet THREADS
"""

import sys
from typing import Any

import torch
from datasets import Dataset, disable_caching
from transformers import pipeline

disable_caching()  # else a second run would only read what the first one wrote
torch.set_num_threads(int(sys.argv[4]))
answer = pipeline("question-answering", model=sys.argv[1], dtype="float32")


def ask(row: dict[str, str]) -> dict[str, Any]:
    """Answer the question of a row, as most scripts do."""
    found: dict[str, Any] = answer(question=row["question"], context=row["context"])
    return found


Dataset.from_parquet(sys.argv[2]).map(ask).to_parquet(sys.argv[3])
