"""``quoth engines``: benchmarks the engines on this machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from quoth.cli import options
from quoth.cli.console import note, print_json, stdout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quoth.engine_benchmark import EngineFigures
    from quoth.engine_profile import EngineProfile

app = typer.Typer(add_completion=False)

# Kinds of layers that a profile lists; the others are summed up.
_LAYERS = 8


@app.command()
def engines(
    reader: options.Reader = None,
    data: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Questions to ask.", show_default="the included sample questions"),
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Maximum number of questions.")] = 500,
    threads: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Number of threads of an engine.", show_default="all usable cores"),
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Instead, show where the time goes, by OpenVINO's counters.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Benchmark every engine that can run a reader on this machine, each in its own process.

    Quoth never measures at load time: without --engine it uses the fastest engine from a table of CPU kinds.

    Example: [cyan]quoth engines --data held-out.json[/cyan]
    """
    from quoth.data import read_examples
    from quoth.engine_benchmark import default_engine, measure_engines, sample_questions
    from quoth.engines.select import processor

    examples = read_examples(data or str(sample_questions()))[:limit]
    if profile:
        from quoth.engine_profile import profile_reader

        measured = profile_reader(reader, examples, threads)
        if json:
            print_json(measured.to_dict())
        else:
            stdout().print(_profile(measured))
        return
    kind, rows = processor(), []
    for figures in measure_engines(reader, examples, threads):
        rows.append(figures)
        if not json:
            note(f"{figures.engine} {figures.precision}: {figures.problem or 'measured'}")
    if json:
        print_json({"processor": kind, "questions": len(examples), "engines": [asdict(row) for row in rows]})
        return
    stdout().print(_table(rows))
    default = default_engine(reader, rows)
    auto = f"{default.engine} {default.precision}" if default else "none"
    note(f"Processor: {kind}. Without --engine: {auto}. {len(examples):,} questions.")


def _table(rows: list[EngineFigures]) -> str:
    head = ("engine", "precision", "questions/s", "one, ms", "load, s", "MB", "logits differ", "F1")
    lines: list[tuple[str, ...]] = [head]
    for row in rows:
        if row.problem is None and row.latency is not None:
            cells = (row.questions_per_second, 1000 * row.latency, row.load_seconds, row.memory, row.difference, row.f1)
            digits = (1, 1, 2, 0, 4, 2)
            shown = ["-" if cell is None else f"{cell:,.{n}f}" for cell, n in zip(cells, digits, strict=True)]
            lines.append((row.engine, row.precision, *shown))
    return _aligned(lines)


def _profile(found: EngineProfile) -> str:
    """Return a profile as text: one table of steps, one of layers, and the peaks."""
    steps = (
        ("encode and split", found.split_seconds),
        ("network", found.engine_seconds),
        ("find the answers", found.decode_seconds),
    )
    whole = sum(seconds for _, seconds in steps)
    lines = [("step", "", "s", "share")]
    lines += [(name, "", f"{seconds:.2f}", f"{seconds / whole:.1%}") for name, seconds in steps]
    lines += [("", "", "", ""), ("layer", "kernel", "s", "share")]
    shown = found.layers[:_LAYERS]
    lines += [(layer.kind, layer.kernel, f"{layer.seconds:.2f}", f"{layer.share:.1%}") for layer in shown]
    if others := found.layers[_LAYERS:]:
        lines.append(("others", "", f"{sum(x.seconds for x in others):.2f}", f"{sum(x.share for x in others):.1%}"))
    peaks = [
        f"{kind} {peak / 1e9:,.0f} ({found.products_per_second / peak:.0%} of it)" for kind, peak in found.peaks.items()
    ]
    return "\n".join((
        _aligned(lines),
        "",
        f"{found.questions:,} questions, {found.windows:,} windows, {found.padding:.1%} padding; "
        f"{found.threads} threads, other operations in {found.precision}",
        f"matrix products: {found.products_per_question / 1e9:.1f} GOP a question, "
        f"{found.products_per_second / 1e9:,.0f} GOP/s",
        f"peaks, a product of 2,048 x 2,048 x 2,048 in GOP/s: {', '.join(peaks)}",
    ))  # fmt: skip


def _aligned(lines: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
