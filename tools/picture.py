"""Draws docs/ask.svg: the real output of ``quoth ask`` on a terminal.

python tools/picture.py
"""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
WIDTH = 96
ASK = ["ask", "What flew into the glass?", "--context", "examples/texts/lighthouse.txt", "--top-k", "3"]


def main() -> None:
    """Ask and draw the output, without the fonts that rich would load from the web."""
    environment = {**os.environ, "FORCE_COLOR": "1", "COLORTERM": "truecolor", "COLUMNS": str(WIDTH)}
    environment.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "quoth", *ASK]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment).stdout
    console = Console(record=True, width=WIDTH, file=io.StringIO(), highlight=False)
    console.print(Text('$ quoth ask "What flew into the glass?" --context examples/texts/lighthouse.txt --top-k 3\n'))
    console.print(Text.from_ansi(shown))
    svg = console.export_svg(title="quoth ask")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    (ROOT / "docs/ask.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
