"""Tests for the shipped demonstrations: code runs, arithmetic is correct and sets are nested."""

from __future__ import annotations

import datetime
import json
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from playground.demonstrations.families import parse, render
from playground.library import POCKET, Library
from tests.helpers.tables import DESCRIBE_IT, described

LIBRARY = Library.open(POCKET)
SETS = {name: demos for name, demos in LIBRARY.demo_sets.items() if not name.startswith("pocket-")}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def answer(name: str, number: int, turn: int = 1) -> str:
    text = SETS[name].demos[number - 1].exchanges[turn - 1].answer
    assert text is not None
    return text


def code(text: str) -> str:
    """The one block of code in a text."""
    ((_, block),) = BLOCK.findall(text)
    return str(block)


def run(text: str) -> dict[str, Any]:
    """The names that a text's Python defines."""
    names: dict[str, Any] = {}
    exec(code(text), names)
    return names


def shell(text: str, folder: Path) -> str:
    command = ["bash", "-eu", "-c", code(text)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=30).stdout


def test_every_code_answer_is_run_below() -> None:
    """A block of code that is added needs a test here."""
    found = [
        (name, number, turn)
        for name, demos in SETS.items()
        for number, demo in enumerate(demos.demos, start=1)
        for turn, exchange in enumerate(demo.exchanges, start=1)
        if "```" in (exchange.answer or "")
    ]
    assert found == [
        ("general-3", 3, 1),
        *(("general-50", number, 1) for number in (3, 11, 16, 21, 29, 35, 48)),
        *(("multi-turn-3", 2, turn) for turn in (1, 2, 3)),
        ("step-by-step-3", 3, 1),
    ]
    for place in found:
        assert len(BLOCK.findall(answer(*place))) == 1, place
        assert answer(*place).count("```") == 2, place


@pytest.mark.parametrize("name", ["general-3", "general-50"])
def test_the_most_common_word(name: str) -> None:
    most_common_word = run(answer(name, 3))["most_common_word"]
    assert most_common_word("The cat saw the dog.") == "the"
    assert most_common_word("b a B A") == "b"
    assert most_common_word("Don't! don't do") == "don't"
    assert most_common_word("... 12") is None
    assert most_common_word("") is None
    assert re.findall(r"\w+", "été_1 naïve") == ["été_1", "naïve"]


def test_the_five_best_customers() -> None:
    base = sqlite3.connect(":memory:")
    base.execute("CREATE TABLE customers (id, name)")
    base.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id, total, ordered_on)")
    people = ["Ann", "Ben", "Ann", "Dee", "Eve", "Fay", "Gus", "Hal"]
    base.executemany("INSERT INTO customers VALUES (?, ?)", list(enumerate(people, start=1)))
    orders = [(1, 10, "2024-01-01"), (1, 15, "2024-12-31 23:59:59"), (3, 30, "2024-06-01")]
    orders += [(2, 900, "2023-12-31"), (2, 900, "2025-01-01"), (2, 1, "2024-02-29")]
    orders += [(4, 40, "2024-05-05"), (5, 50, "2024-05-05"), (6, 60, "2024-05-05"), (7, 2, "2024-05-05")]
    base.executemany("INSERT INTO orders (customer_id, total, ordered_on) VALUES (?, ?, ?)", orders)
    assert base.execute(code(answer("general-50", 11))).fetchall() == [
        (6, "Fay", 60),
        (5, "Eve", 50),
        (4, "Dee", 40),
        (3, "Ann", 30),
        (1, "Ann", 25),
    ]


@pytest.mark.skipif(not shutil.which("find"), reason="needs the tools of a Unix shell")
def test_the_ten_largest_files(tmp_path: Path) -> None:
    for number in range(1, 13):
        path = tmp_path / f"folder {number % 3}" / f"file {number}.bin"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * number * 100_000)
    lines = shell(answer("general-50", 16), tmp_path).splitlines()
    assert [line.split("\t")[1] for line in lines] == [
        f"./folder {number % 3}/file {number}.bin" for number in range(12, 2, -1)
    ]


