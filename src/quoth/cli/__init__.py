"""The command line: one file per command group, imported when it is called.

Command modules import only typer and ``quoth.cli.console`` at the top; everything else is imported when they run.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

# Each command (a module of the same name in this folder) with its help text, in the order of the help.
COMMANDS = {
    "ask": "Answer a question by quoting from one or several texts, and highlight the answer.",
    "explain": "Explain an answer: its windows, the logits of each token, and why other spans were rejected.",
    "index": "Add files to a corpus, to search it and ask questions. Unchanged files are not read again.",
    "search": "Search a corpus for the passages that best match a question's words.",
    "verify": "Check whether texts contain claimed quotes: exactly, nearly, or not at all.",
    "data": "Inspect, repair, split and convert your own data.",
    "train": "Fine-tune an encoder on SQuAD-style data, and write a reader folder.",
    "predict": "Answer every question of a data set, and write the answers to a file.",
    "answer": "Answer the questions of a table of any size, with several workers; a stopped job can be resumed.",
    "score": "Score predictions with SQuAD's exact match and F1, identical to the official scorers.",
    "evaluate": "Evaluate a reader: answer every labelled question and score the answers, in one pass.",
    "calibrate": "Calibrate a reader: fit its probabilities, its null threshold, and operating points.",
    "engines": "Benchmark every engine that can run a reader on this machine, each in its own process.",
    "export": "Write a reader that needs no torch: one ONNX file, with its tokenizer and settings.",
    "track": "Log a reader in MLflow, as a model that `mlflow models serve` runs; prints the model's URI.",
    "mcp": "Serve tools for agents with the Model Context Protocol: ask, search and verify.",
    "serve": "Serve an HTTP API, and a web page that highlights answers in the text.",
}


class Commands(TyperGroup):
    """The top-level group, which imports the module of a command when it is called."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # Only the names are used, for "Did you mean 'ask'?".
        self.commands = dict.fromkeys(COMMANDS)  # type: ignore[assignment]
        self._is_listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands in the order of the help."""
        return list(COMMANDS)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help without importing any command."""
        self._is_listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._is_listing = False

    def invoke(self, ctx: Any) -> Any:
        """Run a command, and print a message if Ctrl-C stops it, which typer does not do."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("quoth: interrupted", err=True)
            raise typer.Exit(130) from None

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and return one command, or ``None`` for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        if self._is_listing:
            return TyperCommand(cmd_name, help=COMMANDS[cmd_name])
        command = typer.main.get_command(import_module(f"quoth.cli.{cmd_name}").app)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=Commands,
    name="quoth",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from quoth import __version__

        typer.echo(f"quoth {__version__}")
        raise typer.Exit


@app.callback()
def top(
    # A separate callback, because typer calls this function only if a command follows.
    version: bool = typer.Option(
        False, "--version", help="Print the version and exit.", is_eager=True, callback=_print_version
    ),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error. Allowed at any position."),
) -> None:
    """Question answering that quotes: train, evaluate, export and run readers that answer with a span of the text."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exit with 0 (success), 1 (problems found), 2 (wrong use), or 128 and more (signal)."""
    from quoth.display import visible
    from quoth.errors import ConfigError, JobStoppedError, MissingExtraError, QuothError, TrainingStoppedError

    if isinstance(sys.stdout, io.TextIOWrapper):
        # Characters that the encoding of a terminal or pipe does not support are escaped instead of raising an error.
        sys.stdout.reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if arguments is None else arguments)
    ours = words[: words.index("--")] if "--" in words else words
    debug = "--debug" in ours
    words = [word for word in ours if word != "--debug"] + words[len(ours) :]
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _note_warning
            app(args=words, prog_name="quoth")
    except BrokenPipeError:
        # The process that reads our output has exited (`quoth ... | head`). Do not flush to the broken pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (QuothError, OSError) as error:
        if debug:
            raise
        typer.echo(f"quoth: {visible(describe(error))}", err=True)
        if isinstance(error, TrainingStoppedError | JobStoppedError):
            sys.exit(128 + error.signal)
        sys.exit(2 if isinstance(error, ConfigError | MissingExtraError) else 1)


def _note_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    """Print a warning as a note: one sentence, without its source line."""
    from quoth.display import visible

    typer.echo(f"quoth: warning: {visible(' '.join(str(message).split()))}", err=True)


def describe(error: Exception) -> str:
    """Return the error as a sentence."""
    from quoth.errors import reason_of

    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {reason_of(error)}"
    return str(error)
