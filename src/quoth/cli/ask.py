"""``quoth ask``: answers a question by quoting, highlighted in the text."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quoth.cli import options
from quoth.cli.console import note, print_json, stdout

if TYPE_CHECKING:
    from rich.console import Console

    from quoth.documents import Box, Document
    from quoth.reader import Reader
    from quoth.records import Answer, Prediction, Span

app = typer.Typer(add_completion=False)

_NO_CONTEXT = (
    "{0}: must have a text to quote from, but has none. "
    "Give one with --context FILE or --text TEXT, or pipe it in: cat FILE | quoth {0} {1}"
)


# Texts with more windows than this are searched first, and only the best windows are read.
_MANY_WINDOWS, _BEST_WINDOWS = 200, 20


@dataclass(frozen=True, slots=True)
class Source:
    """One context: its name, its text, and its document if that has pages or boxes."""

    name: str
    text: str
    document: Document | None = None

    def page_at(self, position: int) -> int | None:
        """Return the page of a code point, from 1; ``None`` if there are no pages."""
        return self.document.page_at(position) if self.document else None

    def boxes_of(self, span: Span) -> Sequence[Box]:
        """Return the rectangles of a span on its pages."""
        return self.document.boxes_of(span) if self.document else ()


@app.command()
def ask(
    question: Annotated[
        str,
        typer.Argument(metavar="QUESTION", help="The question; after -- if it begins with a dash.", show_default=False),
    ],
    context: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE|-", help="A file, a folder or a pattern; - is standard input. May be given again."),
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="A text to quote from. May be given again.")
    ] = None,
    corpus: Annotated[
        str | None, typer.Option(metavar="CORPUS", help="Answer from the documents of a corpus (quoth index).")
    ] = None,
    reader: Annotated[
        str | None,
        typer.Option(metavar="READER", help="Folder or hub name of a reader.", show_default="the shipped reader"),
    ] = None,
    top_k: Annotated[int, typer.Option(metavar="N", min=1, help="Maximum number of answers.")] = 1,
    overlapping: Annotated[
        bool, typer.Option("--overlapping", help="Also list answers that overlap or have the same words.")
    ] = False,
    min_probability: options.MinProbability = None,
    engine: options.Engine = "auto",
    precision: options.Precision = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
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

    Code points are counted in the text file, including line ends, but without a byte order mark at the start.

    The exit status is 0 (even without an answer), 1 if a text cannot be read, or 2 for wrong use.

    Example: [cyan]quoth ask "Who kept the light?" --context log.txt --top-k 3[/cyan]
    """
    from quoth.errors import ConfigError

    if corpus is not None and (context or text):
        raise ConfigError("--corpus and --context or --text must not be given together")
    most = _passages(passages)
    sources = read_sources(context or [], text or []) if corpus is None else []
    from quoth.cli.progress import announced
    from quoth.reader import Reader

    loaded = Reader.load(reader, engine=engine, precision=precision)
    if corpus is not None:
        from quoth.cli.search import ask_corpus

        if passages == "all":
            raise ConfigError("--passages must be a number with --corpus, but is all")
        ask_corpus(
            loaded,
            question,
            corpus,
            top_k=top_k,
            passages=most,
            decision=options.deciding(null_threshold, min_probability),
            json=json,
        )
        return
    texts = [source.text for source in sources]
    with announced(f"--passages {_BEST_WINDOWS} reads only the best {_BEST_WINDOWS}") as progress:
        prediction = loaded.answer(
            question,
            texts,
            passages=_worth_reading(loaded, question, texts) if passages is None else most,
            top_k=top_k,
            overlapping=overlapping,
            min_probability=min_probability,
            null_threshold=options.null_threshold(null_threshold),
            # No span is longer than a window.
            max_answer_tokens=max_answer_tokens and min(max_answer_tokens, loaded.settings.max_tokens),
            progress=progress,
        )
    if prediction.skipped:
        total = prediction.windows + prediction.skipped
        note(f"read {prediction.windows:,} of {total:,} passages; to read all of them, use --passages all")
    if json:
        print_json(_document(prediction, sources))
    else:
        _print_prediction(prediction, sources)


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


