"""The demonstration editor's form for editing the queries and answers of one demonstration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.demonstrations.draft import Draft
from playground.types import Demo, Exchange
from playground.ui.controls.buttons import small_button
from playground.ui.controls.events import Updates
from playground.ui.page.controller.demonstrations import TURNS


@dataclass(frozen=True, kw_only=True)
class _Turn:
    """The form's text boxes for one turn."""

    row: gr.Row
    query: gr.Textbox
    answer: gr.Textbox


class DemonstrationForm:
    """Form for editing one demonstration, initially hidden. Create it inside a `gr.Blocks` context.

    The editor connects the Cancel and Apply buttons.
    """

    def __init__(self) -> None:
        with gr.Column(visible=False, elem_id="editor-form") as self.frame:
            self.heading = gr.HTML("", elem_id="editor-heading")
            self.turns = [self._compose_turn(turn) for turn in range(TURNS)]
            with gr.Row(elem_classes="dialog-foot"):
                self.more = small_button("Add a turn", "editor-more")
                self.cancel = small_button("Cancel", "editor-cancel")
                self.apply = small_button("Apply", "editor-apply", variant="primary")

    def _compose_turn(self, turn: int) -> _Turn:
        with gr.Row(visible=turn == 0) as row:
            query = gr.Textbox(
                label="Query" if turn == 0 else f"Query, turn {turn + 1}",
                lines=3,
                max_lines=12,
                min_width=220,
                elem_id=f"editor-query-{turn}",
            )
            answer = gr.Textbox(
                label="Answer" if turn == 0 else f"Answer, turn {turn + 1}",
                placeholder="Leave empty to show the query without an answer",
                lines=3,
                max_lines=12,
                min_width=220,
                elem_id=f"editor-answer-{turn}",
            )
        return _Turn(row=row, query=query, answer=answer)

    @property
    def outputs(self) -> list[Any]:
        """The components updated by `render`."""
        boxes = [part for turn in self.turns for part in (turn.row, turn.query, turn.answer)]
        return [self.frame, self.heading, *boxes]

    @property
    def texts(self) -> list[gr.Textbox]:
        """The query and answer text boxes of all turns, in order."""
        return [box for turn in self.turns for box in (turn.query, turn.answer)]

    def render(self, draft: Draft, card: int | None) -> Updates:
        """Return UI updates that show one of the draft's cards in the form, or hide the form.

        Args:
            draft: the set in the editor.
            card: index of the card. If it equals the number of cards, the form is empty and creates a new
                card. If it is None, the form is hidden.
        """
        if card is None:
            return {self.frame: gr.update(visible=False)}
        is_new = card >= len(draft.cards)
        demo = Demo(query="", answer=None) if is_new else draft.cards[card].demo
        heading = "New demonstration" if is_new else f"Demonstration {card + 1}"
        updates: Updates = {self.frame: gr.update(visible=True), self.heading: f"<h3>{heading}</h3>"}
        for number, turn in enumerate(self.turns):
            is_used = number < len(demo.exchanges)
            exchange = demo.exchanges[number] if is_used else Exchange(query="", answer=None)
            updates |= {
                turn.row: gr.update(visible=is_used or number == 0),
                turn.query: exchange.query,
                turn.answer: exchange.answer or "",
            }
        return updates

    def render_one_more(self, texts: Sequence[Any]) -> Updates:
        """Return UI updates that show an empty turn after the last non-empty turn.

        Args:
            texts: the current values of the `texts` components.
        """
        used = max((at // 2 + 1 for at, text in enumerate(texts) if text), default=1)
        return {turn.row: gr.update(visible=number <= used) for number, turn in enumerate(self.turns)}
