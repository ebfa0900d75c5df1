"""URIAL aligner: alignment through in-context demonstrations (arXiv 2312.01552, section 3).

The prompt consists of an instruction, demonstrations and the conversation. Every message is written as a
block of the set's prompt family (`demonstrations.families`), by default a block with fences and the header
``# Query:`` or ``# Answer:``. The last answer block is left open, so that the model completes it. If an
adapter is applied, the fine-tuned model receives the same prompt (IFT + URIAL). An ablation deliberately
modifies the demonstrations, and `pick` selects the demonstrations nearest to a message in the conversation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from playground.aligners import Shelf, refuse_unknown
from playground.aligners.base import LaneKind
from playground.aligners.demonstration_options import DemonstrationAligner
from playground.demonstrations.families import family_of, pieces
from playground.types import InputError, Message, Prompt, StopName

STOP_RULES: tuple[StopName, ...] = ("own", "paper")
"""Names of the rules for detecting the end of an answer; see `types.StopName`."""


@dataclass(frozen=True, kw_only=True)
class Aligner(DemonstrationAligner):
    """Aligner that prompts the base model or an adapter with an instruction and demonstrations."""

    kind: ClassVar[str] = "urial"
    lane: ClassVar[LaneKind] = LaneKind(
        label="Base + URIAL",
        adapter_label="IFT + URIAL",
        adapter="optional",
        demonstrations=True,
        stop_rules=STOP_RULES,
        rank=20,
    )
    adapter: str | None = None
    stop: StopName = "own"
    """Stop rule of the lane; one of `STOP_RULES`."""

    def __call__(self, messages: Sequence[Message]) -> Prompt:
        """Render the full prompt, ending in the open answer block."""
        demos = self.demos_for(messages)
        rule = family_of(demos).stop_rule(self.stop)
        return Prompt.of(pieces(demos, messages), stop=rule, adapter=self.adapter)

    def describe(self, adapter_label: str) -> str:
        """Describe the lane's weights and prompt in one sentence."""
        model = "The base model" if self.adapter is None else f"The base model with adapter {adapter_label}"
        shown = f"{model}, shown {self.summary} before your message."
        return shown if self.adapter else f"{shown} The model itself is not changed."

    @classmethod
    def build(cls, options: Mapping[str, str], shelf: Shelf) -> Aligner:
        """Build the aligner.

        Supports the options of `DemonstrationAligner.read_options`, `adapter`, and `stop`, which selects
        one of `STOP_RULES`.
        """
        known = ("demos", "k", "adapter", "ablation", "seed", "other", "pick", "stop")
        refuse_unknown(options, known)
        stop = next((rule for rule in STOP_RULES if rule == options.get("stop", "own")), None)
        if stop is None:
            raise InputError(
                f"stop={options['stop']} is not a stop rule: choose one of {', '.join(STOP_RULES)}."
            )
        demonstrations = cls.read_options(options, shelf)
        adapter = shelf.adapter(options["adapter"]).name if "adapter" in options else None
        return cls(**demonstrations, adapter=adapter, stop=stop)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Aligner:
        """Create an aligner from the output of `types.to_json`. Old documents do not contain a stop rule."""
        stop = {"stop": data["stop"]} if "stop" in data else {}
        return cls(**cls.read_json(data), adapter=data["adapter"], **stop)
