"""Base classes for aligners: the lane description, and default implementations of the protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from playground.types import Message, SelectedDemo, StopName


@dataclass(frozen=True, kw_only=True)
class LaneKind:
    """Spec syntax and labels of one aligner's lanes, and the options that the UI offers for them."""

    label: str
    """Short display name of the aligner's lanes."""
    adapter_label: str = ""
    """Display name of lanes with an adapter, followed by the adapter's label in the UI; "" to use `label`."""
    alias: str = ""
    """Alternative name of the aligner in lane specs, preferred by the UI; "" for none."""
    adapter: Literal["none", "optional", "name"] = "none"
    """Whether lanes accept ``adapter=NAME``. With "name", an adapter is required, and the adapter's name is a
    valid lane spec by itself; only one aligner can use this value."""
    demonstrations: bool = False
    """Whether lanes support the options in `demonstration_options`: demos, k, pick, ablation, seed, other."""
    chat_format: bool = False
    """Whether lanes support the options in `ChatOptions`: system, instruction, template, think, variables."""
    stop_rules: tuple[StopName, ...] = ()
    """Values of the ``stop`` option that select a stop rule; any other value is a stop sequence."""
    rank: int = 100
    """Sort key in lists of lanes: lower ranks come first, and equal ranks are sorted by label."""


class AlignerBase:
    """Base class of aligners, with protocol defaults for aligners without demonstrations."""

    @property
    def demonstration_count(self) -> int:
        """Number of demonstrations in the aligner's prompts."""
        return 0

    def with_fewer_demonstrations(self, n: int) -> Self:
        """Return this aligner unchanged: it has no demonstrations to drop."""
        return self

    def select_demonstrations(self, messages: Sequence[Message]) -> Sequence[SelectedDemo]:
        """Return an empty sequence: no demonstrations are selected for the conversation."""
        return ()
