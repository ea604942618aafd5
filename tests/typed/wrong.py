"""Calls of the public API that a type checker must reject, with the code of mypy's error at the end of each line.

``tests/test_typing.py`` checks this file; it is never run.
"""

import quoth

reader = quoth.Reader.load("shipped")
quoth.Reader.load(7)  # arg-type
quoth.Reader.load("shipped", engin="torch")  # call-arg
reader.answer("Who?")  # call-arg
reader.answer("Who?", "Ada.", top_k="2")  # arg-type
reader.answer("Who?", "Ada.", null_threshold="always")  # arg-type
text = reader.answer("Who?", "Ada.").best.text  # union-attr
text = reader.answer("Who?", "Ada.").answer  # attr-defined
reader.answer_all([("Who?", "Ada.")], topk=2)  # call-arg
quoth.answer_table("shipped", None)  # arg-type
quoth.train("train.json", base="shipped", out="runs/1", learning_rat=3e-5)  # call-arg
quoth.train("train.json", base="shipped", out="runs/1", epochs="two")  # arg-type
quoth.train("train.json", out="runs/1")  # call-arg
quoth.export("runs/1", "exported", int_8=True)  # call-arg
quoth.calibrate("runs/1", data=None)  # arg-type
quoth.read_exmples("dev.json")  # attr-defined
