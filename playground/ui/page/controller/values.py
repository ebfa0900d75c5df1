"""Values that the page's controller takes and returns: lane settings, snapshots and prompt previews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playground.session import HistoryMode, choose_histories
from playground.types import Conversation, InputError, LeftOut, Prompt, SelectedDemo, Token


@dataclass(frozen=True, kw_only=True)
class LaneSettings:
    """The lane settings in the page's controls: lane specs, decoding, history mode and prefill."""

    specs: Sequence[str]
    """Each lane's spec."""
    decoding: Sequence[Mapping[str, Any]]
    """Decoding parameters of each lane, as fields of `Sampling`."""
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
        """Check that the lanes exist; a lane may have been removed after its button was pressed.

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
    """Which lanes differ from the previous snapshot."""
    note: str = ""
    """Text to show in answers that have no text yet."""
    is_first: bool = False
    """Whether it is the first snapshot of its turn, so that earlier turns must be drawn too."""
    done: bool = False
    """Whether it is the last snapshot, after which the page accepts new actions."""


@dataclass(frozen=True, kw_only=True)
class PromptPreview:
    """A prompt that was sent to a lane or would be sent next."""

    prompt: Prompt
    tokens: list[Token] | None
    """Tokens of the prompt; None while the model is loading."""
    left_out: LeftOut | None = None
    error: str | None = None
    """Why the prompt would be rejected; None if it would not."""
    chosen: Sequence[SelectedDemo] = ()
    """Demonstrations retrieved for the conversation, in the prompt's order."""
