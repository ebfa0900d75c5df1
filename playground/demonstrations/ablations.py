"""What a prompt lacks or has wrong on purpose: the ablations of arXiv 2405.19874 on demonstration sets.

Each takes a set and gives a changed one, the same for the same seed; the set itself is as it was. The paper's
section 2.3 and its appendix ask which part of a demonstration matters: "shifted", "random" and "other" are
its circular shift, in-domain random and out-of-domain random answers, "no-answers" its queries alone.
Turns of one demonstration count as queries and answers of their own; a query that has no answer gets none.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence

from playground.types import Demo, DemoSet, InputError

TRIES = 1000
"""Draws before giving up; with distinct answers, more than a third of all draws will do."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Case:
    """What an ablation works on."""

    demos: DemoSet
    rng: random.Random
    pool: DemoSet
    """The set that answers are drawn from."""


def ablate(demos: DemoSet, name: str, seed: int = 0, pool: DemoSet | None = None) -> DemoSet:
    """`demos` after the ablation of that name.

    Args:
        demos: the demonstrations that are to stand in the prompt, K of them.
        name: one of `ABLATIONS`.
        seed: of what is drawn at random ("random", "other" and "shuffled").
        pool: the set that answers are drawn from: for "other" another set, which must be given; for "random"
            the set that `demos` is a part of, by default `demos`.

    Raises:
        InputError: there is no ablation of that name, or the set does not allow it.
    """
    if name not in ABLATIONS:
        raise InputError(f"There is no ablation {name!r}: choose one of {', '.join(ABLATIONS)}.")
    if demos.whole:
        raise InputError(
            f"Demonstration set {demos.name!r} could not be parsed and is used whole, so the ablation "
            f"{name!r} is not possible: leave it out."
        )
    same = pool is None or pool.name == demos.name or pool.content_hash == demos.content_hash
    if name == "other" and same:
        raise InputError(
            "The ablation 'other' needs a second set to draw answers from: name it, as in "
            "urial:ablation=other,other=NAME."
        )
    return ABLATIONS[name](_Case(demos=demos, rng=random.Random(seed), pool=pool or demos))


def _shifted(case: _Case) -> DemoSet:
    """Each query with the next one's answer, the last with the first one's."""
    answers = _answers(case.demos)
    if len(answers) < 2:
        raise _too_few(case.demos, "shifted", "at least two answers")
    return _with_answers(case.demos, [*answers[1:], answers[0]])


def _random(case: _Case) -> DemoSet:
    """Answers drawn from the whole set, each at most once, none at its own query."""
    own, all_answers = _answers(case.demos), _answers(case.pool)
    if len(all_answers) >= len(own):
        for _ in range(TRIES):
            drawn = case.rng.sample(all_answers, len(own))
            if all(one != other for one, other in zip(drawn, own, strict=True)):
                return _with_answers(case.demos, drawn)
    raise _too_few(case.demos, "random", "more answers that differ")


def _other(case: _Case) -> DemoSet:
    """Answers drawn from another set, each once before any comes again."""
    answers, wanted = _answers(case.pool), len(_answers(case.demos))
    if not answers:
        raise _too_few(case.pool, "other", "answers to draw from")
    drawn: list[str] = []
    while len(drawn) < wanted:
        drawn += case.rng.sample(answers, len(answers))
    return _with_answers(case.demos, drawn[:wanted])


def _no_answers(case: _Case) -> DemoSet:
    """Queries alone."""
    return _with_answers(case.demos, [None] * len(_answers(case.demos)))


def _no_instruction(case: _Case) -> DemoSet:
    """Demonstrations alone."""
    return case.demos.changed(instruction="")


def _reversed(case: _Case) -> DemoSet:
    """The last demonstration first."""
    return case.demos.changed(demos=case.demos.demos[::-1])


def _shuffled(case: _Case) -> DemoSet:
    """Demonstrations in an order drawn at random."""
    return case.demos.changed(demos=tuple(case.rng.sample(case.demos.demos, len(case.demos.demos))))


def _duplicated(case: _Case) -> DemoSet:
    """The first demonstration K times, so that there are as many, but no more to learn from."""
    return case.demos.changed(demos=case.demos.demos[:1] * len(case.demos.demos))


ABLATIONS: dict[str, Callable[[_Case], DemoSet]] = {
    "shifted": _shifted,
    "random": _random,
    "other": _other,
    "no-answers": _no_answers,
    "no-instruction": _no_instruction,
    "reversed": _reversed,
    "shuffled": _shuffled,
    "duplicated": _duplicated,
}


def _answers(demos: DemoSet) -> list[str]:
    """All answers of a set in order."""
    exchanges = [exchange for demo in demos.demos for exchange in demo.exchanges]
    return [exchange.answer for exchange in exchanges if exchange.answer is not None]


def _with_answers(demos: DemoSet, answers: Sequence[str | None]) -> DemoSet:
    """The set with other answers in place of its own, in order."""
    rest = iter(answers)

    def answered(demo: Demo) -> Demo:
        first, *then = [
            exchange if exchange.answer is None else dataclasses.replace(exchange, answer=next(rest))
            for exchange in demo.exchanges
        ]
        return dataclasses.replace(demo, answer=first.answer, then=tuple(then))

    return demos.changed(demos=tuple(answered(demo) for demo in demos.demos))


def _too_few(demos: DemoSet, ablation: str, needed: str) -> InputError:
    return InputError(
        f"The ablation {ablation!r} needs {needed}; what is taken of demonstration set {demos.name!r} has "
        f"{len(_answers(demos))}: take more demonstrations or choose another set."
    )
