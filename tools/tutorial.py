"""Runs docs/tutorial/tutorial.py and writes it, with its output, to docs/tutorial/tutorial.ipynb.

    python tools/tutorial.py [OUT.ipynb]

The script is the source; the notebook is generated from it. Needs the group ``tutorial``.
"""

import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "docs" / "tutorial" / "tutorial.py"
NOTEBOOK = SOURCE.with_suffix(".ipynb")
# The limit for the notebook, to keep the repository small.
MOST_BYTES = 500_000


def main(out: Path = NOTEBOOK) -> None:
    """Run the script as a notebook, and write the notebook."""
    notebook = jupytext.read(SOURCE)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02}"  # stable, so that a diff shows only changes
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
    """Remove execution times, and output on stderr: progress bars and notes."""
    cell.metadata.pop("execution", None)
    if cell.cell_type == "code":
        cell.outputs = [each for each in cell.outputs if each.get("name") != "stderr"]


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
