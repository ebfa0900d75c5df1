"""Tests for the limits on code size and structure that are defined in scripts/house.py."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.helpers.paths import ROOT


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("house", ROOT / "scripts" / "house.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["house"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


house = load_script()
GOALS = house.check_goals()


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.name)
def test_the_goal_is_met(goal: Any) -> None:
    assert goal.is_met, "\n".join([f"{goal.name}: {goal.value:g}, at most {goal.target}", *goal.misses])


def measured(root: Path, **files: Any) -> dict[str, Any]:
    """The goals by name for a product of these files below playground/."""
    (root / "playground").mkdir()
    (root / "app.py").write_text("from playground import a\nprint(a.used())\n")
    (root / "pyproject.toml").write_text("")
    for name, text in files.items():
        path = root / "playground" / (name.replace("__in__", "/") + ".py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return {goal.name: goal for goal in house.check_goals(root)}


PLAIN = "class Kept: ...\n\n\ndef used():\n    return Kept()\n"


def test_a_small_product_meets_every_goal(tmp_path: Path) -> None:
    goals = measured(tmp_path, a=PLAIN)
    assert all(goal.is_met for goal in goals.values()), goals


def test_what_is_too_large_is_named(tmp_path: Path) -> None:
    long_function = "def used():\n" + "    print()\n" * 60
    methods = "class Kept:\n" + "".join(f"    def used_{n}(self): ...\n" for n in range(26))
    calls = "".join(f"Kept.used_{n}\n" for n in range(26))
    goals = measured(tmp_path, a=methods + calls + long_function + "print()\n" * 450)
    assert goals["lines in the longest file"].misses == ("playground/a.py (564)",)
    assert goals["methods in the largest class"].misses == ("playground/a.py:1 Kept (26)",)
    assert goals["functions over 50 lines"].misses == ("playground/a.py:54 used (61)",)
    assert goals["median lines per function"].value == 1


def test_a_circle_is_found_at_the_top_and_inside_functions_and_not_for_type_checkers(tmp_path: Path) -> None:
    inside = PLAIN + "\n\nused\n\n\ndef late():\n    import playground.a\n\n\nlate()\n"
    typed = (
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from playground.a import Kept\n\n"
        'def fine() -> "Kept": ...\n\nfine()\n'
    )
    goals = measured(tmp_path, a="import playground.b\nimport playground.c\n" + PLAIN, b=inside, c=typed)
    assert goals["circular imports"].misses == ("playground.a <-> playground.b",)


def test_a_circle_through_a_package_is_found(tmp_path: Path) -> None:
    goals = measured(
        tmp_path,
        a="import playground.b\n" + PLAIN,
        b__in____init__="from playground.b.c import used\n",
        b__in__c="from playground.b import used\n",
    )
    assert goals["circular imports"].misses == ("playground.b <-> playground.b.c",)


def test_unused_definitions_are_found_exported_or_not_and_marked_ones_left(tmp_path: Path) -> None:
    dead = (
        "NEVER = 1\nLATER = 2  # For tests.\n\nclass Gone(Exception): ...\n\n"
        "class Frame(dict):\n    def __missing__(self, key): ...\n    def keys(self): ...\n\nFrame()\n"
    )
    goals = measured(
        tmp_path,
        a=PLAIN + "\n\nclass Half:\n    def never(self): ...\n\nHalf()\n",
        b__in__c=dead,
        b__in____init__='from playground.b.c import NEVER as NEVER\n__all__ = ["NEVER"]\n',
    )
    assert [miss.split()[1] for miss in goals["unused definitions"].misses] == ["never", "NEVER", "Gone"]


def unused(root: Path, **files: Any) -> list[str]:
    """The names of the unused definitions in a product of these files."""
    return [miss.split()[1] for miss in measured(root, **files)["unused definitions"].misses]


BASE = "class Base:\n    def run(self):\n        return self.step()\n\n    def step(self): ...\n"


@pytest.mark.parametrize(
    "start",
    [
        "from playground.b import Base\n\nclass Kept(Base):\n",
        "from playground import b\n\nclass Kept(b.Base):\n",
        "import playground.b as other\n\nclass Kept(other.Base):\n",
        "from .b import Base as Other\n\nclass Kept(Other):\n",
        "from playground.c import Base\n\nclass Kept(Base):\n",
    ],
)
def test_an_unused_method_is_found_in_a_subclass_of_a_class_from_another_file(
    tmp_path: Path, start: str
) -> None:
    methods = "    def step(self): ...\n\n    def never(self): ...\n"
    used = "\n\ndef used():\n    return Kept().run()\n"
    again = "from playground.b import Base as Base\n"
    assert unused(tmp_path, a=start + methods + used, b=BASE, c__in____init__=again) == ["never"]


def test_methods_that_an_outside_base_may_call_are_not_reported(tmp_path: Path) -> None:
    """All methods if the base is not in the standard library, otherwise only those that it defines."""
    text = (
        "import threading\nimport other\n\nclass Kept(threading.Thread):\n"
        "    def run(self): ...\n\n    def never(self): ...\n\n"
        "class Half(Kept):\n    def join(self): ...\n\n    def neither(self): ...\n\n"
        "class Frame(other.Frame):\n    def forward(self): ...\n\n"
        "def used():\n    return Kept(), Half(), Frame()\n"
    )
    assert unused(tmp_path, a=text) == ["never", "neither"]


def test_a_function_that_only_calls_itself_is_unused(tmp_path: Path) -> None:
    dead = "\n\ndef dead(n):\n    return dead(n - 1)\n"
    method = "\n\nclass Half:\n    def never(self):\n        self.never()\n\nHalf()\n"
    assert unused(tmp_path, a=PLAIN + dead + method) == ["dead", "never"]


def test_functions_that_only_unused_functions_call_are_unused(tmp_path: Path) -> None:
    dead = "\n\ndef ping():\n    pong()\n\n\ndef pong():\n    ping()\n\n\nONLY = ping\n"
    assert unused(tmp_path, a=PLAIN + dead) == ["ping", "pong", "ONLY"]


def test_methods_of_an_unused_class_do_not_count_as_uses(tmp_path: Path) -> None:
    dead = "\n\ndef helper(): ...\n\n\nclass Gone:\n    def __init__(self):\n        helper()\n"
    assert unused(tmp_path, a=PLAIN + dead) == ["helper", "Gone"]


@pytest.mark.parametrize("line", ["from . import b", "from .b import Kept"])
def test_a_circle_through_relative_imports_is_found(tmp_path: Path, line: str) -> None:
    goals = measured(tmp_path, a=f"{line}\n{PLAIN}", b="from .a import used\n\nclass Kept: ...\n")
    assert goals["circular imports"].misses == ("playground.a <-> playground.b",)


def test_a_circle_through_imports_relative_to_a_parent_is_found(tmp_path: Path) -> None:
    goals = measured(
        tmp_path,
        a=PLAIN,
        c__in____init__="from .e import used as used\n",
        c__in__e="from ..c import used\n",
        d__in__f="from ..a import used\n",
    )
    assert goals["circular imports"].misses == ("playground.c <-> playground.c.e",)
