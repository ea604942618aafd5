"""Prints the sizes of the package: ``python tools/sizes.py``.

Counts the lines of modules, and of functions with decorators and docstrings; lists functions of more than 60 lines and
modules of more than 300, longest first; and counts the import cycles, as ``tools/layers.py`` finds them.
"""

import ast
from statistics import median

from layers import SOURCE, cycles, read_graph

LONG_FUNCTION, LONG_MODULE = 60, 300


def main() -> None:
    """Measure and print."""
    graph = read_graph(SOURCE)
    modules, functions = [], []
    for module in graph.modules.values():
        modules.append((len((SOURCE / module.path).read_text(encoding="utf-8").splitlines()), module.path))
        functions += [(length_of(node), f"{module.path}: {node.name}") for node in functions_of(module.tree)]
    for kind, sizes, limit in (("modules", modules, LONG_MODULE), ("functions", functions, LONG_FUNCTION)):
        lines = [size for size, _ in sizes]
        print(f"{len(sizes):,} {kind}: {median(lines):g} lines in the median, {max(lines)} in the longest")
        for size, name in sorted(sizes, reverse=True):
            if size > limit:
                print(f"  {size} {name}")
    print(f"{len(cycles(graph))} import cycles")


def functions_of(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return all functions of a module, also methods and nested ones."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def length_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of lines of a function."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return (node.end_lineno or first) - first + 1


if __name__ == "__main__":
    main()
