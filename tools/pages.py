"""The pages of the site that are made: the tutorial's, the command line's, that of the rooms, and the decisions' list.

Named in mkdocs.yml. They are made anew at each build, of the notebook, of the commands and of the package, so that they
cannot say what is no longer so.
"""

import base64
import html
import json
import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer
from mkdocs.structure.files import File, Files

import quoth
from quoth.cli import COMMANDS, app

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "docs" / "tutorial" / "tutorial.ipynb"
ROOMS = ("data", "reading", "engines", "evaluation", "training", "export", "store")
LINK = re.compile(r"\[([^\]]*)\]\((\.\./[^)\s]+)\)")
MARKUP = re.compile(r"\[/?[a-z ]+\]")  # rich's, in help texts


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made."""
    pages = {
        "reference/commands.md": commands_page(),
        "reference/rooms.md": rooms_page(),
        "decisions/index.md": decisions_page(),
        **tutorial_pages(),
    }
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Name what lies outside the site (deploy/, recipes/) instead of linking to it."""
    depth = page.file.src_uri.count("/")

    def without(link: re.Match[str]) -> str:
        target = link[2]
        inside = target.count("../") <= depth
        return link[0] if inside else f"{link[1]} (`{target.replace('../', '')}`)"

    return LINK.sub(without, markdown)


def commands_page() -> str:
    """Write every command down, as its help says it."""
    top = typer.main.get_command(app)
    parts = ["# Command line\n", sentence(top.help), ""]
    for name in COMMANDS:
        parts += command_part(top.get_command(None, name), f"quoth {name}")
    parts += [
        "## Everywhere\n",
        "Results go to stdout (`--json`: one JSON document), progress and notes to stderr. Exit 0: fine; "
        "1: problems found; 2: wrong use; 128 and more: stopped by a signal. "
        "`quoth --debug` shows the traceback of an error. "
        "`quoth --install-completion` completes commands and flags in your shell.",
    ]
    return "\n".join(parts) + "\n"


def command_part(command: Any, path: str) -> list[str]:
    """Write one command down, and those below it."""
    below = getattr(command, "commands", None)
    parts = [f"{'##' if path.count(' ') == 1 else '###'} {path}\n", sentence(command.help), ""]
    for name in below or ():
        parts += command_part(below[name], f"{path} {name}")
    rows = [row for parameter in command.params if (row := parameter_row(parameter))] if not below else []
    if rows:
        parts += ["| | | default |", "|---|---|---|", *rows, ""]
    return parts


def parameter_row(parameter: Any) -> str | None:
    """Write an argument or a flag down as a row of a table."""
    if getattr(parameter, "hidden", False):
        return None
    if parameter.param_type_name == "argument":
        name = f"`{parameter.metavar or parameter.name.upper()}`"
    else:
        name = ", ".join(f"`{option}`" for option in (*parameter.opts, *parameter.secondary_opts))
        if not parameter.is_flag:
            name += f" `{parameter.metavar or parameter.bare_type}`"
    default = parameter.default
    shown = getattr(parameter, "show_default", None)
    if isinstance(shown, str):
        default = shown
    elif parameter.required:
        default = "required"
    elif default is None or callable(default) or isinstance(default, bool) or default in ((), []):
        default = ""
    return f"| {name} | {cell(sentence(parameter.help))} | {cell(default)} |"


def sentence(text: str | None) -> str:
    """Return a help text as Markdown."""
    text = "\n".join(line.strip() for line in (text or "").replace("\f", "").splitlines())
    text = re.sub(r"\[cyan\](.*?)\[/cyan\]", r"`\1`", text, flags=re.DOTALL)
    return re.sub(r"(?<!`)(--[a-z][a-z0-9-]*)(?!`)", r"`\1`", MARKUP.sub("", text)) if "`" not in text else text


def cell(value: object) -> str:
    """Return a value as the cell of a table."""
    return str(value).replace("|", "\\|").replace("\n", " ")


def rooms_page() -> str:
    """List the public names of each room, but for those that `import quoth` has."""
    parts = ["# The rooms below\n", "What lies below the names of [`import quoth`](quoth.md), room by room.", ""]
    for room in ROOMS:
        module = import_module(f"quoth.{room}")
        parts += [f"## quoth.{room}\n", (module.__doc__ or "").splitlines()[0], ""]
        parts += [named(f"quoth.{room}", name) for name in module.__all__ if name not in quoth.__all__]
    return "\n".join(parts)


def named(room: str, name: str) -> str:
    """Name an object to mkdocstrings, which takes ``quoth.data.split`` for the file if there is one of that name."""
    if find_spec(f"{room}.{name}") is None:
        return f"::: {room}.{name}\n"
    return f"::: {room}.{name}.{name}\n    options: {{heading: {room}.{name}, toc_label: {name}}}\n"


def decisions_page() -> str:
    """List the decisions by their headings."""
    parts = ["# Decisions\n", "What was decided, why, and what was tried instead. Newest last.\n"]
    for file in sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")):
        heading = file.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        parts.append(f"- [{heading}]({file.name})")
    return "\n".join(parts) + "\n"


def tutorial_pages() -> dict[str, str | bytes]:
    """Return the tutorial's page and its pictures, as the executed notebook has them."""
    pages: dict[str, str | bytes] = {}
    parts = []
    for number, each in enumerate(json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]):
        source = "".join(each["source"])
        if each["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in each["outputs"]:
            data = output.get("data", {})
            if "image/png" in data:
                name = f"figure-{number:02}.png"
                pages[f"tutorial/{name}"] = base64.b64decode(data["image/png"])
                parts.append(f"![{figure_title(source)}]({name})")
            elif "text/html" in data:
                parts.append(f'<div class="output">{one_block("".join(data["text/html"]))}</div>')
            else:
                text = "".join(output.get("text", data.get("text/plain", "")))
                parts.append(f'<pre class="output">{html.escape(text).rstrip()}</pre>'.replace("\n\n", "\n&#8203;\n"))
    pages["tutorial/index.md"] = "\n\n".join(parts) + "\n"
    return pages


def figure_title(source: str) -> str:
    """Return what a picture shows, for those who cannot see it: its title in the code."""
    return "Plot: " + "; ".join(re.findall(r'title="([^"]+)"', source))


def one_block(markup: str) -> str:
    """Return HTML without blank lines, which would end it for Markdown."""
    return re.sub(r"\n\s*\n", "\n", markup)
