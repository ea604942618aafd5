"""The documentation site: it builds without warnings, loads no external resources, and documents every name."""

import html
import json
import os
import re
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer

import quoth
from quoth.cli import COMMANDS, app
from quoth.errors import QuothError
from support.browser import chromium

ROOT = Path(__file__).parent.parent
PACKAGES = ("data", "reading", "engines", "evaluation", "training", "exporting", "store")
# Attributes whose URLs a browser loads when it shows a page.
FETCHED = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed|track)\b[^>]*?\bsrc(?:set)?=[\"']?([^\"' >]+)"
    r"|<link\b(?![^>]*\brel=[\"']?(?:canonical|prev|next|edit))[^>]*?\bhref=[\"']?([^\"' >]+)"
    r"|url\([\"']?([^\"')]+)|@import\s+[\"']([^\"']+)"
)

# The group docs is not in the environment of make test-base.
pytestmark = [pytest.mark.long, pytest.mark.torch]


def fetched(text):
    return [next(filter(None, match)) for match in FETCHED.findall(text)]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    assert find_spec("mkdocs"), "the group docs is not installed: make test makes its environment anew"
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def page(site, name):
    return (site / name).read_text(encoding="utf-8")


def test_no_external_resources_are_loaded(site):
    files = [*site.rglob("*.html"), *site.rglob("*.css"), *site.rglob("*.svg")]
    assert len(files) > 20
    found = {file.name: foreign for file in files if (foreign := foreign_ones(file.read_text(encoding="utf-8")))}
    assert found == {}


def foreign_ones(text):
    return [address for address in fetched(text) if re.match(r"(https?:)?//", address)]


@pytest.mark.parametrize(
    ("text", "foreign"),
    [
        ('<script src="https://a.example/x.js">', True),
        ("<link rel=stylesheet href=//a.example/x.css>", True),
        ('@import "https://a.example/x.css";', True),
        ("@font-face { src: url(https://a.example/x.woff2) }", True),
        ('<img src="figure.png">', False),
        ('<a href="https://a.example">a</a>', False),
        ('<link rel="canonical" href="https://a.example">', False),
        ("svg { background: url('data:image/svg+xml;utf8,x') }", False),
    ],
)
def test_external_resources_are_detected(text, foreign):
    assert bool(foreign_ones(text)) is foreign


