"""Buttons for arranging lanes, and controls for the 2x2 layout, blind mode and history mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import gradio as gr

from playground.lanes.names import default_lanes, find_urial_options, square_lanes
from playground.lanes.recipe import Recipe
from playground.types import Conversation, InputError
from playground.ui.controls.buttons import small_button
from playground.ui.controls.choice import Choice
from playground.ui.controls.events import HIDDEN, Updates, Values
from playground.ui.controls.lane import Lane
from playground.ui.controls.toast import attempt, say
from playground.ui.html import labels as html_labels
from playground.ui.page.address import Address
from playground.ui.page.controller import Controller
from playground.ui.page.controller.conversations import refuse_while_streaming
from playground.ui.page.events import Handler, Listener, PageEvents
from playground.ui.page.inputs import HISTORY_MODES, PageInputs
from playground.ui.page.lanes import Lanes
from playground.ui.page.setup_undo import SetupUndo
from playground.ui.page.state import LANES, PageState


class PageDrawing(Protocol):
    """Protocol for an object that redraws a conversation after its lanes have been rearranged."""

    def draw(self, state: PageState, values: Values | None = None) -> Updates:
        """Return UI updates for all components that show the conversation."""

    def set_controls(self, state: PageState, conversation: Conversation) -> Updates:
        """Return UI updates that set the controls to match a conversation's lanes."""


