"""The inputs shared by most events of the main page, and the lane settings read from these inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import gradio as gr

from playground.lanes.letters import lane_letter
from playground.session import HistoryMode
from playground.types import InputError, check_characters
from playground.ui.controls.decoding import DecodingControls
from playground.ui.controls.events import Values
from playground.ui.controls.lane import Lane
from playground.ui.page.controller import LaneSettings
from playground.ui.page.state import PageState
from playground.words import format_number

PREFILL_LIMIT = 2_000
"""Maximum prefill length in characters."""
HISTORY_MODES = (
    ("its own answers", "own"),
    ("lane A's answers", "shared-0"),
    ("lane B's answers", "shared-1"),
    ("lane C's answers", "shared-2"),
    ("lane D's answers", "shared-3"),
    ("the next lane's answers", "swapped"),
)
"""Labels and values of the history modes. The mode determines whose earlier answers a prompt contains."""


class PageInputs:
    """Inputs of page events: the page's state, the id of the displayed conversation, and all controls."""

    def __init__(
        self,
        *,
        state: gr.State,
        shown: gr.Textbox,
        lanes: Sequence[Lane],
        decoding: DecodingControls,
        linked: gr.Checkbox,
        mode: gr.Dropdown,
        prefill: gr.Textbox,
        message: gr.Textbox,
        gathered: gr.JSON,
    ) -> None:
        """Store the components created by the page's features.

        Args:
            state: the page's state.
            shown: hidden text box with the id of the conversation shown in the browser.
            lanes: all lanes, including hidden lanes.
            decoding: decoding controls shared by all lanes.
            linked: checkbox that makes all lanes use the controls in `decoding`.
            mode: history mode control.
            prefill: prefill field.
            message: message box, whose draft is part of each lane's next prompt.
            gathered: input with which the browser sends the values of all other components.
        """
        self.state, self.shown, self.lanes = state, shown, lanes
        self.decoding, self.linked, self.mode, self.prefill = decoding, linked, mode, prefill
        self.message, self.gathered = message, gathered

    @property
    def controls(self) -> list[Any]:
        """Controls that determine the lane settings."""
        own = [part for lane in self.lanes for part in (*lane.controls, *lane.decoding.controls)]
        return [self.linked, self.mode, self.prefill, *self.decoding.controls, *own]

    @property
    def components(self) -> list[Any]:
        """The message box, the id of the displayed conversation, and the controls."""
        return [self.message, self.shown, *self.controls]

    def decoding_of(self, lane: Lane, values: Values) -> DecodingControls:
        """Return the decoding controls that apply to a lane."""
        return self.decoding if values[self.linked] else lane.decoding

    def read(self, state: PageState, values: Values, draw_seed: bool = False) -> LaneSettings:
        """Read the settings of the visible lanes.

        Args:
            state: the page's state.
            values: values by component, as sent by the browser.
            draw_seed: whether to generate a new seed for lanes in which "New seed each turn" is checked.

        Raises:
            InputError: a value is invalid.
        """
        # If decoding is shared, read the controls once, so that all lanes get the same new seed.
        shared = self.decoding.read(values, draw_seed) if values[self.linked] else None
        self._check_texts(values)
        specs, decoding, new_seeds = [], [], []
        for lane in self.lanes[: state.lanes]:
            controls = self.decoding_of(lane, values)
            new_seeds.append(controls.draws_seeds(values))
            decoding.append(shared or self._read_own(lane, values, draw_seed))
            specs.append(lane.spec(state, lane_values(lane, values), decoding[-1]["seed"]))
        prefill = values[self.prefill]
        if not isinstance(prefill, str) or len(prefill) > PREFILL_LIMIT:
            raise InputError(
                f"The prefill can have at most {format_number(PREFILL_LIMIT)} characters: shorten it."
            )
        mode, leader = self._read_mode(values, len(specs))
        return LaneSettings(
            specs=specs, decoding=decoding, new_seeds=new_seeds, mode=mode, leader=leader, prefill=prefill
        )

    def _read_own(self, lane: Lane, values: Values, draw_seed: bool) -> dict[str, Any]:
        try:
            return lane.decoding.read(values, draw_seed)
        except InputError as error:
            raise InputError(f"Lane {lane_letter(lane.number)}: {error}") from error

    def _read_mode(self, values: Values, lanes: int) -> tuple[HistoryMode, int]:
        """Return the history mode and, for "shared" mode, the lane whose history is used by all lanes."""
        mode = values[self.mode]
        name, _, leader = str(mode).partition("-")
        if mode not in [value for _, value in HISTORY_MODES] or (leader and int(leader) >= lanes):
            raise InputError("The lane chosen under 'Continue from' no longer exists: choose another lane.")
        return cast(HistoryMode, name), int(leader or 0)

    def _check_texts(self, values: Values) -> None:
        check_texts(values[self.prefill], "The prefill")
        for controls in (self.decoding, *(lane.decoding for lane in self.lanes)):
            check_texts([values[control] for control in controls.controls], "A stop sequence")
        settings = [values[control] for lane in self.lanes for control in lane.controls]
        check_texts([values[self.mode], settings], "A lane's setting")


def lane_values(lane: Lane, values: Values) -> list[Any]:
    """Return the values of a lane's controls, in the order of `Lane.controls`."""
    return [values[control] for control in lane.controls]


def check_texts(value: Any, what: str) -> None:
    """Apply `check_characters` to all text in a control's value.

    Raises:
        InputError: the text contains an unpaired surrogate.
    """
    if isinstance(value, str):
        check_characters(value, what)
    elif isinstance(value, list | tuple):
        for each in value:
            check_texts(each, what)
