"""``quoth track``: a reader as an MLflow model."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def track(
    reader: Annotated[str, typer.Argument(metavar="READER", help="Folder of a reader.", show_default=False)],
    registered_model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Register it in MLflow under this name, as the next version.")
    ] = None,
    experiment: Annotated[str, typer.Option(metavar="NAME", help="MLflow experiment.")] = "quoth",
    run_name: Annotated[str | None, typer.Option(metavar="NAME", help="MLflow run name.")] = None,
) -> None:
    """Log a reader in MLflow, as a model that `mlflow models serve` runs; prints the model's URI.

    The tracking store is the one in MLFLOW_TRACKING_URI, or MLflow's default.

    Example: [cyan]quoth track reader --registered-model support[/cyan]
    """
    from quoth.tracking.model import track_reader

    address = track_reader(reader, experiment=experiment, run_name=run_name, registered_model=registered_model)
    typer.echo(address)
