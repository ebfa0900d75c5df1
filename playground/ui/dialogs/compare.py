"""Two answers beside each other, with what only one of them has marked: a sheet over the page."""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.diff import diff
from playground.types import Answer, Conversation, InputError
from playground.ui.controls.choice import Choice
from playground.ui.controls.decoding import Update
from playground.ui.controls.events import QUICK
from playground.ui.controls.lane import LETTERS
from playground.ui.controls.toast import tried
from playground.ui.html import diff as html_diff
from playground.ui.html import labels as html_labels
from playground.ui.page.controller import Chat
from playground.ui.page.state import PageState


class Compare:
    """Made inside a `gr.Blocks`."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        with gr.Column(visible=False, elem_id="compare", elem_classes="sheet") as self.sheet:
            with gr.Row(elem_classes="sheet-head"):
                gr.HTML("<h2>Differences</h2>")
                self.turn = self._choice("Message", "compare-turn")
                self.left = self._choice("Left", "compare-left")
                self.right = self._choice("Right", "compare-right")
                self.close = gr.Button(
                    "Close", size="sm", min_width=0, scale=0, elem_id="compare-close", elem_classes="close"
                )
            self.body = gr.HTML("", elem_id="compare-body", elem_classes="sheet-body")

    def _choice(self, label: str, id: str) -> Choice:
        return Choice([], label=label, container=False, filterable=False, min_width=120, scale=1, elem_id=id)

    @property
    def parts(self) -> list[Any]:
        """The components that it updates."""
        return [self.sheet, self.turn, self.left, self.right, self.body]

    def connect(self, opens: gr.Button, state: gr.State) -> None:
        """Give the buttons their work; `opens` opens the sheet."""
        opens.click(self.on_open, [state], self.parts, **QUICK)
        chosen = [state, self.turn, self.left, self.right]
        self.turn.input(self.on_turn, [state, self.turn], self.parts, **QUICK)
        gr.on([self.left.input, self.right.input], self.on_choice, chosen, self.body, **QUICK)
        self.close.click(lambda: gr.update(visible=False), None, self.sheet, **QUICK)

    # --- Handlers ---------------------------------------------------------------------------------

    def on_open(self, state: PageState) -> dict[Any, Update]:
        """The last turn, the first two lanes."""

        def act() -> dict[Any, Update]:
            turns = self.chat.asked_in(state)
            if not turns:
                raise InputError("There is nothing to compare yet: send a message first.")
            choices = [(f"{number + 1}: {text}", number) for number, text in enumerate(turns)]
            last = len(turns) - 1
            return {
                self.sheet: gr.update(visible=True),
                self.turn: gr.update(choices=choices, value=last),
                **self._of_turn(state, last),
            }

        return tried(act, self.sheet)

    def on_turn(self, state: PageState, turn: Any) -> dict[Any, Update]:
        """Another turn."""
        return tried(lambda: self._of_turn(state, turn), self.sheet)

    def on_choice(self, state: PageState, turn: Any, left: Any, right: Any) -> dict[Any, Update]:
        """Other answers of the turn."""
        return tried(lambda: {self.body: self._sides(state, turn, str(left), str(right))}, self.body)

    # --- Drawing ----------------------------------------------------------------------------------

    def _of_turn(self, state: PageState, turn: Any) -> dict[Any, Update]:
        names = list(self._answers(state, turn))
        if len(names) < 2:
            raise InputError("This message has one answer only: add a lane, or retry, to compare.")
        shown = [name for name in names if "," not in name]
        left, right = shown[:2] if len(shown) > 1 else names[:2]
        return {
            self.left: gr.update(choices=names, value=left),
            self.right: gr.update(choices=names, value=right),
            self.body: self._sides(state, turn, left, right),
        }

    def _answers(self, state: PageState, turn: Any) -> dict[str, Answer]:
        """All answers of a turn, each version of each lane, by a name for people."""
        conversation = self.chat.current(state)
        if conversation is None or not isinstance(turn, int) or not 0 <= turn < len(conversation.turns):
            raise InputError("There is no such message: choose another.")
        found: dict[str, Answer] = {}
        for lane, shown in enumerate(conversation.turns[turn].answers):
            name = self._name(state, conversation, lane)
            for answer in conversation.turns[turn].all(lane):
                other = answer.version != shown.version
                found[f"{name}, version {answer.version + 1}" if other else name] = answer
        return found

    def _name(self, state: PageState, conversation: Conversation, lane: int) -> str:
        if state.blind:
            return f"Lane {LETTERS[lane]}"
        return (
            f"{LETTERS[lane]} \u00b7 {html_labels.lane_name(conversation.variants[lane], self.chat.cards())}"
        )

    def _sides(self, state: PageState, turn: Any, left: str, right: str) -> str:
        answers = self._answers(state, turn)
        if left not in answers or right not in answers:
            raise InputError("There is no such answer: choose another.")
        found = diff(answers[left].text, answers[right].text)
        one, other = html_diff.sides(found, (left, right))
        heads = f"<span>{html_diff.attribute(left)}</span><span>{html_diff.attribute(right)}</span>"
        beside = f'<div class="pair heads">{heads}</div><div class="pair">{one}{other}</div>'
        return f"{html_diff.similarity(found)}{beside}"