@pytest.mark.long
@pytest.mark.browser
def test_a_browser_sends_no_requests_to_other_hosts(site):
    """A scan of the files cannot detect requests of scripts."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        with chromium() as driver:
            for name in ("index.html", "tutorial/index.html", "reference/quoth.html"):
                driver.get(url + name)
                time.sleep(1)  # for what comes late
                asked = driver.execute_script("return performance.getEntriesByType('resource').map(each => each.name)")
                assert len(asked) > 3
                assert [each for each in asked if not each.startswith((url, "data:", "blob:"))] == []
        server.shutdown()


def links_of(text):
    """Return the links and images of a page that are not on the web."""
    found = re.findall(r"<(?:a|img|link|script)\b[^>]*?\b(?:href|src)=[\"']?([^\"' >]+)", text)
    return [html.unescape(each) for each in found if not re.match(r"[a-z]+:|//", each)]


def test_every_relative_link_has_an_existing_target_and_anchor(site):
    pages = {file: file.read_text(encoding="utf-8") for file in site.rglob("*.html") if file.name != "404.html"}
    ids = {file: set(re.findall(r"\bid=[\"']?([^\"' >]+)", text)) for file, text in pages.items()}
    dead = []
    for file, text in pages.items():
        for link in links_of(text):
            path, _, anchor = link.partition("#")
            target = (file.parent / path).resolve() if path else file
            known = ids.get(target)
            if not target.exists() or (anchor and known is not None and anchor not in known):
                dead.append(f"{file.relative_to(site)}: {link}")
    assert dead == []
    outside = {"source/CONTRIBUTING.html", "source/CHANGELOG.html", "source/deploy/compose.yaml.html"}
    assert outside <= {file.relative_to(site).as_posix() for file in pages}


def test_every_public_name_is_documented(site):
    ids = set(re.findall(r'id="(quoth\.[\w.]+)"', page(site, "reference/quoth.html")))
    assert {f"quoth.{name}" for name in quoth.__all__} <= ids
    ids = set(re.findall(r'id="(quoth\.[\w.]+)"', page(site, "reference/packages.html")))
    names = [(package, name) for package in PACKAGES for name in import_module(f"quoth.{package}").__all__]
    for package, name in names:
        # Of a function in a file of its own name, the function.
        file = f".{name}" if find_spec(f"quoth.{package}.{name}") else ""
        assert name in quoth.__all__ or f"quoth.{package}.{name}{file}" in ids


def test_docstrings_are_rendered_correctly(site):
    text = page(site, "reference/quoth.html") + page(site, "reference/packages.html")
    prose = re.sub(r"<pre.*?</pre>|<code>.*?</code>", "", text, flags=re.DOTALL)
    assert re.findall(r":(?:meth|func|class|attr|data):|&gt;&gt;&gt;", prose) == []


def test_every_command_and_flag_is_documented(site):
    text = html.unescape(page(site, "reference/commands.html"))
    top = typer.main.get_command(app)
    for name in COMMANDS:
        command = top.get_command(None, name)
        below = getattr(command, "commands", {})
        for path, each in [(name, command), *((f"{name} {sub}", below[sub]) for sub in below)]:
            assert f">quoth {path}<" in text
            part = text.partition(f">quoth {path}<a")[2].partition("<h2")[0]
            options = [parameter for parameter in each.params if parameter.param_type_name == "option"]
            for option in [] if below and each is command else options:
                assert all(f"<code>{flag}" in part for flag in option.opts), (path, option.name)


def test_every_error_has_a_remedy(site):
    def below(kind):
        return {kind.__name__}.union(*map(below, kind.__subclasses__()))

    tables = "".join(re.findall(r"<table.*?</table>", page(site, "reference/errors.html"), re.DOTALL))
    named = {name for name in below(QuothError) if import_module("quoth.errors").__dict__.get(name)}
    assert len(named) > 10
    assert sorted(name for name in named - {"QuothError"} if f"<code>{name}</code>" not in tables) == []


def test_the_notebook_matches_the_script():
    jupytext = import_module("jupytext")
    folder = ROOT / "docs" / "tutorial"
    script = jupytext.read(folder / "tutorial.py").cells
    notebook = json.loads((folder / "tutorial.ipynb").read_text(encoding="utf-8"))["cells"]
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in notebook] == [
        (cell.cell_type, cell.source) for cell in script
    ], "make the notebook again: make refresh, or python tools/tutorial.py"
    assert all(cell["outputs"] is not None for cell in notebook if cell["cell_type"] == "code")
    assert sum(bool(cell.get("outputs")) for cell in notebook) > 15
    errors = [output for cell in notebook for output in cell.get("outputs", []) if output["output_type"] == "error"]
    assert errors == []


@pytest.mark.long
def test_the_tutorial_runs_from_start_to_end(tmp_path):
    """Run it offline; its assertions check that the held-out F1 increases. In CI, on two cores, it has five minutes."""
    base = Path(os.environ.get("QUOTH_TUTORIAL_BASE", ROOT / "readers" / "shipped"))
    if not (base / "model.safetensors").is_file():
        pytest.skip(f"{base} holds no float checkpoint")
    command = [sys.executable, str(ROOT / "tools" / "tutorial.py"), str(tmp_path / "tutorial.ipynb")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    cells = json.loads((tmp_path / "tutorial.ipynb").read_text(encoding="utf-8"))["cells"]
    last = "".join(cells[-1]["outputs"][0]["text"])
    assert float(re.search(r"([\d.]+) minutes", last)[1]) < (5 if os.environ.get("CI") == "true" else 30)
