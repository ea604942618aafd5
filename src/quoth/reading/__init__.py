"""Reading: Example -> Window -> WindowBatch, and SpanLogits -> Prediction."""

from quoth.reading.batches import SpanLogits, WindowBatch, by_token_budget
from quoth.reading.decode import DecodeSettings, WindowLogits, best_probabilities, decode, unbatch
from quoth.reading.survey import WindowSurvey, survey
from quoth.reading.tokenizer import Template, Tokenizer, Tokens
from quoth.reading.windows import TokenRange, Window, Windower

__all__ = [
    "DecodeSettings",
    "SpanLogits",
    "Template",
    "TokenRange",
    "Tokenizer",
    "Tokens",
    "Window",
    "WindowBatch",
    "WindowLogits",
    "WindowSurvey",
    "Windower",
    "best_probabilities",
    "by_token_budget",
    "decode",
    "survey",
    "unbatch",
]