def _worth_reading(reader: Reader, question: str, texts: list[str]) -> int | None:
    """Return the default number of windows to read: ``None`` for all, or a limit if there are very many."""
    windower = reader.windower
    step = max(1, windower.max_tokens - windower.overlap)
    # Only long texts are split to count their windows; a token has about four characters, and rarely less than one.
    if sum(map(len, texts)) < _MANY_WINDOWS * step // 4:
        return None
    from quoth.records import Example

    return _BEST_WINDOWS if len(windower.windows(Example("", question, texts))) > _MANY_WINDOWS else None


def read_sources(files: list[str], texts: list[str], command: str = "ask") -> list[Source]:
    """Read all contexts, or standard input if there are none; one error lists all that cannot be read."""
    from quoth.errors import ConfigError, InputError

    if not files and not texts:
        if sys.stdin is None or sys.stdin.isatty():
            raise ConfigError(_NO_CONTEXT.format(command, "QUOTES" if command == "verify" else "QUESTION"))
        files = ["-"]
    if files.count("-") > 1:
        raise ConfigError("--context - must be given at most once, but is given several times")
    sources, problems = [], []
    for file in files:
        try:
            sources += _read_sources(file)
        except ValueError as error:
            problems.append(f"{file or repr(file)}: {error}")
    if problems:
        raise InputError("\n".join(problems))
    sources += [Source(f"text{number}" if texts[1:] else "text", text) for number, text in enumerate(texts, 1)]
    if len(sources) > 1:
        for source in sources:
            if not source.text.strip():
                note(f"{source.name}: has no text to quote")
    return sources


def _read_sources(file: str) -> list[Source]:
    """Read a file of any kind, a folder or a pattern. Invalid files of a folder are noted and skipped.

    Raises:
        ValueError: If nothing can be read.
    """
    from quoth.documents import PARSED, Document, read_documents

    path = Path(file)
    is_many = bool(file) and (path.is_dir() or (any(sign in file for sign in "*?") and not path.exists()))
    if not is_many and not (path.suffix.lower() in PARSED and path.exists()):
        return [Source("stdin" if file == "-" else file, read_text(file))]
    sources = []
    for found in read_documents([path]):
        if isinstance(found, Document):
            sources.append(Source(found.name, found.text, found))
            for said in found.notes:
                note(f"{found.name}: {said}")
        elif is_many:
            note(str(found))
        else:
            raise ValueError(found.problem)
    if not sources:
        kind = "folder" if path.is_dir() else "pattern"
        raise ValueError(f"must be a file, but is a {kind} without readable documents")
    return sources


def read_text(file: str) -> str:
    """Return the text of a file.

    Raises:
        ValueError: If it cannot be read, or is not text.
    """
    try:
        data = _stdin() if file == "-" else Path(file).read_bytes()
    except IsADirectoryError:
        raise ValueError("must be a file, but is a folder; name the files in it") from None
    except FileNotFoundError:
        raise ValueError("must be a file, but does not exist") from None
    except OSError as error:
        raise ValueError(f"must be a readable file, but: {(error.strerror or str(error)).lower()}") from None
    from quoth.documents.read import decode_any
    from quoth.errors import DocumentError

    try:
        return decode_any(data)
    except DocumentError as error:
        raise ValueError(str(error)) from None


def _stdin() -> bytes:
    if sys.stdin is None:
        raise ValueError("must be open, but is closed")
    if sys.stdin.isatty():
        note("Reading the text from the terminal; end it with Ctrl-D.")
    return sys.stdin.buffer.read()


def _document(prediction: Prediction, sources: list[Source]) -> dict[str, Any]:
    """Return a prediction with the source that each answer quotes; the best answer is one of them."""
    document = prediction.to_dict()
    for found, answer in zip(document["answers"], prediction.answers, strict=True):
        source = sources[answer.context_index]
        found["context"] = source.name
        found["page"] = source.page_at(answer.span.start)
        found["boxes"] = [box.to_dict() for box in source.boxes_of(answer.span)]
    return document


def _print_prediction(prediction: Prediction, sources: list[Source]) -> None:
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
    for rank, answer in enumerate(prediction.answers):
        if rank == 0:
            _print_first(console, answer, sources[answer.context_index], closest=prediction.no_answer)
        else:
            _print_next(console, answer, sources[answer.context_index], rank)


def _print_first(console: Console, answer: Answer, source: Source, *, closest: bool) -> None:
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


def _print_next(console: Console, answer: Answer, source: Source, rank: int) -> None:
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
