"""Measure the size and structure of the code, and check the project's targets.

Run ``python scripts/house.py`` from any folder. It has no dependencies. It prints one line per measurement,
followed by all places that miss a target, and exits with status 1 if there are any. ``--folders`` adds a
table of folders.

Product code is ``app.py`` and ``playground/``. Docstrings, comments and blank lines count as lines.

The check for unused definitions compares names, because attributes have no known type. It therefore misses an
unused definition if its name also occurs in used code as an identifier, an attribute, a keyword argument or
an entire string.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import importlib
import statistics
import sys
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

MARKERS = ("# For tests.", "# Called by Gradio.", "# Used by the token lens, to come.")
"""Trailing comments that mark a definition as intentionally unused by the product."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, kw_only=True)
class Place:
    """A definition or file, with its size."""

    path: str
    line: int
    name: str
    size: int

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else self.path
        return f"{where} {self.name} ({self.size})".replace("  ", " ")


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A function, class, constant or method, with the names that it uses."""

    place: Place
    words: frozenset[str]
    owner: int | None = None
    """For a method, the index of its class in the list of definitions."""
    is_entry: bool = False
    """Whether Python or another package uses the definition without a reference in the product's code."""


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
        self.package = self.name if path.name == "__init__.py" else self.name.rpartition(".")[0]
        self.top_classes = {node.name: node for node in self.tree.body if isinstance(node, ast.ClassDef)}

    def functions(self) -> Iterator[Place]:
        """Yield every function and method, including nested ones, with its line count from ``def`` to the
        end.
        """
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield self.place(node, node.name)

    def classes(self) -> Iterator[tuple[Place, int]]:
        """Yield every class with its number of methods, excluding inherited ones."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ClassDef):
                methods = sum(isinstance(each, Function) for each in node.body)
                yield self.place(node, node.name), methods

    def import_source(self, node: ast.ImportFrom) -> str:
        """Return the absolute name of the module in a ``from ... import`` statement."""
        if not node.level:
            return node.module or ""
        parents = self.package.split(".")
        parents = parents[: len(parents) - node.level + 1]
        return ".".join([*parents, node.module] if node.module else parents)

    def imports(self) -> dict[str, str]:
        """Map each imported local name to its absolute dotted name."""
        found: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    first = alias.name.partition(".")[0]
                    found[alias.asname or first] = alias.name if alias.asname else first
            elif isinstance(node, ast.ImportFrom):
                source = self.import_source(node)
                found |= {alias.asname or alias.name: f"{source}.{alias.name}" for alias in node.names}
        return found

    def has_marker(self, node: ast.stmt) -> bool:
        """Return whether a definition is marked with one of `MARKERS`."""
        return any(marker in self.lines[node.lineno - 1] for marker in MARKERS)

    def place(self, node: ast.stmt, name: str) -> Place:
        """Return the location of a definition."""
        return Place(path=self.path, line=node.lineno, name=name, size=_length(node))


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


class Bases:
    """Resolver for the names that classes inherit from outside the product."""

    def __init__(self, modules: Iterable[Module]) -> None:
        self.modules = {module.name: module for module in modules}
        self.imports = {name: module.imports() for name, module in self.modules.items()}

    def outside_names(self, module: Module, node: ast.ClassDef) -> set[str] | None:
        """Return the names that a class inherits from outside the product, or None if they are unknown.

        The names are known for base classes from the standard library.
        """
        names: set[str] = set()
        for base in node.bases:
            inherited = self._inherited(module, _dotted(base), ())
            if inherited is None:
                return None
            names |= inherited
        return names

    def _inherited(self, module: Module, name: str, seen: tuple[str, ...]) -> set[str] | None:
        first, _, rest = name.partition(".")
        key = f"{module.name}:{name}"
        if key in seen or not name:
            return None
        if name in module.top_classes:
            return self.outside_names(module, module.top_classes[name])
        if first not in self.imports[module.name]:
            return _class_names(getattr(builtins, name, None))
        target = ".".join(filter(None, (self.imports[module.name][first], rest)))
        parts = target.split(".")
        for length in range(len(parts) - 1, 0, -1):
            if inside := self.modules.get(".".join(parts[:length])):
                return self._inherited(inside, ".".join(parts[length:]), (*seen, key))
        return _class_names(_standard(target))


def find_unused(modules: Sequence[Module], texts: Iterable[str]) -> list[Place]:
    """Find definitions that are not referenced by any used code of the product.

    Used code is all code outside definitions, plus all definitions referenced by used code. A definition that
    is referenced only by itself or by unused definitions is therefore unused. A reference is any occurrence
    of the name as an identifier, an attribute, a keyword argument, the source of an import alias, or an
    entire string. Exporting a name from a package does not count as a use.

    Special methods are not reported. Neither are methods that override a method of a base class from the
    standard library; methods of classes derived from other packages, which may call them; functions
    registered by a decorator call such as ``@app.command()``; and definitions with one of `MARKERS` on their
    line.

    Args:
        modules: the product's modules.
        texts: contents of other files, such as pyproject.toml, in which every word counts as a use.
    """
    used: set[str] = set()
    for text in texts:
        used.update(text.replace(":", " ").replace('"', " ").split())
    bases = Bases(modules)
    definitions: list[Definition] = []
    for module in modules:
        used |= _collect_definitions(module, bases, definitions)
    live: set[int] = set()
    before = -1
    while len(live) > before:
        before = len(live)
        for index, each in enumerate(definitions):
            is_named = each.is_entry or each.place.name in used
            if index not in live and is_named and (each.owner is None or each.owner in live):
                live.add(index)
                used |= each.words
    return [each.place for each in definitions if not each.is_entry and each.place.name not in used]


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


def _dotted(node: ast.expr) -> str:
    """Return a dotted name without subscripts. Returns "" if the node is not a name."""
    if isinstance(node, ast.Subscript):
        return _dotted(node.value)
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return before and f"{before}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _standard(name: str) -> object:
    """Return the standard library object with the given dotted name, or None."""
    module, _, attribute = name.rpartition(".")
    if module.partition(".")[0] not in sys.stdlib_module_names:
        return None
    return getattr(importlib.import_module(module), attribute, None)


def _class_names(found: object) -> set[str] | None:
    """Return the names of all attributes of a class and its bases, or None if the object is not a class."""
    return {name for each in found.__mro__ for name in vars(each)} if isinstance(found, type) else None


def _collect_definitions(module: Module, bases: Bases, found: list[Definition]) -> set[str]:
    """Append a module's definitions to `found`, and return the names used outside these definitions."""
    outside: set[str] = set()
    for node in module.tree.body:
        names = _defined_names(node)
        if "__all__" in names:
            continue
        if isinstance(node, ast.ClassDef):
            _collect_class(module, node, bases, found)
        elif names and not any(map(_is_special, names)):
            is_entry = module.has_marker(node) or _is_registered(node)
            words = frozenset(_words(node))
            found += [
                Definition(place=module.place(node, name), words=words, is_entry=is_entry) for name in names
            ]
        else:
            outside.update(_words(node))
    return outside


