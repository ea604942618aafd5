"""Plots of a report: SVG, PNG or PDF, by matplotlib, which the extra [plots] brings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from quoth.errors import ConfigError, MissingExtraError
from quoth.evaluation.calibration import Calibration, risk_coverage
from quoth.evaluation.report import Report
from quoth.evaluation.threshold import threshold_curve

_KINDS = (".svg", ".png", ".pdf")
# What a folder of plots holds.
RELIABILITY, COVERAGE, THRESHOLD = "reliability.svg", "risk-coverage.svg", "null-threshold.svg"


def check_plot(path: str | Path) -> Path:
    """Return the path of a plot that can be drawn, which is worth knowing before hours of reading.

    Raises:
        ConfigError: If the name does not end in a format, or its folder is not there.
        MissingExtraError: If matplotlib is not installed.
    """
    path = Path(path)
    if path.suffix.lower() not in _KINDS:
        raise ConfigError(
            f"{path}: the name of a plot must end in {', '.join(_KINDS)}, but does not. A folder ends in /"
        )
    if not path.resolve().parent.is_dir():
        raise ConfigError(f"{path}: the folder of a plot must be there, but is not. Make it first.")
    _check_matplotlib()
    return path


def check_plot_folder(path: str | Path) -> Path:
    """Return the folder of plots, made if it is not there.

    Raises:
        ConfigError: If it is a file, or cannot be made.
        MissingExtraError: If matplotlib is not installed.
    """
    path = Path(path)
    _check_matplotlib()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{path}: must be a folder for plots, but cannot be made: {error.strerror}") from error
    return path


def plot_report(report: Report, folder: str | Path) -> list[Path]:
    """Draw everything that a report has a plot for, one file each.

    Args:
        report: Of a reader's predictions; without probabilities there is nothing to draw.
        folder: Where the plots go: reliability, risk against coverage, and, where there are unanswerable questions,
            F1 against the null threshold.

    Returns:
        The files.

    Raises:
        ConfigError, MissingExtraError: As :func:`check_plot_folder`.
    """
    folder = check_plot_folder(folder)
    if report.calibration is None:
        return []
    files = [folder / RELIABILITY, folder / COVERAGE]
    plot_reliability(report.calibration, files[0])
    plot_risk_coverage(report.calibration, files[1])
    if report.no_answer and report.has_answer and not report.missing:
        files.append(folder / THRESHOLD)
        plot_threshold(report, files[2])
    return files


def plot_reliability(calibration: Calibration, path: str | Path, *, title: str = "") -> None:
    """Draw how often decisions are right against how probable they were said to be, and how many there are of each.

    Args:
        calibration: From a report.
        path: Where it goes; the name's end says in which format: ``.svg``, ``.png`` or ``.pdf``.
        title: Above the plot.

    Raises:
        ConfigError, MissingExtraError: As :func:`check_plot`.

    Source: Guo et al. 2017, section 2 (reliability diagrams).
    """
    full = [each for each in calibration.bins if each.total]
    with _figure(path, (5, 6)) as figure:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        above.plot([0, 1], [0, 1], color="0.6", linestyle="--", linewidth=1, label="perfect")
        points = [(each.probability or 0.0, each.accuracy or 0.0, each.total) for each in full]
        # 95 % of samples of this size are within two standard errors: few questions show as long bars.
        errors = [2 * np.sqrt(max(right * (1 - right), 1 / (4 * total)) / total) for _, right, total in points]
        columns = list(zip(*points, strict=True))
        above.errorbar(columns[0], columns[1], errors, marker="o", label=f"decisions (error {calibration.error:.3f})")
        above.set(ylabel="share that is right", xlim=(0, 1), ylim=(0, 1), title=title)
        above.legend(loc="upper left")
        width = 1 / len(calibration.bins)
        below.bar([each.low for each in full], [each.total for each in full], width=width, align="edge", color="0.7")
        below.set(xlabel="probability", ylabel=f"questions ({calibration.total:,})")


def plot_risk_coverage(calibration: Calibration, path: str | Path) -> None:
    """Draw which share of the surest decisions is wrong, against how many are taken.

    Raises:
        ConfigError, MissingExtraError: As :func:`check_plot`.

    Source: El-Yaniv and Wiener 2010, section 2.
    """
    answers = calibration.answers
    curves = {
        'decisions, a right "no answer" is right': ([each.decision_probability for each in answers], "decision_exact"),
        "quotes only": ([each.probability for each in answers], "exact"),
    }
    with _figure(path, (6, 4)) as figure:
        axis = figure.subplots()
        for label, (sure, right) in curves.items():
            risk = risk_coverage(sure, [1.0 - getattr(each, right) for each in answers])
            axis.plot(np.arange(1, len(risk) + 1) / len(risk), risk, label=label)
        axis.set(xlabel="coverage: share of questions, surest first", ylabel="share that is wrong", xlim=(0, 1))
        axis.set_ylim(bottom=0)
        axis.legend()


def plot_threshold(report: Report, path: str | Path) -> None:
    """Draw the F1 of all, of the answerable and of the unanswerable questions against the null threshold.

    Raises:
        ConfigError, MissingExtraError: As :func:`check_plot`.
    """
    rows = [row for row in report.rows if row.confidence]
    odds = [row.confidence.null_odds for row in rows if row.confidence]
    f1 = [row.confidence.f1 for row in rows if row.confidence]
    thresholds, answerable, unanswerable, overall = threshold_curve(odds, f1, [row.answerable for row in rows])
    with _figure(path, (6, 4)) as figure:
        axis = figure.subplots()
        for label, values in (("all", overall), ("answerable", answerable), ("unanswerable", unanswerable)):
            axis.plot(thresholds, values, label=label)
        axis.set(xlabel="null threshold", ylabel="F1", ylim=(0, 100), title="")
        axis.legend()


def _check_matplotlib() -> None:
    if find_spec("matplotlib") is None:
        raise MissingExtraError("Drawing a plot", "plots")


@contextmanager
def _figure(path: str | Path, size: tuple[float, float]) -> Iterator[Any]:
    """Yield a figure, and write it. Text stays text in an SVG, and the same figures give the same file."""
    path = check_plot(path)
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "quoth"}):
        figure = Figure(figsize=size, layout="constrained")
        yield figure
        for axis in figure.axes:
            axis.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
