"""The scoreboard: a sheet with all that votes and verdicts add up to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from playground.judging.panel import MAJORITY
from playground.judging.service import HUMAN, VOTE
from playground.scoreboard import board, boards_in
from playground.types import Conversation, InputError, Verdict
from playground.ui.controls.events import QUICK
from playground.ui.controls.toast import tried
from playground.ui.dialogs.dialog import HtmlDialog
from playground.ui.html import scores as html_scores
from playground.ui.page.controller import Controller
from playground.ui.page.state import PageState

Updates = dict[Any, Any]
ON_CLICK = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-act]');
  if (button) trigger('click', {id: button.dataset.id});
});
"""
VOTES = (
    ("Votes cast blind", "The person did not know whose answers they were.", True),
    ("Open votes", "The names were in sight.", False),
)


class Scores:
    """The sheet; made inside a `gr.Blocks`."""

    def __init__(self, chat: Controller, public: bool) -> None:
        self.chat = chat
        self.public = public
        self.sheet = HtmlDialog("scores", "Scores", ON_CLICK)

    def connect(
        self,
        button: gr.Button,
        state: gr.State,
        opened: Callable[[PageState], Updates],
        outputs: list[Any],
    ) -> None:
        """Give the buttons their work.

        Args:
            button: opens the sheet.
            opened: the updates of the page after its conversation has changed.
            outputs: all that `opened` updates.
        """
        self._opened = opened
        button.click(self.on_scores, [state], self.sheet.outputs, **QUICK)
        self.sheet.body.click(self.on_open, [state], [*outputs, *self.sheet.outputs], **QUICK)

    # --- Handlers ---------------------------------------------------------------------------------

    def on_scores(self, state: PageState) -> Updates:
        """Open the sheet with what there is now."""
        return tried(lambda: self.sheet.show_html(self.drawn(state)), self.sheet.body)

    def on_open(self, state: PageState, event: gr.EventData) -> Updates:
        """Go to a conversation of the list."""

        def act() -> Updates:
            id = (event._data or {}).get("id")
            if not isinstance(id, str) or (self.public and id not in state.own):
                raise InputError("There is no such conversation: choose one of the list.")
            self.chat.conversations.open(state, id)
            return {**self._opened(state), **self.sheet.hide()}

        return tried(act, self.sheet.body)

    # --- Drawing ----------------------------------------------------------------------------------

    def drawn(self, state: PageState) -> str:
        """Every board there is."""
        conversations = {each.id: each for each in self._conversations(state)}
        cards = self.chat.catalog.cards()
        sections = []
        for judge, rubric in boards_in(conversations.values()):
            if (judge, rubric) == (HUMAN, VOTE):
                for title, about, blind in VOTES:
                    sums = board(_with(conversations, _cast(blind)), HUMAN, VOTE)
                    if sums.outcomes:
                        sections.append(html_scores.section(title, about, sums, conversations, cards))
                continue
            sums = board(list(conversations.values()), judge, rubric)
            title, about = f"{judge}, {rubric}", f"Judged by {judge}, by the rubric {rubric}."
            if sums.panel is not None:
                title = f"Majority of {len(sums.panel.judges)} judges, {rubric}"
                about = f"Of {judge.removeprefix(MAJORITY)}, by the rubric {rubric}."
            sections.append(html_scores.section(title, about, sums, conversations, cards))
        hidden = '<p class="what">The conversation whose names are hidden counts once you reveal them.</p>'
        note = hidden if state.blind and state.conversation else ""
        return note + ("".join(sections) or html_scores.NOTHING)

    def _conversations(self, state: PageState) -> list[Conversation]:
        """Those that count: not what is hidden now, and no verdict that is under way."""
        judges = self.chat.session.judges
        if self.public:
            judged = [judges.store.load(id) for id in sorted(state.own) if judges.store.holds(id)]
        else:
            judged = judges.judged(owner=self.chat.owner())
        hidden = state.conversation if state.blind else None
        found = {each.id: each for each in judged if each.id != hidden}
        running = {each.verdict.id for id in found for each in judges.under_way(id)}
        return _with(found, lambda verdict: verdict.id not in running)


def _cast(blind: bool) -> Callable[[Verdict], bool]:
    """Whether a verdict is a vote, cast blind or not."""
    return lambda verdict: verdict.judge == HUMAN and verdict.blind == blind


def _with(conversations: Mapping[str, Conversation], counts: Callable[[Verdict], bool]) -> list[Conversation]:
    """The conversations with those of their verdicts that count."""
    found = []
    for conversation in conversations.values():
        turns = tuple(
            dataclasses.replace(turn, verdicts=tuple(filter(counts, turn.verdicts)))
            for turn in conversation.turns
        )
        found.append(dataclasses.replace(conversation, turns=turns))
    return found
