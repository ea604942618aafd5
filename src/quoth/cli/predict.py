"""``quoth predict``: writes a reader's answers, as SQuAD's prediction files or as rows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from quoth.cli import options
from quoth.cli.console import note, stderr
from quoth.display import count, visible

app = typer.Typer(add_completion=False)


@app.command()
def predict(
    data: Annotated[str, typer.Argument(metavar="DATA", help="Questions, labelled or not: a file, or hub:NAME:SPLIT.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Output file: .json (texts by id), .jsonl, .csv, .tsv or .parquet; - is stdout.",
        ),
    ],
    reader: options.Reader = None,
    nbest: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the best answers to each question to this file.")
    ] = None,
    null_odds: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write the null odds (null score minus best score) to this file."),
    ] = None,
    engine: options.Engine = "auto",
    precision: options.Precision = None,
    streams: options.Streams = None,
    null_threshold: options.NullThreshold = None,
    min_probability: options.MinProbability = None,
    top_k: Annotated[
        int, typer.Option(metavar="N", min=1, help="Maximum number of answers per question in the n-best file.")
    ] = 20,
    on_error: Annotated[
        str,
        typer.Option(
            metavar="WHAT", help="For a question that cannot be read or is invalid: raise stops, skip continues."
        ),
    ] = "raise",
    excel_safe: options.ExcelSafe = False,
) -> None:
    """Answer every question of a data set, and write the answers to a file.

    JSON maps ids to texts, as the SQuAD scorers expect; the other formats have rows with probability and span. The text
    is empty if the reader abstains. Files are written at the end; - writes JSON lines to stdout immediately.

    Example: [cyan]quoth predict dev-v2.0.json -o predictions.json --nbest nbest.json --top-k 5[/cyan]
    """
    from rich.progress import Progress

    from quoth.cli.outputs import check_different, check_outputs
    from quoth.data import read_examples
    from quoth.data.read import read_valid
    from quoth.errors import ConfigError
    from quoth.evaluation import prediction_files
    from quoth.evaluation.answer_files import format_of, print_line
    from quoth.reader import Reader

    to_stdout = str(output) == "-"
    if on_error not in ("raise", "skip"):
        raise ConfigError(f"--on-error must be raise or skip, but is {on_error!r}")
    check_different(
        {"DATA": data, "--output": None if to_stdout else output, "--nbest": nbest, "--null-odds": null_odds}
    )
    check_outputs(None if to_stdout else output, nbest, null_odds)
    if not to_stdout:
        format_of(output)
    # Golds are not used.
    examples, skipped = read_valid(data) if on_error == "skip" else (read_examples(data, places=False), [])
    invalid = len(skipped)
    loaded = Reader.load(reader, engine=engine, precision=precision, streams=streams)
    predictions = loaded.answer_all(
        examples,
        top_k=top_k if nbest else 1,
        overlapping=True,
        on_error=(lambda error: skipped.append(str(error))) if on_error == "skip" else None,
        **options.deciding(null_threshold, min_probability),
    )
    # Answers arrive in batches, so the remaining time is estimated from many of them.
    bar = Progress(console=stderr(), disable=not sys.stderr.isatty(), transient=True, speed_estimate_period=600)
    files = prediction_files(None if to_stdout else output, nbest, null_odds, excel_safe=excel_safe)
    with files as write, bar:
        for prediction in bar.track(predictions, total=len(examples), description="Reading"):
            write(prediction)
            if to_stdout:
                print_line(sys.stdout, prediction)
    for sentence in skipped:
        note(f"skipped: {visible(sentence)}")
    answered = count(len(examples) - len(skipped) + invalid, "question")
    note(f"{answered} answered: {'stdout' if to_stdout else output}")
