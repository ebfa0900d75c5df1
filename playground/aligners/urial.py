"""URIAL: alignment by demonstrations in the context (arXiv 2312.01552, section 3).

The prompt is an instruction, then demonstrations, then the conversation, every message in a block of the
set's own family (`demos.FAMILIES`), by default a fenced one under ``# Query:`` or ``# Answer:``; the last
answer's block is left open for the model to fill. With an adapter, the same prompt is put to the fine-tuned
weights (IFT + URIAL). With an ablation, the demonstrations are changed on purpose (`ablations.ABLATIONS`).
Which demonstrations are shown may depend on the conversation: then those nearest to a message are chosen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from playground.aligners import Shelf, refuse_unknown
from playground.demonstrations.ablations import ablate
from playground.demonstrations.families import FAMILIES, family_of, pieces
from playground.demonstrations.retrieval import Choice, nearest
from playground.types import DemoSet, InputError, Message, Prompt, StopName, demo_set_from_json

STOP = FAMILIES["fenced"].stop
_LATER = ("k", "ablation", "seed", "other", "pick", "source", "stop")  # keys that old records lack
STOP_RULES: tuple[StopName, ...] = ("own", "paper")
"""How the end of an answer is found, see `types.StopName`."""
PICKS = ("first", "nearest", "nearest-turn")
"""Which k demonstrations: the first ones, those nearest to a conversation's first message, or to its last."""


