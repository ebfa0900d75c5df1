"""Tests for probes: the shipped files, third-party files in the same format and validation errors."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from contextlib import closing
from fractions import Fraction
from itertools import permutations, product
from math import sqrt
from pathlib import Path
from typing import Any

import pytest

from playground.library import ROOT
from playground.library.probes import Probe, find_probes, read_probes
from playground.types import InputError

SHIPPED = sorted((ROOT / "prompts" / "probes").glob("*.jsonl"))
PUBLISHED = ROOT.parent / "shared" / "reference" / "data" / "mt_bench" / "question.jsonl"


def write(path: Path, *lines: object) -> Path:
    """A file of these lines; what is not text or bytes yet is written as JSON."""
    texts = [line if isinstance(line, str | bytes) else json.dumps(line) for line in lines]
    path.write_bytes(b"".join((t if isinstance(t, bytes) else t.encode()) + b"\n" for t in texts))
    return path


def shipped(name: str) -> dict[str, Probe]:
    return {probe.name: probe for probe in read_probes(ROOT / "prompts" / "probes" / f"{name}.jsonl")}


def references(probe: Probe) -> list[str]:
    """The reference answers of a probe that has one for each turn."""
    answers = [answer for answer in probe.reference if answer is not None]
    assert len(answers) == len(probe.turns)
    return answers


# --- The shipped files ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_probe_has_several_turns_and_a_title_of_its_own(path: Path) -> None:
    probes = read_probes(path)
    assert {len(probe.turns) for probe in probes} <= {2, 3, 4, 5, 6}
    assert len({probe.title for probe in probes}) == len(probes)
    assert len({probe.turns for probe in probes}) == len(probes)
    data = path.read_bytes()
    assert b"\r" not in data
    *lines, end = data.split(b"\n")
    assert end == b""
    for probe, line in zip(probes, lines, strict=True):
        assert len(probe.reference) == len(probe.turns)
        assert 2 <= len(probe.title.split()) <= 5
        # Titled by hand, not by the first words.
        assert json.loads(line)["title"] == probe.title


def test_the_general_probes_cover_mt_benchs_categories_evenly() -> None:
    probes = shipped("general").values()
    categories = ["writing", "roleplay", "reasoning", "math", "coding", "extraction", "stem", "humanities"]
    assert Counter(probe.category for probe in probes) == dict.fromkeys(categories, 5)
    assert max(len(probe.turns) for probe in probes) <= 4
    for probe in probes:
        if probe.category in ("reasoning", "math", "coding", "extraction"):
            assert None not in probe.reference, probe.name


def test_the_weak_spots_are_four_of_each_kind_and_hold_the_traps_of_the_demonstration_format() -> None:
    probes = shipped("weak-spots").values()
    assert Counter(probe.category for probe in probes) == {
        "self-correction": 4,
        "format-switch": 4,
        "reference-to-turn-1": 4,
        "refusal-then-rephrase": 4,
        "long-chain": 4,
    }
    assert {len(probe.turns) for probe in probes if probe.category == "long-chain"} == {6}
    assert any(re.search("^# Query:\n```\n", turn, re.M) for probe in probes for turn in probe.turns)
    assert any("```python" in (answer or "") for probe in probes for answer in probe.reference)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_reference_itself_is_right_by_a_probes_check(path: Path) -> None:
    """A stated answer that its own check would mark wrong is a mistake in one of them."""
    from playground.judging.reference import is_right, rule
    from playground.rubrics.candidates import Candidate

    for probe in read_probes(path):
        for number, check in enumerate(probe.checks):
            if check is None or check.kind == "first":
                continue
            answer = probe.reference[number]
            assert answer is not None, (probe.name, number)
            exchanges = ((probe.turns[number], answer),)
            assert is_right(check, Candidate(exchanges=exchanges)), (probe.name, number, rule(check))


def test_the_pocket_probes_state_the_worlds_facts_and_mark_by_them() -> None:
    import sys

    sys.path.insert(0, str(ROOT / "models" / "pocket" / "recipe"))
    from world import FACTS, LISTS

    facts = {fact.answer(): fact for fact in FACTS}
    probes = shipped("pocket").values()
    assert len(probes) == 24
    assert {len(probe.turns) for probe in probes} == {2, 3, 4}
    for probe in probes:
        assert len(probe.checks) == len(probe.turns)
        for turn, reference, check in zip(probe.turns, references(probe), probe.checks, strict=True):
            assert check is not None
            if reference.startswith('"'):  # a look back
                assert reference == f'"{probe.turns[0]}"'
                assert check.values == (probe.turns[0].rstrip("?."),)
            elif check.kind == "any":
                fact = facts[reference]
                stated = [value.removeprefix("the ").removeprefix("a ") for value in fact.right]
                assert set(check.values) & set(stated) or check.values[0] in fact.value, probe.name
                assert not turn.endswith(".") or "neighbour" in turn
            else:
                name = reference.split(",")[0].removeprefix("Any three ").split(" of the answer")[0]
                name = name.removeprefix("The first two ")
                assert set(LISTS[name]) <= set(check.values)
                assert check.count == (3 if check.kind == "some" else 2)


def test_the_numbers_in_the_math_references_are_right() -> None:
    said = {
        probe.title: references(probe) for probe in shipped("general").values() if probe.category == "math"
    }

    side_by_side = {
        n: sum(abs(order.index(0) - order.index(1)) == 1 for order in permutations(range(n))) for n in (5, 7)
    }
    first, second = said.pop("Books side by side")
    assert first.startswith(f"{side_by_side[5]} ")
    assert second.startswith(f"{side_by_side[7]} ")
    assert f"which is {side_by_side[7] // side_by_side[5]} times" in second

    leaking, closed = said.pop("Filling a tank")
    start = Fraction(240 * 35, 100)
    seconds = [60 * (240 - start) / (12 - 3), 60 * (10 + (240 - start - 10 * (12 - 3)) / 12)]
    for text, time in zip((leaking, closed), seconds, strict=True):
        assert text.startswith(f"{time // 60} minutes and {time % 60} seconds")
    assert f"saves {seconds[0] - seconds[1]} seconds" in closed

    area, sides, shorter = said.pop("Area before sides")
    [(a, b)] = [(a, 23 - a) for a in range(1, 12) if a**2 + (23 - a) ** 2 == 17**2]
    assert area.startswith(f"{a * b} cm²")
    assert sides == f"{a} cm and {b} cm."
    assert shorter.startswith(f"{46 - 4 * sqrt(a * b):.1f} cm")

    without, with_putting_back = said.pop("Marbles, two ways")
    bag = "RRRRBBBBBB"
    draws: list[list[tuple[str, ...]]] = [list(permutations(bag, 2)), list(product(bag, repeat=2))]
    same = [Fraction(sum(one == two for one, two in pairs), len(pairs)) for pairs in draws]
    assert without == str(same[0])
    assert with_putting_back == f"{same[1]}, which is larger by {same[1] - same[0]}."

    double, below, above, total = said.pop("Three values of c")
    assert double.startswith("9 ")
    assert 6**2 - 4 * 9 == 0
    assert below.startswith(" and ".join(str(x) for x in range(-9, 9) if x**2 - 6 * x + 5 == 0))
    assert above.startswith("There is no real solution")
    assert 6**2 - 4 * 14 < 0
    assert total.startswith(f"{1 + 5} in every case")
    assert not said


def test_the_code_in_the_references_does_what_the_probes_ask() -> None:
    said = {probe.title: probe for probe in shipped("general").values() if probe.category == "coding"}

    def python(text: str) -> str:
        source: str = re.findall(r"```python\n(.*?)```", text, re.S)[0]
        return source.rstrip("\n")

    free = references(said["Free hours"])
    space: dict[str, Any] = {}
    exec(python(free[0]), space)
    busy = [(9, 12), (17, 20), (11, 13)]
    assert str(space["free_hours"](busy)) == free[1]
    assert space["free_hours"]([]) == [(8, 18)]
    assert space["free_hours"]([(19, 21), (0, 30)]) == []
    assert space["free_hours"]([(19, 21), (6, 9)]) == [(9, 18)]
    first, last = python(free[2]).split("\n")
    exec("\n".join([first, *python(free[0]).split("\n")[1:-1], last]), space)
    assert space["free_hours"](busy) == [(8, 9), (13, 17)]
    assert space["free_hours"](busy, 2) == [(13, 17)]

    probe = said["The last run"]
    source = python(probe.turns[0])
    exec(source, space)
    assert space["runs"]("aaab") == [("a", 3)]
    exec(source.replace("    return result", f"{python(references(probe)[1])}\n    return result"), space)
    exec(python(references(probe)[2]), space)
    for text in ("", "a", "aaab", "abba"):
        assert space["text_of"](space["runs"](text)) == text
    assert space["runs"]("aaab") == [("a", 3), ("b", 1)]

    never, counted = (text.split("\n")[0] for text in references(said["Never lent"]))
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(
            "CREATE TABLE books(id, title); CREATE TABLE loans(book_id, member, lent_on);"
            "INSERT INTO books VALUES (1, 'a'), (2, 'b'), (3, 'c');"
            "INSERT INTO loans VALUES (1, 'm', 1), (1, 'm', 2), (3, 'n', 1);"
        )
        assert db.execute(never).fetchall() == [("b",)]
        assert db.execute(counted).fetchall() == [("b", 0), ("c", 1), ("a", 2)]

    strict, wide = (re.findall("`(.*?)`", text)[0] for text in references(said["Clock times"]))
    times = [f"{hour:02}:{minute:02}" for hour in range(100) for minute in range(100)]
    assert sum(re.fullmatch(strict, time) is not None for time in times) == 24 * 60
    assert not re.fullmatch(strict, "7:05")
    answers = re.findall(r"([\d:]+): (yes|no)", references(said["Clock times"])[1])
    assert len(answers) == 4
    for time, answer in answers:
        assert bool(re.fullmatch(wide, time)) == (answer == "yes")


# --- Reading --------------------------------------------------------------------------------------

GOOD: dict[str, Any] = {"question_id": 7, "category": "math", "turns": ["1 + 1?", "Why?"]}


def test_a_probe_is_read_to_the_character_and_other_keys_are_passed_over(tmp_path: Path) -> None:
    turns = [" # Query:\n```\r\n\u2028x\n", "é"]
    full = {**GOOD, "turns": turns, "reference": ["2", None], "title": "Sum", "tests": "counting", "x": [1]}
    path = tmp_path / "mine.v2.jsonl"
    path.write_text(f"\n{json.dumps(full, ensure_ascii=False)}\n \n", encoding="utf-8")
    assert read_probes(path) == [
        Probe(
            name="mine.v2/7",
            title="Sum",
            category="math",
            turns=tuple(turns),
            reference=("2", None),
            tests="counting",
        )
    ]


def test_a_probe_without_title_or_reference_goes_by_its_first_words(tmp_path: Path) -> None:
    long = {**GOOD, "question_id": 8, "turns": ["Two\nwords " + "x" * 80], "reference": [""], "title": None}
    short, cut = read_probes(write(tmp_path / "x.jsonl", GOOD, long))
    assert (short.title, short.reference, short.tests) == ("1 + 1?", (None, None), "")
    assert (cut.title, cut.reference) == ("Two words " + "x" * 29 + "…", (None,))


def test_line_ends_and_a_byte_order_mark_make_no_difference(tmp_path: Path) -> None:
    plain = read_probes(write(tmp_path / "x.jsonl", GOOD, {**GOOD, "question_id": 8}))
    data = (tmp_path / "x.jsonl").read_bytes()
    (tmp_path / "x.jsonl").write_bytes(b"\xef\xbb\xbf" + data.rstrip(b"\n").replace(b"\n", b"\r\n"))
    assert read_probes(tmp_path / "x.jsonl") == plain


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="MT-Bench's question.jsonl is not here")
def test_mt_bench_reads_as_it_is() -> None:
    probes = read_probes(PUBLISHED)
    published = [json.loads(line) for line in PUBLISHED.read_text(encoding="utf-8").splitlines()]
    assert [probe.name for probe in probes] == [f"question/{entry['question_id']}" for entry in published]
    assert [list(probe.turns) for probe in probes] == [entry["turns"] for entry in published]
    for probe, entry in zip(probes, published, strict=True):
        given = entry.get("reference", ["", ""])
        assert [answer or "" for answer in probe.reference] == given
    assert len(probes) == 80
    # Ours are not theirs.
    ours = {turn for path in SHIPPED for probe in read_probes(path) for turn in probe.turns}
    assert ours.isdisjoint(turn for entry in published for turn in entry["turns"])


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name != key}


BAD: dict[str, tuple[list[Any], str]] = {
    "no JSON": (["x"], "line 1: invalid JSON (Expecting value, column 1); write one JSON object per line"),
    "cut off": ([GOOD, '{"question_id": 8,'], "line 2: invalid JSON (Expecting property name"),
    "over several lines": ([json.dumps(GOOD, indent=1)], "line 1: invalid JSON"),
    "a list": ([[GOOD]], "line 1: expected a JSON object, not [{"),
    "nested": (["[" * 100_000], "number that is too long or is nested too deeply"),
    "number": (['{"x": ' + "1" * 5000 + "}"], "line 1: the JSON has a number that is too long"),
    "no id": ([without("question_id")], "line 1: missing key 'question_id'; add it"),
    "id of text": ([{**GOOD, "question_id": "7"}], "line 1: question_id must be an integer, not '7'"),
    "id is true": ([{**GOOD, "question_id": True}], "question_id must be an integer, not True"),
    "id twice": (["", GOOD, GOOD], "line 3: question_id 7 is already used on line 2; make the ids unique"),
    "no category": ([without("category")], "line 1: missing key 'category'"),
    "category a list": ([{**GOOD, "category": ["math"]}], "line 1: category must be text, not ['math']"),
    "no turns": ([without("turns")], "line 1: missing key 'turns'"),
    "turns of text": ([{**GOOD, "turns": "1?"}], "turns must be a list of at least one string, not '1?'"),
    "turns empty": ([{**GOOD, "turns": []}], "turns must be a list of at least one string, not []"),
    "turn empty": ([{**GOOD, "turns": ["a", " \n"]}], "line 1: turn 2 is empty; add text or remove"),
    "turn no text": ([{**GOOD, "turns": ["a", None]}], "line 1: turn 2 must be text, not None"),
    "NUL spelled out": ([{**GOOD, "turns": ["a", "b\0"]}], r"line 1: turn 2 contains '\x00', which is not"),
    "half a character": ([{**GOOD, "turns": ["\ud83d"]}], r"line 1: turn 1 contains '\ud83d', which is not"),
    "reference of text": (
        [{**GOOD, "reference": "2"}],
        "line 1: reference must be a list of strings, not '2'",
    ),
    "reference short": ([{**GOOD, "reference": ["2"]}], "reference has 1 entries, but turns has 2; give one"),
    "reference a number": ([{**GOOD, "reference": [None, 2]}], "line 1: reference 2 must be text, not 2"),
    "title a number": ([{**GOOD, "title": 3}], "line 1: title must be text, not 3"),
    "tests empty": ([{**GOOD, "tests": " "}], "line 1: tests is empty"),
    "check short": ([{**GOOD, "check": [None]}], "check must be a list with one entry per turn"),
    "check unknown": (
        [{**GOOD, "check": [None, {"most": ["a"]}]}],
        "check 2 must be an object with one of the keys any",
    ),
    "check twice": ([{**GOOD, "check": [{"any": ["a"], "all": ["a"]}, None]}], "check 1 must be an object"),
    "check empty": (
        [{**GOOD, "check": [{"any": []}, None]}],
        "check 1: any must be a list of at least one string",
    ),
    "check of a number": ([{**GOOD, "check": [{"any": [5]}, None]}], "check 1: any must be text, not 5"),
    "check uncounted": (
        [{**GOOD, "check": [{"some": ["a", "b"]}, None]}],
        "count must be an integer from 1",
    ),
    "check overcounted": ([{**GOOD, "check": [{"some": ["a"], "count": 2}, None]}], "from 1 to 1"),
    "check any counted": (
        [{**GOOD, "check": [{"any": ["a"], "count": 1}, None]}],
        "only with some or first",
    ),
    "NUL": ([GOOD, b"\0"], "line 2: a text file cannot contain a NUL byte"),
    "not UTF-8": ([GOOD, b'"\xff"'], "line 2: not UTF-8 text"),
    "3 MB": ([b" " * 3_000_000], "is larger than 2 MB"),
    "nothing": ([], "contains no probes: add one JSON object per line"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_file_is_named_in_one_sentence(tmp_path: Path, case: str) -> None:
    lines, said = BAD[case]
    with pytest.raises(InputError) as error:
        read_probes(write(tmp_path / "bad.jsonl", *lines))
    message = str(error.value)
    assert said in message
    assert "bad.jsonl" in message
    assert len(message.splitlines()) == 1
    assert len(message) < 300


def test_a_file_that_is_missing_or_cannot_be_named_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Cannot read .*none\.jsonl: No such file"):
        read_probes(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match="'my probes' is not a usable name"):
        read_probes(write(tmp_path / "my probes.jsonl", GOOD))


# --- Several files, and a conversation ------------------------------------------------------------


def test_a_bad_file_and_a_taken_name_hide_no_other(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    write(ours / "general.jsonl", GOOD)
    write(theirs / "bad.jsonl", "no JSON")
    write(theirs / "general.jsonl", {**GOOD, "title": "Not this one"})
    write(theirs / "mine.jsonl", GOOD)
    (theirs / "folder.jsonl").mkdir()
    probes, problems = find_probes([ours, theirs, tmp_path / "none"])
    assert [(probe.name, probe.title == "Not this one") for probe in probes] == [
        ("general/7", False),
        ("mine/7", False),
    ]
    assert len(problems) == 2
    assert "bad.jsonl, line 1: invalid JSON" in problems[0]
    assert "'general' is already used by" in problems[1]


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ([], 0),
        (["one"], 1),
        (["one", "something else", "two"], 2),
        (["two", "one"], 1),
        (["one", "two", "one"], 3),
        (["one", "two", "one", "more"], 3),
        (["two"], 0),
    ],
)
def test_how_far_a_conversation_has_come_is_told_by_its_messages(said: list[str], asked: int) -> None:
    probe = Probe(name="a/1", title="", category="c", turns=("one", "two", "one"), reference=(None,) * 3)
    assert probe.count_sent(said) == asked
