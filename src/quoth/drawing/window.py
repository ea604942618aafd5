"""A window as HTML: its part of the context, and its target."""

from __future__ import annotations

from quoth.drawing.markup import escaped
from quoth.drawing.page import fragment
from quoth.reading import Window


def window_html(window: Window) -> str:
    """Draw a window: its part of the context, and its target."""
    example, offsets = window.example, window.context_offsets.tolist()
    start, end = (offsets[0][0], offsets[-1][1]) if offsets else (0, 0)
    piece = _with_target(window, start, end)
    sizes = f"{len(window)} tokens, {len(window.context_tokens)} of them the context’s"
    return fragment(
        f"<p><strong>{escaped(example.question)}</strong></p>"
        f'<p class="soft">Window {window.index} of {escaped(example.name)}: {sizes}; '
        f"code points {start}–{end} of {len(window.text)}</p>"
        f'<p class="text"><span class="soft">{escaped(window.text[:start])}</span>{piece}'
        f'<span class="soft">{escaped(window.text[end:])}</span></p>'
    )


def _with_target(window: Window, start: int, end: int) -> str:
    context, target = window.text, window.target
    if target is None:
        return f"<u>{escaped(context[start:end])}</u>"
    offsets = window.offsets
    first, last = int(offsets[target.start, 0]), int(offsets[target.end - 1, 1])
    return (
        f"<u>{escaped(context[start:first])}<mark>{escaped(context[first:last])}</mark>{escaped(context[last:end])}</u>"
    )
