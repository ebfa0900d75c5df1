"""URIAL: alignment by demonstrations in the context (arXiv 2312.01552, section 3).

The prompt is an instruction, then demonstrations, then the conversation, every message in a block of the
set's own family (`demos.FAMILIES`), by default a fenced one under ``# Query:`` or ``# Answer:``; the last
answer's block is left open for the model to fill. With an adapter, the same prompt is put to the fine-tuned
weights (IFT + URIAL). With an ablation, the demonstrations are changed on purpose (`ablations.ABLATIONS`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from playground.ablations import ablate
from playground.aligners import Shelf, refuse_unknown
from playground.demos import FAMILIES, family_of, render
from playground.types import DemoSet, InputError, Message, Prompt, demo_set_from_json

STOP = FAMILIES["fenced"].stop


@dataclass(frozen=True, kw_only=True)
class Aligner:
    """Instruction, demonstrations, conversation."""

    kind: ClassVar[str] = "urial"
    demos: DemoSet
    """What stands in the prompt, so after `k` and the ablation."""
    adapter: str | None = None
    k: int | None = None
    """How many demonstrations were taken; None in a text used whole, and in old records."""
    ablation: str | None = None
    seed: int = 0
    """The ablation's; 0 without one."""
    other: str | None = None
    """The set that answers were drawn from, if another one."""
    source: str | None = None
    """`DemoSet.content_hash` of the set that was asked for, before anything was taken or changed."""

    def __call__(self, messages: Sequence[Message]) -> Prompt:
        """The whole prompt, up to the open block that the answer goes into."""
        text = render(self.demos, messages)
        return Prompt(text=text, stop=family_of(self.demos).stop, adapter=self.adapter)

    @property
    def label(self) -> str:
        """What is in the context, for people: the set's name, how much of it, and how it was changed."""
        shown = "whole" if self.demos.whole else f"k={len(self.demos.demos)}"
        parts = [self.demos.name, shown]
        if self.ablation is not None:
            drawn = f" from {self.other}" if self.other else ""
            parts += [f"{self.ablation}{drawn}", f"seed {self.seed}"]
        return ", ".join(parts)

    @classmethod
    def build(cls, options: Mapping[str, str], shelf: Shelf) -> Aligner:
        """Options: `demos` (a set's name), `k` (its first k demonstrations), `adapter` (a name), `ablation`
        (a name), `seed` (the ablation's), `other` (the set that the ablation "other" draws answers from)."""
        refuse_unknown(options, ("demos", "k", "adapter", "ablation", "seed", "other"), "urial")
        asked = shelf.demo_set(options["demos"]) if "demos" in options else shelf.default_demo_set()
        demos = asked.take(_number(options, "k")) if "k" in options else asked
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
            demos = ablate(demos, ablation, seed, other if ablation == "other" else asked)
        return cls(
            demos=demos,
            adapter=shelf.adapter(options["adapter"]).name if "adapter" in options else None,
            k=None if demos.whole else len(demos.demos),
            ablation=ablation,
            seed=seed,
            other=other.name if other else None,
            source=asked.content_hash,
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Aligner:
        """See `aligner_from_json`; records from before there were ablations lack their keys."""
        fields = {name: data[name] for name in ("k", "ablation", "seed", "other", "source") if name in data}
        return cls(demos=demo_set_from_json(data["demos"]), adapter=data["adapter"], **fields)


def _number(options: Mapping[str, str], name: str) -> int:
    text = options[name].strip()
    if not text.isdecimal() or len(text) > 18:  # a number that long is beyond any seed, too
        raise InputError(f"{name} must be a whole number from 0, not {options[name]!r}.")
    return int(text)