@pytest.mark.skipif(not shutil.which("node"), reason="needs Node.js")
def test_objects_are_grouped() -> None:
    script = code(answer("general-50", 21)) + (
        'console.log(groupBy([{a: "constructor"}], "a").get("constructor").length);\n'
        "if (Map.groupBy) console.log(Map.groupBy(pets, (pet) => pet.kind).get('dog').length);\n"
        "console.log(Boolean(Map.groupBy) || process.versions.node.split('.')[0] < 21);\n"
    )
    result = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True, timeout=30)
    first, *rest, known = result.stdout.splitlines()
    assert first == "[ 'Tofu', 'Mia' ]"
    assert set(rest) == {"1"}
    assert known == "true"


def test_dates_are_matched() -> None:
    date = run(answer("general-50", 29))["DATE"]
    assert date.fullmatch("2024-03-09")
    for wrong in (
        "2024-13-09",
        "2024-3-9",
        "2024-00-01",
        "2024-01-00",
        "2024-01-32",
        "x2024-03-09",
        "2024-03-091",
    ):
        assert date.fullmatch(wrong) is None, wrong
    assert date.fullmatch("2024-02-31")
    with pytest.raises(ValueError, match="day"):
        datetime.date.fromisoformat("2024-02-31")
    assert [found[0] for found in date.finditer("from 2024-03-09 to 2024-04-10")] == [
        "2024-03-09",
        "2024-04-10",
    ]


def test_negative_numbers_are_dropped() -> None:
    number = 35
    query = SETS["general-50"].demos[number - 1].query
    assert run(query)["drop_negatives"]([-1, -2, 3]) == [-2, 3]
    numbers = [-1, -2, 3]
    assert run(answer("general-50", number))["drop_negatives"](numbers) == [3]
    assert numbers == [-1, -2, 3]
    numbers[:] = [n for n in numbers if n >= 0]
    assert numbers == [3]


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_files_are_renamed(tmp_path: Path) -> None:
    for name in ("a.jpeg", "two words.jpeg", "-n.jpeg", "taken.jpeg", "taken.jpg", "b.jpeg.txt"):
        (tmp_path / name).write_text(name)
    shell(answer("general-50", 48), tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a.jpg": "a.jpeg",
        "two words.jpg": "two words.jpeg",
        "-n.jpg": "-n.jpeg",
        "taken.jpeg": "taken.jpeg",
        "taken.jpg": "taken.jpg",
        "b.jpeg.txt": "b.jpeg.txt",
    }
    (tmp_path / "none").mkdir()
    shell(answer("general-50", 48), tmp_path / "none")
    assert list((tmp_path / "none").iterdir()) == []


def test_averages_and_medians() -> None:
    first, fixed, median = (run(answer("multi-turn-3", 2, turn)) for turn in (1, 2, 3))
    assert first["average"]([2, 3, 7]) == 4.0
    with pytest.raises(ZeroDivisionError):
        first["average"]([])
    assert fixed["average"]([]) is None
    assert fixed["average"]([2, 3, 7]) == 4.0
    assert median["median"]([7, 2, 3]) == 3
    assert median["median"]([7, 2, 3, 4]) == 3.5
    assert median["median"]([]) is None


def test_the_second_largest() -> None:
    query = SETS["step-by-step-3"].demos[2].query
    wrong = run(query)["second_largest"]
    assert (wrong([9, 4, 7]), wrong([4, 7, 9])) == (9, 7)
    right = run(answer("step-by-step-3", 3))["second_largest"]
    assert (right([9, 4, 7]), right([4, 7, 9]), right([9, 9, 4])) == (7, 7, 4)
    # Step 5: starting low without the second test is not enough.
    half = code(answer("step-by-step-3", 3)).replace("second < n < largest", "n > second")
    names: dict[str, Any] = {}
    exec(half, names)
    assert (names["second_largest"]([9, 4, 7]), names["second_largest"]([9, 9, 4])) == (7, 9)


# --- What can be worked out without a program -----------------------------------------------------


