"""A prediction as HTML: its answers with their probabilities and spans."""

from __future__ import annotations

from quoth.display import percent
from quoth.drawing.markup import escaped, number
from quoth.drawing.page import fragment, headline, meter, table
from quoth.records import Prediction


def prediction_html(prediction: Prediction) -> str:
    """Draw a prediction: its answers with their probabilities and spans."""
    rows = [
        (
            f"<q>{escaped(answer.text)}</q>",
            percent(answer.probability),
            meter(answer.probability),
            number(answer.score),
            f"{answer.span.start}–{answer.span.end}",
            str(answer.context_index),
        )
        for answer in prediction.answers
    ]
    found = table(("answer", "#probability", "", "#score", "#code points", "#context"), rows) if rows else ""
    null = f'<p class="soft">Score of “no answer”: {number(prediction.null_score)}</p>'
    warning = f"<p>Warning: {escaped(prediction.warning)}</p>" if prediction.warning else ""
    return fragment(f"{headline(prediction)}{warning}{found}{null}")
