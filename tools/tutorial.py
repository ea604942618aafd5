"""Run docs/tutorial/tutorial.py from start to end, and keep it with what it printed as docs/tutorial/tutorial.ipynb.

    python tools/tutorial.py [OUT.ipynb]

The script is what is written and reviewed; the notebook is made of it. Needs the group ``tutorial``.
"""

import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "docs" / "tutorial" / "tutorial.py"
NOTEBOOK = SOURCE.with_suffix(".ipynb")
# Of the whole notebook, so that the repository stays small.
MOST_BYTES = 500_000


def main(out: Path = NOTEBOOK) -> None:
    """Execute, and write."""
    notebook = jupytext.read(SOURCE)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02}"  # the same each time, so that a diff shows what changed
    client = NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": str(SOURCE.parent)}})
    client.execute()
    for cell in notebook.cells:
        tidy(cell)
    notebook.metadata["language_info"] = {"name": "python"}
    text = nbformat.writes(notebook) + "\n"
    if len(text.encode()) > MOST_BYTES:
        raise ValueError(f"{out}: must have at most {MOST_BYTES:,} bytes, but has {len(text.encode()):,}")
    out.write_text(text, encoding="utf-8")


def tidy(cell: nbformat.NotebookNode) -> None:
    """Leave out what says when a cell ran, and what was written to stderr: progress bars and notes."""
    cell.metadata.pop("execution", None)
    if cell.cell_type == "code":
        cell.outputs = [each for each in cell.outputs if each.get("name") != "stderr"]


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
