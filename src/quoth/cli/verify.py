"""``quoth verify``: checks whether texts contain quotes word for word. Needs no model."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from quoth.cli import options
from quoth.cli.console import print_json, stdout
from quoth.cli.sources import read_sources, read_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from quoth.verification import Change, Claim, Place, Source as Named, Verdict

app = typer.Typer(add_completion=False)

# Arguments with these extensions are names of files.
_ENDINGS = (".json", ".txt", ".md", ".text", ".markdown", ".html", ".docx", ".pdf", ".epub")
_STYLES = {"exact": "bold green", "near": "bold yellow", "absent": "bold red"}


@app.command(cls=options.OneArgumentCommand)
def verify(
    quotes: Annotated[
        str,
        typer.Argument(
            metavar="QUOTES",
            help="A file with quotes (JSON, or any document with quotation marks), - for standard input, or a text.",
            show_default=False,
        ),
    ],
    context: options.Context = None,
    text: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="A text to search. May be given again.")
    ] = None,
    corpus: Annotated[
        str | None, typer.Option(metavar="CORPUS", help="Search the documents of a corpus (quoth index) instead.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Check whether texts contain claimed quotes: exactly, nearly, or not at all.

    QUOTES is a text whose parts in quotation marks are checked (the whole text if there are none), or JSON: a list of
    quotes, of {"quote", "source"}, or of citation objects ("cited_text" with its offsets).

    exact: a text contains the quote. near: a text contains it in another form (case, spaces, hyphens at line ends,
    parts separated by …), or with changed words; the difference is shown. absent: neither; the closest passage is
    shown.

    The exit status is 0 if every quote is exact, 1 if not, or 2 for wrong use.

    Example: [cyan]quoth verify answer.txt --context contract.txt[/cyan]
    """
    from quoth.errors import ConfigError
    from quoth.verification import verify as verify_quotes

    if quotes == "-" and "-" in (context or []):
        raise ConfigError("QUOTES and --context must not both be standard input")
    if corpus is not None and (context or text):
        raise ConfigError("--corpus and --context or --text must not be given together")
    if quotes == "-" and not context and not text and corpus is None:
        raise ConfigError("verify: must have a text to search, but has none. Give one with --context FILE")
    claims = _claims(quotes)
    if corpus is not None:
        from quoth.corpus import Corpus

        with Corpus.open(corpus, create=False) as opened:
            # Listed once, because another process may add documents meanwhile, which changes the indices of others.
            keys = [entry.key for entry in opened.entries()]
            verdicts = verify_quotes(claims, map(opened.document, keys))
            _show(verdicts, lambda index: opened.document(keys[index]), json)
    else:
        sources = read_sources(context or [], text or [], "verify")
        verdicts = verify_quotes(claims, sources)
        _show(verdicts, sources.__getitem__, json)
    if any(verdict.status != "exact" for verdict in verdicts):
        raise typer.Exit(1)


def _claims(words: str) -> tuple[Claim, ...]:
    from quoth.errors import InputError
    from quoth.verification import read_claims

    # Path.is_file raises an OSError for a text that is too long to be a name.
    is_file = words == "-" or os.path.isfile(words)  # noqa: PTH113
    if not is_file and words.lower().endswith(_ENDINGS) and not any(map(str.isspace, words)):
        raise InputError(f"{words}: must be a file, but does not exist")
    name = words if is_file else "QUOTES"
    try:
        claims = read_claims(read_text(words) if is_file else words)
    except ValueError as error:
        raise InputError(f"{words}: {error}") from None
    except InputError as error:
        raise InputError("\n".join(f"{name}: {line}" for line in str(error).split("\n"))) from None
    if not claims:
        raise InputError(f"{name}: must have a quote, but has none")
    return claims


def _show(verdicts: tuple[Verdict, ...], source: Callable[[int], Named], json: bool) -> None:
    """Print the verdicts; ``source`` returns the source with an index."""
    if json:
        print_json({"quotes": [verdict.to_dict() for verdict in verdicts]})
    else:
        _print(verdicts, source)


def _print(verdicts: tuple[Verdict, ...], source: Callable[[int], Named]) -> None:
    from rich.text import Text

    from quoth.display import one_line

    console = stdout()
    for verdict in verdicts:
        console.print(Text.assemble((f"{verdict.status:<6}", _STYLES[verdict.status]), "  ", one_line(verdict.quote)))
        for place in verdict.places:
            _put(console, _where(place, source))
        if verdict.place_count > len(verdict.places):
            _put(console, Text(f"and {verdict.place_count - len(verdict.places):,} more places", "dim"))
        if verdict.difference is not None:
            _put(console, _difference(verdict.difference))
        if verdict.forms:
            _put(console, Text(f"differs in {', '.join(verdict.forms)}", "dim"))
        if verdict.closest is not None:
            _put(console, Text.assemble("closest: ", (one_line(verdict.closest.text), "italic")))
            _put(console, _where(verdict.closest, source))
        for remark in (verdict.note, verdict.offsets and f"its offsets are {verdict.offsets}"):
            if remark:
                _put(console, Text(one_line(remark), "dim"))
    counts = Counter(str(verdict.status) for verdict in verdicts)
    console.print(Text("\n" + ", ".join(f"{counts[status]} {status}" for status in _STYLES)))


def _put(console: Console, text: Text) -> None:
    from quoth.cli.draw import put

    put(console, text, indent=8)


def _where(place: Place, source: Callable[[int], Named]) -> Text:
    from rich.text import Text

    from quoth.cli.draw import place as place_of

    line = place_of(source(place.source_index).text, place.span, place.source)
    return Text(line if place.page is None else f"{line} · page {place.page}", "dim")


def _difference(steps: tuple[Change, ...]) -> Text:
    """Show a difference: words only in the quote in [-…-], words only in the text in {+…+}."""
    from rich.text import Text

    from quoth.display import one_line

    line = Text()
    for step in steps:
        if line:
            line.append(" ")
        if step.kind == "same":
            line.append(one_line(step.text))
            continue
        if step.quote:
            line.append(f"[-{one_line(step.quote)}-]", "red")
        if step.text:
            line.append(f"{{+{one_line(step.text)}+}}", "green")
    return line
