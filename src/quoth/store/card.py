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
    config = made["config"] if isinstance(made.get("config"), Mapping) else {}
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
    if has_numbers(made, "questions", "windows", "steps", "seconds"):
        lines += [
            f"| encoder | {config.get('base', 'unknown')} |",
            f"| data | {made['questions']:,} questions, {made['windows']:,} windows |",
            f"| training | {made['steps']:,} steps in {made['seconds']:,} s, seed {config.get('seed', 'unknown')} |",
        ]
    for name, scores in manifest.get("scores", {}).items():
        # A manifest may have other scores too; only those with the three totals are shown.
        if has_numbers(scores, "exact", "f1", "total"):
            figures = f"EM {scores['exact']:.2f}, F1 {scores['f1']:.2f}"
            lines.append(f"| on {name} | {figures} on {scores['total']:,.0f} questions |")
    return "\n".join([*lines, "", "For all other facts, see `quoth.json`.", ""])


def has_numbers(facts: object, *names: str) -> bool:
    """Return True for an object of a manifest that has numbers of these names: other tools may write other values."""
    return isinstance(facts, Mapping) and all(isinstance(facts.get(name), int | float) for name in names)
