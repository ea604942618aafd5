"""The layers of the package: one table, the import graph, and every break of the rules.

``python tools/layers.py`` rewrites the diagram in CONTRIBUTING.md. ``tests/test_layers.py`` checks the rules.

An import is any import: at the top of a module, in a function, for types only, or through ``import_module`` with a
constant. ``from package import name`` counts as an import of the package and of the module that defines the name.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "quoth"

# Lowest first: a package (or a module beside them) imports from its own layer or from those below it.
LAYERS = (
    (
        "config",
        "deprecated",
        "display",
        "encodings",
        "errors",
        "files",
        "inputs",
        "live",
        "names",
        "notebook",
        "records",
        "signals",
        "text",
    ),
    ("data", "documents", "evaluation", "reading", "verification"),
    ("engines",),
    ("asked", "store", "stream"),
    ("lengths",),
    ("reader",),
    ("calibrating", "corpus", "drawing", "dropin", "engine_benchmark", "engine_profile", "tables"),
    ("adapters", "export", "exporting", "tracking", "training"),
    ("__init__",),
    ("__main__", "cli", "serve"),
)
# A layer whose members do not import each other: scoring needs no reader, parsing needs no server.
SIBLINGS = LAYERS[1]
# Modules that import by a computed name. `notebook` is the one place that reaches a higher layer.
DYNAMIC = ("__init__.py", "cli/__init__.py", "notebook.py", "training/__init__.py")
MARKS = ("<!-- layers: written by tools/layers.py -->\n", "<!-- end of layers -->\n")


@dataclass
class Module:
    """A module, its imports and calls, and the origin of each name that it re-exports."""

    path: str
    tree: ast.Module
    nodes: list[ast.Import | ast.ImportFrom | ast.Call]
    hands_on: dict[str, tuple[str, str]]

    @classmethod
    def read(cls, file: Path, path: str) -> "Module":
        """Read a module from its file; ``path`` is its path below the package."""
        tree = ast.parse(file.read_text(encoding="utf-8"))
        nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom, ast.Call))]
        named = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
        origins = {name.asname or name.name: (node.module or "", name.name) for node in named for name in node.names}
        return cls(path, tree, nodes, origins)


@dataclass
class Graph:
    """The imports of each module: paths below the package, such as ``data/read.py``, and external modules."""

    modules: dict[str, Module]
    inside: dict[str, set[str]] = field(default_factory=dict)
    outside: dict[str, set[str]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def files(self, source: str) -> list[str]:
        """Return what a module imports, in a fixed order."""
        return sorted(self.inside.get(source, ()))


def read_graph(source: Path, package: str = "quoth") -> Graph:
    """Read the import graph of a package from its source."""
    modules = {}
    for file in sorted(source.rglob("*.py")):
        path = file.relative_to(source).as_posix()
        modules[dotted(path, package)] = Module.read(file, path)
    graph = Graph(modules)
    for module in modules.values():
        for name, member in imports(module, graph):
            if name.split(".")[0] != package:
                graph.outside.setdefault(module.path, set()).add(name.split(".")[0])
                continue
            found = resolve(graph, name, member)
            if not found:
                graph.unknown.append(
                    f"{module.path}: imports {name}{f'.{member}' * bool(member)}, which does not exist"
                )
            graph.inside.setdefault(module.path, set()).update(found - {module.path})
    return graph


def dotted(path: str, package: str) -> str:
    """Return the name of a module: ``quoth.data`` for ``data/__init__.py``."""
    parts = [package, *path.removesuffix(".py").split("/")]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(module: Module, graph: Graph) -> Iterator[tuple[str, str]]:
    """Yield the imports of a module: a module's name, and the name that is imported from it or ``""``."""
    for node in module.nodes:
        if isinstance(node, ast.Import):
            yield from ((name.name, "") for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                graph.unknown.append(f"{module.path}: imports must be absolute")
            else:
                yield from ((node.module or "", name.name) for name in node.names)
        elif ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant):
                yield str(first.value), ""
            elif module.path not in DYNAMIC:
                graph.unknown.append(f"{module.path}: line {node.lineno} imports by a computed name")


def resolve(graph: Graph, name: str, member: str) -> set[str]:
    """Return the modules that an import needs: the named one, and the one that defines the imported name."""
    found: set[str] = set()
    while True:
        below = f"{name}.{member}" if member else name
        if below in graph.modules:
            return found | {graph.modules[below].path}
        if name not in graph.modules:
            return found
        module = graph.modules[name]
        if module.path in found:
            return found  # a circular re-export
        found.add(module.path)
        if member not in module.hands_on or not module.hands_on[member][0].startswith("quoth"):
            return found
        name, member = module.hands_on[member]


