"""Argument and result types of the page's controller: lane settings, snapshots and prompt previews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playground.session import HistoryMode, choose_histories
from playground.types import Conversation, InputError, LeftOut, Prompt, SelectedDemo, Token


@dataclass(frozen=True, kw_only=True)
class LaneSettings:
    """Lane settings read from the page's controls: lane specs, decoding, history mode and prefill."""

    specs: Sequence[str]
    """Lane specs, one per lane."""
    decoding: Sequence[Mapping[str, Any]]
    """Decoding parameters of each lane, as `Sampling` fields."""
    new_seeds: Sequence[bool] = ()
    """Whether each lane uses a new seed for every turn."""
    mode: HistoryMode = "own"
    leader: int = 0
    """The lane whose history is used by all lanes in "shared" mode."""
    prefill: str = ""
    """Prefill, the text with which every answer starts."""

    @property
    def histories(self) -> tuple[int, ...]:
        """For each lane, the lane whose earlier answers its prompt contains (see `Turn.histories`)."""
        return choose_histories(self.mode, len(self.specs), self.leader)

    def require(self, *lanes: int) -> None:
        """Check that the lanes exist. A lane may have been removed after its button was pressed.

        Raises:
            InputError: a lane does not exist.
        """
        if any(lane >= len(self.specs) for lane in lanes):
            raise InputError("That lane is no longer on the page: choose another lane.")


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The state of a conversation at one moment during generation, to be rendered by the page."""

    conversation: Conversation
    changed: tuple[bool, ...]
    """For each lane, whether its answer has changed since the previous snapshot."""
    note: str = ""
    """Placeholder for answers that have no text yet."""
    is_first: bool = False
    """Whether this is the first snapshot of a turn, which requires redrawing the earlier turns."""
    done: bool = False
    """Whether this is the final snapshot, after which the page accepts new actions."""


@dataclass(frozen=True, kw_only=True)
class PromptPreview:
    """A lane's next prompt or the prompt of an earlier answer, prepared for display."""

    prompt: Prompt
    tokens: list[Token] | None
    """The prompt's tokens, or None while the model is loading."""
    left_out: LeftOut | None = None
    error: str | None = None
    """Reason why the prompt would be rejected, or None if it would be accepted."""
    chosen: Sequence[SelectedDemo] = ()
    """Demonstrations retrieved for the message, in prompt order."""
