"""An explanation as HTML: the answers, the windows, the logits of each token, and the rejected candidates."""

from __future__ import annotations

import math
from collections.abc import Callable

from quoth.display import percent
from quoth.drawing.markup import escaped, number
from quoth.drawing.page import fragment, headline, meter, page, table
from quoth.reading import ExplainedToken, ExplainedWindow, Explanation

# Number of windows whose tokens are shown expanded at first.
_OPEN = 2
_INTRODUCTION = (
    "The reader does not generate text; it selects a span. For each token of a window the network computes two logits: "
    "one for an answer that starts here (<b>blue</b>), and one for an answer that ends here (<b>orange</b>); darker "
    "means higher. The score of a span is the sum of its start and end logit. Hover over a token to see its logits."
)
_SHARES = (
    "The share of an answer is e<sup>score / temperature</sup>, divided by the sum over all legal spans. Annotators "
    "disagree on span boundaries, so answers are right more often than their shares suggest; the odds scale corrects "
    "for that. “No answer” is compared with the best answer by the null odds: its score (the sum of the two logits of "
    "the first special token; the lowest of all windows) minus the best answer's. At the null bias both are equally "
    "probable."
)


def explanation_page(explanation: Explanation) -> str:
    """Draw an explanation as one HTML file."""
    return page(f"{explanation.question} – how the answer came about", f"<main>{_body(explanation)}</main>")


def explanation_html(explanation: Explanation) -> str:
    """Draw an explanation for a notebook."""
    return fragment(_body(explanation))


def _body(explanation: Explanation) -> str:
    parts = [f"<h1>{escaped(explanation.question)}</h1>", _answers(explanation)]
    parts += [_context(explanation, index) for index in range(len(explanation.contexts))]
    if explanation.windows:
        parts += [
            "<h2>Logits of the network</h2>",
            f"<p>{_INTRODUCTION}</p>",
            *_windows(explanation),
            _rejected(explanation),
        ]
    return "\n".join([*parts, _settings(explanation)])


def _answers(explanation: Explanation) -> str:
    prediction = explanation.prediction
    rows = []
    for item in explanation.answers:
        answer, window = item.answer, _window(explanation, item.answer.context_index, item.answer.window_index)
        start, end = window.tokens[item.start_token].start, window.tokens[item.end_token].end
        exact = item.exact.of(explanation.contexts[answer.context_index])
        widened = f'<br><small class="soft">widened from <q>{escaped(exact)}</q></small>' if item.widened else ""
        rows.append(
            (
                f"<q>{escaped(answer.text)}</q>{widened}",
                percent(answer.probability),
                meter(answer.probability),
                f"{number(start)} + {number(end)} = {number(answer.score)}",
                _where(answer.context_index, answer.window_index),
                f"{answer.span.start}–{answer.span.end}",
            )
        )
    if explanation.null_probability is not None:
        share = explanation.null_probability
        rows.append(("<em>no answer</em>", percent(share), meter(share), number(prediction.null_score), "", ""))
    found = table(("answer", "#probability", "", "#score", "window", "#code points"), rows)
    return headline(prediction) + found + (f"<p>{_SHARES}</p>" if explanation.windows else "")


def _context(explanation: Explanation, index: int) -> str:
    """Draw a context with its best answer and a map of its windows."""
    text = explanation.contexts[index]
    best = next((item.answer for item in explanation.answers if item.answer.context_index == index), None)
    shown = escaped(text)
    if best:
        before, after = text[: best.span.start], text[best.span.end :]
        shown = f"{escaped(before)}<mark>{escaped(best.text)}</mark>{escaped(after)}"
    title = f"Context {index}" if len(explanation.contexts) > 1 else "The text"
    windows = [window for window in explanation.windows if window.context_index == index]
    several = f"{len(windows)} windows, which overlap" if windows else "no window, because it has no tokens"
    count = "one window" if len(windows) == 1 else several
    return (
        f'<h2>{title}</h2><p class="soft">{len(text)} code points; {count}.</p>{_map(windows, len(text))}'
        f'<details open><summary>Text</summary><p class="text">{shown}</p></details>'
    )


def _map(windows: list[ExplainedWindow], length: int) -> str:
    if not windows or not length:
        return ""
    bars = []
    for row, window in enumerate(windows):
        left, right = (round(1000 * point / length, 1) for point in (window.span.start, window.span.end))
        bars.append(
            f'<rect class="w" x="{left}" y="{16 * row}" width="{max(2.0, right - left):.1f}" height="12" rx="2"/>'
            f'<text x="{left + 4}" y="{16 * row + 10}">window {window.index}</text>'
        )
    label = "The part of the text in each window"
    return f'<svg viewBox="0 0 1000 {16 * len(windows)}" role="img" aria-label="{label}">{"".join(bars)}</svg>'


