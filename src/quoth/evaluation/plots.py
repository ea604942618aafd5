"""The reliability plot: SVG or PNG, by matplotlib, which the extra [plots] brings."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from quoth.errors import ConfigError, MissingExtraError
from quoth.evaluation.calibration import Calibration

_KINDS = (".svg", ".png", ".pdf")


def check_plot(path: str | Path) -> Path:
    """Return the path of a plot that can be drawn, which is worth knowing before hours of reading.

    Raises:
        ConfigError: If the name does not end in a format, or its folder is not there.
        MissingExtraError: If matplotlib is not installed.
    """
    path = Path(path)
    if path.suffix.lower() not in _KINDS:
        raise ConfigError(f"{path}: the name of a plot must end in {', '.join(_KINDS)}, but does not")
    if not path.resolve().parent.is_dir():
        raise ConfigError(f"{path}: the folder of a plot must be there, but is not. Make it first.")
    if find_spec("matplotlib") is None:
        raise MissingExtraError("Drawing a plot", "plots")
    return path


def plot_reliability(calibration: Calibration, path: str | Path, *, title: str = "") -> None:
    """Draw how often answers are right against how probable they were said to be, and how many there are of each.

    Args:
        calibration: From a report.
        path: Where it goes; the name's end says in which format: ``.svg``, ``.png`` or ``.pdf``.
        title: Above the plot.

    Raises:
        ConfigError, MissingExtraError: As :func:`check_plot`.

    Source: Guo et al. 2017, section 2 (reliability diagrams).
    """
    path = check_plot(path)
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    full = [each for each in calibration.bins if each.total]
    # Text stays text in an SVG, and the same figures give the same file.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "quoth"}):
        figure = Figure(figsize=(5, 6), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        above.plot([0, 1], [0, 1], color="0.6", linestyle="--", linewidth=1, label="perfect")
        points = ([each.probability for each in full], [each.accuracy for each in full])
        above.plot(*points, marker="o", label=f"answers (error {calibration.error:.3f})")
        above.set(ylabel="share that match exactly", xlim=(0, 1), ylim=(0, 1), title=title)
        above.legend(loc="upper left")
        width = 1 / len(calibration.bins)
        below.bar([each.low for each in full], [each.total for each in full], width=width, align="edge", color="0.7")
        below.set(xlabel="probability", ylabel="questions")
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
