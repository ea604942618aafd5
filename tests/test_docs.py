"""The documents say what is there: links, make targets, commands and their flags."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from quoth.cli import COMMANDS, app

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("recipes/*.md")))
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)\)")
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def lines():
    """Every command line of every document, its comment cut off, continued lines joined."""
    for document in DOCUMENTS:
        for block in BLOCK.findall(document.read_text(encoding="utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words:
                    yield pytest.param(words, id=f"{document.name}: {' '.join(words[:3])}")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for link in LINK.findall(document.read_text(encoding="utf-8")):
        if "://" not in link:
            assert (document.parent / link).exists(), link


@pytest.mark.parametrize("words", list(lines()))
def test_commands_exist_as_they_are_written(words):
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert [word for word in words[1:] if "=" not in word and word not in targets] == []
    elif words[0] == "quoth":
        command = typer.main.get_command(app).get_command(None, words[1])
        assert words[1] in COMMANDS
        if hasattr(command, "commands"):
            command = command.commands[words[2]]
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert [word for word in words[2:] if word.startswith("-") and word not in known] == []


def test_figures_are_filled_in():
    for document in DOCUMENTS:
        assert not re.search(r"@[A-Z]{3,}@|TODO|TBD", document.read_text(encoding="utf-8")), document.name


def test_every_make_target_is_in_its_help():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split()
    explained = re.findall(r"^## ([a-z-]+)", text, re.MULTILINE)
    assert sorted({*explained, "help"}) == sorted(phony)