@dataclass(frozen=True, kw_only=True)
class Aligner:
    """Instruction, demonstrations, conversation."""

    kind: ClassVar[str] = "urial"
    stop_rules: ClassVar[tuple[StopName, ...]] = STOP_RULES
    """Values of the option `stop`, which are no stop sequences in a lane of this kind."""
    demos: DemoSet
    """What stands in the prompt, so after `k` and the ablation; where the conversation chooses, the set that
    they are chosen from."""
    adapter: str | None = None
    k: int | None = None
    """How many demonstrations were taken; None in a text used whole, and in old records."""
    ablation: str | None = None
    seed: int = 0
    """The ablation's; 0 without one."""
    other: str | None = None
    """The set that answers were drawn from, if another one."""
    pick: str = "first"
    """One of `PICKS`."""
    source: str | None = None
    """`DemoSet.content_hash` of the set that was asked for, before anything was taken or changed."""

    stop: StopName = "own"
    """One of `STOP_RULES`."""

    def __call__(self, messages: Sequence[Message]) -> Prompt:
        """The whole prompt, up to the open block that the answer goes into."""
        demos = self.shown(messages)
        rule = family_of(demos).stop_rule(self.stop)
        return Prompt.of(pieces(demos, messages), stop=rule, adapter=self.adapter)

    def chosen(self, messages: Sequence[Message]) -> list[Choice]:
        """The demonstrations that a conversation chooses, in the prompt's order; none where it has no say."""
        asked = [message.text for message in messages if message.role == "user"]
        if self.pick == "first" or not asked or self.k is None:
            return []
        return nearest(self.demos, asked[0 if self.pick == "nearest" else -1], self.k)

    def shown(self, messages: Sequence[Message]) -> DemoSet:
        """The demonstrations as they stand in the prompt for a conversation."""
        if self.pick == "first":
            return self.demos
        demos = self.demos.changed(demos=tuple(choice.demo for choice in self.chosen(messages)))
        return ablate(demos, self.ablation, self.seed, self.demos) if self.ablation else demos

    @property
    def count(self) -> int:
        """How many demonstrations stand in the prompt; 0 in a text used whole."""
        return len(self.demos.demos) if self.k is None else self.k

    def fewer(self, k: int) -> Aligner:
        """The same with the first `k` of its demonstrations, or, where the conversation chooses, with `k`."""
        if k == self.count:
            return self
        if self.pick != "first":
            return dataclasses.replace(self, k=k)
        return dataclasses.replace(self, demos=self.demos.take(k), k=k)

    @property
    def label(self) -> str:
        """What is in the context, for people: the set's name, how much of it, and how it was changed."""
        parts = [self.demos.name, "whole" if self.demos.whole else f"k={self.count}"]
        if self.pick != "first":
            parts.append("nearest to each message" if self.pick == "nearest-turn" else "nearest")
        if self.ablation is not None:
            drawn = f" from {self.other}" if self.other else ""
            parts += [f"{self.ablation}{drawn}", f"seed {self.seed}"]
        if self.stop != "own":
            parts.append(f"stop={self.stop}")
        return ", ".join(parts)

    @property
    def summary(self) -> str:
        """What is in the context, in a few words of a sentence."""
        if self.demos.whole:
            return f"the whole text of {self.demos.name}"
        words = f"{self.count} demonstration{'' if self.count == 1 else 's'}"
        if self.pick != "first":
            words += f" nearest to {'each message' if self.pick == 'nearest-turn' else 'the first message'}"
        return f"{words} ({self.ablation})" if self.ablation else words

    @classmethod
    def build(cls, options: Mapping[str, str], shelf: Shelf) -> Aligner:
        """Options: `demos` (a set's name), `k` (its first k demonstrations), `adapter` (a name), `ablation`
        (a name), `seed` (the ablation's), `other` (the set that the ablation "other" draws answers from),
        `pick` (which k demonstrations, one of `PICKS`), `stop` (how the end of an answer is found, one of
        `STOP_RULES`)."""
        known = ("demos", "k", "adapter", "ablation", "seed", "other", "pick", "stop")
        refuse_unknown(options, known, "urial")
        stop = next((rule for rule in STOP_RULES if rule == options.get("stop", "own")), None)
        if stop is None:
            raise InputError(
                f"stop={options['stop']} is not a stop rule: choose one of {', '.join(STOP_RULES)}."
            )
        asked = shelf.demo_set(options["demos"]) if "demos" in options else shelf.default_demo_set()
        demos = asked.take(_number(options, "k")) if "k" in options else asked
        pick = options.get("pick", "first")
        if pick not in PICKS:
            raise InputError(f"pick={pick} is not known: choose one of {', '.join(PICKS)}.")
        if pick != "first" and ("k" not in options or not demos.demos):
            raise InputError(f"pick={pick} chooses k demonstrations of a set: say how many, as in k=3.")
        ablation, seed, other = options.get("ablation"), 0, None
        if ablation is None:
            for name in ("seed", "other"):
                if name in options:
                    raise InputError(
                        f"{name}={options[name]} is an ablation's: name one, as in ablation=random."
                    )
        else:
            seed = _number(options, "seed") if "seed" in options else 0
            other = shelf.demo_set(options["other"]) if "other" in options else None
            if other is not None and ablation != "other":
                raise InputError(f"The ablation {ablation!r} draws from no other set: leave other= out.")
            if pick != "first" and ablation == "other":
                raise InputError("The ablation 'other' goes with pick=first only: leave one of them out.")
            demos = ablate(demos, ablation, seed, other if ablation == "other" else asked)
        return cls(
            demos=demos if pick == "first" else asked,
            adapter=shelf.adapter(options["adapter"]).name if "adapter" in options else None,
            k=None if demos.whole else len(demos.demos),
            pick=pick,
            ablation=ablation,
            seed=seed,
            other=other.name if other else None,
            source=asked.content_hash,
            stop=stop,
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Aligner:
        """See `aligner_from_json`; records from before there were ablations lack their keys."""
        fields = {name: data[name] for name in _LATER if name in data}
        return cls(demos=demo_set_from_json(data["demos"]), adapter=data["adapter"], **fields)


def _number(options: Mapping[str, str], name: str) -> int:
    text = options[name].strip()
    if not text.isdecimal() or len(text) > 18:  # a number that long is beyond any seed, too
        raise InputError(f"{name} must be a whole number from 0, not {options[name]!r}.")
    return int(text)
