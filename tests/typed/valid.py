"""Calls of the public API that a strict type checker must accept, with the types that it must infer.

``tests/test_typing.py`` checks this file; it is never run.
"""

from collections.abc import Iterator
from typing import Any, assert_type

import quoth

reader = quoth.Reader.load("shipped", engine="auto", threads=2)
assert_type(reader, quoth.Reader)
prediction = reader.answer("Who wrote it?", ["Ada wrote it.", "Nobody did."], top_k=3, null_threshold="never")
assert_type(prediction, quoth.Prediction)
assert_type(prediction.best, quoth.Answer | None)
assert_type(prediction.answers[0].span, quoth.Span)
assert_type(prediction.to_dict(), dict[str, Any])

pairs = [("Who wrote it?", "Ada wrote it."), ("When?", ["In 1843.", "In London."])]
assert_type(reader.answer_all(pairs, min_probability=0.5), Iterator[quoth.Prediction])
reader.answer_all([{"question": "Who wrote it?", "context": "Ada wrote it."}])
reader.answer_all(quoth.Example(str(number), "Who?", "Ada wrote it.") for number in range(3))

frame: Any = None  # a table of any library
answered = quoth.answer_table(reader, frame, question="question", top_k=2)

examples = quoth.read_examples("dev.json")
assert_type(examples, list[quoth.Example])
report = quoth.evaluate(reader, examples)
assert_type(report, quoth.Report)
assert_type(report.exact, float)
assert_type([row.id for row in report.rows], list[str])
assert_type(quoth.compare(report, quoth.score(examples, {"1": "Ada"})), quoth.evaluation.Comparison)

trained = quoth.train("train.json", dev=examples, base="shipped", out="runs/1", epochs=1.5, seed=7)
assert_type(trained, quoth.TrainResult)
assert_type(trained.f1, float | None)
exported = quoth.export(trained.folder, "exported", int8=True, gate_data="held-out.json")
assert_type(exported, quoth.ExportResult)
calibrated = quoth.calibrate(exported.folder, "held-out.json", unanswerable="pairs.json", max_cost=0.3)
assert_type(calibrated, quoth.CalibrateResult)
assert_type(calibrated.fit.probability.temperature, float)
