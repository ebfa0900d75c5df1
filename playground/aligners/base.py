"""Base classes for aligners: the lane description, and default implementations of the protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from playground.types import Message, SelectedDemo, StopName


@dataclass(frozen=True, kw_only=True)
class LaneKind:
    """Description of an aligner's lanes, including spec syntax, labels, and the options offered in the UI."""

    label: str
    """Short display name of the aligner's lanes."""
    adapter_label: str = ""
    """Display name of lanes that use an adapter; "" to use `label`. The UI appends the adapter's label."""
    alias: str = ""
    """Alternative name of the aligner in lane specs, preferred by the UI; "" for none."""
    adapter: Literal["none", "optional", "name"] = "none"
    """Whether lanes accept ``adapter=NAME``. If the value is "name", an adapter is required, and the
    adapter's name alone is a valid lane spec. Only one aligner can use the value "name"."""
    demonstrations: bool = False
    """Whether lanes support the options in `demonstration_options`: demos, k, pick, ablation, seed, other."""
    chat_format: bool = False
    """Whether lanes support the options in `ChatOptions`: system, instruction, template, think, variables."""
    chat_model: bool = False
    """Whether lanes name a model on a server, with the options model and server."""
    stop_rules: tuple[StopName, ...] = ()
    """Values of the ``stop`` option that select a stop rule; any other value is a stop sequence."""
    rank: int = 100
    """Sort key in lists of lanes: lower ranks come first, and lanes with equal ranks are sorted by label."""


class AlignerBase:
    """Base class for aligners. The default implementations suit aligners without demonstrations."""

    @property
    def demonstration_count(self) -> int:
        """Number of demonstrations in the aligner's prompts: always 0."""
        return 0

    def with_fewer_demonstrations(self, n: int) -> Self:
        """Return this aligner unchanged: it has no demonstrations to drop."""
        return self

    def select_demonstrations(self, messages: Sequence[Message]) -> Sequence[SelectedDemo]:
        """Return an empty sequence, because the prompts contain no demonstrations."""
        return ()
