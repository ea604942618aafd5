"""The model card of a reader, generated from its ``quoth.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def card(manifest: Mapping[str, Any]) -> str:
    """Return the text of a ``README.md`` for a reader folder.

    Args:
        manifest: The content of ``quoth.json``.
    """
    made = manifest.get("trained_on", {})
    config = made.get("config", {})
    windows, decode = manifest["windows"], manifest["decode"]
    threshold = decode["null_threshold"]
    lines = [
        "# A reader for Quoth",
        "",
        "Quotes the answer to a question from a text: `quoth ask QUESTION --context FILE --reader FOLDER`.",
        "",
        "| | |",
        "|---|---|",
        f"| precision | {manifest.get('precision', 'float32')} |",
        f"| windows | {windows['max_tokens']} tokens, overlap {windows['overlap']} |",
        f"| answers | at most {decode['max_answer_tokens']} tokens |",
        f"| null threshold | {threshold} |",
    ]
    if {"questions", "windows", "steps", "seconds"} <= made.keys():
        lines += [
            f"| encoder | {config.get('base', 'unknown')} |",
            f"| data | {made['questions']:,} questions, {made['windows']:,} windows |",
            f"| training | {made['steps']:,} steps in {made['seconds']:,} s, seed {config.get('seed', 'unknown')} |",
        ]
    for name, scores in manifest.get("scores", {}).items():
        # A manifest may have other scores too; only those with the three totals are shown.
        if isinstance(scores, Mapping) and {"exact", "f1", "total"} <= scores.keys():
            figures = f"EM {scores['exact']:.2f}, F1 {scores['f1']:.2f}"
            lines.append(f"| on {name} | {figures} on {scores['total']:,.0f} questions |")
    return "\n".join([*lines, "", "For all other facts, see `quoth.json`.", ""])
