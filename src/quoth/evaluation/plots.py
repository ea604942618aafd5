"""Plots of a report as SVG, PNG or PDF, with matplotlib. Needs the extra [plots]."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from quoth.errors import ConfigError, MissingExtraError, reason_of
from quoth.evaluation.calibration import Bin, Calibration, calibration_error, risk_coverage
from quoth.evaluation.report import Report
from quoth.evaluation.threshold import threshold_curve
from quoth.files import check_parent

_KINDS = (".svg", ".png", ".pdf")
# With fewer questions, a plot says that its error bars are wide.
FEW = 300
# Files in a folder of plots.
RELIABILITY, COVERAGE, THRESHOLD = "reliability.svg", "risk-coverage.svg", "null-threshold.svg"


def check_plot(path: str | Path) -> Path:
    """Return the path of a plot, checked before a long evaluation.

    Raises:
        ConfigError: If the suffix is not a supported format, or the folder does not exist.
        MissingExtraError: If matplotlib is not installed.
    """
    path = Path(path)
    if path.suffix.lower() not in _KINDS:
        raise ConfigError(
            f"{path}: the name of a plot must end in {', '.join(_KINDS)}, but does not. A folder ends in /"
        )
    check_parent(path)
    _check_matplotlib()
    return path


def check_plot_folder(path: str | Path) -> Path:
    """Return the folder of plots; create it if it does not exist.

    Raises:
        ConfigError: If it is a file, or cannot be created.
        MissingExtraError: If matplotlib is not installed.
    """
    path = Path(path)
    _check_matplotlib()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{path}: must be a folder for plots, but cannot be created: {reason_of(error)}") from error
    return path


def plot_report(report: Report, folder: str | Path) -> list[Path]:
    """Draw all plots of a report, each as one file.

    Args:
        report: A report on a reader's predictions; without probabilities there are no plots.
        folder: The folder for the plots: reliability diagram, risk-coverage curve, and, if there are unanswerable
            questions, F1 over the null threshold.

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
    """Draw the reliability diagram: the share of correct decisions in each probability bin, and the bin sizes.

    Args:
        calibration: The calibration of a report.
        path: The file; its suffix is the format: ``.svg``, ``.png`` or ``.pdf``.
        title: Title of the plot.

    Raises:
        ConfigError, MissingExtraError: As :func:`check_plot`.

    Source: Guo et al. 2017, section 2 (reliability diagrams).
    """
    plot_bins(calibration.bins, path, title=title)


def plot_bins(bins: Sequence[Bin], path: str | Path, *, title: str = "") -> None:
    """Draw a reliability diagram from its bins; their sizes are below it, and bars show two standard errors.

    Args:
        bins: The bins, of equal width.
        path: The file, as for :func:`plot_reliability`.
        title: Title of the plot.

    Raises:
        ConfigError, MissingExtraError: As :func:`check_plot`.
    """
    full = [each for each in bins if each.total]
    total = sum(each.total for each in full)
    with _figure(path, (5, 6)) as figure:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        above.plot([0, 1], [0, 1], color="0.6", linestyle="--", linewidth=1, label="perfect")
        points = [(each.probability or 0.0, each.accuracy or 0.0, each.total) for each in full]
        # Error bars of two standard errors (about 95 %).
        errors = [2 * np.sqrt(max(right * (1 - right), 1 / (4 * total)) / total) for _, right, total in points]
        columns = list(zip(*points, strict=True))
        above.errorbar(
            columns[0], columns[1], errors, marker="o", label=f"decisions (error {calibration_error(bins):.3f})"
        )
        above.set(ylabel="share of correct decisions", xlim=(0, 1), ylim=(0, 1), title=title)
        above.legend(loc="upper left")
        if total < FEW:
            note = f"only {total:,} questions:\nthe error bars are wide"
            above.text(0.98, 0.02, note, ha="right", va="bottom", transform=above.transAxes, fontsize="small")
        width = 1 / len(bins)
        below.bar([each.low for each in full], [each.total for each in full], width=width, align="edge", color="0.7")
        below.set(xlabel="probability", ylabel=f"questions ({total:,})")


def plot_risk_coverage(calibration: Calibration, path: str | Path) -> None:
    """Draw the risk-coverage curve: the share of wrong decisions among the most confident ones.

    Raises:
        ConfigError, MissingExtraError: As :func:`check_plot`.

    Source: El-Yaniv and Wiener 2010, section 2.
    """
    answers = calibration.answers
    curves = {
        'decisions (a correct "no answer" counts)': ([each.decision_probability for each in answers], "decision_exact"),
        "quotes only": ([each.probability for each in answers], "exact"),
    }
    with _figure(path, (6, 4)) as figure:
        axis = figure.subplots()
        for label, (sure, right) in curves.items():
            risk = risk_coverage(sure, [1.0 - getattr(each, right) for each in answers])
            axis.plot(np.arange(1, len(risk) + 1) / len(risk), risk, label=label)
        axis.set(xlabel="coverage (most confident first)", ylabel="risk (share that is wrong)", xlim=(0, 1))
        axis.set_ylim(bottom=0)
        axis.legend()


def plot_threshold(report: Report, path: str | Path) -> None:
    """Draw F1 of all, answerable and unanswerable questions over the null threshold.

    Raises:
        ConfigError, MissingExtraError: As :func:`check_plot`.
    """
    rows = [row for row in report.rows if row.confidence]
    odds = [row.confidence.null_odds for row in rows if row.confidence]
    f1 = [row.confidence.f1_share for row in rows if row.confidence]
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
    """Yield a figure, and write it. Text stays text in an SVG, and the file is deterministic."""
    path = check_plot(path)
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "quoth"}):
        figure = Figure(figsize=size, layout="constrained")
        yield figure
        for axis in figure.axes:
            axis.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
