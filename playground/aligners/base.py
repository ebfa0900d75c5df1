"""Base classes of aligners: the description of their lanes, and defaults of the protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from playground.types import Message, SelectedDemo, StopName


@dataclass(frozen=True, kw_only=True)
class LaneKind:
    """How lanes of one aligner are spelled and labelled, and which options the page offers."""

    label: str
    """Display name of such a lane, in a few words."""
    adapter_label: str = ""
    """Display name of such a lane with an adapter, before the adapter's label; "" to use `label`."""
    alias: str = ""
    """Another name of the aligner in lane specs, which the page prefers; "" for none."""
    adapter: Literal["none", "optional", "name"] = "none"
    """Whether a lane takes ``adapter=NAME``. "name": the adapter is required, and its name alone is a lane
    spec of this aligner; only one aligner can have this value."""
    demonstrations: bool = False
    """Whether it has the options demos, k, pick, ablation, seed and other; see `demonstration_options`."""
    chat_format: bool = False
    """Whether it has the options of `ChatOptions`: system, instruction, template, think, variables."""
    stop_rules: tuple[StopName, ...] = ()
    """Values of its ``stop`` option that name a stop rule; other values are stop sequences."""
    rank: int = 100
    """Position in lists of lanes: lower ranks come first, equal ranks are ordered by label."""


class AlignerBase:
    """Base class of aligners; implements the protocol's demonstration methods for aligners without any."""

    @property
    def demonstration_count(self) -> int:
        """The number of demonstrations in its prompts."""
        return 0

    def with_fewer_demonstrations(self, n: int) -> Self:
        """Return the same aligner, which has no demonstrations to leave out."""
        return self

    def select_demonstrations(self, messages: Sequence[Message]) -> Sequence[SelectedDemo]:
        """Return the demonstrations selected for a conversation."""
        return ()
