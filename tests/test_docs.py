"""The documents agree with the code: links, make targets, commands and flags; and their Python code runs."""

import contextlib
import re
import shlex
import shutil
from pathlib import Path

import pytest
import typer

import quoth
from links import relative_links, target_of
from quoth.cli import COMMANDS, app
from support.readers import TINY

ROOT = Path(__file__).parent.parent
FOLDERS = ("", "docs/**/", "recipes/", "benchmarks/", "readers/*/", "tests/browser/", ".github/**/")
DOCUMENTS = sorted(path for folder in FOLDERS for path in ROOT.glob(f"{folder}*.md"))
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
PYTHON = re.compile(r"(<!-- not run: .*? -->\n)?```python\n(.*?)```", re.DOTALL)
CONSOLE = re.compile(r"```console\n\$ (quoth [^\n]*)\n((?!\$).*?)```", re.DOTALL)


def lines():
    """Return every command line of every document, without comments, with continued lines joined."""
    for document in DOCUMENTS:
        for block in BLOCK.findall(document.read_text(encoding="utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words:
                    yield pytest.param(words, id=f"{document.name}: {' '.join(words[:3])}")


def dead_links(document, text):
    """Return the relative links to files or headings that do not exist."""
    place = document.relative_to(ROOT).as_posix()
    return [link[0] + (link["anchor"] or "") for link in relative_links(text) if not leads_somewhere(place, link)]


def leads_somewhere(place, link):
    target = ROOT / target_of(place, link)
    if not target.exists():
        return False
    anchor = (link["anchor"] or "").removeprefix("#")
    # The page of the packages gets its names on the site; tests/test_site.py looks there.
    if not anchor or anchor.startswith("quoth."):
        return True
    headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
    return anchor in {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_relative_links_lead_to_files_in_the_repository(document):
    assert dead_links(document, document.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("link", "dead"),
    [
        ("[a](guides/formats.md)", False),
        ("[a](guides/formats.md#predictions)", False),
        ("[a](../CONTRIBUTING.md)", False),
        ("[a](decisions/)", False),
        ("![a](ask.svg)", False),
        ("[a](https://a.example/nothing.md)", False),
        ("`[a](nothing.md)`", False),
        ("[a](guides/nothing.md)", True),
        ("[a](guides/formats.md#nothing)", True),
        ("![a](nothing.svg)", True),
    ],
)
def test_dead_links_are_found(link, dead):
    assert bool(dead_links(ROOT / "docs" / "index.md", link)) is dead


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


def test_placeholders_are_filled_in():
    for document in DOCUMENTS:
        assert not re.search(r"@[A-Z]{3,}@|TODO|TBD", document.read_text(encoding="utf-8")), document.name


def test_every_make_target_is_in_its_help():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split()
    explained = re.findall(r"^## ([a-z-]+)", text, re.MULTILINE)
    assert sorted({*explained, "help"}) == sorted(phony)


def containing(pattern):
    return [file for file in DOCUMENTS if pattern.search(file.read_text(encoding="utf-8"))]


@pytest.fixture
def desk(tmp_path):
    """A folder with the files that occur in the documents."""
    sample = ROOT / "examples" / "data" / "sample.json"
    for name in ("train.json", "dev.json", "mine.json"):
        shutil.copy(sample, tmp_path / name)
    shutil.copytree(TINY / "wordpiece", tmp_path / "runs" / "mine")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    [bad] = re.findall(r"```json\n(.*?)```", (ROOT / "docs/guides/data.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "bad.jsonl").write_text(bad, encoding="utf-8")
    return tmp_path


def runnable():
    """The documents with Python; those of an extra are left out of make test-base."""
    for document in containing(PYTHON):
        marks = [pytest.mark.torch] if document.name == "tables.md" else []
        yield pytest.param(document, id=document.name, marks=marks)


@pytest.mark.parametrize("document", list(runnable()))
def test_python_examples_run(document, desk):
    """Run the blocks of each page in order; blocks that cannot run must have a reason, and are compiled."""
    names = {"context": "A copper statue of Christ stands in front of it.", "quoth": quoth}
    with contextlib.chdir(desk):
        for number, (skipped, source) in enumerate(PYTHON.findall(document.read_text(encoding="utf-8")), 1):
            code = compile(source, f"{document.name}, block {number}", "exec")
            if not skipped:
                exec(code, names)


@pytest.mark.parametrize("document", containing(CONSOLE), ids=lambda path: path.name)
def test_console_examples_match_the_output(document, desk, quoth):
    with contextlib.chdir(desk):
        for line, shown in CONSOLE.findall(document.read_text(encoding="utf-8")):
            _, out, _ = quoth(*shlex.split(line)[1:])
            assert out == shown


def test_the_table_in_the_guide_can_be_read(tmp_path):
    [table] = re.findall(r"```csv\n(.*?)```", (ROOT / "docs/guides/data.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "mine.csv").write_text(table, encoding="utf-8")
    first, second = quoth.read_examples(tmp_path / "mine.csv")
    assert [gold.text for gold in first.golds] == ["640 metres"]
    assert second.golds == ()


def test_the_sample_is_large_enough():
    examples = quoth.read_examples(ROOT / "examples" / "data" / "sample.json")
    assert len({example.context for example in examples}) >= 20
    assert len({example.title for example in examples}) >= 5
    assert len(examples) >= 120
    assert sum(not example.golds for example in examples) >= 15
