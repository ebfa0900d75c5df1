"""Tests that strings, docstrings, comments and documents do not contain banned phrases.

The list contains words that this project used in the past in place of standard terms, or that are unclear.
It is a safety net, not a style guide.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

BANNED = (
    *("whoever", "whatever they", "nobody", "somebody", "someone's business", "no name's"),
    *("odd", "oddity", "oddities", "begun", "luck", "stranger", "strangers", "mended", "rightly", "wrongly"),
    *(
        "goes on",
        "go on with",
        "gone on",
        "told apart",
        "is said",
        "are said",
        "it is told",
        "of its own accord",
    ),
    *("thinks better of it", "let go of", "taken up", "stand as", "as it stands"),
    *("workbench", "changeover", "opponent", "its affair", "owner's affair", "no business", "hung up on"),
    *("for good", "in sight", "anew", "of nothing", "by itself alone", "put away", "is no other's"),
)
PATTERN = re.compile("|".join(rf"\b{re.escape(phrase)}\b" for phrase in BANNED), re.IGNORECASE)

ALLOWED: dict[str, tuple[str, ...]] = {
    "playground/judging/parse/labels.py": ("nobody",),  # a word of judges' replies
    "playground/store/migrations.py": ("goes on",),  # a released migration is never edited
    "playground/ui/assets/css/dialogs.css": ("odd",),  # the CSS keyword
    # Words of the pocket model's world and texts, which the model was trained on.
    "models/pocket/recipe/corpus.py": ("stranger", "nobody"),
    "models/pocket/recipe/figures.py": ("odd",),
    "models/pocket/recipe/language.py": ("odd", "nobody", "luck"),
    "models/pocket/recipe/tasks.py": ("begun", "stranger"),
    "models/pocket/recipe/things.py": ("stranger",),
    "models/pocket/recipe/threads.py": ("nobody", "luck"),
    # Answers of models, as test data.
    "tests/checks/test_checks.py": ("goes on", "luck"),
    # The list of banned words.
    "tests/test_language.py": BANNED,
}

DOCUMENTS = (
    "*.md",
    "docs/*.md",
    "prompts/README.md",
    "models/pocket/README.md",
    "adapters/*/README.md",
    "models/presets.toml",
)
SOURCES = ("app.py", "playground/**/*.py", "scripts/*.py", "benchmarks/*.py")
TESTS = ("tests/**/*.py", "models/pocket/recipe/*")
TOOLS = ("Makefile", ".ci/run", "pyproject.toml", ".github/**/*", ".pre-commit-config.yaml")
ASSETS = ("playground/ui/assets/css/*", "playground/ui/assets/js/*")


def strings_of(path: Path) -> Iterator[tuple[int, str]]:
    """Every string, comment and name of a Python file, with its line. Words of a name are separated."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
        elif token.type == tokenize.NAME:
            yield token.start[0], token.string.replace("_", " ")


def faults_in(path: Path) -> list[str]:
    """``file:line: phrase`` for each banned phrase in a file."""
    name = path.relative_to(ROOT).as_posix()
    if path.suffix == ".py":
        parts = list(strings_of(path))
    else:
        parts = list(enumerate(path.read_text(encoding="utf-8").splitlines(), start=1))
    return [
        f"{name}:{line}: {found[0]}"
        for line, part in parts
        for found in PATTERN.finditer(part)
        if found[0].lower() not in ALLOWED.get(name, ())
    ]


def files(*patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file())


@pytest.mark.parametrize(
    "path", files(*DOCUMENTS, *SOURCES, *ASSETS, *TESTS, *TOOLS), ids=lambda path: str(path.relative_to(ROOT))
)
def test_the_language_is_plain(path: Path) -> None:
    assert faults_in(path) == []


def test_a_banned_word_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = tmp_path / "a.py"
    path.write_text('"""What is odd about it."""\nx = f"{1} was Begun"  # nobody\n', encoding="utf-8")
    assert faults_in(path) == ["a.py:1: odd", "a.py:2: Begun", "a.py:2: nobody"]
    path.write_text("def test_the_answer_goes_on() -> None: ...\n", encoding="utf-8")
    assert faults_in(path) == ["a.py:1: goes on"]


@pytest.mark.parametrize("name", ["tests/conftest.py", "models/pocket/recipe/make.sh", "Makefile", ".ci/run"])
def test_tests_recipe_and_tools_are_checked(name: str) -> None:
    assert ROOT / name in files(*TESTS, *TOOLS)


NUMBERED = re.compile(r"[Ll]anes? \{(?!lane_letter)[^}]*(?:\+ 1|number)[^}]*\}|[Ll]anes? [1-4]\b")
"""A lane that a text calls by its number instead of its letter."""


def test_messages_call_lanes_by_their_letters() -> None:
    numbered = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files("app.py", "playground/**/*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if NUMBERED.search(line)
    ]
    assert numbered == []
    assert NUMBERED.search('f"Lane {lane + 1} has no answer"')
    assert NUMBERED.search('f"lane {lane.number} has no answer"')
