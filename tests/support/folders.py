"""A folder of small documents of several kinds."""

from pathlib import Path

from support.files import docx, pdf


def fill(folder):
    """Write four documents into a new folder."""
    folder = Path(folder)
    folder.mkdir()
    (folder / "rent.md").write_text("# The lease\n\nRent is due monthly.\n\nThe notice period is three months.")
    (folder / "pump.pdf").write_bytes(pdf(["The pump turns slowly."], ["Change the oil after 500 hours."]))
    (folder / "note.docx").write_bytes(docx("Ana Ribeiro kept the lighthouse."))
    (folder / "light.txt").write_text("灯台は1972年に建てられた。守り人は島を離れなかった。", encoding="utf-8")
