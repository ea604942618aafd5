"""Reading: Example -> Window -> WindowBatch, and SpanLogits -> Prediction."""

from quoth.reading.batches import (
    SpanLogits,
    WindowBatch,
    WindowLogits,
    batches_of,
    by_token_budget,
    padded_length,
    unbatch,
)
from quoth.reading.decode import decide, decode, log_shares
from quoth.reading.explain import WholeWindow, explain, unbatch_whole
from quoth.reading.explanation import (
    ExplainedAnswer,
    ExplainedToken,
    ExplainedWindow,
    Explanation,
    RejectedCandidate,
    Rejection,
)
from quoth.reading.offsets import lost_letters
from quoth.reading.probability import (
    limited,
    no_answer_of,
    no_answer_probability,
    reason_below,
    right_given_answerable,
    right_of,
)
from quoth.reading.selection import best_windows
from quoth.reading.settings import DecodeSettings
from quoth.reading.spans import SearchedWindow, search_batch, search_windows
from quoth.reading.survey import WindowSurvey, survey
from quoth.reading.tokenizer import Template, Tokenizer, Tokens
from quoth.reading.windows import TokenRange, Window, Windower

__all__ = [
    "DecodeSettings",
    "ExplainedAnswer",
    "ExplainedToken",
    "ExplainedWindow",
    "Explanation",
    "RejectedCandidate",
    "Rejection",
    "SearchedWindow",
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
    "batches_of",
    "best_windows",
    "by_token_budget",
    "decide",
    "decode",
    "explain",
    "limited",
    "log_shares",
    "lost_letters",
    "no_answer_of",
    "no_answer_probability",
    "padded_length",
    "reason_below",
    "right_given_answerable",
    "right_of",
    "search_batch",
    "search_windows",
    "survey",
    "unbatch",
    "unbatch_whole",
]
