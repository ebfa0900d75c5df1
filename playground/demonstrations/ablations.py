"""Ablations, which deliberately remove or corrupt parts of a demonstration set (arXiv 2405.19874).

Each ablation returns a modified copy of a demonstration set. The result is deterministic for a given seed.
Section 2.3 and the appendix of that paper examine which parts of a demonstration matter. "shifted", "random"
and "other" correspond to the paper's circular shift, in-domain random answers and out-of-domain random
answers; "no-answers" keeps only the queries. Every turn of a demonstration counts as a separate query and
answer. Queries without an answer remain unanswered.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence

from playground.types import Demo, DemoSet, InputError

TRIES = 1000
"""Maximum number of attempts to assign random answers to the queries. An assignment is valid if no query gets
its own answer. If all answers differ, more than a third of all random assignments are valid, so one is soon
found.
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Case:
    """The input to an ablation: the demonstrations, a random number generator and the pool of answers."""

    demos: DemoSet
    rng: random.Random
    pool: DemoSet
    """The demonstration set from which answers are drawn."""


def ablate(demos: DemoSet, name: str, seed: int = 0, pool: DemoSet | None = None) -> DemoSet:
    """Apply an ablation to a demonstration set and return the result.

    Args:
        demos: the set of K demonstrations in the prompt.
        name: one of `ABLATIONS`.
        seed: seed for the random choices of "random", "other" and "shuffled".
        pool: the set from which answers are drawn. For "other", this must be a different set. For "random",
            this is the set from which `demos` was selected. Defaults to `demos`.

    Raises:
        InputError: the ablation name is unknown, or the ablation cannot be applied to the set.
    """
    if name not in ABLATIONS:
        raise InputError(f"There is no ablation {name!r}: choose one of {', '.join(ABLATIONS)}.")
    if demos.whole:
        raise InputError(
            f"Demonstration set {demos.name!r} could not be parsed and is used verbatim, so the "
            f"ablation {name!r} cannot be applied: remove it."
        )
    same = pool is None or pool.name == demos.name or pool.content_hash == demos.content_hash
    if name == "other" and same:
        raise InputError(
            "The ablation 'other' needs a second demonstration set to draw answers from: add one, as in "
            "urial:ablation=other,other=NAME."
        )
    return ABLATIONS[name](_Case(demos=demos, rng=random.Random(seed), pool=pool or demos))


def _shift(case: _Case) -> DemoSet:
    """Give each query the answer to the next query. The last query gets the answer to the first query."""
    answers = _answers(case.demos)
    if len(answers) < 2:
        raise _too_few(case.demos, "shifted", "at least two answers")
    return _with_answers(case.demos, [*answers[1:], answers[0]])


def _random(case: _Case) -> DemoSet:
    """Draw a random answer from the pool for each query. No answer is used twice, and no query gets its own
    answer.
    """
    own, all_answers = _answers(case.demos), _answers(case.pool)
    if len(all_answers) >= len(own):
        for _ in range(TRIES):
            drawn = case.rng.sample(all_answers, len(own))
            if all(one != other for one, other in zip(drawn, own, strict=True)):
                return _with_answers(case.demos, drawn)
    raise _too_few(case.demos, "random", "more distinct answers")


def _other(case: _Case) -> DemoSet:
    """Draw answers from another demonstration set. Every answer is used once before any answer is
    repeated.
    """
    answers, wanted = _answers(case.pool), len(_answers(case.demos))
    if not answers:
        raise _too_few(case.pool, "other", "answers to draw from")
    drawn: list[str] = []
    while len(drawn) < wanted:
        drawn += case.rng.sample(answers, len(answers))
    return _with_answers(case.demos, drawn[:wanted])


def _no_answers(case: _Case) -> DemoSet:
    """Keep the queries and remove all answers."""
    return _with_answers(case.demos, [None] * len(_answers(case.demos)))


def _no_instruction(case: _Case) -> DemoSet:
    """Remove the instruction and keep the demonstrations."""
    return case.demos.with_changes(instruction="")


def _reverse(case: _Case) -> DemoSet:
    """Reverse the order of the demonstrations."""
    return case.demos.with_changes(demos=case.demos.demos[::-1])


def _shuffle(case: _Case) -> DemoSet:
    """Shuffle the demonstrations, using the seeded random number generator."""
    return case.demos.with_changes(demos=tuple(case.rng.sample(case.demos.demos, len(case.demos.demos))))


def _duplicate(case: _Case) -> DemoSet:
    """Replace all K demonstrations with copies of the first one, which removes all variety."""
    return case.demos.with_changes(demos=case.demos.demos[:1] * len(case.demos.demos))


ABLATIONS: dict[str, Callable[[_Case], DemoSet]] = {
    "shifted": _shift,
    "random": _random,
    "other": _other,
    "no-answers": _no_answers,
    "no-instruction": _no_instruction,
    "reversed": _reverse,
    "shuffled": _shuffle,
    "duplicated": _duplicate,
}


def _answers(demos: DemoSet) -> list[str]:
    """Return all answers in a demonstration set, in order."""
    exchanges = [exchange for demo in demos.demos for exchange in demo.exchanges]
    return [exchange.answer for exchange in exchanges if exchange.answer is not None]


def _with_answers(demos: DemoSet, answers: Sequence[str | None]) -> DemoSet:
    """Return a copy of a demonstration set with its answers replaced by `answers`, in order."""
    rest = iter(answers)

    def with_answers(demo: Demo) -> Demo:
        first, *then = [
            exchange if exchange.answer is None else dataclasses.replace(exchange, answer=next(rest))
            for exchange in demo.exchanges
        ]
        return dataclasses.replace(demo, answer=first.answer, then=tuple(then))

    return demos.with_changes(demos=tuple(with_answers(demo) for demo in demos.demos))


def _too_few(demos: DemoSet, ablation: str, needed: str) -> InputError:
    return InputError(
        f"The ablation {ablation!r} needs {needed}, but the demonstrations used from set {demos.name!r} have "
        f"{len(_answers(demos))}: use more demonstrations, or choose another set."
    )
