"""``quoth ask``: answers a question by quoting, highlighted in the text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from quoth.cli import options
from quoth.cli.console import note, print_json, stdout
from quoth.cli.sources import read_sources

if TYPE_CHECKING:
    from rich.console import Console

    from quoth.documents import Document
    from quoth.reader import Reader
    from quoth.records import Answer, Prediction

app = typer.Typer(add_completion=False)

# Texts with more windows than this are searched first, and only the best windows are read.
_MANY_WINDOWS, _BEST_WINDOWS = 200, 20


@app.command(cls=options.OneArgumentCommand)
def ask(
    question: options.Question,
    context: options.Context = None,
    text: options.Text = None,
    corpus: Annotated[
        str | None, typer.Option(metavar="CORPUS", help="Answer from the documents of a corpus (quoth index).")
    ] = None,
    reader: options.Reader = None,
    top_k: Annotated[int, typer.Option(metavar="N", min=1, help="Maximum number of answers.")] = 1,
    overlapping: Annotated[
        bool, typer.Option("--overlapping", help="Also list answers that overlap or have the same words.")
    ] = False,
    min_probability: options.MinProbability = None,
    engine: options.Engine = "auto",
    precision: options.Precision = None,
    json: options.Json = False,
    passages: Annotated[
        str | None,
        typer.Option(
            metavar="N|all",
            help="Read only the N best passages of a search for the question's words, or all.",
            show_default="all if there are at most 200, else 20; 10 of a corpus",
        ),
    ] = None,
    null_threshold: options.NullThreshold = None,
    max_answer_tokens: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Maximum length of an answer, in tokens.", show_default="the reader's"),
    ] = None,
) -> None:
    """Answer a question by quoting from one or several texts, and highlight the answer.

    Prints the answer, its probability and position (file:line:column and code points, end exclusive), and the text
    around it. If stdout is not a terminal, the answer is in double square brackets, without colour.

    Code points are counted in the text file, including line ends, but without a byte order mark at the start. For HTML,
    Word, PDF and EPUB, they are counted in the text that was read from the file, and there is no line or column.

    The exit status is 0 (even without an answer), 1 if a text cannot be read, or 2 for wrong use.

    Example: [cyan]quoth ask "Who kept the light?" --context log.txt --top-k 3[/cyan]
    """
    from quoth.errors import ConfigError

    if corpus is not None and (context or text):
        raise ConfigError("--corpus and --context or --text must not be given together")
    most = _passages(passages)
    decision = options.deciding(null_threshold, min_probability)
    sources = read_sources(context or [], text or []) if corpus is None else []
    from quoth.reader import Reader

    loaded = Reader.load(reader, engine=engine, precision=precision)
    if corpus is not None:
        from quoth.cli.search import ask_corpus

        if passages == "all":
            raise ConfigError("--passages must be a number with --corpus, but is all")
        ask_corpus(loaded, question, corpus, top_k=top_k, passages=most, decision=decision, json=json)
        return
    if passages is None:
        most = _worth_reading(loaded, question, sources)
    # No span is longer than a window.
    longest = max_answer_tokens and min(max_answer_tokens, loaded.settings.max_tokens)
    wanted = {"top_k": top_k, "overlapping": overlapping, "max_answer_tokens": longest, **decision}
    prediction = _answer(loaded, question, sources, most, wanted)
    if json:
        print_json(_document(prediction, sources))
    else:
        _print_prediction(prediction, sources)


def _answer(
    reader: Reader, question: str, sources: list[Document], passages: int | None, wanted: dict[str, Any]
) -> Prediction:
    """Answer from texts; announce reading that takes long, and note what was not read.

    Args:
        reader: The reader.
        question: The question.
        sources: The texts.
        passages: Maximum number of windows to read; all of them if ``None``.
        wanted: Further arguments of ``Reader.answer``.
    """
    from quoth.cli.progress import announced

    texts = [source.text for source in sources]
    with announced(f"--passages {_BEST_WINDOWS} reads only the best {_BEST_WINDOWS}") as progress:
        prediction = reader.answer(question, texts, passages=passages, progress=progress, **wanted)
    if prediction.skipped:
        total = prediction.windows + prediction.skipped
        note(f"read {prediction.windows:,} of {total:,} passages; to read all of them, use --passages all")
    return prediction


def _passages(given: str | None) -> int | None:
    """Return the value of ``--passages``; ``None`` for all, and if it is not given.

    Raises:
        ConfigError: If it is neither an integer of at least 1 nor "all".
    """
    from quoth.errors import ConfigError

    if given is None or given == "all":
        return None
    if not given.isdecimal() or int(given) < 1:
        raise ConfigError(f"--passages must be an integer of at least 1, or all, but is {given}")
    return int(given)


def _worth_reading(reader: Reader, question: str, sources: list[Document]) -> int | None:
    """Return the default number of windows to read: ``None`` for all, or a limit if there are very many."""
    windower, texts = reader.windower, [source.text for source in sources]
    step = max(1, windower.max_tokens - windower.overlap)
    # Only long texts are split to count their windows; a token has about four characters, and rarely less than one.
    if sum(map(len, texts)) < _MANY_WINDOWS * step // 4:
        return None
    from quoth.records import Example

    return _BEST_WINDOWS if len(windower.windows(Example("", question, texts))) > _MANY_WINDOWS else None


def _document(prediction: Prediction, sources: list[Document]) -> dict[str, Any]:
    """Return a prediction with the source that each answer quotes; the best answer is one of them."""
    from quoth.records import Span

    document = prediction.to_dict()
    for found in document["answers"]:
        source, span = sources[found["context_index"]], Span(found["start"], found["end"])
        found["context"] = source.name
        found["page"] = source.page_at(span.start)
        found["boxes"] = [box.to_dict() for box in source.boxes_of(span)]
    return document


def _print_prediction(prediction: Prediction, sources: list[Document]) -> None:
    from rich.text import Text

    from quoth.display import one_line

    console = stdout()
    if prediction.best:
        console.print(Text(one_line(prediction.best.text), "bold"))
    else:
        reason = prediction.reason or ""
        console.print(Text("No answer", "bold"))
        console.print(Text(f"{reason[:1].upper()}{reason[1:]}."))
    if prediction.warning:
        note(f"Warning: {prediction.warning}")
    first, others = prediction.answers[:1], prediction.answers[1:]
    # Unlikely spans may be only a punctuation mark, which helps nobody; --json has them.
    others = tuple(answer for answer in others if any(map(str.isalnum, answer.text)))
    for rank, answer in enumerate(first + others):
        if rank == 0:
            _print_first(console, answer, sources[answer.context_index], closest=prediction.no_answer)
        else:
            _print_next(console, answer, sources[answer.context_index], rank)


def _print_first(console: Console, answer: Answer, source: Document, *, closest: bool) -> None:
    """Print the best answer's position and the text around it."""
    from rich.text import Text

    from quoth.cli.draw import Mark, passage, place, put
    from quoth.display import one_line, percent

    where = f"{percent(answer.probability)} · {place(source.text, answer.span, source.name)}"
    if page := source.page_at(answer.span.start):
        where += f" · page {page}"
    if closest:
        console.print(Text.assemble("\nClosest: ", (one_line(answer.text), "bold")))
    put(console, Text(where, "dim"))
    console.print()
    put(console, passage(source.text, answer.span, Mark.of(console)), indent=2)


def _print_next(console: Console, answer: Answer, source: Document, rank: int) -> None:
    """Print another answer in one line."""
    from rich.text import Text

    from quoth.cli.draw import place, put
    from quoth.display import one_line, percent

    if rank == 1:
        console.print("\nNext best")
    where = place(source.text, answer.span, source.name)
    if page := source.page_at(answer.span.start):
        where += f" · page {page}"
    line = (f"{percent(answer.probability):>6}  ", (one_line(answer.text), "bold"), (f" · {where}", "dim"))
    put(console, Text.assemble(*line), indent=2)
