"""The lanes of the page, including their columns, controls and context usage meters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground.lanes.letters import lane_letter
from playground.lanes.names import abbreviate_spec, label_lanes
from playground.lanes.recipe import Recipe
from playground.lanes.summary import summarize_lanes
from playground.types import InputError, Variant
from playground.ui.controls.events import HIDDEN, Updates, Values
from playground.ui.controls.lane import CONTROLS, EMPTY, Lane
from playground.ui.controls.toast import attempt
from playground.ui.html import labels as html_labels
from playground.ui.page.controller import Controller
from playground.ui.page.events import PageEvents
from playground.ui.page.inputs import PageInputs, lane_values
from playground.ui.page.state import LANES, PageState

if TYPE_CHECKING:
    from playground.ui.dialogs.chat_model import ChatModelDialog

LOADED = "loaded"
"""Reason to redraw all lanes: the load event has been handled."""
DRAFT_LIMIT = 20_000
"""Maximum number of characters of a draft that is counted while it is typed."""


class Lanes:
    """The columns of all lanes. Must be created inside a `gr.Blocks` context."""

    def __init__(self, controller: Controller) -> None:
        """Add a row with all lanes. Lanes beyond the default number are hidden."""
        self.controller = controller
        with gr.Row(elem_id="lanes", scale=1, equal_height=True):
            self.columns = [
                Lane(number, controller, controller.catalog.default_lane(number), number < PageState.lanes)
                for number in range(LANES)
            ]
        # Pressed by `draft.js` when the user pauses while typing.
        self.count_draft = gr.Button(visible="hidden", elem_id="count-draft", elem_classes="nowhere")

    @property
    def outputs(self) -> list[Any]:
        """Components updated by this feature's event handlers."""
        parts = [part for lane in self.columns for part in (lane.decoding.preset, *lane.decoding.controls)]
        for lane in self.columns:
            parts += [lane.column, lane.past, lane.live, lane.line, lane.meter, lane.own_decoding]
            parts += [*lane.rows, *lane.controls]
        return parts

    @property
    def meters(self) -> list[gr.HTML]:
        """Components updated by `draw_meters`."""
        return [lane.meter for lane in self.columns]

    @property
    def turns(self) -> list[gr.HTML]:
        """Components that show the conversation's turns."""
        return [part for lane in self.columns for part in (lane.past, lane.live)]

    def connect(self, events: PageEvents, chat_model: ChatModelDialog) -> None:
        """Connect the controls.

        Args:
            chat_model: dialog that asks for the chat model of a lane.
        """
        self.inputs: PageInputs = events.inputs
        self._chat_model = chat_model
        events.on(self.count_draft.click, self.on_draft, self.meters, trigger_mode="always_last")
        for lane in self.columns:
            outputs = [*lane.dependent, lane.demonstrations.k, lane.live, *self.meters, *chat_model.outputs]
            demos, variables = lane.demonstrations.demos, lane.chat_format.variables
            # Incomplete template variables cannot be parsed, so that field is read only when it loses focus.
            changes = [
                variables.blur,
                *(part.input for part in lane.controls if part not in (demos, variables)),
            ]
            # Dragging a slider fires events faster than updates can be rendered, so only the last one is
            # handled.
            events.on(changes, self.on_control(lane), outputs, trigger_mode="always_last")
            events.on(demos.input, self.on_demos(lane), outputs, trigger_mode="always_last")
            lane.setup.click(None, None, None, js=f"() => tandemSetUp({lane.number})", **HIDDEN)

    # --- Handlers -----------------------------------------------------------------------------------

    def on_control(self, lane: Lane) -> Callable[..., Updates]:
        """Return the handler for changes to a lane's controls. It updates components that depend on them."""

        def handler(state: PageState, values: Values) -> Updates:
            def act() -> Updates:
                self._note_drawn(state, lane)
                updates = {**self._draw_lane(state, lane, values), **self.draw_meters(state, values)}
                return updates | self._chat_model.draw_choice(lane, values)

            return attempt(act, lane.meter)

        return handler

    def on_demos(self, lane: Lane) -> Callable[..., Updates]:
        """Return the handler for a lane's demonstration set control. It also updates the range of K."""

        def handler(state: PageState, values: Values) -> Updates:
            def act() -> Updates:
                recipe = lane.recipe(lane_values(lane, values))
                reach = lane.demonstrations.limit_k(state, recipe.demos, recipe.k)
                self._note_drawn(state, lane)
                updates = {**self._draw_lane(state, lane, values), **self.draw_meters(state, values)}
                return {**updates, lane.demonstrations.k: reach}

            return attempt(act, lane.meter)

        return handler

    def on_controls(self, state: PageState, values: Values) -> Updates:
        """Update the components that depend on the controls of all visible lanes."""

        def act() -> Updates:
            updates: Updates = {}
            for lane in self.columns[: state.lanes]:
                updates |= self._draw_lane(state, lane, values)
            return {**updates, **self.draw_meters(state, values)}

        return attempt(act, self.columns[0].meter)

    def on_loaded(self, state: PageState, values: Values) -> Updates:
        """Update the lanes after the load event, whose updates may have changed their controls."""
        return self.redraw(state, values, LOADED)

    def redraw(self, state: PageState, values: Values, reason: str) -> Updates:
        """Update the lanes as `on_controls` does, except lanes whose controls have been changed since.

        The page sends this event's values when the event is triggered. If the user changes a lane's control
        before the event is handled, the values are out of date, but the updates may reach the page last.

        Args:
            state: the page's state.
            values: values of the controls when the event was triggered.
            reason: `LOADED` or the result of `ready`, the change after which the lanes are updated.
        """
        updates = self.on_controls(state, values)
        drawn = {lane for lane, known in state.drawn if known == reason}
        for lane in self.columns:
            # Each meter depends on the controls of all lanes.
            skipped: list[Any] = [lane.meter] if drawn else []
            if lane.number in drawn:
                skipped += [*lane.dependent, lane.demonstrations.k, lane.live]
            for part in skipped:
                updates.pop(part, None)
        return updates or {self.columns[0].meter: gr.skip()}

    def _note_drawn(self, state: PageState, lane: Lane) -> None:
        """Note that a lane is drawn with values that the user has just changed."""
        if state.loaded:
            state.drawn.add((lane.number, LOADED))
        if self.controller.session.status().state != "loading":
            state.drawn.add((lane.number, self.ready))

    @property
    def ready(self) -> str:
        """The reason to redraw all lanes once the engine's model has loaded."""
        return f"ready {id(self.controller.session.engine)}"

    def on_meters(self, state: PageState, values: Values) -> Updates:
        """Update the context usage meters."""
        return self.draw_meters(state, values)

    def on_draft(self, state: PageState, values: Values) -> Updates:
        """Count the message that is being typed, unless answers are being generated."""
        if state.streaming or not self.controller.streaming.may_count_draft():
            return {}
        return self.draw_meters(state, values)

    # --- Updates ------------------------------------------------------------------------------------

    def _draw_lane(self, state: PageState, lane: Lane, values: Values) -> Updates:
        """Return UI updates for a lane's dependent controls and, on a page without turns, its description."""
        own = lane_values(lane, values)
        updates: Updates = lane.update_dependent(state, own)
        # Before the load event has opened the conversation, the page merely appears empty. A lane description
        # sent now could reach the browser after the load event's updates and replace the conversation.
        if state.loaded and not self.controller.conversations.user_messages(state):
            updates[lane.live] = lane.placeholder(lane.spec(state, own), state)
        return updates

    def draw_meters(self, state: PageState, values: Values) -> Updates:
        """Return UI updates for each lane's summary and the context usage of its next prompt.

        The next prompt includes the draft in the message box. In blind mode, nothing is sent to the page,
        because the summary and the length of the prompt could identify the lane.
        """
        if state.blind:
            return {lane.meter: "" for lane in self.columns}
        try:
            settings = self.inputs.read(state, values)
        except InputError:
            return {lane.meter: "" for lane in self.columns}
        draft = values[self.inputs.message]
        if not isinstance(draft, str) or len(draft) > DRAFT_LIMIT:
            draft = None
        catalog = self.controller.catalog
        summaries = summarize_lanes(
            settings.specs,
            settings.decoding,
            catalog.default_set(),
            catalog.sets(state),
            new_seeds=settings.new_seeds,
            linked=bool(values[self.inputs.linked]),
        )
        labels = label_lanes(catalog.cards())
        updates: Updates = {}
        for lane, spec, summary in zip(self.columns, settings.specs, summaries, strict=False):
            name = abbreviate_spec(Recipe.of(spec).preset, labels)
            shown = html_labels.lane_summary(name, summary, reserve=any(summaries))
            if self.controller.prompts.is_changed(state, lane.number, settings):
                shown += html_labels.CHANGED
            updates[lane.meter] = shown + lane.draw_meter(state, settings, draft)
        return updates

    def draw_columns(self, state: PageState) -> Updates:
        """Return UI updates that show or hide each lane's column, styled for blind mode if it is on."""
        classes = ["lane", "blind"] if state.blind else ["lane"]
        return {
            lane.column: gr.update(visible=lane.number < state.lanes, elem_classes=classes)
            for lane in self.columns
        }

    def draw_empty(self, state: PageState, values: Values | None = None) -> Updates:
        """Return UI updates for the visible lanes on a page without turns.

        Args:
            state: the page's state.
            values: values of the lanes' controls, used to describe each lane. If None, the descriptions are
                not updated.
        """
        updates: Updates = {}
        for lane in self.columns[: state.lanes]:
            updates |= {lane.past: "", lane.line: html_labels.status_line(None)}
            if state.blind:
                hidden = "This lane's setup is hidden. Press Reveal to show it."
                updates[lane.live] = html_labels.placeholder(f"Lane {lane_letter(lane.number)}", hidden)
            elif values is not None:
                spec = lane.spec(state, lane_values(lane, values))
                updates[lane.live] = lane.placeholder(spec, state)
        return updates

    def set_to(self, state: PageState, variants: tuple[Variant, ...]) -> Updates:
        """Return UI updates that set the lanes' controls to match the variants' recipes.

        The meters are emptied, because they are about other settings until the next event draws them again.
        """
        updates: Updates = {}
        for lane, variant in zip(self.columns, variants, strict=False):
            updates |= {**lane.set_to(state, variant.name), lane.meter: ""}
        return updates

    def set_up(self, state: PageState, lane: Lane, spec: str) -> Updates:
        """Return UI updates that set a lane's controls to match a spec and show the lane's description.

        The meter is emptied, as in `set_to`.
        """
        return {**lane.set_to(state, spec), lane.live: lane.placeholder(spec, state), lane.meter: ""}

    def apply(self, state: PageState, lane: Lane, spec: str, values: Values) -> Updates:
        """Return UI updates that set a lane's controls to match a spec, and draw what depends on them.

        Args:
            values: values of the controls before the change.
        """
        recipe = Recipe.of(spec)
        own = [getattr(recipe, name) or EMPTY.get(name, "") for name in CONTROLS]
        own[CONTROLS.index("k")] = recipe.k or 0
        after = {**values, **dict(zip(lane.controls, own, strict=True))}
        drawn = {**self._draw_lane(state, lane, after), **self.draw_meters(state, after)}
        return drawn | lane.set_to(state, spec)

    def refresh_choices(self, state: PageState) -> Updates:
        """Return UI updates that refresh the lists of choices, keeping the current selections."""
        updates: Updates = {}
        for lane in self.columns:
            updates |= lane.refresh_choices(state)
        return updates
