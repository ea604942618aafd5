"""Common parts of the drawings: the style sheet, tables, and a self-contained page."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files

from quoth.drawing.markup import escaped
from quoth.records import Prediction


@cache
def style() -> str:
    """Return the style sheet; all of its rules apply only to elements of the class ``quoth``."""
    return files("quoth.drawing").joinpath("style.css").read_text(encoding="utf-8")


def fragment(content: str) -> str:
    """Return a drawing as an HTML fragment for a notebook."""
    return f'<div class="quoth"><style>{style()}</style>{content}</div>'


def page(title: str, content: str) -> str:
    """Return a drawing as an HTML page whose content security policy forbids scripts and external resources."""
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escaped(title)}</title>\n<style>{style()}</style>\n</head>\n"
        f'<body class="quoth">\n{content}\n</body>\n</html>\n'
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table.

    Args:
        heads: The names of the columns; a leading ``#`` aligns the column to the right.
        rows: The cells, as HTML.
    """
    right = [' class="n"' if head.startswith("#") else "" for head in heads]
    top = "".join(f"<th{kind}>{escaped(head.lstrip('#'))}</th>" for head, kind in zip(heads, right, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{kind}>{cell}</td>' for cell, kind in zip(row, right, strict=True))}</tr>" for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def headline(prediction: Prediction) -> str:
    """Return the best answer, or the reason why there is none."""
    if best := prediction.best:
        return f"<p><strong>{escaped(best.text)}</strong></p>"
    return f"<p><strong>No answer</strong>: {escaped(prediction.reason)}.</p>"


def meter(probability: float) -> str:
    """Return a meter from 0 to 1."""
    return f'<meter min="0" max="1" value="{probability:.6f}"></meter>'
