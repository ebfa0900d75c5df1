"""URIAL: alignment by demonstrations in the context (arXiv 2312.01552, section 3).

The prompt is an instruction, then demonstrations, then the conversation, every message in a fenced block
under ``# Query:`` or ``# Answer:``; the last answer's block is left open for the model to fill. With an
adapter, the same prompt is put to the fine-tuned weights (IFT + URIAL).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from playground.aligners import Shelf, refuse_unknown
from playground.types import Demo, DemoSet, InputError, Message, Prompt, StopRule

FENCE = "```"
QUERY = "# Query:"
ANSWER = "# Answer:"
STOP = StopRule(fence=FENCE, headers=(QUERY, ANSWER))


@dataclass(frozen=True, kw_only=True)
class Aligner:
    """Instruction, demonstrations, conversation."""

    kind: ClassVar[str] = "urial"
    demos: DemoSet
    adapter: str | None = None

    def __call__(self, messages: Sequence[Message]) -> Prompt:
        """The whole prompt, up to the open block that the answer goes into."""
        headers = {"user": QUERY, "assistant": ANSWER}
        blocks = [_block(QUERY, d.query) + "\n" + _block(ANSWER, d.answer) for d in self.demos.demos]
        blocks += [_block(headers[message.role], message.text) for message in messages]
        blocks.append(f"{ANSWER}\n{FENCE}\n")
        if self.demos.instruction:
            blocks.insert(0, self.demos.instruction + "\n")
        return Prompt(text="\n".join(blocks), stop=STOP, adapter=self.adapter)

    @classmethod
    def build(cls, options: Mapping[str, str], shelf: Shelf) -> Aligner:
        """Options: `demos` (a set's name), `k` (its first k demonstrations), `adapter` (a name)."""
        refuse_unknown(options, ("demos", "k", "adapter"), "urial")
        demos = shelf.demo_set(options["demos"]) if "demos" in options else shelf.default_demo_set()
        if "k" in options:
            if not options["k"].strip().isdecimal():
                raise InputError(f"k must be a whole number from 0, not {options['k']!r}.")
            demos = demos.take(int(options["k"]))
        adapter = shelf.adapter(options["adapter"]).name if "adapter" in options else None
        return cls(demos=demos, adapter=adapter)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Aligner:
        """See `aligner_from_json`."""
        raw = dict(data["demos"])
        demos = tuple(Demo(**demo) for demo in raw.pop("demos"))
        return cls(demos=DemoSet(demos=demos, **raw), adapter=data["adapter"])


def _block(header: str, text: str) -> str:
    return f"{header}\n{FENCE}\n{text}\n{FENCE}\n"
