"""Recognises formats of labelling tools, which must be converted first, by their keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CONVERT = "looks like an export of {name}; convert it with: quoth data convert FILE -o OUT.json --from {option}"
_NAMES = {"label-studio": "Label Studio", "doccano": "doccano", "argilla": "Argilla"}


def tool_of(fields: Mapping[str, Any]) -> str | None:
    """Infer the labelling tool of a record from its keys; return its name for ``--from``, or ``None`` if unknown."""
    keys = fields.keys()
    if isinstance(fields.get("data"), dict) and keys & {"annotations", "predictions", "completions"}:
        return "label-studio"
    if "fields" in keys and keys & {"responses", "suggestions"}:
        return "argilla"
    if {"annotator", "annotation_id"} <= keys:  # JSON-MIN
        return "label-studio"
    if "text" in keys and "context" not in keys and keys & {"label", "labels", "entities", "annotations"}:
        return "doccano"
    return None


def conversion_hint(fields: Mapping[str, Any]) -> str | None:
    """Return a message with the labelling tool of a record and how to convert the file; ``None`` if it is unknown."""
    tool = tool_of(fields)
    return _CONVERT.format(name=_NAMES[tool], option=tool) if tool else None