def test_sums() -> None:
    assert 4 < (650 / 450) ** 4 < 4.5  # blue light against red
    assert 9 * 60 + 40 + 210 / 84 * 60 + 15 == 12 * 60 + 25  # the train
    assert 7 * 13 == 91
    throws = [(a, b) for a in range(1, 7) for b in range(1, 7) if a + b >= 10]
    assert (len(throws), len(throws) / 36) == (6, 1 / 6)
    assert round(100 / 6, 1) == 16.7
    assert round(1000 * 1.1 * 0.9) == 990  # the rent
    assert (24 * 18 - 76 * 5) / 4 == 13  # the pencils


def test_puzzles_have_the_one_solution_that_is_given() -> None:
    from itertools import permutations

    seats = [
        order
        for order in permutations(("Ada", "Bo", "Cy", "Di"))
        if order.index("Ada") not in (0, 3)
        and order.index("Bo") == order.index("Ada") + 1
        and abs(order.index("Cy") - order.index("Bo")) == 1
    ]
    assert seats == [("Di", "Ada", "Bo", "Cy")]
    assert answer("step-by-step-3", 2).endswith("from left to right, Di, Ada, Bo, Cy")
    pets = [
        order for order in permutations(("cat", "dog", "fish")) if order[0] == "fish" and order[1] != "dog"
    ]
    assert pets == [("fish", "cat", "dog")]


def test_what_was_asked_for_in_a_form_has_it() -> None:
    given = answer("general-50", 6)
    assert list(json.loads(given)) == ["clinic", "doctor", "date", "time", "address"]
    assert given.startswith("{")
    assert given.endswith("}")
    assert answer("general-50", 12).count(". ") == 1  # two sentences
    assert answer("general-50", 36) == "Mixed"
    assert answer("general-50", 38).count("\n- ") + 1 == 3
    assert 90 <= len(answer("general-50", 28).split()) <= 110  # about 100 words
    tables = [
        (line.count("|"), line)
        for n in (24, 26)
        for line in answer("general-50", n).splitlines()
        if "|" in line
    ]
    assert {count for count, _ in tables} == {3, 5}


# --- The sets -------------------------------------------------------------------------------------


def test_the_sets_are_the_ones_described() -> None:
    assert set(LIBRARY.demo_sets) == described("set"), DESCRIBE_IT
    for name, demos in LIBRARY.demo_sets.items():
        assert demos.description, name
        assert demos.meant_for, name
        size = name.rpartition("-")[2]
        assert not size.isdigit() or len(demos.demos) == int(size), name
    assert SETS["instruction-only"].demos == ()
    assert {len(demo.exchanges) for demo in SETS["multi-turn-3"].demos} == {3}
    every = [
        demo
        for name in ("general-50", "concise-3", "step-by-step-3", "refusal-3")
        for demo in SETS[name].demos
    ]
    queries = [exchange.query for demo in every for exchange in demo.exchanges]
    assert len(queries) == len(set(queries))
    for demos in SETS.values():
        for demo in demos.demos:
            assert all(
                exchange.answer and exchange.answer.strip() == exchange.answer for exchange in demo.exchanges
            )


@pytest.mark.parametrize(
    ("small", "large"), [("general-3", "general-50"), ("pocket-3", "pocket-8"), ("pocket-8", "pocket-50")]
)
def test_a_small_set_is_the_beginning_of_the_large_one(small: str, large: str) -> None:
    few, many = LIBRARY.demo_sets[small], LIBRARY.demo_sets[large]
    assert many.demos[: len(few.demos)] == few.demos
    assert many.instruction == few.instruction
    assert render(many.take(len(few.demos)), ()) == render(few, ())


@pytest.mark.parametrize("name", [name for name, demos in LIBRARY.demo_sets.items() if demos.demos])
def test_a_set_read_from_its_own_prompt_has_the_same_blocks(name: str) -> None:
    demos = LIBRARY.demo_sets[name]
    text = render(demos, ())
    again = parse(name, text.removesuffix("\n# Answer:\n```\n"))
    blocks = [exchange for demo in demos.demos for exchange in demo.exchanges]
    assert [exchange for demo in again.demos for exchange in demo.exchanges] == blocks
    assert not again.whole
