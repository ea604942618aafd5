"""``quoth export``: a reader that needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quoth.cli import options
from quoth.cli.console import note, print_json

app = typer.Typer(add_completion=False)


@app.command()
def export(
    reader: Annotated[
        str, typer.Argument(metavar="READER", help="Folder with weights and config.json, or a name on the hub.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The new folder. It is written atomically.")],
    int8: Annotated[bool, typer.Option("--int8", help="Quantize: a quarter of the size, and faster.")] = False,
    gate_data: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Labelled data for the F1 gate of int8."),
    ] = None,
    max_f1_drop: Annotated[
        float, typer.Option(help="Maximum loss of F1 points (upper bound of its 95% confidence interval).")
    ] = 0.3,
    least_questions: Annotated[int, typer.Option(min=1, help="Minimum number of questions in the gate data.")] = 2000,
    json: options.Json = False,
) -> None:
    """Write a reader that needs no torch: one ONNX file, with its tokenizer and settings.

    The export fails if a logit differs from torch's by more than 0.001 in float32. With --int8, it also fails if the
    upper bound of the 95% confidence interval of the F1 loss on --gate-data exceeds --max-f1-drop.

    Example: [cyan]quoth export runs/1 -o reader --int8 --gate-data held-out.json[/cyan]
    """
    from quoth import export as run

    result = run(reader, out, int8=int8, gate_data=gate_data, max_f1_drop=max_f1_drop, least_questions=least_questions)
    gate = result.gate
    if json:
        document = {"folder": str(result.folder), "largest_difference": result.difference, "bytes": result.size}
        if gate:
            document |= {"questions": gate.second.total, "f1_float32": gate.first.f1, "f1_int8": gate.second.f1}
            document |= {"f1_difference": gate.f1.points, "f1_interval": list(gate.f1.interval)}
        print_json(document)
        return
    note(f"Largest difference of a logit between torch and ONNX, float32: {result.difference:.2g}")
    if gate:
        note(str(gate))
    note(f"model.onnx: {result.size / 1e6:.1f} MB")
    typer.echo(str(result.folder))
