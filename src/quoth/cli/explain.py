"""``quoth explain``: explains an answer by windows, tokens, logits, the best spans and rejected candidates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quoth.cli import options
from quoth.cli.console import note, print_json, stdout
from quoth.cli.sources import read_sources

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from quoth.documents import Document
    from quoth.reading import ExplainedWindow, Explanation

app = typer.Typer(add_completion=False)

# Number of starts and ends shown for each window.
_TOP = 5
# Tokens below this share of the highest level are not coloured.
_FAINT = 0.15
# Width of a probability's bar, in characters.
_BAR = 12


@app.command(cls=options.OneArgumentCommand)
def explain(
    question: options.Question,
    context: options.Context = None,
    text: options.Text = None,
    reader: options.Reader = None,
    top_k: Annotated[int, typer.Option(metavar="N", min=1, help="Maximum number of answers to explain.")] = 3,
    engine: options.Engine = "auto",
    precision: options.Precision = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document, with every token.")] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it as one HTML file, with every token.", dir_okay=False)
    ] = None,
) -> None:
    """Explain an answer: its windows, the logits of each token, and why other spans were rejected.

    A text is read in windows that fit the network. For each token, the network computes two logits: for an answer that
    starts there, and for one that ends there. The score of a span is the sum of both. The probability that it is right
    is its share in a softmax over all spans, corrected by the odds scale because annotators disagree on boundaries;
    "no answer" is compared with the best answer by the difference of their scores (the null odds).

    On a terminal, the tokens of windows with an answer are coloured: blue for high start logits, orange for high end
    logits.

    The exit status is 0 (even without an answer), 1 if a text cannot be read, or 2 for wrong use.

    Example: [cyan]quoth explain "Who kept the light?" --context log.txt --html why.html[/cyan]
    """
    from quoth.cli.outputs import check_different, check_outputs
    from quoth.files import atomic_text
    from quoth.reader import Reader

    if html:
        check_different({"--html": html, **{f"--context {file}": file for file in context or []}})
        check_outputs(html)
    sources = read_sources(context or [], text or [], "explain")
    loaded = Reader.load(reader, engine=engine, precision=precision)
    explanation = loaded.explain(question, [source.text for source in sources], top_k=top_k)
    if html:
        with atomic_text(html) as page:
            page.write(explanation.to_html())
        note(f"Wrote {html}")
    if json:
        print_json({**explanation.to_dict(), "names": [source.name for source in sources]})
    elif not html:
        _print(explanation, sources)


def _print(explanation: Explanation, sources: list[Document]) -> None:
    console = stdout()
    _print_answers(console, explanation, sources)
    givers = {(item.answer.context_index, item.answer.window_index) for item in explanation.answers}
    for window in explanation.windows:
        if (window.context_index, window.index) in givers:
            _print_window(console, explanation, window, sources)
    _print_lost(console, explanation)


def _print_answers(console: Console, explanation: Explanation, sources: list[Document]) -> None:
    from rich.text import Text

    from quoth.cli.draw import place, put
    from quoth.display import one_line

    prediction = explanation.prediction
    head = one_line(prediction.best.text) if prediction.best else f"No answer: {prediction.reason}."
    console.print(Text(head, "bold"))
    console.print()
    for item in explanation.answers:
        answer, source = item.answer, sources[item.answer.context_index]
        put(console, _share(answer.probability, one_line(answer.text)))
        window = _find(explanation, answer.context_index, answer.window_index)
        start, end = window.tokens[item.start_token].start, window.tokens[item.end_token].end
        put(console, Text(f"{_sum(start, end)} · {place(source.text, answer.span, source.name)}", "dim"), indent=9)
        if item.widened:
            put(console, Text(f"widened from “{one_line(item.exact.of(source.text))}”", "dim"), indent=9)
    if explanation.null_probability is not None and prediction.null_score is not None:
        threshold = explanation.null_threshold
        abstains = "never abstains" if isinstance(threshold, str) else f"threshold {threshold:.2f}"
        put(console, _share(explanation.null_probability, "no answer"))
        put(console, Text(f"null score {prediction.null_score:.2f} · {abstains}", "dim"), indent=9)


def _share(probability: float, what: str) -> Text:
    from rich.text import Text

    from quoth.display import percent

    bar = "█" * round(_BAR * probability)
    return Text.assemble(f"{percent(probability):>6}   ", (what, "bold"), "  ", (bar, "bright_yellow"))


def _print_window(console: Console, explanation: Explanation, window: ExplainedWindow, sources: list[Document]) -> None:
    """Print a window: its span, the tokens with the highest logits, and its text in colour."""
    from rich.text import Text

    from quoth.cli.draw import put
    from quoth.display import one_line

    same = [item for item in explanation.windows if item.context_index == window.context_index]
    source = sources[window.context_index]
    console.print()
    put(console, Text(f"Window {window.index + 1} of {len(same)} of {one_line(source.name)}", "bold"))
    place = f"code points {window.span.start}–{window.span.end}"
    put(console, Text(f"{len(window.tokens)} tokens · {place} · null score {window.null_score:.2f}", "dim"))
    for name, logits in (("starts", [t.start for t in window.tokens]), ("ends", [t.end for t in window.tokens])):
        best = sorted(range(len(logits)), key=lambda index: -logits[index])[:_TOP]
        shown = "  ".join(f"{one_line(window.tokens[index].text) or '␣'} {logits[index]:.2f}" for index in best)
        put(console, Text(f"Best {name}: {shown}"))
    if console.color_system is not None and not console.no_color:
        console.print()
        put(console, _coloured(window, source.text, rich=console.color_system != "standard"), indent=2)


def _coloured(window: ExplainedWindow, context: str, *, rich: bool) -> Text:
    """Return the window's text, with start logits in blue and end logits in orange.

    Args:
        window: The window.
        context: The context of the window.
        rich: Whether the terminal supports shades; if not, only the highest tokens are coloured.
    """
    from rich.text import Text

    from quoth.display import one_line

    tokens = [token for token in window.tokens if token.span is not None]
    starts, ends = _levels([token.start for token in tokens]), _levels([token.end for token in tokens])
    drawn, at = Text(), window.span.start
    for token, start, end in zip(tokens, starts, ends, strict=True):
        span = token.span or window.span
        drawn.append(one_line(context[at : span.start]))
        drawn.append(one_line(context[max(at, span.start) : span.end]), _shade(start, end, rich))
        at = max(at, span.end)
    return drawn


def _shade(start: float, end: float, rich: bool) -> str:
    if max(start, end) < _FAINT:
        return ""
    if not rich:
        return ("white on blue" if start > end else "black on yellow") if max(start, end) > 0.5 else ""
    return f"white on #{round(180 * end):02x}{round(70 * max(start, end)):02x}{round(180 * start):02x}"


def _levels(logits: list[float]) -> list[float]:
    """Scale logits from 0 (lowest) to 1 (highest), cubed, so that few tokens stand out."""
    low, high = min(logits), max(logits)
    return [((logit - low) / (high - low)) ** 3 if high > low else 0.0 for logit in logits]


def _print_lost(console: Console, explanation: Explanation) -> None:
    from rich.text import Text

    from quoth.cli.draw import put
    from quoth.display import one_line

    total = sum(explanation.rejected_counts.values())
    if not total:
        return
    console.print()
    put(console, Text("Rejected candidates with higher scores than the last answer", "bold"))
    for pair in explanation.rejected[:_TOP]:
        tokens = _find(explanation, pair.context_index, pair.window_index).tokens
        start, end = tokens[pair.start_token], tokens[pair.end_token]
        shown = one_line(pair.text) or f"{one_line(start.text)} … {one_line(end.text)}"
        put(console, Text.assemble((_sum(start.start, end.end), "dim"), "  ", (shown, "bold")))
        put(console, Text(pair.reason.sentence, "dim"), indent=9)
    if total > _TOP:
        counts = ", ".join(
            f"{reason.replace('_', ' ')} {count}" for reason, count in explanation.rejected_counts.items()
        )
        put(console, Text(f"{total} in total: {counts}. To list more, use --json or --html FILE", "dim"))


def _find(explanation: Explanation, context: int, index: int) -> ExplainedWindow:
    return next(item for item in explanation.windows if (item.context_index, item.index) == (context, index))


def _sum(start: float, end: float) -> str:
    return f"{start:.2f} {'−' if end < 0 else '+'} {abs(end):.2f} = {start + end:.2f}"