def home(path: str) -> str:
    """Return the package, or the top-level module, that a module belongs to."""
    return path.split("/")[0].removesuffix(".py")


def breaks(graph: Graph) -> list[str]:
    """Return every import that the table does not allow, and every module that it does not list."""
    layer = {name: index for index, names in enumerate(LAYERS) for name in names}
    found = list(graph.unknown)
    homes = sorted({home(module.path) for module in graph.modules.values()})
    found += [f"{name}: is in no layer of tools/layers.py" for name in homes if name not in layer]
    for source in sorted(graph.inside):
        mine = home(source)
        for target in graph.files(source):
            other = home(target)
            if layer.get(other, 0) > layer.get(mine, len(LAYERS)):
                found.append(f"{source}: imports {target}, of a higher layer")
            elif other != mine and other in SIBLINGS and mine in SIBLINGS:
                found.append(f"{source}: imports {target}, but {mine} and {other} must not import each other")
    return found


def missing(graph: Graph) -> list[str]:
    """Return the names in the table that do not exist."""
    homes = {home(module.path) for module in graph.modules.values()}
    return [name for names in LAYERS for name in names if name not in homes]


def cycles(graph: Graph) -> list[str]:
    """Return a shortest cycle of each strongly connected set of modules or of parts of a package, as a sentence."""
    found = [f"import cycle: {' -> '.join(cycle)}" for cycle in shortest_cycles(graph.inside)]
    folders = {"/".join(module.path.split("/")[:depth]) for module in graph.modules.values() for depth in range(4)}
    for folder in sorted(folders - {module.path for module in graph.modules.values()}):
        parts = shortest_cycles(parts_graph(graph, f"{folder}/" if folder else ""))
        found += [f"cycle of the parts of {folder or 'quoth'}: {' -> '.join(cycle)}" for cycle in parts]
    return found


def parts_graph(graph: Graph, folder: str) -> dict[str, set[str]]:
    """Return which parts of a package (its modules and packages) import which others."""
    parts: dict[str, set[str]] = {}
    for source, targets in graph.inside.items():
        for target in targets:
            if source.startswith(folder) and target.startswith(folder):
                one, other = (path[len(folder) :].split("/")[0] for path in (source, target))
                # The __init__ of a package is not a separate part.
                if one != other and "__init__.py" not in (one, other):
                    parts.setdefault(one, set()).add(other)
    return parts


def shortest_cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return one shortest cycle for each set of nodes that reach each other, from its first node back to it."""
    found: list[list[str]] = []
    told: set[str] = set()
    for start in sorted(graph):
        way = shortest_way(graph, start)
        if way and not told & set(way):
            found.append(way)
            told |= {node for node in graph if reaches(graph, start, node) and reaches(graph, node, start)}
    return found


def shortest_way(graph: dict[str, set[str]], start: str) -> list[str]:
    """Return the shortest path from a node back to itself, or an empty list."""
    waiting = [[start]]
    seen: set[str] = set()
    for way in waiting:
        for target in sorted(graph.get(way[-1], ())):
            if target == start:
                return [*way, start]
            if target not in seen:
                seen.add(target)
                waiting.append([*way, target])
    return []


def reaches(graph: dict[str, set[str]], start: str, end: str) -> bool:
    """Return whether there is a path from one node to another."""
    waiting = [start]
    seen: set[str] = set()
    while waiting:
        for target in graph.get(waiting.pop(), ()):
            if target == end:
                return True
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return False


def diagram() -> str:
    """Return the layers as CONTRIBUTING.md shows them, the lowest last."""
    names = {"__init__": "quoth (the public names)"}
    rows = []
    for layer in reversed(LAYERS):
        row = " · ".join(names.get(name, name) for name in layer if name != "__main__")
        rows.append(f"{row}    (do not import each other)" if layer == SIBLINGS else row)
    return "```text\n" + "\n  ↓\n".join(rows) + "\n```\n"


def with_diagram(text: str) -> str:
    """Return CONTRIBUTING.md with the diagram of the current table."""
    before, _, rest = text.partition(MARKS[0])
    return f"{before}{MARKS[0]}{diagram()}{MARKS[1]}{rest.partition(MARKS[1])[2]}"


if __name__ == "__main__":
    page = ROOT / "CONTRIBUTING.md"
    page.write_text(with_diagram(page.read_text(encoding="utf-8")), encoding="utf-8")
    problems = breaks(read_graph(SOURCE)) + cycles(read_graph(SOURCE))
    print("\n".join(problems) or "no break of the layers, no cycle")
    sys.exit(bool(problems))
