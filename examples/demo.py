"""Asks a reader about a few texts, shows each answer in its place, and checks two quotes.

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
    ("What is the Atlântico going to have tomorrow?", LUNCH),
    ("Who kept the light?", "lighthouse.txt"),
    ("What flew into the glass?", "lighthouse.txt"),
    ("How long does the bread have to bake?", "bread.txt"),
    ("Why is there a tray of boiling water in the oven?", "bread.txt"),
    ("How often should I check the tyre pressure?", "bicycle.txt"),
    ("Who helped to carry the piano?", "letter.txt"),
    ("How many clocks does the neighbour have?", "letter.txt"),
]
# The first stands there word for word; in the second, a number was changed.
QUOTES = ("Stir 7 grams of dried yeast", "Heat the oven to 280 degrees.")


def main() -> None:
    """Ask each question and print what was quoted; then check two quotes."""
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
    texts = {file.name: file.read_text(encoding="utf-8") for file in sorted(TEXTS.glob("*.txt"))}
    for verdict in quoth.verify(QUOTES, texts):
        place = verdict.places[0]
        console.print(Text(f"“{verdict.quote}”", "bold"))
        console.print(f"  {verdict.status}: {place.source} says “{place.text}”\n")


if __name__ == "__main__":
    main()
