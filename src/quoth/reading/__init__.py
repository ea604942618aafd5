"""Reading: Example -> Window -> WindowBatch, and SpanLogits -> Prediction."""

from quoth.reading.batches import SpanLogits, WindowBatch, WindowLogits, by_token_budget, padded_length, unbatch
from quoth.reading.decode import DecodeSettings, decode, decode_batch, log_shares
from quoth.reading.explain import WholeWindow, explain, unbatch_whole
from quoth.reading.explanation import ExplainedAnswer, ExplainedToken, ExplainedWindow, Explanation, Loss, LostPair
from quoth.reading.offsets import lost_letters
from quoth.reading.probability import no_answer_probability, right_given_answerable
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
    "by_token_budget",
    "decode",
    "decode_batch",
    "explain",
    "log_shares",
    "lost_letters",
    "no_answer_probability",
    "padded_length",
    "right_given_answerable",
    "survey",
    "unbatch",
    "unbatch_whole",
]
