"""Formats that are not read as they stand, recognised by their keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Name = str

_CONVERT = "looks like an export of {name}; convert it with: quoth data convert FILE -o OUT.json --from {option}"
_NAMES = {"label-studio": "Label Studio", "doccano": "doccano", "argilla": "Argilla"}


def format_of(fields: Mapping[str, Any]) -> Name | None:
    """Return the labelling tool whose record this is, as ``--from`` names it: by its keys; ``None`` if it is none's."""
    keys = fields.keys()
    if isinstance(fields.get("data"), dict) and keys & {"annotations", "predictions", "completions"}:
        return "label-studio"
    if "fields" in keys and keys & {"responses", "suggestions"}:
        return "argilla"
    if "text" in keys and "context" not in keys and keys & {"label", "labels", "entities"}:
        return "doccano"
    return None


def guessed(fields: Mapping[str, Any]) -> str | None:
    """Say which labelling tool's record this looks like, and how to convert it; ``None`` if it is none's."""
    found = format_of(fields)
    return _CONVERT.format(name=_NAMES[found], option=found) if found else None
