"""How the lanes stand and what they are: the handlers of adding, moving, hiding and setting them up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from playground.lanes.letters import LETTERS
from playground.lanes.names import square_lanes
from playground.library.presets import Preset
from playground.types import InputError
from playground.ui.controls import decoding as decoding_controls
from playground.ui.controls.lane import Lane
from playground.ui.controls.toast import tried
from playground.ui.html import presets as html_presets
from playground.ui.page.components import Parts, Updates
from playground.ui.page.state import LANES, PageState
from playground.ui.page.updates import Drawing


class Arranging:
    """Handlers; each checks what it is given."""

    def __init__(self, page: Parts, drawing: Drawing) -> None:
        self.page, self.chat, self.lanes, self.asking = page, page.chat, page.lanes, page.asking
        self.drawing = drawing

    # --- Lanes ----------------------------------------------------------------------------------------

    def on_add(self, state: PageState, *values: Any) -> Updates:
        """One lane more, at the right."""

        def act() -> Updates:
            self._refuse_in_the_blind(state)
            if state.lanes >= LANES:
                raise InputError(f"A page has {LANES} lanes at most: remove one first.")
            state.lanes += 1
            return {**self.drawing.columns(state), **self.drawing.metered(state, values)}

        return tried(act, self.page.box)

    def on_square(self, state: PageState, *values: Any) -> Updates:
        """Base, base + URIAL, IFT, IFT + URIAL, in a new conversation."""

        def act() -> Updates:
            self._refuse_in_the_blind(state)
            adapter = next(iter(self.chat.catalog.cards()), None)
            if adapter is None:
                raise InputError("The 2\u00d72 needs an adapter: start Tandem with --adapter NAME=PATH.")
            self.chat.conversations.new(state)
            state.lanes = 4
            updates: Updates = {}
            for lane, spec in zip(self.lanes, square_lanes(adapter), strict=True):
                updates |= lane.set_to(state, spec)
                updates[lane.live] = lane.placeholder(spec, state)
            return {**self.drawing.shown(state), **updates}

        return tried(act, self.page.box)

    def set_up_preset(self, state: PageState, preset: Preset) -> Updates:
        """A new conversation as a preset suggests: URIAL with its demonstrations beside its adapter, or
        beside the base; its decoding in all lanes. Other decoding parameters stay as they are."""
        self.chat.conversations.new(state)
        state.blind, state.probe = False, None
        state.lanes = PageState.lanes
        updates: Updates = {}
        for lane in self.lanes:
            spec = self.chat.catalog.default_lane(lane.number)
            updates |= {**lane.set_to(state, spec), lane.own_dials: gr.update(visible=False)}
            updates[lane.live] = lane.placeholder(spec, state)
        updates |= {**self.page.dials.decode_by(preset.decoding), self.page.linked: True}
        return {**self.drawing.shown(state), **updates}

    def preset_sentence(self, state: PageState, preset: Preset) -> str:
        """What `set_up_preset` has applied, and which adapter of the preset could not be loaded."""
        labels = {spec: label for label, spec in self.lanes[0].list_presets()}
        lanes = [
            f"lane {LETTERS[lane.number]} {labels.get(spec, spec)}"
            for lane in self.lanes[: state.lanes]
            for spec in [self.chat.catalog.default_lane(lane.number)]
        ]
        sentence = (
            f"{preset.label} is set up in a new conversation: {', '.join(lanes)}; "
            f"demonstrations {self.chat.catalog.default_set()}; {html_presets.describe_decoding(preset)}."
        )
        for status in self.page.session.status().adapters:
            if status.error is not None and status.card.name in {own.name for own in preset.adapters}:
                sentence += f" {status.error}"
        return sentence

    def on_blind(self, state: PageState, *values: Any) -> Updates:
        """Hide the lanes' names and shuffle them, from the next conversation on; or show them again."""

        def act() -> Updates:
            if state.blind:
                conversation = self.chat.conversations.current(state)
                state.blind = False
                updates = self.drawing.set_to(state, conversation) if conversation else {}
                return {**updates, **self.drawing.shown(state, values)}
            self.chat.conversations.new(state)
            state.blind = True
            return self.drawing.shown(state, values)

        return tried(act, self.page.box)

    def on_arrange(self, lane: Lane, arranged: Callable[[int, int], list[int]]) -> Callable[..., Updates]:
        """The handler that puts the lanes in another order."""

        def handler(state: PageState, *values: Any) -> Updates:
            def act() -> Updates:
                self._refuse_in_the_blind(state)
                said, wish = self.asking.said(values), self.asking.wish(state, *values)
                wish.require(lane.number)
                specs = wish.specs
                order = arranged(lane.number, len(specs))
                self.chat.conversations.arrange(state, order)
                state.lanes = len(order)
                updates: Updates = {}
                for each, old in zip(self.lanes, order, strict=False):
                    updates |= each.set_to(state, specs[old])
                    updates |= dict(zip(each.dials.controls, said.dials[old], strict=True))
                    updates[each.live] = each.placeholder(specs[old], state)
                updates |= self.drawing.shown(state, keep_empty=True)
                updates[self.page.mode]["value"] = self.asking.rearranged(values, order)
                return updates

            return tried(act, self.page.box)

        return handler

    def _refuse_in_the_blind(self, state: PageState) -> None:
        if state.blind:
            raise InputError("The lanes are hidden: press Reveal first.")

    def on_control(self, lane: Lane) -> Callable[..., Updates]:
        """The handler of a lane's controls: what depends on them, and what the lane is now."""

        def handler(state: PageState, *values: Any) -> Updates:
            return tried(lambda: self._settled_alone(state, lane, values), lane.meter)

        return handler

    def on_demos(self, lane: Lane) -> Callable[..., Updates]:
        """The handler of a lane's choice of demonstrations: the same, and how far K goes."""

        def handler(state: PageState, *values: Any) -> Updates:
            def act() -> Updates:
                recipe = lane.recipe(self.asking.of_lane(lane, values))
                reach = lane.demonstrations.limit_k(state, recipe.demos, recipe.k)
                return {**self._settled_alone(state, lane, values), lane.demonstrations.k: reach}

            return tried(act, lane.meter)

        return handler

    def _settled(self, state: PageState, lane: Lane, values: Sequence[Any]) -> Updates:
        own = self.asking.of_lane(lane, values)
        updates = lane.update_dependent(state, own)
        # Before the load has opened its conversation, the page only seems empty: a description of the lane
        # would replace the conversation if this answer reached the browser after the load's.
        if state.loaded and not self.drawing.turns(state):
            updates[lane.live] = lane.placeholder(lane.spec(state, own), state)
        return updates

    def _settled_alone(self, state: PageState, lane: Lane, values: Sequence[Any]) -> Updates:
        return {**self._settled(state, lane, values), **self.drawing.metered(state, values)}

    def on_settle(self, state: PageState, *values: Any) -> Updates:
        """The same for all lanes at once."""

        def act() -> Updates:
            updates: Updates = {}
            for lane in self.lanes[: state.lanes]:
                updates |= self._settled(state, lane, values)
            return {**updates, **self.drawing.metered(state, values)}

        return tried(act, self.page.box)

    # --- Decoding -----------------------------------------------------------------------------------

    def on_preset(self, own: decoding_controls.Dials) -> Callable[[Any], Updates]:
        """The handler of a preset that was chosen."""
        return lambda preset: own.chosen(preset) or {own.preset: gr.skip()}

    def on_dial(self, own: decoding_controls.Dials) -> Callable[..., Updates]:
        """The handler of a dial that was turned."""
        return lambda *values: own.after(values)

    def on_linked(self, state: PageState, *values: Any) -> Updates:
        """Whether all lanes decode alike; where not, each begins with what they had in common."""
        said = self.asking.said(values)
        updates: Updates = {}
        for lane in self.lanes:
            updates[lane.own_dials] = gr.update(visible=not said.linked)
            if not said.linked:
                own = dict(zip(lane.dials.controls, said.common, strict=True))
                updates |= {**own, **lane.dials.after(said.common)}
                for control, value in own.items():
                    marked = updates[control]
                    updates[control] = {**marked, "value": value} if isinstance(marked, dict) else value
        return updates

    def on_meters(self, state: PageState, *values: Any) -> Updates:
        """How much of the context the next prompts take."""
        return self.drawing.metered(state, values)


def swapped(lane: int, lanes: int) -> list[int]:
    """The order of so many lanes with one and the next, after the last the first, in each other's places."""
    order = list(range(lanes))
    other = (lane + 1) % lanes
    order[lane], order[other] = order[other], order[lane]
    return order


def duplicated(lane: int, lanes: int) -> list[int]:
    """The order with one lane twice."""
    order = list(range(lanes))
    return [*order[: lane + 1], lane, *order[lane + 1 :]]


def removed(lane: int, lanes: int) -> list[int]:
    """The order without one lane.

    Raises:
        InputError: it is the last.
    """
    if lanes == 1:
        raise InputError("The last lane stays: add another one first.")
    return [each for each in range(lanes) if each != lane]
