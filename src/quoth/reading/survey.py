"""Statistics of how a data set splits into windows, and which golds are lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from quoth.deprecated import NamedToJson
from quoth.reading.align import covering_tokens
from quoth.reading.windows import Window, Windower
from quoth.records import Example, Gold


@dataclass(frozen=True, slots=True)
class WindowSurvey(NamedToJson):
    """Statistics of the windows of a data set.

    Attributes:
        examples: Number of examples.
        windows: Number of windows.
        several_windows: Number of examples with more than one window.
        no_window: Number of examples whose contexts have no tokens; the reader abstains on them.
        targets: Number of windows that contain a whole gold.
        golds: Number of golds.
        golds_widened: Number of golds that start or end inside a token.
        golds_lost: Number of golds that no window contains completely, or that no token overlaps.
        lost_ids: Ids of examples whose golds are all lost, so that training treats them as unanswerable.
        tokens: Tokens of all windows, special ones included.
        longest: Length of the longest window, in tokens.
        padded_share: Share of padding if every window were padded to ``max_tokens``; in [0, 1].
        max_tokens: Maximum length of a window, in tokens.
        overlap: Overlap of neighbouring windows, in tokens.
    """

    examples: int
    windows: int
    several_windows: int
    no_window: int
    targets: int
    golds: int
    golds_widened: int
    golds_lost: int
    lost_ids: tuple[str, ...]
    tokens: int
    longest: int
    padded_share: float
    max_tokens: int
    overlap: int

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {**asdict(self), "lost_ids": list(self.lost_ids)}


def survey(examples: Iterable[Example], windower: Windower) -> WindowSurvey:
    """Split a data set into windows and compute statistics, with constant memory.

    Raises:
        InputError, QuestionTooLongError: As :meth:`Windower.windows`.
    """
    count = dict.fromkeys(
        ("examples", "windows", "several_windows", "no_window", "targets", "golds", "tokens", "longest"), 0
    )
    widened = lost = 0
    lost_ids: list[str] = []
    for example, windows in windower.each(examples):
        golds = example.golds or ()
        states = [_state(windows, gold) for gold in golds]
        widened += states.count("widened")
        lost += states.count("lost")
        if golds and all(state == "lost" for state in states):
            lost_ids.append(example.id)
        count["examples"] += 1
        count["windows"] += len(windows)
        count["several_windows"] += len(windows) > 1
        count["no_window"] += not windows
        count["targets"] += sum(window.target is not None for window in windows)
        count["golds"] += len(golds)
        count["tokens"] += sum(map(len, windows))
        count["longest"] = max(count["longest"], *map(len, windows), 0)
    full = count["windows"] * windower.max_tokens
    return WindowSurvey(
        **count,
        golds_widened=widened,
        golds_lost=lost,
        lost_ids=tuple(lost_ids),
        padded_share=1 - count["tokens"] / full if full else 0.0,
        max_tokens=windower.max_tokens,
        overlap=windower.overlap,
    )


def _state(windows: list[Window], gold: Gold) -> str:
    """Return whether a gold is "exact", "widened" to whole tokens, or "lost"."""
    around = [window for window in windows if window.context_index == gold.context_index]
    if not around:
        return "lost"
    offsets = around[0].context.offsets
    tokens = covering_tokens(offsets, gold.span)
    if tokens is None or not any(_contains(window, tokens) for window in around):
        return "lost"
    exact = offsets[tokens[0], 0] == gold.start and offsets[tokens[1] - 1, 1] == gold.span.end
    return "exact" if exact else "widened"


def _contains(window: Window, tokens: tuple[int, int]) -> bool:
    """Return whether a window has all tokens of a half-open range of its context."""
    return window.first_token <= tokens[0] and tokens[1] <= window.first_token + len(window.context_tokens)
