"""Reading: Example -> Window -> WindowBatch, and SpanLogits -> Prediction."""

from quoth.reading.batches import SpanLogits, WindowBatch, WindowLogits, by_token_budget, unbatch
from quoth.reading.decode import DecodeSettings, best_probabilities, decode, decode_batch
from quoth.reading.explain import WholeWindow, explain, null_probability, unbatch_whole
from quoth.reading.explanation import ExplainedAnswer, ExplainedToken, ExplainedWindow, Explanation, Loss, LostPair
from quoth.reading.offsets import lost_letters
from quoth.reading.survey import WindowSurvey, survey
from quoth.reading.tokenizer import Template, Tokenizer, Tokens
from quoth.reading.windows import TokenRange, Window, Windower

__all__ = [
    "DecodeSettings",
    "ExplainedAnswer",
    "ExplainedToken",
    "ExplainedWindow",
    "Explanation",
    "Loss",
    "LostPair",
    "SpanLogits",
    "Template",
    "TokenRange",
    "Tokenizer",
    "Tokens",
    "WholeWindow",
    "Window",
    "WindowBatch",
    "WindowLogits",
    "WindowSurvey",
    "Windower",
    "best_probabilities",
    "by_token_budget",
    "decode",
    "decode_batch",
    "explain",
    "lost_letters",
    "null_probability",
    "survey",
    "unbatch",
    "unbatch_whole",
]
