"""Generates pages of the documentation site: the tutorial, the command line, the packages and the list of decisions.

A hook of mkdocs (mkdocs.yml). The pages are generated at each build from the notebook, the commands, the packages and
the files, so they cannot be out of date. Files outside ``docs/`` that a page links to get pages too (tools/links.py).
"""

import base64
import html
import json
import re
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import typer
from mkdocs.structure.files import File, Files

import quoth
from links import ROOT, for_site, outside_pages
from quoth.cli import COMMANDS, app

NOTEBOOK = ROOT / "docs" / "tutorial" / "tutorial.ipynb"
PACKAGES = ("data", "reading", "engines", "evaluation", "training", "exporting", "store")
GENERATED = re.compile(r"<!-- generated: (\w+) -->")
MARKUP = re.compile(r"\[/?[a-z ]+\]")  # rich's, in help texts


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are not files below docs/."""
    pages = {"decisions/index.md": decisions_page(), **tutorial_pages()}
    documents = (file.relative_to(ROOT).as_posix() for file in sorted((ROOT / "docs").rglob("*.md")))
    for name, content in (pages | outside_pages(documents)).items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in the generated parts of a page, and turn its links into links between pages."""
    parts = {"commands": commands_part, "packages": packages_part}
    return GENERATED.sub(lambda mark: parts[mark[1]](), for_site(page.file.src_uri, markdown))


def commands_part() -> str:
    """Return every command, as its help describes it."""
    top: Any = typer.main.get_command(app)
    parts: list[str] = []
    for name in COMMANDS:
        parts += command_part(top.get_command(None, name), f"quoth {name}")
    return "\n".join(parts)


def command_part(command: Any, path: str) -> list[str]:
    """Return one command and its subcommands."""
    below: dict[str, Any] = getattr(command, "commands", None) or {}
    parts = [f"{'##' if path.count(' ') == 1 else '###'} {path}\n", sentence(command.help), ""]
    for name in below:
        parts += command_part(below[name], f"{path} {name}")
    rows = [row for parameter in command.params if (row := parameter_row(parameter))] if not below else []
    if rows:
        parts += ["| | | default |", "|---|---|---|", *rows, ""]
    return parts


def parameter_row(parameter: Any) -> str | None:
    """Return an argument or a flag as a row of a table."""
    if getattr(parameter, "hidden", False):
        return None
    if parameter.param_type_name == "argument":
        name = f"`{parameter.metavar or parameter.name.upper()}`"
    else:
        name = ", ".join(f"`{option}`" for option in (*parameter.opts, *parameter.secondary_opts))
        if not parameter.is_flag:
            name += f" `{parameter.metavar or parameter.type.name}`"
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


def packages_part() -> str:
    """Return the public names of each package, apart from those of `import quoth`, for mkdocstrings."""
    parts = []
    for package in PACKAGES:
        module = import_module(f"quoth.{package}")
        parts += [f"## quoth.{package}\n", (module.__doc__ or "").splitlines()[0], ""]
        parts += [reference(f"quoth.{package}", name) for name in module.__all__ if name not in quoth.__all__]
    return "\n".join(parts)


def reference(package: str, name: str) -> str:
    """Name an object for mkdocstrings, which takes ``quoth.data.split`` for the module if there is one of that name."""
    if find_spec(f"{package}.{name}") is None:
        return f"::: {package}.{name}\n"
    return f"::: {package}.{name}.{name}\n    options: {{heading: {package}.{name}, toc_label: {name}}}\n"


def decisions_page() -> str:
    """Return the list of decisions, by their headings."""
    parts = ["# Decisions\n", "What was decided, why, and which alternatives were tried. The newest is last.\n"]
    for file in sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")):
        heading = file.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        parts.append(f"- [{heading}]({file.name})")
    return "\n".join(parts) + "\n"


def tutorial_pages() -> dict[str, str | bytes]:
    """Return the tutorial's page and its figures, from the executed notebook."""
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
    """Return the alternative text of a figure: the titles of its plots in the code."""
    return "Plot: " + "; ".join(re.findall(r'title="([^"]+)"', source))


def one_block(markup: str) -> str:
    """Return HTML without blank lines: Markdown ends an HTML block at one."""
    return re.sub(r"\n\s*\n", "\n", markup)
