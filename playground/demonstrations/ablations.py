"""Ablations of demonstration sets: parts of the prompt removed or made wrong on purpose (arXiv 2405.19874).

Each ablation returns a changed copy of a set, the same for the same seed. Section 2.3 of the paper and its
appendix ask which part of a demonstration matters: "shifted", "random" and "other" are its circular shift,
in-domain random and out-of-domain random answers, "no-answers" its queries alone. Each turn of a
demonstration counts as a query and an answer of its own; a query without an answer stays without one.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence

from playground.types import Demo, DemoSet, InputError

TRIES = 1000
"""Maximum number of random draws; with distinct answers, more than a third of all draws are valid."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Case:
    """The input of an ablation."""

    demos: DemoSet
    rng: random.Random
    pool: DemoSet
    """The set that answers are drawn from."""


def ablate(demos: DemoSet, name: str, seed: int = 0, pool: DemoSet | None = None) -> DemoSet:
    """Return `demos` after the ablation of that name.

    Args:
        demos: the K demonstrations of the prompt.
        name: one of `ABLATIONS`.
        seed: seed of the random choices ("random", "other" and "shuffled").
        pool: the set that answers are drawn from. For "other", another set, which is required; for "random",
            the set that `demos` is a part of, by default `demos`.

    Raises:
        InputError: the name is unknown, or the set does not allow the ablation.
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
    """Give each query the next query's answer, and the last one the first one's."""
    answers = _answers(case.demos)
    if len(answers) < 2:
        raise _too_few(case.demos, "shifted", "at least two answers")
    return _with_answers(case.demos, [*answers[1:], answers[0]])


def _random(case: _Case) -> DemoSet:
    """Draw answers from the whole set, each at most once and none for its own query."""
    own, all_answers = _answers(case.demos), _answers(case.pool)
    if len(all_answers) >= len(own):
        for _ in range(TRIES):
            drawn = case.rng.sample(all_answers, len(own))
            if all(one != other for one, other in zip(drawn, own, strict=True)):
                return _with_answers(case.demos, drawn)
    raise _too_few(case.demos, "random", "more answers that differ")


def _other(case: _Case) -> DemoSet:
    """Draw answers from another set, using each once before any is repeated."""
    answers, wanted = _answers(case.pool), len(_answers(case.demos))
    if not answers:
        raise _too_few(case.pool, "other", "answers to draw from")
    drawn: list[str] = []
    while len(drawn) < wanted:
        drawn += case.rng.sample(answers, len(answers))
    return _with_answers(case.demos, drawn[:wanted])


def _no_answers(case: _Case) -> DemoSet:
    """Keep the queries only."""
    return _with_answers(case.demos, [None] * len(_answers(case.demos)))


def _no_instruction(case: _Case) -> DemoSet:
    """Keep the demonstrations only."""
    return case.demos.changed(instruction="")


def _reversed(case: _Case) -> DemoSet:
    """Reverse the order of the demonstrations."""
    return case.demos.changed(demos=case.demos.demos[::-1])


def _shuffled(case: _Case) -> DemoSet:
    """Shuffle the demonstrations."""
    return case.demos.changed(demos=tuple(case.rng.sample(case.demos.demos, len(case.demos.demos))))


def _duplicated(case: _Case) -> DemoSet:
    """Repeat the first demonstration K times, which keeps the number but removes the variety."""
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
    """Return all answers of a set in order."""
    exchanges = [exchange for demo in demos.demos for exchange in demo.exchanges]
    return [exchange.answer for exchange in exchanges if exchange.answer is not None]


def _with_answers(demos: DemoSet, answers: Sequence[str | None]) -> DemoSet:
    """Return the set with its answers replaced, in order."""
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
