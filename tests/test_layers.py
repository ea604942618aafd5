"""The layers of the house, held by walking the imports."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import quoth

SOURCE = Path(quoth.__file__).parent

# Lowest first. A room imports from its own layer or below.
LAYERS = (
    ("drawing", "errors", "files", "names", "records", "text"),
    ("data", "documents", "reading"),
    ("engines",),
    ("store",),
    ("reader", "stream"),
    ("dropin", "evaluation"),
    ("calibrate", "engine_benchmark"),
    ("tracking", "training", "export"),
    ("serve", "cli", "__main__"),
)
LAYER = {room: layer for layer, rooms in enumerate(LAYERS) for room in rooms}
# Which rooms or files may import what is heavy, or speaks to a person.
ONLY_IN = {
    "torch": ("engines/torch.py", "training", "export", "dropin"),
    "transformers": ("engines/torch.py", "training", "tracking", "export", "dropin"),
    "accelerate": ("training",),
    "mlflow": ("tracking", "training"),
    "optuna": ("training",),
    "onnx": ("export",),
    "onnxscript": ("export",),
    "openvino": ("engines/openvino.py",),
    "onnxruntime": ("engines/onnx.py",),
    "matplotlib": ("evaluation", "training"),
    "fastapi": ("serve",),
    "uvicorn": ("serve",),
    "typer": ("cli",),
    "click": ("cli",),
    "rich": ("cli",),
}
HEAVY = (
    "torch",
    "transformers",
    "onnxruntime",
    "openvino",
    "tokenizers",
    "numpy",
    "regex",
    "rich",
    "typer",
    "pyarrow",
    "datasets",
    "matplotlib",
)


def imports(tree):
    """Yield the name of every module that a file imports, wherever in it; for ``from a import b``, ``a.b``."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            waiting.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            yield from (part.value for part in node.args[:1] if isinstance(part, ast.Constant))
        waiting.extend(ast.iter_child_nodes(node))


def speaks(tree):
    """Yield every place where a file prints or ends the process."""
    for node in ast.walk(tree):
        called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        raised = ast.unparse(node.exc) if isinstance(node, ast.Raise) and node.exc else ""
        stream = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
        if (
            called in ("print", "exit", "quit", "sys.exit", "os._exit")
            or raised.startswith("SystemExit")
            or stream in ("sys.stdout", "sys.stderr")
        ):
            yield node.lineno


def room_of(parts):
    return parts[0].removesuffix(".py")


def offences(source):
    """Return every break of the rules in a package, and its graph of rooms."""
    found, graph = [], {}
    for file in sorted(source.rglob("*.py")):
        parts = file.relative_to(source).parts
        where, room = "/".join(parts), room_of(parts)
        if where == "__init__.py":
            continue
        if room not in LAYER:
            found.append(f"{where}: is in no layer")
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for name in imports(tree):
            top, *rest = name.split(".")
            if top in ONLY_IN and not any(where == place or where.startswith(f"{place}/") for place in ONLY_IN[top]):
                found.append(f"{where}: imports {top}")
            if top != "quoth" or name == "quoth.__version__":
                continue
            other = rest[0] if rest else ""
            other = quoth._HOMES.get(other, f"quoth.{other}").split(".")[1]
            if LAYER.get(other, len(LAYERS)) > LAYER[room]:
                found.append(f"{where}: imports {name}, of a higher layer")
            if other != room:
                graph.setdefault(room, set()).add(other)
        if room not in ("cli", "__main__"):
            found.extend(f"{where}: line {line} prints or exits" for line in speaks(tree))
    return found, graph


def test_rooms_import_only_from_below():
    found, graph = offences(SOURCE)
    assert found == []
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError
    assert {"reading", "store", "reader", "cli"} <= set(order)  # so it did walk


@pytest.mark.parametrize(
    ("file", "content", "offence"),
    [
        ("reading/a.py", "from quoth.store import x", "reading/a.py: imports quoth.store.x, of a higher layer"),
        ("text.py", "import quoth.data.squad", "text.py: imports quoth.data.squad, of a higher layer"),
        ("engines/a.py", "def f():\n    from quoth import Reader", "engines/a.py: imports quoth.Reader, of a higher"),
        ("data/a.py", "from quoth import cli", "data/a.py: imports quoth.cli, of a higher layer"),
        ("store/a.py", "from quoth import nothing", "store/a.py: imports quoth.nothing, of a higher layer"),
        ("reader.py", "def f():\n    import torch.nn", "reader.py: imports torch"),
        (
            "engines/onnx.py",
            "from importlib import import_module\nimport_module('torch')",
            "engines/onnx.py: imports torch",
        ),
        ("evaluation/a.py", "from rich.table import Table", "evaluation/a.py: imports rich"),
        ("training/a.py", "def f():\n    print(1)", "training/a.py: line 2 prints or exits"),
        ("export/a.py", "import sys\nsys.stderr.write('x')", "export/a.py: line 2 prints or exits"),
        ("store/a.py", "raise SystemExit(2)", "store/a.py: line 1 prints or exits"),
        ("attic/a.py", "", "attic/a.py: is in no layer"),
    ],
)
def test_a_break_of_the_rules_is_seen(tmp_path, file, content, offence):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(content)
    found, _ = offences(tmp_path)
    assert [line.startswith(offence) for line in found] == [True]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("reading/a.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from quoth.store import x"),
        ("engines/torch.py", "import torch"),
        ("cli/a.py", "import sys\nimport typer\nfrom quoth import Reader, __version__\nprint(1)\nsys.exit(2)"),
        ("data/a.py", "from quoth.reading import x"),
    ],
)
def test_what_is_allowed_is_allowed(tmp_path, file, content):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(content)
    assert offences(tmp_path)[0] == []


def test_a_cycle_is_seen(tmp_path):
    for file, content in [("data.py", "import quoth.reading"), ("reading.py", "import quoth.data")]:
        (tmp_path / file).write_text(content)
    with pytest.raises(CycleError):
        list(TopologicalSorter(offences(tmp_path)[1]).static_order())


def test_import_brings_nothing_heavy():
    code = f"import sys, quoth; dir(quoth); print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_are_those_that_load():
    assert sorted(quoth._HOMES) == sorted(quoth.__all__)
    assert set(quoth.__all__) <= set(dir(quoth))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        quoth.nothing  # noqa: B018
