"""Options that several commands share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand

if TYPE_CHECKING:
    from quoth import records
    from quoth.evaluation.metrics import Unit


class OneArgumentCommand(TyperCommand):
    """A command with one QUESTION or QUOTES. Further words are an error that says how to give texts and longer ones."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments.

        Raises:
            UsageError: If there are more words than the argument, or anything else is wrong.
        """
        ctx.allow_extra_args = True
        super().parse_args(ctx, args)
        if ctx.args and not ctx.resilient_parsing:
            [name] = (each.metavar for each in self.params if isinstance(each, TyperArgument))
            has_context = any("--context" in each.opts for each in self.params)
            ctx.fail(
                f"There must be one {name}, but there is also: {' '.join(ctx.args)}. "
                + ("Give a text with --context FILE, and put a pattern in quotation marks. " if has_context else "")
                + f"Put {name} in quotation marks if it has several words."
            )
        return list(ctx.args)


Engine = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="Engine: openvino, onnxruntime, torch; auto: the fastest on this kind of CPU.",
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="NAME",
        help="Precision of operations that are not quantized: float32, bfloat16 or float16.",
        show_default="the fastest",
    ),
]
Streams = Annotated[
    int | None,
    typer.Option(
        "--streams",
        metavar="N",
        min=1,
        help="Number of batches that OpenVINO computes at the same time.",
        show_default="one for each thread, at most 16",
    ),
]
NullThreshold = Annotated[
    str | None,
    typer.Option(
        "--null-threshold",
        metavar="X|never",
        help="Abstain if the null score exceeds the best answer's score by more than X, or never.",
        show_default="the reader's",
    ),
]

MinProbability = Annotated[
    float | None,
    typer.Option(
        "--min-probability",
        metavar="P",
        min=0,
        max=1,
        help="Abstain if the best answer's probability is below P, from 0 to 1; replaces --null-threshold.",
    ),
]

F1By = Annotated[
    str | None,
    typer.Option(
        "--f1-by",
        metavar="words|characters",
        help="What F1 compares.",
        show_default="characters for answers in scripts without spaces",
    ),
]

Reader = Annotated[
    str | None,
    typer.Option(
        "--reader",
        metavar="READER",
        help="Folder or hub name of a reader.",
        show_default="the shipped reader",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
JsonTotals = Annotated[bool, typer.Option("--json", help="Print the totals as one JSON document.")]
Question = Annotated[
    str,
    typer.Argument(metavar="QUESTION", help="The question; after -- if it begins with a dash.", show_default=False),
]
Context = Annotated[
    list[str] | None,
    typer.Option(
        "--context",
        metavar="FILE|-",
        help="A file, a folder, or a pattern in quotation marks; - is standard input. May be given again.",
        show_default="what is piped in",
    ),
]
Text = Annotated[
    list[str] | None,
    typer.Option("--text", metavar="TEXT", help="A text to quote from. May be given again."),
]
LabelledData = Annotated[str, typer.Argument(metavar="DATA", help="Labelled data: a file, or hub:NAME:SPLIT.")]
ExcelSafe = Annotated[
    bool,
    typer.Option("--excel-safe", help="In CSV and TSV, put an apostrophe before cells that begin like formulas."),
]


def unit(given: str | None) -> Unit | None:
    """Return the value of ``--f1-by``.

    Raises:
        ConfigError: If it is neither.
    """
    if given in (None, "words", "characters"):
        return given  # type: ignore[return-value]
    from quoth.errors import ConfigError

    raise ConfigError(f"--f1-by must be words or characters, but is {given!r}")


def deciding(threshold: str | None, least: float | None) -> dict[str, Any]:
    """Return the arguments of ``Reader.answer_all`` that decide when it abstains; only those that were given.

    Raises:
        ConfigError: If both are given, or the threshold is neither a number nor "never".
    """
    from quoth.errors import ConfigError

    if threshold is not None and least is not None:
        raise ConfigError("--min-probability and --null-threshold cannot be used together")
    given = {"null_threshold": null_threshold(threshold), "min_probability": least}
    return {name: value for name, value in given.items() if value is not None}


def null_threshold(given: str | None) -> records.NullThreshold | None:
    """Return the value of ``--null-threshold``. Infinity also means "never", as it did before version 0.2.

    Raises:
        ConfigError: If it is neither a number nor "never".
    """
    if given is None or given == "never":
        return given  # type: ignore[return-value]
    from quoth.errors import ConfigError

    try:
        number = float(given)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise ConfigError(f"--null-threshold must be a number or never, but is {given}")
    return "never" if number == math.inf else number
