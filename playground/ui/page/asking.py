"""The controls that say what is asked, and how: their order as inputs, and what their values mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.types import InputError, check_characters
from playground.ui.controls import decoding as decoding_controls
from playground.ui.controls.decoding import Dials
from playground.ui.controls.lane import CONTROLS, Lane
from playground.ui.page.controller import LaneSettings
from playground.ui.page.state import PageState

START_LIMIT = 2_000
"""Characters that an answer can be begun with."""
MODES = (
    ("its own answers", "own"),
    ("lane A's answers", "shared-0"),
    ("lane B's answers", "shared-1"),
    ("lane C's answers", "shared-2"),
    ("lane D's answers", "shared-3"),
    ("the next lane's answers", "swapped"),
)


@dataclass(frozen=True, kw_only=True)
class Said:
    """The values of the controls, unchecked, as a browser sent them."""

    linked: Any
    mode: Any
    start: Any
    common: Sequence[Any]
    """Of the dials that hold for all lanes."""
    lanes: Sequence[Sequence[Any]]
    """Of each lane's `controls`."""
    dials: Sequence[Sequence[Any]]
    """Of each lane's own dials."""


class Asking:
    """The controls together; they are made elsewhere."""

    def __init__(
        self,
        linked: gr.Checkbox,
        mode: gr.Dropdown,
        start: gr.Textbox,
        common: Dials,
        lanes: Sequence[Lane],
    ) -> None:
        self.linked, self.mode, self.start, self.common, self.lanes = linked, mode, start, common, lanes

    @property
    def components(self) -> list[Any]:
        """In the order in which `said` takes their values."""
        own = [part for lane in self.lanes for part in (*lane.controls, *lane.dials.controls)]
        return [self.linked, self.mode, self.start, *self.common.controls, *own]

    def said(self, values: Sequence[Any]) -> Said:
        """The values by what they are of."""
        linked, mode, start, *rest = values
        of_dials = len(decoding_controls.DIALS)
        common, rest = rest[:of_dials], rest[of_dials:]
        size = len(CONTROLS) + of_dials
        each = [rest[at : at + size] for at in range(0, len(rest), size)]
        return Said(
            linked=linked,
            mode=mode,
            start=start,
            common=common,
            lanes=[own[: len(CONTROLS)] for own in each],
            dials=[own[len(CONTROLS) :] for own in each],
        )

    def of_lane(self, lane: Lane, values: Sequence[Any]) -> Sequence[Any]:
        """The values of a lane's controls."""
        return self.said(values).lanes[lane.number]

    def wish(self, state: PageState, *values: Any, draw_seed: bool = False) -> LaneSettings:
        """What they ask for.

        Raises:
            InputError: one of them cannot be.
        """
        said = self.said(values)
        shared = decoding_controls.read(said.common, draw_seed) if said.linked else None
        _check_texts(said.start, "The start of the answers")
        _check_texts([said.common, said.dials], "A text that ends answers")
        _check_texts([said.mode, said.lanes], "A lane's setting")
        specs, decoding, new_seeds = [], [], []
        for lane in self.lanes[: state.lanes]:
            own = said.common if said.linked else said.dials[lane.number]
            new_seeds.append(decoding_controls.draws_seeds(own))
            decoding.append(shared or decoding_controls.read(own, draw_seed))
            specs.append(lane.spec(state, said.lanes[lane.number], decoding[-1]["seed"]))
        if not isinstance(said.start, str) or len(said.start) > START_LIMIT:
            raise InputError(f"Answers can begin with at most {START_LIMIT} characters: shorten them.")
        name, _, leader = str(said.mode).partition("-")
        if said.mode not in [value for _, value in MODES] or (leader and int(leader) >= len(specs)):
            raise InputError("The lane that all are to go on from is not there: choose another.")
        return LaneSettings(
            specs=specs,
            decoding=decoding,
            new_seeds=new_seeds,
            mode=name,  # type: ignore[arg-type]
            leader=int(leader or 0),
            prefill=said.start,
        )

    def rearranged(self, values: Sequence[Any], order: Sequence[int]) -> str:
        """The mode once the lanes stand in another order: it goes with the lane that it names.

        Args:
            order: by new place, the old one.
        """
        mode = self.said(values).mode
        name, _, leader = str(mode).partition("-")
        if not leader:
            return name
        return f"{name}-{order.index(int(leader))}" if int(leader) in order else "own"


def _check_texts(value: Any, what: str) -> None:
    """Check every text in a control's value, see `check_characters`."""
    if isinstance(value, str):
        check_characters(value, what)
    elif isinstance(value, list | tuple):
        for each in value:
            _check_texts(each, what)