def _collect_class(module: Module, node: ast.ClassDef, bases: Bases, found: list[Definition]) -> None:
    """Append the definitions of a class and of its methods to `found`."""
    methods = [each for each in node.body if isinstance(each, Function)]
    rest = [each for each in ast.iter_child_nodes(node) if each not in methods]
    words = frozenset(word for each in rest for word in _words(each))
    owner = len(found)
    found.append(
        Definition(place=module.place(node, node.name), words=words, is_entry=module.has_marker(node))
    )
    inherited = bases.outside_names(module, node)
    for each in methods:
        is_override = inherited is None or each.name in inherited
        is_entry = is_override or _is_special(each.name) or _is_registered(each) or module.has_marker(each)
        found.append(
            Definition(
                place=module.place(each, each.name),
                words=frozenset(_words(each)),
                owner=owner,
                is_entry=is_entry,
            )
        )


def _defined_names(node: ast.stmt) -> list[str]:
    """Return the names that a top-level statement defines."""
    if isinstance(node, Function | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _is_registered(node: ast.stmt) -> bool:
    return isinstance(node, Function) and any(isinstance(each, ast.Call) for each in node.decorator_list)


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
        elif isinstance(node, ast.ImportFrom):
            source = module.import_source(node)
            below = {f"{source}.{alias.name}" for alias in node.names}
            found |= below & names
            # If only submodules of a package are imported, the package itself does not count as imported.
            if not below <= names:
                found.add(source)
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


def _words(tree: ast.AST) -> Iterator[str]:
    """Yield all strings, and all names that are read, imported with an alias, or used as keywords."""
    for node in ast.walk(tree):
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
