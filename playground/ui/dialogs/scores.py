"""Dialog with the scoreboard, a summary of all votes and verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import gradio as gr

from playground.judging.panel import MAJORITY
from playground.judging.verdicts import filter_verdicts
from playground.judging.votes import HUMAN, VOTE
from playground.rubrics.known_answer import REFERENCE
from playground.scoreboard import build_board, list_boards
from playground.scoreboard.entries import find_entrant
from playground.session import Session
from playground.types import Conversation, InputError, Verdict
from playground.ui.controls.events import QUICK, Updates
from playground.ui.dialogs.dialog import HtmlDialog
from playground.ui.html import scores as html_scores
from playground.ui.page.controller import Controller
from playground.ui.page.state import PageState

ON_CLICK = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-act]');
  if (button) trigger('click', {id: button.dataset.id});
});
"""
VOTES = (
    ("Blind votes", "The lane names were hidden from the voter.", True),
    ("Open votes", "The lane names were visible to the voter.", False),
)
"""The two vote sections, as (title, description, blind) tuples. `blind` is True for blind-mode votes."""


class ScoresDialog(HtmlDialog):
    """Dialog that shows scores by judge and rubric, and lists disagreements between votes and judges."""

    def __init__(self, session: Session, controller: Controller, public: bool) -> None:
        """Create the hidden dialog.

        Args:
            session: session that provides the verdicts.
            controller: controller that provides the adapters and the owner of the user's conversations.
            public: whether to count only conversations shown on this page.
        """
        self.session, self.controller, self.public = session, controller, public
        super().__init__("scores", "Scores", ON_CLICK)

    def connect(
        self,
        opener: gr.Button,
        state: gr.State,
        render_page: Callable[[PageState], Updates],
        page_outputs: Sequence[Any],
    ) -> Any:
        """Connect the dialog's event handlers, and return the event that opens a conversation.

        Args:
            opener: the button that opens the dialog.
            render_page: function that returns UI updates for the page after its conversation has changed.
            page_outputs: the components updated by `render_page`.
        """
        self._render_page = render_page
        opener.click(self.on_open, [state], self.outputs, **QUICK)
        return self.body.click(self.on_conversation, [state], [*page_outputs, *self.outputs], **QUICK)

    # --- Handlers ---------------------------------------------------------------------------------

    def on_open(self, state: PageState) -> Updates:
        """Open the dialog with all votes and verdicts recorded so far."""
        return self.attempt(lambda: self.show_html(self._render(state)))

    def on_conversation(self, state: PageState, event: gr.EventData) -> Updates:
        """Close the dialog and open the conversation selected in its list."""

        def act() -> Updates:
            id = (event._data or {}).get("id")
            if not isinstance(id, str) or (self.public and id not in state.own):
                raise InputError("This conversation does not exist: choose one from the list.")
            self.controller.conversations.open(state, id)
            return {**self._render_page(state), **self.hide()}

        return self.attempt(act)

    # --- Content ----------------------------------------------------------------------------------

    def _render(self, state: PageState) -> str:
        """Render the scores from votes and from all judges."""
        conversations = {each.id: each for each in self._find_conversations(state)}
        labels = html_scores.Labels(cards=self.controller.catalog.cards(), lanes=self._find_lanes(state))
        sections = [
            self._render_votes(conversations, labels)
            if (judge, rubric) == (HUMAN, VOTE)
            else self._render_board(conversations, judge, rubric, labels)
            for judge, rubric in list_boards(conversations.values())
        ]
        hidden = (
            '<p class="what">The conversation with hidden lane names is counted once you reveal them.</p>'
        )
        note = hidden if state.blind and state.conversation else ""
        return note + ("".join(sections) or html_scores.NOTHING)

    def _find_conversations(self, state: PageState) -> list[Conversation]:
        """Return the conversations with votes or verdicts, except the page's own while in blind mode."""
        if self.public:
            judged = self.session.list_judged(ids=state.own)
        else:
            judged = self.session.list_judged(owner=self.controller.owner())
        hidden = state.conversation if state.blind else None
        return [conversation for conversation in judged if conversation.id != hidden]

    def _find_lanes(self, state: PageState) -> Mapping[str, Sequence[int]]:
        """Return the lanes of the page's conversation by the recipe of their last answer, unless hidden."""
        conversation = self.controller.conversations.current(state)
        if conversation is None or not conversation.turns or state.blind:
            return {}
        last = len(conversation.turns) - 1
        lanes: dict[str, list[int]] = {}
        for lane in range(min(state.lanes, len(conversation.turns[last].answers))):
            lanes.setdefault(find_entrant(conversation, last, lane).recipe, []).append(lane)
        return lanes

    def _render_votes(self, conversations: Mapping[str, Conversation], labels: html_scores.Labels) -> str:
        sections = []
        for title, about, blind in VOTES:
            sums = build_board(_keep_votes(conversations.values(), blind), HUMAN, VOTE)
            if sums.outcomes:
                sections.append(html_scores.render_section(title, about, sums, conversations, labels))
        return "".join(sections)

    def _render_board(
        self,
        conversations: Mapping[str, Conversation],
        judge: str,
        rubric: str,
        labels: html_scores.Labels,
    ) -> str:
        sums = build_board(list(conversations.values()), judge, rubric)
        title, about = f"{judge}, {rubric}", f"Judged by {_name_judge(judge)} (rubric {rubric})."
        if sums.panel is not None:
            title = f"Majority of {len(sums.panel.judges)} judges, {rubric}"
            about = f"Majority vote of {judge.removeprefix(MAJORITY)} (rubric {rubric})."
        return html_scores.render_section(title, about, sums, conversations, labels)


def _name_judge(judge: str) -> str:
    return "the reference answers" if judge == REFERENCE else judge


def _keep_votes(conversations: Iterable[Conversation], blind: bool) -> list[Conversation]:
    """Return copies of the conversations without verdicts by judges and with only one kind of vote.

    If `blind` is True, only votes cast in blind mode are kept; otherwise, only votes cast with visible lane
    names.
    """

    def counts(verdict: Verdict) -> bool:
        return verdict.judge == HUMAN and verdict.blind == blind

    return [filter_verdicts(conversation, counts) for conversation in conversations]
