"""The pipeline that transformers removed: the same calls, the same results.

    from quoth import pipeline
    qa = pipeline("question-answering", model="deepset/roberta-base-squad2")
    qa(question="Where do I live?", context="My name is Wolfgang and I live in Berlin")

Calls, parameters, defaults, keys and exceptions are those of transformers 4.57. With ``compat=True``, scores and n-best
lists are identical too; without it, the search is exact, answers are distinct, and the score is a probability.
"""

from quoth.dropin.patch import patch_transformers
from quoth.dropin.pipeline import QuestionAnsweringPipeline, pipeline

__all__ = ["QuestionAnsweringPipeline", "patch_transformers", "pipeline"]