class Arrangement:
    """Buttons and handlers for arranging the lanes.

    Must be created inside a `gr.Blocks` context. `compose_tools` and `compose_mode` add the components in two
    places on the page.
    """

    def __init__(self, controller: Controller, address: Address) -> None:
        self.controller, self.address = controller, address

    def compose_undo(self) -> SetupUndo:
        """Add the row with which a change of the set-up is undone."""
        self.undo = SetupUndo(self.controller)
        return self.undo

    def compose_tools(self) -> None:
        """Add the buttons that apply to all lanes."""
        self.add = small_button("Add a lane", "add-lane")
        self.square = small_button("2\u00d72 comparison", "square")
        self.blind = small_button("Blind", "blind")
        self.reset = small_button("Reset", "reset-setup")

    def compose_mode(self) -> None:
        """Add the history mode control, which determines whose earlier answers each prompt contains."""
        self.mode = Choice(
            [*HISTORY_MODES[:3], HISTORY_MODES[-1]],
            value="own",
            label="Continue from",
            info="which earlier answers each lane sees",
            filterable=False,
            min_width=170,
            elem_id="mode",
            elem_classes="control wide",
        )

    @property
    def outputs(self) -> list[Any]:
        """Components updated by this feature's event handlers."""
        return [self.add, self.square, self.blind, self.mode, *self.undo.outputs]

    def connect(self, events: PageEvents, lanes: Lanes, page: PageDrawing) -> None:
        """Connect the buttons, including those in the lanes."""
        self.inputs: PageInputs = events.inputs
        self.lanes, self.page = lanes, page

        self.square.click(None, None, None, js="() => tandemBusy(true)", **HIDDEN)
        squared = events.on(self.square.click, self.on_square, in_conversation=True)
        squared.then(None, None, None, js="() => tandemBusy(false)", **HIDDEN)
        events.on(squared.then, lanes.on_meters, lanes.meters)
        blinded = events.on(self.blind.click, self.on_blind)
        events.on(blinded.then, lanes.on_meters, lanes.meters)
        events.on(self.mode.input, lanes.on_meters, lanes.meters, trigger_mode="always_last")
        moves: dict[Listener, Handler] = {self.add.click: self.on_add}
        for lane in lanes.columns:
            moves[lane.swap.click] = self.on_move(lane, swap)
            moves[lane.duplicate.click] = self.on_move(lane, duplicate)
            moves[lane.remove.click] = self.on_move(lane, remove)
        # "once", because a second click could meet another lane than the one that the user sees.
        moved = events.on_each(moves, in_conversation=True, trigger_mode="once")
        events.on(moved.then, lanes.on_meters, lanes.meters)

    # --- Handlers -----------------------------------------------------------------------------------

    def on_add(self, state: PageState, values: Values) -> Updates:
        """Add a lane on the right. It uses the first of the default variants that no other lane uses."""

        def act() -> Updates:
            refuse_while_blind(state)
            count = state.lanes  # once, because another event can change it meanwhile
            if count >= LANES:
                raise InputError(f"The page can show at most {LANES} lanes: remove one first.")
            lane = self.lanes.columns[count]
            spec = self._find_missing(count, values)
            state.lanes = count + 1
            return {**self.draw(state), **self.lanes.set_up(state, lane, spec), **self._clear(lane)}

        return attempt(act, self.add)

    def on_square(self, state: PageState, values: Values) -> Updates:
        """Set up the lanes base, base + URIAL, IFT and IFT + URIAL. The conversation stays on the page.

        Both URIAL lanes keep the options of the first open URIAL lane: the comparison is about what was set.
        """

        def act() -> Updates:
            refuse_while_blind(state)
            refuse_while_streaming(state)
            adapter = self.controller.catalog.default_adapter()
            if adapter is None:
                raise InputError(
                    "The 2\u00d72 comparison needs an adapter: start Tandem with --adapter NAME=PATH."
                )
            count = len(self.controller.conversations.user_messages(state))
            specs = self.inputs.read(state, values).specs
            options = find_urial_options(specs)
            wanted = square_lanes(adapter, options)
            sentence = "Four lanes are set up: base, base + URIAL, IFT and IFT + URIAL."
            if options:
                sentence += " Both lanes with URIAL keep the settings of the URIAL lane."
            if count:
                messages = "your message" if count == 1 else f"your {count} messages"
                sentence += f" Replay sends {messages} to all four in a new conversation."
            self.undo.offer(state, self.inputs, values, sentence, replay=True)
            order = _match_lanes(specs, wanted)
            if order != sorted(order):  # the answers move with their lanes
                self.controller.conversations.arrange(state, order)
            updates: Updates = {}
            for lane in self.lanes.columns[state.lanes :]:
                updates |= self._clear(lane)
            state.lanes = LANES
            for lane, spec in zip(self.lanes.columns, wanted, strict=True):
                updates |= self.lanes.set_up(state, lane, spec)
            return {**updates, **self.page.draw(state)}

        return attempt(act, self.add)

    def on_blind(self, state: PageState, values: Values) -> Updates:
        """Start a conversation in blind mode (lanes shuffled, names hidden), or reveal the lane names."""

        def act() -> Updates:
            if state.blind:
                conversation = self.controller.conversations.current(state)
                state.blind = False
                updates = self.page.set_controls(state, conversation) if conversation else {}
                return {**updates, **self.page.draw(state, values)}
            asked = bool(self.controller.conversations.user_messages(state))
            self.controller.conversations.new(state)
            state.blind = True
            say(
                "Blind: the lanes are shuffled, and their names are hidden until you press Reveal."
                + (" The conversation so far is in History." if asked else "")
            )
            return self.page.draw(state, values)

        return attempt(act, self.add)

    def on_move(self, lane: Lane, move: Callable[[int, int], list[int]]) -> Callable[..., Updates]:
        """Return a handler that reorders the lanes.

        Args:
            lane: the lane whose button was pressed.
            move: function that returns the new order, given the lane's number and the number of lanes.
        """

        def handler(state: PageState, values: Values) -> Updates:
            def act() -> Updates:
                refuse_while_blind(state)
                settings = self.inputs.read(state, values)
                settings.require(lane.number)
                order = move(lane.number, len(settings.specs))
                if len(order) < len(settings.specs):
                    name = self.controller.catalog.name_lane(state, lane.number, settings.specs[lane.number])
                    removed = f"{name} is removed with its answers."
                    self.undo.offer(state, self.inputs, values, removed)
                else:
                    state.undo = None
                self.controller.conversations.arrange(state, order)
                state.lanes = len(order)
                updates: Updates = {}
                for each, old in zip(self.lanes.columns, order, strict=False):
                    updates |= self.lanes.set_up(state, each, settings.specs[old])
                    updates |= each.decoding.copy_from(self.lanes.columns[old].decoding, values)
                updates |= self.page.draw(state)
                updates[self.mode]["value"] = _move_leader(values[self.mode], order)
                return updates

            return attempt(act, self.add)

        return handler

    # --- Updates ------------------------------------------------------------------------------------

    def _find_missing(self, count: int, values: Values) -> str:
        """Return the spec of the first variant that is in none of `count` lanes, default variants first."""
        catalog, open_lanes = self.controller.catalog, self.lanes.columns[:count]
        used = {values[lane.preset] for lane in open_lanes}
        defaults = default_lanes(catalog.default_adapter())
        offered = [spec for _, spec in open_lanes[0].list_presets()]
        return next((spec for spec in (*defaults, *offered) if spec not in used), defaults[count])

    def _clear(self, lane: Lane) -> Updates:
        """Return UI updates that remove earlier answers from a lane that was hidden."""
        return {lane.past: "", lane.line: html_labels.status_line(None)}

    def draw(self, state: PageState) -> Updates:
        """Return UI updates that show the visible lanes and enable the available actions."""
        modes = [
            mode
            for mode in HISTORY_MODES
            if not mode[1].startswith("shared") or int(mode[1][-1]) < state.lanes
        ]
        return {
            **self.lanes.draw_columns(state),
            **self.address.draw_moved(state),
            self.mode: gr.update(choices=modes),
            self.add: gr.update(interactive=state.lanes < LANES and not state.blind),
            self.blind: gr.update(value="Reveal" if state.blind else "Blind"),
        }


