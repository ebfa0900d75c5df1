"""Votes on which of two answers in the last turn is better. Lane names may be hidden or visible.

A vote always compares exactly two lanes, even if the page has more. Each vote is therefore a single
comparison, for which four keyboard shortcuts are sufficient. With more than two lanes, the pair is selected
with a control next to the buttons.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from itertools import combinations
from typing import Any

import gradio as gr
from gradio.blocks import Block

from playground.judging.votes import CHOICES, Choice, Vote
from playground.lanes.letters import lane_letter
from playground.types import Conversation, InputError, Verdict
from playground.ui.controls import choice as controls
from playground.ui.controls.buttons import small_button
from playground.ui.controls.events import QUICK, Updates
from playground.ui.controls.toast import warn
from playground.ui.html import verdicts as html_verdicts
from playground.ui.page.controller import Controller
from playground.ui.page.controller.conversations import answered_lanes_on_page
from playground.ui.page.state import LANES, PageState


class Votes:
    """The row of vote buttons. Must be created inside a `gr.Blocks` context."""

    def __init__(self, controller: Controller, browser: Callable[[], str | None]) -> None:
        """Add the row of vote buttons.

        Args:
            controller: controller that provides the conversation and the session.
            browser: function that returns the voter id stored in the browser. It is called within a handler.
        """
        self.controller = controller
        self.browser = browser
        with gr.Row(visible=False, elem_id="votes") as self.row:
            self.pair = controls.Choice(
                [],
                label="Answers to compare",
                container=False,
                filterable=False,
                min_width=0,
                scale=0,
                visible=False,
                elem_id="vote-pair",
            )
            self.status = gr.HTML("", elem_id="vote-said")
            self.buttons = {choice: small_button("", f"vote-{key}") for key, choice in enumerate(CHOICES, 1)}

    @property
    def content(self) -> list[Block]:
        """Components in the row."""
        return [self.pair, self.status, *self.buttons.values()]

    @property
    def outputs(self) -> list[Block]:
        """Components updated by `draw`."""
        return [self.row, *self.content]

    def connect(
        self, state: gr.State, draw_marks: Callable[[PageState], Updates], outputs: list[Any]
    ) -> None:
        """Connect the components to their handlers.

        Args:
            state: the page's state.
            draw_marks: function that returns UI updates showing the votes and verdicts in all lanes.
            outputs: components updated by `draw_marks`.
        """
        self._draw_marks = draw_marks
        for choice, button in self.buttons.items():
            button.click(self.on_vote(choice), [state], [*outputs, *self.outputs], **QUICK)
        self.pair.input(self.on_pair, [state, self.pair], self.outputs, **QUICK)

    # --- Handlers ---------------------------------------------------------------------------------

    def on_vote(self, choice: Choice) -> Callable[[PageState], Updates]:
        """Return the handler for a vote button. The button of the vote that is cast withdraws it."""

        def handler(state: PageState) -> Updates:
            try:
                # What counts is what the page shows: the record may have been changed in another tab.
                if state.voting.drawn == choice:
                    self.withdraw(state)
                else:
                    self.cast(state, choice)
                return {**self._draw_marks(state), **self.draw(state)}
            except Exception as error:
                warn(error)
                return self.draw(state)

        return handler

    def on_pair(self, state: PageState, pair: Any) -> Updates:
        """Select the pair of lanes to compare. Invalid values from the browser are ignored."""
        found = [each for each in combinations(range(LANES), 2) if _name_pair(each) == pair]
        state.voting.pair = found[0] if found else state.voting.pair
        return self.draw(state)

    # --- Voting -----------------------------------------------------------------------------------

    def voter(self, state: PageState) -> str:
        """Return the user's voter id, generating a new id if necessary."""
        state.voting.voter = self.browser() or state.voting.voter or secrets.token_hex(16)
        return state.voting.voter

    def cast(self, state: PageState, choice: Choice) -> Verdict:
        """Record a vote on the last turn.

        Raises:
            InputError: there is nothing to vote on, or a blind vote can no longer be changed.
        """
        vote = self._vote(state, choice)
        verdict = self.controller.session.vote(vote)
        state.own.add(vote.conversation.id)
        return verdict

    def withdraw(self, state: PageState) -> None:
        """Delete the vote on the last turn that the page shows as cast.

        Raises:
            InputError: there is nothing to vote on, or a blind vote can no longer be changed.
        """
        self.controller.session.withdraw_vote(self._vote(state, "tie"))  # applies to any choice

    def _vote(self, state: PageState, choice: Choice) -> Vote:
        conversation = self.controller.conversations.current(state)
        pairs = _pairs(state, conversation) if conversation and not state.streaming else []
        if conversation is None or not pairs:
            raise InputError(
                "Voting needs two finished answers: wait until both are done, or send a message."
            )
        return Vote(
            conversation=conversation,
            turn=len(conversation.turns) - 1,
            choice=choice,
            shown=_chosen_pair(state, pairs),
            by=self.voter(state),
            blind=state.blind,
        )

    # --- Drawing ----------------------------------------------------------------------------------

    def marks(self, state: PageState, conversation: Conversation, lane: int) -> dict[int, str]:
        """Return the HTML of the votes and verdicts below a lane's answers, keyed by turn index."""
        session = self.controller.session
        verdicts = session.verdicts(conversation)
        running = {judgment.verdict.id for judgment in session.running_judgments(conversation.id)}
        costs = {verdict.id: session.judge_cost(verdict) for turn in verdicts for verdict in turn}
        return html_verdicts.render_marks(lane, verdicts, self.voter(state), running, costs)

    def draw(self, state: PageState, streaming: bool = False) -> Updates:
        """Return UI updates for the row of vote buttons, based on the last turn.

        The row is visible only if the turn has two answers to compare and is no longer streaming.
        """
        conversation = None if streaming else self.controller.conversations.current(state)
        pairs = _pairs(state, conversation) if conversation else []
        if conversation is None or not pairs:
            state.voting.drawn = None
            return {self.row: gr.update(visible=False)}
        pair = _chosen_pair(state, pairs)
        cast = self._own_vote(state, conversation, pair)
        locked = cast is not None and cast.blind and not state.blind
        one, other = (lane_letter(lane) for lane in pair)
        labels = dict(zip(CHOICES, (f"{one} better", f"{other} better", "Tie", "Both bad"), strict=True))
        chosen = state.voting.drawn = html_verdicts.choice_of(cast, pair) if cast else None
        updates: Updates = {
            self.row: gr.update(visible=True),
            self.pair: gr.update(
                choices=[_name_pair(each) for each in pairs], value=_name_pair(pair), visible=len(pairs) > 1
            ),
            self.status: html_verdicts.render_vote_status(chosen is not None, state.blind, locked),
        }
        for choice, button in self.buttons.items():
            classes = ["chosen"] if choice == chosen else []
            updates[button] = gr.update(value=labels[choice], interactive=not locked, elem_classes=classes)
        return updates

    def _own_vote(
        self, state: PageState, conversation: Conversation, pair: tuple[int, int]
    ) -> Verdict | None:
        """Return this voter's vote on the compared pair in the last turn, or None if there is none."""
        votes = self.controller.session.verdicts(conversation)[-1]
        voter = self.voter(state)
        return next((vote for vote in votes if vote.by == voter and set(vote.lanes) == set(pair)), None)


def _pairs(state: PageState, conversation: Conversation) -> list[tuple[int, int]]:
    """Return all pairs of lanes on the page whose answers in the last turn can be compared."""
    if not conversation.turns:
        return []
    return list(combinations(answered_lanes_on_page(state, conversation, len(conversation.turns) - 1), 2))


def _chosen_pair(state: PageState, pairs: list[tuple[int, int]]) -> tuple[int, int]:
    return state.voting.pair if state.voting.pair in pairs else pairs[0]


def _name_pair(pair: tuple[int, int]) -> str:
    return f"{lane_letter(pair[0])} and {lane_letter(pair[1])}"
