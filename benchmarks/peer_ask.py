"""The peer of ask.py: a typical script around the old pipeline. Needs transformers below 5.

.peers/pipeline/bin/python benchmarks/peer_ask.py FOLDER QUESTION TEXT_FILE
"""

import json
import sys
from pathlib import Path

from transformers import pipeline

_, folder, question, file = sys.argv
answer = pipeline("question-answering", model=folder, dtype="float32")
print(json.dumps(answer(question=question, context=Path(file).read_text(encoding="utf-8"))))
