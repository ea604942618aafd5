"""The layers of the package: every import counts; there are no upward imports and no cycles."""

import ast
import subprocess
import sys
from functools import cache

import pytest

import quoth
from layers import LAYERS, ROOT, SOURCE, breaks, cycles, missing, read_graph, with_diagram

# Packages and modules that may import heavy packages, or print.
ONLY_IN = {
    "torch": ("engines/torch.py", "training", "exporting", "dropin"),
    "transformers": ("engines/torch.py", "training", "tracking", "exporting", "dropin"),
    "accelerate": ("training",),
    "mlflow": ("tracking", "training"),
    "optuna": ("training",),
    "onnx": ("exporting",),
    "onnxscript": ("exporting",),
    "openvino": ("engines/openvino.py", "engines/counters.py", "engines/float_products.py"),
    "onnxruntime": ("engines/onnx.py",),
    "matplotlib": ("evaluation", "training"),
    "fastapi": ("serve",),
    "uvicorn": ("serve",),
    "typer": ("cli",),
    "click": ("cli",),
    "rich": ("cli",),
    "ray": ("tables/ray.py",),
    "pyspark": ("tables/spark.py",),
    "psycopg": ("corpus/postgres.py",),
    "tantivy": ("corpus/tantivy_index.py",),
    "haystack": ("adapters/haystack.py",),
    "langchain_core": ("adapters/langchain.py",),
    "mcp": ("adapters/mcp.py",),
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


def prints(tree):
    """Yield every line where a module prints or ends the process."""
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


@cache
def read_source(source):
    """Read the import graph of the package once for all tests; its files do not change meanwhile."""
    return read_graph(source)


def offences(source):
    """Return every violation of the rules in a package."""
    graph = read_source(source) if source == SOURCE else read_graph(source)
    found = breaks(graph) + cycles(graph)
    for module in graph.modules.values():
        where = module.path
        for name in sorted(graph.outside.get(where, ())):
            if name in ONLY_IN and not any(where == place or where.startswith(f"{place}/") for place in ONLY_IN[name]):
                found.append(f"{where}: imports {name}")
        if where.split("/")[0] not in ("cli", "__main__.py"):
            found.extend(f"{where}: line {line} prints or exits" for line in prints(module.tree))
    return found


def plant(folder, files):
    """Write modules; each folder becomes a package."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    for below in folder.rglob("*/"):
        (below / "__init__.py").touch()


def test_imports_respect_the_layers_without_cycles():
    assert offences(SOURCE) == []
    graph = read_source(SOURCE)
    assert "reading/windows.py" in graph.inside["drawing/window.py"]  # through the package that hands it on
    assert "engines/torch.py" in graph.inside["store/engine.py"]  # imported in a function
    assert "training/run.py" in graph.inside["training/__init__.py"]  # for types only


def test_the_table_lists_what_exists():
    assert missing(read_source(SOURCE)) == []
    names = [name for layer in LAYERS for name in layer]
    assert len(names) == len(set(names))


def test_a_listed_package_that_does_not_exist_is_detected(tmp_path):
    plant(tmp_path, {"data/read.py": ""})
    names = missing(read_graph(tmp_path))
    assert "data" not in names
    assert {"reading", "cli"} <= set(names)


def test_the_diagram_in_contributing_matches_the_table():
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert with_diagram(page) == page, "run: python tools/layers.py"


TYPES = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    "
# Former cycles as small trees, and the expected message for each.
CYCLES = {
    "a record draws itself": (
        {
            "records.py": "def html():\n    from quoth.drawing import prediction_html",
            "drawing/__init__.py": TYPES + "from quoth.drawing.prediction import prediction_html",
            "drawing/prediction.py": TYPES + "from quoth.records import Prediction",
        },
        "drawing/__init__.py -> drawing/prediction.py -> records.py -> drawing/__init__.py",
    ),
    "a window draws itself": (
        {
            "reading/__init__.py": "from quoth.reading.windows import Window",
            "reading/windows.py": "def html():\n    from quoth.drawing.page import html",
            "drawing/page.py": TYPES + "from quoth.reading import Window",
        },
        "drawing/page.py -> reading/windows.py -> drawing/page.py",
    ),
    "an explanation draws itself": (
        {
            "reading/explanation.py": "def html():\n    import quoth.drawing.explanation",
            "drawing/explanation.py": "from quoth.reading import explanation",
        },
        "drawing/explanation.py -> reading/explanation.py -> drawing/explanation.py",
    ),
    "a snapshot reads the trainer": (
        {
            "training/trainer.py": "from quoth.training.snapshot import snapshot",
            "training/snapshot.py": TYPES + "from quoth.training.trainer import ReaderTrainer",
        },
        "training/snapshot.py -> training/trainer.py -> training/snapshot.py",
    ),
    "tracking needs the configuration of training": (
        {
            "training/config.py": "",
            "training/run.py": "from quoth.tracking.callback import MlflowTracker",
            "tracking/callback.py": TYPES + "from quoth.training.config import TrainConfig",
        },
        "cycle of the parts of quoth: tracking -> training -> tracking",
    ),
    "the queue refuses as the endpoints do": (
        {
            "serve/http/app.py": "from quoth.serve.queue.answerer import Answerer",
            "serve/http/errors.py": "class ApiError: pass",
            "serve/queue/answerer.py": "from quoth.serve.http.errors import ApiError",
        },
        "cycle of the parts of serve: http -> queue -> http",
    ),
    "three modules of one package": (
        {
            "data/a.py": "import quoth.data.b",
            "data/b.py": "def f():\n    from importlib import import_module\n    import_module('quoth.data.c')",
            "data/c.py": "from quoth.data import a",
        },
        "import cycle: data/a.py -> data/b.py -> data/c.py -> data/a.py",
    ),
}


@pytest.mark.parametrize(("files", "sentence"), CYCLES.values(), ids=CYCLES)
def test_a_cycle_is_detected(tmp_path, files, sentence):
    plant(tmp_path, files)
    assert any(sentence in line for line in cycles(read_graph(tmp_path)))


@pytest.mark.parametrize("left_out", CYCLES["three modules of one package"][0])
def test_other_imports_are_not_reported_as_cycles(tmp_path, left_out):
    files = {**CYCLES["three modules of one package"][0], left_out: ""}
    plant(tmp_path, files)
    assert cycles(read_graph(tmp_path)) == []


BELOW = {f"{name}.py": "" for layer in LAYERS[:1] for name in layer} | {"reading/words.py": "", "data/read.py": ""}


@pytest.mark.parametrize(
    ("file", "content", "offence"),
    [
        ("text.py", "import quoth.data.read", "text.py: imports data/read.py, of a higher layer"),
        ("text.py", "from quoth import data", "text.py: imports data/__init__.py, of a higher layer"),
        ("text.py", TYPES + "from quoth.data import read", "text.py: imports data/read.py, of a higher layer"),
        ("text.py", "def f():\n    from quoth.data import read", "text.py: imports data/read.py, of a higher layer"),
        (
            "data/a.py",
            "from quoth.reading import words",
            "data/a.py: imports reading/words.py, but data",
        ),
        ("data/a.py", "from quoth.nowhere import x", "data/a.py: imports quoth.nowhere.x, which does not exist"),
        ("data/a.py", "from . import read", "data/a.py: imports must be absolute"),
        (
            "data/a.py",
            "import importlib\nimportlib.import_module('x' + 'y')",
            "data/a.py: line 2 imports by a",
        ),
        ("reader.py", "def f():\n    import torch.nn", "reader.py: imports torch"),
        (
            "engines/onnx.py",
            "import importlib\nimportlib.import_module('torch')",
            "engines/onnx.py: imports torch",
        ),
        ("evaluation/a.py", "from rich.table import Table", "evaluation/a.py: imports rich"),
        ("training/a.py", "def f():\n    print(1)", "training/a.py: line 2 prints or exits"),
        ("exporting/a.py", "import sys\nsys.stderr.write('x')", "exporting/a.py: line 2 prints or exits"),
        ("store/a.py", "raise SystemExit(2)", "store/a.py: line 1 prints or exits"),
        ("attic/a.py", "", "attic: is in no layer"),
    ],
)
def test_a_forbidden_import_is_detected(tmp_path, file, content, offence):
    plant(tmp_path, {**BELOW, file: content})
    found = offences(tmp_path)
    assert found
    assert all(line.startswith(offence) or "does not" in offence or "/__init__.py" in line for line in found)
    assert any(line.startswith(offence) for line in found)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("engines/torch.py", "import torch\nfrom quoth.reading import words"),
        ("cli/a.py", "import sys\nimport typer\nfrom quoth.data import read\nprint(1)\nsys.exit(2)"),
        ("notebook.py", "from importlib import import_module\nimport_module('quoth.' + 'drawing')"),
        ("data/a.py", "from quoth.text import x"),
    ],
)
def test_allowed_imports_are_not_reported(tmp_path, file, content):
    plant(tmp_path, {**BELOW, file: content})
    assert offences(tmp_path) == []


def test_importing_quoth_imports_no_heavy_package():
    code = f"import sys, quoth; dir(quoth); print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_all_public_names_can_be_imported():
    assert sorted(quoth._HOMES) == sorted(quoth.__all__)
    assert set(quoth.__all__) <= set(dir(quoth))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        quoth.nothing  # noqa: B018


def test_packages_are_attributes():
    code = "import quoth; print(quoth.data.read_examples is quoth.read_examples, quoth.compare.__module__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True quoth.evaluation.compare\n"
