"""Dialog for comparing two answers side by side, with their differences marked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from playground.diff import diff
from playground.lanes.letters import lane_letter
from playground.lanes.names import name_lane
from playground.types import Answer, Conversation, InputError
from playground.ui.controls.buttons import small_button
from playground.ui.controls.choice import Choice
from playground.ui.controls.events import QUICK, Updates
from playground.ui.dialogs.dialog import Dialog
from playground.ui.html import diff as html_diff
from playground.ui.html.text import reveal_plain
from playground.ui.page.controller import Controller
from playground.ui.page.state import PageState


class CompareDialog(Dialog):
    """Dialog that shows two answers to the same message side by side, with their differences marked."""

    def __init__(self, controller: Controller) -> None:
        self._conversations, self._catalog = controller.conversations, controller.catalog
        super().__init__("compare", "Differences")

    def _compose_head(self) -> None:
        self.turn = self._compose_choice("Message", "compare-turn")
        self.left = self._compose_choice("Left", "compare-left")
        self.right = self._compose_choice("Right", "compare-right")
        self.mark = small_button("Mark in lanes", "compare-mark")

    def _compose_body(self) -> None:
        self.body = gr.HTML("", elem_id="compare-body", elem_classes="dialog-body")

    def _compose_choice(self, label: str, id: str) -> Choice:
        return Choice([], label=label, container=False, filterable=False, min_width=120, scale=1, elem_id=id)

    @property
    def outputs(self) -> list[Any]:
        """The components updated by the dialog's handlers."""
        return [self.frame, self.turn, self.left, self.right, self.body]

    def connect(
        self,
        opener: gr.Button,
        unmark: gr.Button,
        state: gr.State,
        draw_turns: Callable[[PageState], Updates],
        turns: list[Any],
    ) -> None:
        """Connect the dialog's event handlers.

        Args:
            opener: button that opens the dialog.
            unmark: button that removes the marks from the lanes, visible while there are any.
            state: the page's state.
            draw_turns: function that returns UI updates for the turns in all lanes.
            turns: components updated by `draw_turns`.
        """
        self._unmark, self._draw_turns = unmark, draw_turns
        opener.click(self.on_open, [state], self.outputs, **QUICK)
        self.turn.input(self.on_turn, [state, self.turn], self.outputs, **QUICK)
        chosen = [state, self.turn, self.left, self.right]
        gr.on([self.left.input, self.right.input], self.on_choice, chosen, self.outputs, **QUICK)
        marked = [self.frame, unmark, *turns]
        self.mark.click(self.on_mark, chosen, marked, **QUICK)
        unmark.click(self.on_unmark, [state], marked, **QUICK)

    # --- Handlers ---------------------------------------------------------------------------------

    def on_open(self, state: PageState) -> Updates:
        """Open the dialog at the last turn, comparing the answers in the first two lanes."""

        def act() -> Updates:
            turns = self._conversations.user_messages(state)
            if not turns:
                raise InputError("There is nothing to compare yet: send a message first.")
            choices = [(f"{number + 1}: {text}", number) for number, text in enumerate(turns)]
            last = len(turns) - 1
            turn = gr.update(choices=choices, value=last)
            return self.show({self.turn: turn, **self._render_turn(state, last)})

        return self.attempt(act)

    def on_turn(self, state: PageState, turn: Any) -> Updates:
        """Show the answers from a different turn."""
        return self.attempt(lambda: self._render_turn(state, turn))

    def on_choice(self, state: PageState, turn: Any, left: Any, right: Any) -> Updates:
        """Show a different pair of answers from the same turn."""
        return self.attempt(lambda: {self.body: self._render_sides(state, turn, str(left), str(right))})

    def on_mark(self, state: PageState, turn: Any, left: Any, right: Any) -> Updates:
        """Mark the differences between the two selected lanes in the lanes, for all turns."""

        def act() -> Updates:
            (one, _), (other, _) = self._find_pair(state, turn, str(left), str(right))
            if one == other:
                raise InputError("These answers are from the same lane: choose two lanes to mark in.")
            if max(one, other) >= state.lanes:
                raise InputError("This lane is not on the page: choose two lanes that are.")
            state.answers.marked = one, other
            return {**self.hide(), self._unmark: gr.update(visible=True), **self._draw_turns(state)}

        return self.attempt(act)

    def on_unmark(self, state: PageState) -> Updates:
        """Show the rendered answers again."""
        state.answers.marked = None
        return {self._unmark: gr.update(visible=False), **self._draw_turns(state)}

    # --- Content ----------------------------------------------------------------------------------

    def _render_turn(self, state: PageState, turn: Any) -> Updates:
        names = list(self._find_answers(state, turn))
        if len(names) < 2:
            raise InputError("This message has only one answer: add a lane or retry to compare.")
        visible = [name for name in names if "," not in name]
        left, right = visible[:2] if len(visible) > 1 else names[:2]
        return {
            self.left: gr.update(choices=names, value=left),
            self.right: gr.update(choices=names, value=right),
            self.body: self._render_sides(state, turn, left, right),
        }

    def _find_answers(self, state: PageState, turn: Any) -> dict[str, tuple[int, Answer]]:
        """Return every version of every lane's answer in a turn, with its lane, keyed by display name.

        Raises:
            InputError: the turn does not exist.
        """
        conversation = self._conversations.current(state)
        if conversation is None or not isinstance(turn, int) or not 0 <= turn < len(conversation.turns):
            raise InputError("This message does not exist: choose another one.")
        found: dict[str, tuple[int, Answer]] = {}
        for lane, current in enumerate(conversation.turns[turn].answers):
            name = self._name_lane(state, conversation, lane)
            for answer in conversation.turns[turn].all(lane):
                other = answer.version != current.version
                found[f"{name}, version {answer.version + 1}" if other else name] = (lane, answer)
        return found

    def _find_pair(
        self, state: PageState, turn: Any, left: str, right: str
    ) -> tuple[tuple[int, Answer], tuple[int, Answer]]:
        """Return the lanes and answers with two display names.

        Raises:
            InputError: the turn or one of the answers does not exist.
        """
        answers = self._find_answers(state, turn)
        if left not in answers or right not in answers:
            raise InputError("This answer does not exist: choose another one.")
        return answers[left], answers[right]

    def _name_lane(self, state: PageState, conversation: Conversation, lane: int) -> str:
        if state.blind:
            return f"Lane {lane_letter(lane)}"
        cards = self._catalog.cards()
        return f"{lane_letter(lane)} \u00b7 {name_lane(conversation.variants[lane], cards)}"

    def _render_sides(self, state: PageState, turn: Any, left: str, right: str) -> str:
        (one_lane, one_answer), (other_lane, other_answer) = self._find_pair(state, turn, left, right)
        found = diff(one_answer.text, other_answer.text)
        one, other = html_diff.render_sides(found, (left, right), (one_lane, other_lane))
        heads = (
            f'<span class="of-lane-{one_lane}">{reveal_plain(left)}</span>'
            f'<span class="of-lane-{other_lane}">{reveal_plain(right)}</span>'
        )
        beside = f'<div class="pair heads">{heads}</div><div class="pair">{one}{other}</div>'
        return f"{html_diff.render_similarity(found)}{beside}"
