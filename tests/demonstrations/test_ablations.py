"""Tests for ablations of demonstration sets: what each one changes, seeds and errors."""

from __future__ import annotations

import dataclasses

import pytest

from playground.demonstrations.ablations import ABLATIONS, ablate
from playground.demonstrations.families import head, parse
from playground.types import Demo, DemoSet, Exchange, InputError
from tests.helpers.checked import there
from tests.helpers.paths import PUBLISHED

FIVE = DemoSet(
    name="five",
    instruction="I",
    demos=tuple(Demo(query=f"q{n}", answer=f"a{n}") for n in range(5)),
    format="v6",
    text="as it was",
    note="a note",
)
TURNS = DemoSet(
    name="turns",
    instruction="I",
    demos=(
        Demo(query="q0", answer="a0", then=(Exchange(query="q1", answer="a1"),), before="b"),
        Demo(query="q2", answer=None),
        Demo(query="q3", answer="a3"),
    ),
)
OTHER = DemoSet(name="far", instruction="J", demos=(Demo(query="x", answer="A"), Demo(query="y", answer="B")))


def answers(demos: DemoSet) -> list[str | None]:
    return [exchange.answer for demo in demos.demos for exchange in demo.exchanges]


def queries(demos: DemoSet) -> list[str]:
    return [exchange.query for demo in demos.demos for exchange in demo.exchanges]


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_ablation_is_pure_and_the_same_for_the_same_seed(name: str) -> None:
    before = dataclasses.replace(FIVE)
    one, two = (ablate(FIVE, name, 7, OTHER if name == "other" else None) for _ in range(2))
    assert one == two
    assert before == FIVE
    assert one != FIVE
    # The verbatim text no longer says what the set holds.
    assert (one.text, one.note, one.name, one.format) == (None, "", "five", "v6")


@pytest.mark.parametrize("name", ["shifted", "random", "other", "no-answers"])
def test_an_ablation_of_answers_leaves_all_else_as_it_is(name: str) -> None:
    ablated = ablate(TURNS, name, 3, OTHER if name == "other" else None)
    assert queries(ablated) == ["q0", "q1", "q2", "q3"]
    assert [demo.before for demo in ablated.demos] == ["b", "", ""]
    assert [len(demo.then) for demo in ablated.demos] == [1, 0, 0]
    assert ablated.instruction == "I"
    assert answers(ablated)[2] is None


def test_shifted_gives_each_query_the_next_ones_answer() -> None:
    assert answers(ablate(FIVE, "shifted")) == ["a1", "a2", "a3", "a4", "a0"]
    assert answers(ablate(TURNS, "shifted")) == ["a1", "a3", None, "a0"]


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published prompt files are not here")
def test_shifted_and_no_answers_are_the_published_ones_to_the_byte() -> None:
    files = {path.stem: path.read_text(encoding="utf-8") for path in PUBLISHED.glob("urial*.txt")}
    urial = parse("urial", files["urial"])
    assert head(ablate(urial, "shifted")) == files["urial.circular_shift"]
    assert head(ablate(urial, "no-answers")) == files["urial.no_answer"]


def test_random_answers_are_of_the_set_and_never_a_querys_own() -> None:
    seen = set()
    for seed in range(50):
        drawn = [there(answer) for answer in answers(ablate(FIVE, "random", seed))]
        assert sorted(drawn) == ["a0", "a1", "a2", "a3", "a4"]
        assert all(answer != f"a{n}" for n, answer in enumerate(drawn))
        seen.add(tuple(drawn))
    assert len(seen) > 10


def test_random_answers_for_a_few_demonstrations_come_from_the_whole_set() -> None:
    drawn = [answer for seed in range(40) for answer in answers(ablate(FIVE.take(1), "random", seed, FIVE))]
    assert set(drawn) == {"a1", "a2", "a3", "a4"}


def test_answers_of_another_set_come_each_once_before_any_comes_again() -> None:
    drawn = [there(answer) for answer in answers(ablate(FIVE, "other", 1, OTHER))]
    assert sorted(drawn[:2]) == sorted(drawn[2:4]) == ["A", "B"]
    assert drawn[4] in ("A", "B")
    assert len({tuple(answers(ablate(FIVE, "other", seed, OTHER))) for seed in range(20)}) > 1


def test_order_and_number() -> None:
    assert ablate(FIVE, "reversed").demos == FIVE.demos[::-1]
    assert ablate(FIVE, "duplicated").demos == FIVE.demos[:1] * 5
    shuffled = {ablate(FIVE, "shuffled", seed).demos for seed in range(20)}
    assert len(shuffled) > 5
    assert all(set(demos) == set(FIVE.demos) for demos in shuffled)
    assert ablate(FIVE, "no-instruction").instruction == ""
    assert ablate(FIVE, "no-instruction").demos == FIVE.demos
    assert answers(ablate(FIVE, "no-answers")) == [None] * 5


SAME = dataclasses.replace(FIVE, demos=(Demo(query="p", answer="a"), Demo(query="q", answer="a")))


@pytest.mark.parametrize(
    ("demos", "name", "pool", "said"),
    [
        (FIVE, "louder", None, "There is no ablation 'louder': choose one of shifted, random"),
        (FIVE.take(1), "shifted", None, "'shifted' needs at least two answers, but .* 'five' have 1"),
        (FIVE.take(1), "random", None, "'random' needs more distinct answers"),
        (SAME, "random", None, "'random' needs more distinct answers"),
        (FIVE, "other", None, "needs a second demonstration set to draw answers from: add one"),
        (FIVE.take(2), "other", FIVE, "needs a second demonstration set"),
        (FIVE, "other", ablate(OTHER, "no-answers"), "'other' needs answers to draw from"),
        (parse("prose", "Be good.\n"), "no-instruction", None, "'prose' could not be parsed"),
    ],
)
def test_what_a_set_does_not_allow_is_one_sentence(
    demos: DemoSet, name: str, pool: DemoSet | None, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        ablate(demos, name, 0, pool)


def test_an_empty_set_can_be_reordered() -> None:
    nothing = FIVE.take(0)
    for name in ("reversed", "shuffled", "duplicated", "no-answers", "no-instruction"):
        assert ablate(nothing, name).demos == ()