def refuse_while_blind(state: PageState) -> None:
    """Check that the lane names are visible.

    Raises:
        InputError: blind mode is on.
    """
    if state.blind:
        raise InputError("The lane names are hidden: press Reveal first.")


def _match_lanes(specs: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Return the lanes in the order of the wanted lanes. Lanes without a match fill the places left."""
    presets = [Recipe.of(spec).preset for spec in specs]
    order: list[int | None] = []
    for spec in wanted[: len(specs)]:
        matches = (lane for lane, preset in enumerate(presets) if preset == Recipe.of(spec).preset)
        order.append(next((lane for lane in matches if lane not in order), None))
    others = iter([lane for lane in range(len(specs)) if lane not in order])
    return [next(others) if lane is None else lane for lane in order]


def _move_leader(mode: Any, order: Sequence[int]) -> str:
    """Return the history mode to use after the lanes have been reordered.

    A shared mode contains the number of the lane whose history is shared. If that lane has moved, its new
    number is used; if it has been removed, the mode becomes "own".
    """
    name, _, leader = str(mode).partition("-")
    if not leader:
        return name
    return f"{name}-{order.index(int(leader))}" if int(leader) in order else "own"


def swap(lane: int, lanes: int) -> list[int]:
    """Return the lane order after swapping `lane` with the next lane, or the last lane with the first."""
    order = list(range(lanes))
    other = (lane + 1) % lanes
    order[lane], order[other] = order[other], order[lane]
    return order


def duplicate(lane: int, lanes: int) -> list[int]:
    """Return the lane order after duplicating `lane`, given `lanes` lanes."""
    order = list(range(lanes))
    return [*order[: lane + 1], lane, *order[lane + 1 :]]


def remove(lane: int, lanes: int) -> list[int]:
    """Return the lane order after removing `lane`, given `lanes` lanes.

    Raises:
        InputError: `lane` is the only lane.
    """
    if lanes == 1:
        raise InputError("The only lane cannot be removed: add another one first.")
    return [each for each in range(lanes) if each != lane]
