"""Tests for the rate limits in public mode."""

from __future__ import annotations

import threading
from typing import Any, Never

import pytest

from playground.lanes.variant import parse_lane
from playground.library import Library
from playground.rate_limits import DRAFTS, PUBLIC, WINDOW, Gate, Limits, Rate, RateLimitError
from playground.types import InputError, Sampling, Variant


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


LIBRARY = Library.open("models/pocket")


def variant(**sampling: Any) -> Variant:
    return parse_lane("base", LIBRARY, Sampling(**sampling))


def ask(gate: Gate, who: str = "a", turns: int = 1, text: str = "hello", **sampling: Any) -> None:
    with gate.message(who, [variant(**sampling)], turns, text):
        pass


def refused(gate: Gate, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(InputError) as caught:
        ask(gate, *args, **kwargs)
    return str(caught.value)


def test_without_limits_anything_goes() -> None:
    gate, text = Gate(), "x" * 100_000
    for _ in range(1000):
        ask(gate, turns=1_000, text=text, max_new_tokens=1_000_000)


def test_too_much_is_one_sentence_with_the_numbers() -> None:
    gate = Gate(Limits(max_tokens=100, max_turns=3, max_characters=10))
    ask(gate, turns=3, text="x" * 10, max_new_tokens=100)
    assert "limited to 100 tokens, but Max new tokens is 101" in refused(gate, max_new_tokens=101)
    assert "limited to 3 turns" in refused(gate, turns=4)
    assert "limited to 10 characters, but this one has 11" in refused(gate, text="x" * 11)


def test_the_lane_that_asks_for_most_counts() -> None:
    gate = Gate(Limits(max_tokens=100))
    lanes = [variant(max_new_tokens=10), variant(max_new_tokens=900)]
    with pytest.raises(InputError, match="is 900"), gate.message("a", lanes, 1):
        pass


def test_a_visitor_waits_as_long_as_the_sentence_says_and_others_do_not() -> None:
    clock = Clock()
    gate = Gate(Limits(visitor_messages=2), clock)
    ask(gate)
    clock.now += 20
    ask(gate)
    assert "try again in 40 s" in refused(gate)
    assert "Message limit reached (2 per minute per visitor)" in refused(gate)
    ask(gate, who="b")
    clock.now += 40
    ask(gate)
    assert "try again in 20 s" in refused(gate)


def test_all_visitors_together_are_limited_whatever_name_they_use() -> None:
    clock = Clock()
    gate = Gate(Limits(visitor_messages=2, total_messages=3), clock)
    for who in "abc":
        ask(gate, who=who)
    assert "Message limit of this page reached (3 per minute)" in refused(gate, who="d")
    clock.now += WINDOW
    ask(gate, who="d")


def test_several_messages_wait_until_all_of_them_may_be_sent() -> None:
    clock = Clock()
    gate = Gate(Limits(visitor_messages=3, queue=5), clock)

    def send(count: int) -> None:
        with gate.messages("a", [([variant()], 1, "")] * count):
            pass

    with pytest.raises(InputError, match="at most 3 messages here, but this one has 4: split it"):
        send(4)
    send(1)
    clock.now += 20
    send(1)
    with pytest.raises(RateLimitError, match="try again in 60 s"):
        send(3)
    with pytest.raises(RateLimitError, match="try again in 40 s"):
        send(2)
    send(1)


def test_what_was_refused_is_not_counted() -> None:
    gate = Gate(Limits(max_turns=1, visitor_messages=1), Clock())
    for _ in range(5):
        assert "turns" in refused(gate, turns=2)
    ask(gate)


def test_only_so_many_are_answered_at_once_and_a_failure_gives_its_place_back() -> None:
    gate = Gate(Limits(queue=1))

    def fail() -> Never:
        with gate.message("a", [variant()], 1):
            assert "Limit of concurrent messages reached (1)" in refused(gate, who="b")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    ask(gate)


def test_two_at_once_do_not_both_take_the_last_place() -> None:
    gate = Gate(Limits(total_messages=50))
    let_in = []

    def person(number: int) -> None:
        for _ in range(20):
            try:
                ask(gate, who=str(number))
                let_in.append(number)
            except InputError:
                pass

    people = [threading.Thread(target=person, args=(number,)) for number in range(8)]
    for thread in people:
        thread.start()
    for thread in people:
        thread.join()
    assert len(let_in) == 50


def test_names_that_never_come_back_are_forgotten() -> None:
    clock = Clock()
    rate = Rate(5, clock)
    for number in range(1000):
        rate.count(str(number))
    clock.now += WINDOW
    rate.count("last")
    assert set(rate._times) == {"last"}


def test_the_public_page_has_every_limit() -> None:
    assert None not in vars(PUBLIC).values()


def test_counting_drafts_is_limited_where_messages_are() -> None:
    now = [0.0]
    gate = Gate(PUBLIC, lambda: now[0])
    assert all(gate.draft("a") for _ in range(DRAFTS))
    assert not gate.draft("a")
    assert gate.draft("b")
    ask(gate, max_new_tokens=1)  # drafts do not count as messages
    now[0] = WINDOW + 1
    assert gate.draft("a")
    assert all(Gate().draft("a") for _ in range(2 * DRAFTS))
