"""What the page's controller takes and gives: lane settings, snapshots to draw, prompt previews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playground.session import HistoryMode, choose_histories
from playground.types import Conversation, InputError, LeftOut, Prompt, SelectedDemo, Token


@dataclass(frozen=True, kw_only=True)
class LaneSettings:
    """What the page's controls say about its lanes: recipes, decoding, history mode, prefill."""

    specs: Sequence[str]
    """Each lane's spec."""
    decoding: Sequence[Mapping[str, Any]]
    """Fields of `Sampling`, for each lane."""
    new_seeds: Sequence[bool] = ()
    """Whether each lane uses a new seed for every turn."""
    mode: HistoryMode = "own"
    leader: int = 0
    """The lane whose history all lanes use in mode "shared"."""
    prefill: str = ""
    """Text that every answer starts with."""

    @property
    def histories(self) -> tuple[int, ...]:
        """The lane whose history each lane uses, as in `Turn.histories`."""
        return choose_histories(self.mode, len(self.specs), self.leader)

    def require(self, *lanes: int) -> None:
        """Check that the lanes exist; one may have been removed since its button was pressed.

        Raises:
            InputError: a lane does not exist.
        """
        if any(lane >= len(self.specs) for lane in lanes):
            raise InputError("That lane is no longer shown: choose another.")


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A conversation to draw while its answers are written."""

    conversation: Conversation
    changed: tuple[bool, ...]
    """Which lanes differ from the snapshot before."""
    note: str = ""
    """What answers without text are waiting for."""
    is_first: bool = False
    """Whether it is the first of its turn, so that earlier turns have to be drawn too."""
    done: bool = False
    """Whether it is the last one: the page accepts new actions again."""


@dataclass(frozen=True, kw_only=True)
class PromptPreview:
    """A prompt that was sent to a lane or would be sent next."""

    prompt: Prompt
    tokens: list[Token] | None
    """None while the model is loading."""
    left_out: LeftOut | None = None
    error: str | None = None
    """Why it would be refused."""
    chosen: Sequence[SelectedDemo] = ()
    """Demonstrations that were retrieved for the conversation, in the prompt's order."""
