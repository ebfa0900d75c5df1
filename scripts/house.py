"""Measure the size and structure of the code, and check the project's targets.

Run ``python scripts/house.py`` from any folder. It has no dependencies. It prints one line per measurement,
followed by all places that miss a target, and exits with status 1 if there are any. ``--folders`` adds a
table of folders.

Product code is ``app.py`` and ``playground/``. Docstrings, comments and blank lines count as lines.
"""

from __future__ import annotations

import argparse
import ast
import statistics
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

FILE_LINES = 500
CLASS_LINES = 300
CLASS_METHODS = 25
MEDIAN_LINES = 8
LONG_FUNCTION_LINES = 50
LONG_FUNCTIONS = 10

MARKERS = ("# For tests.", "# Used by the token lens, to come.")
"""Comments that mark the definition on their line as intentionally unused by the product."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, kw_only=True)
class Place:
    """A definition or file and its size."""

    path: str
    line: int
    name: str
    size: int

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else self.path
        return f"{where} {self.name} ({self.size})".replace("  ", " ")


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A measurement with its target and the places that miss the target."""

    name: str
    value: float
    target: float
    misses: tuple[str, ...] = ()

    @property
    def is_met(self) -> bool:
        """Whether the value is within the target."""
        return self.value <= self.target


class Module:
    """A parsed source file."""

    def __init__(self, path: Path, root: Path) -> None:
        self.path = path.relative_to(root).as_posix()
        self.text = path.read_text(encoding="utf-8")
        self.lines = self.text.splitlines()
        self.tree = ast.parse(self.text)
        self.name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")

    def functions(self) -> Iterator[Place]:
        """Yield every function and method, including nested ones, with its line count from ``def`` to the
        end.
        """
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield self._place(node.lineno, node.name, _length(node))

    def classes(self) -> Iterator[tuple[Place, int]]:
        """Yield every class with its number of methods, excluding inherited ones."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ClassDef):
                methods = sum(isinstance(each, Function) for each in node.body)
                yield self._place(node.lineno, node.name, _length(node)), methods

    def definitions(self) -> Iterator[Place]:
        """Yield the definitions that must be used by other code: functions, classes, constants and methods.

        Special methods are excluded. So are methods of classes derived from other packages, which may call
        them; functions registered by a decorator call such as ``@app.command()``; and definitions with one of
        `MARKERS` on their line.
        """
        own = {node.name for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef)}
        for node in self.tree.body:
            yield from self._definition(node)
            if isinstance(node, ast.ClassDef) and {_last(base) for base in node.bases} <= own | PLAIN_BASES:
                for each in node.body:
                    if isinstance(each, Function):
                        yield from self._definition(each)

    def _definition(self, node: ast.stmt) -> Iterator[Place]:
        names: list[str] = []
        registered = isinstance(node, Function) and any(
            isinstance(each, ast.Call) for each in node.decorator_list
        )
        if isinstance(node, Function | ast.ClassDef) and not registered:
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        for name in names:
            is_special = name.startswith("__") and name.endswith("__")
            if not is_special and not any(marker in self.lines[node.lineno - 1] for marker in MARKERS):
                yield self._place(node.lineno, name, _length(node))

    def _place(self, line: int, name: str, size: int) -> Place:
        return Place(path=self.path, line=line, name=name, size=size)


PLAIN_BASES = {"Protocol", "Exception", "BaseException", "Generic", "object"}
"""External base classes that do not call subclass methods by name."""


def read_modules(root: Path, *places: str) -> list[Module]:
    """Parse all Python files at or below the given paths, and return the modules sorted by path.

    Args:
        root: the repository root.
        places: paths of files and folders, relative to the root.
    """
    found: list[Path] = []
    for place in places:
        path = root / place
        found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return [Module(path, root) for path in found]


def find_circles(modules: Sequence[Module]) -> list[list[str]]:
    """Find groups of modules that import each other, directly or indirectly.

    Imports inside functions count. Imports only for type checkers do not, because they are never executed.
    """
    names = {module.name for module in modules}
    graph = {module.name: _imported(module, names) - {module.name} for module in modules}
    reached = {name: _reachable(graph, name) for name in graph}
    circles = {
        tuple(sorted({name} | {other for other in reached[name] if name in reached[other]}))
        for name in graph
        if name in reached[name]
    }
    return sorted(map(list, circles))


def find_unused(modules: Sequence[Module], texts: Iterable[str]) -> list[Place]:
    """Find definitions whose names are used nowhere in the product.

    A name counts as used if it occurs as an identifier, an attribute, a keyword argument, the source of an
    import alias, or an entire string. Exporting a name from a package does not count as a use.

    Args:
        modules: the product's modules.
        texts: contents of other files, such as pyproject.toml, in which every word counts as a use.
    """
    words: Counter[str] = Counter()
    for module in modules:
        words.update(_words(module.tree))
    for text in texts:
        words.update(text.replace(":", " ").replace('"', " ").split())
    return [place for module in modules for place in module.definitions() if not words[place.name]]


def check_goals(root: Path = ROOT) -> list[Goal]:
    """Return all measurements that have a target."""
    modules = read_modules(root, "app.py", "playground")
    functions = [place for module in modules for place in module.functions()]
    classes = [pair for module in modules for pair in module.classes()]
    files = [Place(path=each.path, line=0, name="", size=len(each.lines)) for each in modules]
    long_functions = [place for place in functions if place.size > LONG_FUNCTION_LINES]
    circles = find_circles(modules)
    unused = find_unused(modules, [(root / "pyproject.toml").read_text(encoding="utf-8")])
    methods = [Place(path=place.path, line=place.line, name=place.name, size=n) for place, n in classes]
    return [
        _largest("lines in the longest file", files, FILE_LINES),
        _largest("lines in the longest class", [place for place, _ in classes], CLASS_LINES),
        _largest("methods in the largest class", methods, CLASS_METHODS),
        Goal(
            name="median lines per function",
            value=statistics.median(place.size for place in functions),
            target=MEDIAN_LINES,
        ),
        Goal(
            name=f"functions over {LONG_FUNCTION_LINES} lines",
            value=len(long_functions),
            target=LONG_FUNCTIONS,
            misses=tuple(map(str, _descending(long_functions))),
        ),
        Goal(
            name="circular imports",
            value=len(circles),
            target=0,
            misses=tuple(" <-> ".join(circle) for circle in circles),
        ),
        Goal(name="unused definitions", value=len(unused), target=0, misses=tuple(map(str, unused))),
    ]


def describe_size(root: Path = ROOT) -> dict[str, float]:
    """Return the measurements without targets: lines in the product, its assets and the tests."""
    product = read_modules(root, "app.py", "playground")
    tests = read_modules(root, "tests")
    assets = [path for path in (root / "playground").rglob("*") if path.suffix in (".css", ".js")]
    lines = sum(len(module.lines) for module in product)
    test_lines = sum(len(module.lines) for module in tests)
    return {
        "product files": len(product),
        "product lines": lines,
        "css and js lines": sum(len(path.read_text(encoding="utf-8").splitlines()) for path in assets),
        "test lines": test_lines,
        "tests / product": round(test_lines / lines, 3),
    }


def list_folders(root: Path = ROOT) -> list[tuple[str, int, int, int]]:
    """Return the name, file count, line count and longest file's line count of each product folder."""
    sizes: dict[str, list[int]] = {}
    for module in read_modules(root, "app.py", "playground"):
        sizes.setdefault(str(Path(module.path).parent), []).append(len(module.lines))
    return [(folder, len(lines), sum(lines), max(lines)) for folder, lines in sorted(sizes.items())]


