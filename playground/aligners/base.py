"""What every aligner has besides its prompts: the description of its lanes, and defaults of the protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from playground.types import Message, SelectedDemo, StopName


@dataclass(frozen=True, kw_only=True)
class LaneKind:
    """How lanes of one aligner are spelled and labelled, and which options people can set in the page."""

    label: str
    """Name of such a lane for people, in a few words."""
    adapter_label: str = ""
    """The same with an adapter, whose own label follows; "" where `label` holds there too."""
    alias: str = ""
    """Another name of the aligner in lane specs, the one that the page uses; "" for none."""
    adapter: Literal["none", "optional", "name"] = "none"
    """Whether a lane takes ``adapter=NAME``. "name": it needs one, and the adapter's name alone is such a
    lane; one aligner can have that."""
    demonstrations: bool = False
    """Whether it has the options demos, k, pick, ablation, seed and other; see `demonstration_options`."""
    chat_format: bool = False
    """Whether it has those of `chat_options.ChatOptions`: system, instruction, template, think, variables."""
    stop_rules: tuple[StopName, ...] = ()
    """Values of its option ``stop`` that are names of stop rules; others are stop sequences."""
    rank: int = 100
    """Place in lists of lanes: lower ones come first, equal ones by label."""


class AlignerBase:
    """Base class of aligners: the part of the protocol that concerns demonstrations, for one without any."""

    @property
    def demonstration_count(self) -> int:
        """How many demonstrations its prompts show."""
        return 0

    def with_fewer_demonstrations(self, n: int) -> Self:
        """The same aligner: there is no demonstration to leave out."""
        return self

    def select_demonstrations(self, messages: Sequence[Message]) -> Sequence[SelectedDemo]:
        """The demonstrations that a conversation selects."""
        return ()
