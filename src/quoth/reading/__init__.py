"""Reading: Example -> Window -> WindowBatch, and SpanLogits -> Prediction."""

from quoth.reading.batches import SpanLogits, WindowBatch, by_token_budget
from quoth.reading.decode import (
    DecodeSettings,
    WindowLogits,
    best_probability,
    decode,
    decode_batch,
    log_shares,
    unbatch,
)
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
    "best_probability",
    "by_token_budget",
    "decode",
    "decode_batch",
    "explain",
    "log_shares",
    "lost_letters",
    "null_probability",
    "survey",
    "unbatch",
    "unbatch_whole",
]