# --- Parts of the measurements ----------------------------------------------------------------------


def _length(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _last(node: ast.expr) -> str:
    """Return the last part of a dotted name, without subscripts. Returns "" if the node is not a name."""
    if isinstance(node, ast.Subscript):
        return _last(node.value)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _descending(places: Iterable[Place]) -> list[Place]:
    return sorted(places, key=lambda place: -place.size)


def _largest(name: str, places: Sequence[Place], target: int) -> Goal:
    over = [place for place in _descending(places) if place.size > target]
    return Goal(
        name=name,
        value=max(place.size for place in places),
        target=target,
        misses=tuple(map(str, over)),
    )


def _imported(module: Module, names: set[str]) -> set[str]:
    """Return the modules in `names` that are imported by a module."""
    found: set[str] = set()
    for node in _runtime_nodes(module.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            # If only submodules of a package are imported, the package itself does not count as imported.
            found |= (below & names) or {node.module}
            if not below <= names:
                found.add(node.module)
    return found & names


def _runtime_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes except those inside ``if TYPE_CHECKING:``."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and _last(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from _runtime_nodes(child)


def _reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph[name]
    return found


def _words(tree: ast.Module) -> Iterator[str]:
    """Yield all strings, and all names that are read, imported under an alias, or used as keyword
    arguments.
    """
    exports = [
        node for node in tree.body if isinstance(node, ast.Assign) and _last(node.targets[0]) == "__all__"
    ]
    exported = {id(each) for node in exports for each in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in exported:
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names if alias.asname not in (None, alias.name))
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def main() -> int:
    """Print the measurements and return the exit status, which is 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--folders", action="store_true", help="also print a table of folders")
    parser.add_argument("--root", type=Path, default=ROOT, help="root folder of the checkout to measure")
    options = parser.parse_args()
    goals = check_goals(options.root)
    for name, value in describe_size(options.root).items():
        print(f"{name:38} {value:>8g}")
    print()
    for goal in goals:
        print(
            f"{goal.name:38} {goal.value:>8g}   at most {goal.target:<5g} {'' if goal.is_met else 'MISSED'}"
        )
    if options.folders:
        print()
        for folder, files, lines, longest in list_folders(options.root):
            print(f"{folder:38} {files:4} files {lines:6} lines, longest {longest}")
    for goal in goals:
        if not goal.is_met:
            print(f"\n{goal.name}:", *goal.misses, sep="\n  ")
    return 0 if all(goal.is_met for goal in goals) else 1


if __name__ == "__main__":
    sys.exit(main())
