"""Line charts as SVG, without scripts and inline styles, so that they use the page's colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quoth.drawing.markup import escaped

# Size of a chart and its margins, in pixels.
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 640, 260, 46, 36, 24, 12
# Maximum number of points of a line; if there are more, evenly spaced ones are drawn.
_POINTS = 300
_COLOURS = ("a", "w", "c")

Points = Sequence[tuple[float, float]]


def line_chart(lines: Mapping[str, Points], *, x: str, y: str, top: float, marked: float | None = None) -> str:
    """Return a chart of lines over a common horizontal axis.

    Args:
        lines: At most three: name -> points, in ascending order of ``x``.
        x: Name of the horizontal axis.
        y: Name of the vertical axis, which begins at 0.
        top: Upper end of the vertical axis.
        marked: A value on the horizontal axis to mark.
    """
    places = [place for points in lines.values() for place, _ in points]
    if not places:
        return ""
    low, high = min(places), max(places)
    wide = high - low or 1.0

    def at(place: float, value: float) -> tuple[float, float]:
        return (
            round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * (place - low) / wide, 1),
            round(_HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * min(max(value, 0.0), top) / top, 1),
        )

    parts = []
    for tick in range(5):
        value = top * tick / 4
        left, height = at(low, value)
        right, _ = at(high, value)
        parts.append(f'<line class="grid" x1="{left}" y1="{height}" x2="{right}" y2="{height}"/>')
        parts.append(f'<text x="{left - 6}" y="{height + 4}" text-anchor="end">{value:g}</text>')
        place = low + (high - low) * tick / 4
        across, ground = at(place, 0.0)
        parts.append(f'<text x="{across}" y="{ground + 15}" text-anchor="middle">{place:.3g}</text>')
    if marked is not None and low <= marked <= high:
        across, ground = at(marked, 0.0)
        parts.append(f'<line class="marked" x1="{across}" y1="{_TOP}" x2="{across}" y2="{ground}"/>')
    for number, (name, points) in enumerate(lines.items()):
        kind = _COLOURS[number % len(_COLOURS)]
        drawn = " ".join("{},{}".format(*at(*point)) for point in _thinned(points))
        parts.append(f'<polyline class="line {kind}" points="{drawn}"/>')
        parts.append(f'<text class="key {kind}" x="{_LEFT + 150 * number}" y="14">— {escaped(name)}</text>')
    parts.append(f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 4}" text-anchor="end">{escaped(x)}</text>')
    parts.append(f'<text x="0" y="{_HEIGHT - 4}">↑ {escaped(y)}</text>')
    label = f"{y} over {x}: {', '.join(lines)}"
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escaped(label)}">{"".join(parts)}</svg>'


def _thinned(points: Points) -> Points:
    step = max(1, len(points) // _POINTS)
    return [*points[::step], *([points[-1]] if (len(points) - 1) % step else [])]