def _windows(explanation: Explanation) -> list[str]:
    """Draw the tokens of each window; windows with an answer are expanded."""
    levels = _levels(explanation)
    givers = [(item.answer.context_index, item.answer.window_index) for item in explanation.answers]
    opened = set(list(dict.fromkeys(givers))[:_OPEN])
    drawn = []
    for window in explanation.windows:
        key = (window.context_index, window.index)
        best = next((item for item, giver in zip(explanation.answers, givers, strict=True) if giver == key), None)
        answer = range(best.start_token, best.end_token + 1) if best else range(0)
        tokens = " ".join(_token(token, levels, index in answer) for index, token in enumerate(window.tokens))
        facts = f"{len(window.tokens)} tokens · code points {window.span.start}–{window.span.end}"
        null = f"“no answer” {number(window.null_score)}"
        is_open = " open" if key in opened else ""
        drawn.append(
            f"<details{is_open}><summary>Window {_where(*key)} <small>{facts} · {null}</small></summary>"
            f'<p class="tokens">{tokens}</p></details>'
        )
    return drawn


def _levels(explanation: Explanation) -> tuple[Callable[[float], int], Callable[[float], int]]:
    """Return two scales, for starts and ends, from the lowest logit of all windows (0) to the highest (9)."""
    tokens = [token for window in explanation.windows for token in window.tokens]
    return _scale([token.start for token in tokens]), _scale([token.end for token in tokens])


def _scale(logits: list[float]) -> Callable[[float], int]:
    finite = [logit for logit in logits if math.isfinite(logit)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    width = high - low or 1.0
    return lambda logit: min(9, max(0, int(10 * (logit - low) / width))) if math.isfinite(logit) else 0


def _token(token: ExplainedToken, levels: tuple[Callable[[float], int], Callable[[float], int]], answer: bool) -> str:
    start, end = levels[0](token.start), levels[1](token.end)
    place = f" · code points {token.span.start}–{token.span.end}" if token.span else f" · {token.part}"
    title = f"{token.piece} · start {number(token.start)} · end {number(token.end)}{place}"
    kind = f"t {token.part} s{start} e{end}{' answer' if answer else ''}"
    return f'<span class="{kind}" title="{escaped(title)}">{escaped(token.text) or "␣"}</span>'


def _rejected(explanation: Explanation) -> str:
    if not explanation.rejected:
        return "<h2>Rejected candidates</h2><p>No rejected candidate scores higher than the last answer above.</p>"
    rows = []
    for pair in explanation.rejected:
        tokens = _window(explanation, pair.context_index, pair.window_index).tokens
        start, end = tokens[pair.start_token], tokens[pair.end_token]
        shown = f"<q>{escaped(pair.text)}</q>" if pair.text else f"{escaped(start.text)} … {escaped(end.text)}"
        where = _where(pair.context_index, pair.window_index)
        rows.append(
            (shown, f"{number(start.start)} + {number(end.end)} = {number(pair.score)}", where, pair.reason.sentence)
        )
    total = sum(explanation.rejected_counts.values())
    few = f" The best {len(rows)} are shown." if total > len(rows) else ""
    return (
        f"<h2>Rejected candidates</h2><p>{total} rejected candidates score higher than the last answer above.{few}</p>"
        f"{table(('start … end', '#score', 'window', 'rejected because it'), rows)}"
    )


def _settings(explanation: Explanation) -> str:
    threshold = explanation.null_threshold
    rows = [
        ("temperature", f"{explanation.temperature:g}"),
        ("odds scale", f"{explanation.odds_scale:g}"),
        ("null bias", f"{explanation.null_bias:g}"),
        ("null threshold", threshold if isinstance(threshold, str) else f"{threshold:g}"),
        ("longest answer", f"{explanation.max_answer_tokens} tokens"),
        ("widened to whole words", "yes" if explanation.whole_words else "no"),
    ]
    return f"<h2>Settings</h2>{table(('setting', 'value'), rows)}"


def _window(explanation: Explanation, context: int, index: int) -> ExplainedWindow:
    return next(item for item in explanation.windows if (item.context_index, item.index) == (context, index))


def _where(context: int, window: int) -> str:
    return f"{window} of context {context}" if context else f"{window}"
