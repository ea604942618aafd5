"""``quoth data audit``: finds problems that could distort training or evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quoth.cli.console import note, print_json
from quoth.cli.data import options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from quoth.data.audit import Audit, Suspect
    from quoth.records import Example

_SHOWN = 3


def audit(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="The data sets, such as train and dev.")],
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write one self-contained page.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write every finding as JSON.")
    ] = None,
    reader: Annotated[
        str | None,
        typer.Option(metavar="READER", help="Also use this reader, which was not trained on these questions."),
    ] = None,
    folds: Annotated[
        int | None, typer.Option(metavar="K", min=2, help="Also use K readers, each trained on the other K-1 folds.")
    ] = None,
    base: Annotated[
        str, typer.Option(metavar="BASE", help="With --folds: the encoder to train, as for quoth train.")
    ] = "shipped",
    json: options.Json = False,
    sep: options.Sep = None,
    encoding: options.Encoding = None,
) -> None:
    """Find leakage between sets, contradictions, questions that repeat their sentence, and answers of unusual length.

    With a reader, also find likely label errors, and answers to questions that are labelled unanswerable.

    Example: [cyan]quoth data audit train.json dev.json --html audit.html[/cyan]
    """
    from quoth.cli.data.folds import by_folds
    from quoth.cli.outputs import check_different, check_outputs
    from quoth.data import read_examples
    from quoth.data.audit import audit as audit_sets
    from quoth.errors import ConfigError
    from quoth.files import atomic_text, write_json

    if reader and folds:
        raise ConfigError("--reader and --folds cannot be used together: --folds trains its own readers")
    names = {f"FILE {number}": file for number, file in enumerate(files, 1)}
    check_different({**names, "--html": html, "--out": out})
    check_outputs(html, out)
    sets = {file: read_examples(file, sep=sep, encoding=encoding) for file in files}
    suspected = _by_reader(sets, reader) if reader else by_folds(sets, folds, base, compared) if folds else []
    result = audit_sets(sets, suspected)
    if html:
        from quoth.drawing.audit import audit_page

        with atomic_text(html) as file:
            file.write(audit_page(result))
        note(f"Page: {html}")
    if out:
        write_json(out, result.to_dict())
        note(f"Findings: {out}")
    if json:
        print_json(result.to_dict())
    else:
        _print(result)


def _print(result: Audit) -> None:
    from quoth.data.audit import KINDS
    from quoth.display import visible

    for kind, findings in result.by_kind():
        typer.echo(f"{kind}: {len(findings):,}" + (f" ({KINDS[kind]})" if findings else ""))
        for finding in findings[:_SHOWN]:
            other = f" ~ {finding.other.source}, id {finding.other.example.id}" if finding.other else ""
            where = f"{finding.found.source}, id {finding.found.example.id}{other}"
            typer.echo(visible(f"  {where}: {finding.found.example.question} [{finding.note}]"))
    for sentence in result.notes:
        note(sentence)


def compared(text: str, golds: Sequence[str]) -> float:
    """Return the F1 of a text, in [0, 1]."""
    from quoth.evaluation.metrics import exact_and_f1, rules_for_texts

    return exact_and_f1(text, golds, rules_for_texts(golds))[1]


def _by_reader(sets: Mapping[str, Sequence[Example]], name: str) -> list[tuple[str, Suspect]]:
    from quoth.data.audit import suspects
    from quoth.reader import Reader
    from quoth.store.provenance import warn_if_seen

    loaded = Reader.load(name)
    used = loaded.made_from
    if not any(each.data.seen for each in used):
        note("This reader has no record of its training data. If it was trained on these questions, it misses errors.")
    for source, examples in sets.items():
        warn_if_seen(used, examples, source, purpose="a reader rarely contradicts a label that it was trained on")
    return [
        (source, each) for source, examples in sets.items() for each in suspects(examples, loaded.answer_all, compared)
    ]
