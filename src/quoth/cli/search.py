"""``quoth search``, which searches a corpus, and the output of ``quoth ask --corpus``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quoth.cli import options
from quoth.cli.console import note, print_json, stdout

if TYPE_CHECKING:
    from quoth.corpus import Found
    from quoth.reader import Reader

app = typer.Typer(add_completion=False)

# Passages are shortened to this length, in code points.
_SHOWN = 240


@app.command(cls=options.OneArgumentCommand)
def search(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="A question, or words.", show_default=False)],
    corpus: Annotated[str, typer.Option(metavar="CORPUS", help="The corpus.")] = "corpus.quoth",
    top_k: Annotated[int, typer.Option(metavar="N", min=1, help="Maximum number of passages.")] = 10,
    json: options.Json = False,
) -> None:
    """Search a corpus for the passages that best match a question's words.

    Example: [cyan]quoth search "notice period" --corpus contracts.quoth[/cyan]
    """
    from rich.text import Text

    from quoth.corpus import Corpus
    from quoth.display import one_line
    from quoth.errors import InputError
    from quoth.inputs import wrong_question

    if wrong := wrong_question(question):
        raise InputError(f"the question {wrong}")
    with Corpus.open(corpus, create=False) as opened:
        hits = opened.search(question, top_k)
        if not hits:
            has_documents = bool(opened.document_keys())
            note("No passage contains a word of the question." if has_documents else "The corpus has no documents.")
    if json:
        print_json({"question": question, "passages": [hit.to_dict() for hit in hits]})
        return
    console = stdout()
    for hit in hits:
        page = f" · page {hit.page}" if hit.page else ""
        head = f"{hit.score:6.2f}  {one_line(hit.document)} · code points {hit.span.start}–{hit.span.end}{page}"
        console.print(Text(head, "bold"))
        shown = one_line(hit.text[:_SHOWN]) + (" …" if len(hit.text) > _SHOWN else "")
        console.print(Text(f"        {shown}"))


def ask_corpus(
    reader: Reader,
    question: str,
    path: str,
    *,
    top_k: int,
    passages: int | None,
    decision: Mapping[str, Any],
    json: bool,
) -> None:
    """Ask a corpus, and print the answers."""
    from quoth.corpus import PASSAGES, Corpus

    with Corpus.open(path, create=False) as corpus:
        found = corpus.answer(reader, question, top_k=top_k, passages=passages or PASSAGES, **decision)
    if json:
        print_json(found.to_dict())
    else:
        _print(found)


def _print(found: Found) -> None:
    from rich.text import Text

    from quoth.cli.draw import put
    from quoth.display import one_line, percent

    console = stdout()
    if found.best is None:
        reason = found.reason or ""
        console.print(Text("No answer", "bold"))
        console.print(Text(f"{reason[:1].upper()}{reason[1:]}."))
    for rank, answer in enumerate(found.answers):
        closest = "Closest: " if rank == 0 and found.no_answer else ""
        console.print(Text.assemble(closest, (one_line(answer.text), "bold")))
        page = f" · page {answer.page}" if answer.page else ""
        where = f"{answer.document} · code points {answer.span.start}–{answer.span.end}{page}"
        put(console, Text(f"{percent(answer.probability)} · {one_line(where)}", "dim"), indent=2)
        put(console, Text(one_line(answer.sentence)), indent=2)
