"""Asks a reader about a few texts, and shows each answer in its place.

Run ``python examples/demo.py`` for the reader that ships with Quoth, ``python examples/demo.py FOLDER`` for your own.
"""

import sys
from pathlib import Path

from rich.text import Text

import quoth
from quoth.cli.console import stdout
from quoth.cli.draw import Mark, passage, put
from quoth.display import percent

TEXTS = Path(__file__).parent / "texts"
LUNCH = "Tomorrow the Atlântico is going to have a delicious team lunch!"
QUESTIONS = [
    ("What did the Atlântico is going to have tomorrow?", LUNCH),
    ("Who kept the light?", "lighthouse.txt"),
    ("What flew into the glass?", "lighthouse.txt"),
    ("How long does the bread have to bake?", "bread.txt"),
    ("Why is there a tray of boiling water in the oven?", "bread.txt"),
    ("How often should I check the tyre pressure?", "bicycle.txt"),
    ("Who helped to carry the piano?", "letter.txt"),
    ("How many clocks does the neighbour have?", "letter.txt"),
]


def main() -> None:
    """Ask each question, and print what was quoted, from where to where, and how sure the reader is."""
    reader = quoth.Reader.load(sys.argv[1] if len(sys.argv) > 1 else None)
    console = stdout()
    for question, source in QUESTIONS:
        context = (TEXTS / source).read_text(encoding="utf-8") if source.endswith(".txt") else source
        answer = reader.answer(question, context).best
        console.print(Text(question, "bold"))
        if answer is None:
            console.print("No answer\n")
            continue
        put(console, passage(context, answer.span, Mark.of(console)), indent=2)
        console.print(f"  {answer.span.start} to {answer.span.end}, {percent(answer.probability)} sure\n")


if __name__ == "__main__":
    main()
