"""Votes: a person says which of two answers is better, blind or with the names in sight.

A vote is on two lanes, also where there are more: so each says only what was compared, and the same four
keys do. With more than two lanes, which two is chosen beside the buttons.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from itertools import combinations
from typing import Any

import gradio as gr

from playground.judging.candidates import answered
from playground.judging.service import Vote
from playground.lanes.letters import LETTERS
from playground.types import Conversation, InputError, Verdict
from playground.ui.controls.choice import Choice
from playground.ui.controls.events import QUICK
from playground.ui.controls.toast import warn
from playground.ui.html import verdicts as html_verdicts
from playground.ui.page.controller import Controller
from playground.ui.page.state import PageState

Updates = dict[Any, Any]
VOTES: tuple[Vote, ...] = ("A", "B", "tie", "both-bad")
"""In the order of their keys, from 1."""


class Votes:
    """The row of buttons; made inside a `gr.Blocks`."""

    def __init__(self, chat: Controller, browser: Callable[[], str | None]) -> None:
        """`browser` gives, within a handler, the id that the browser keeps for its votes."""
        self.chat = chat
        self.browser = browser
        with gr.Row(visible=False, elem_id="votes") as self.row:
            self.pair = Choice(
                [],
                label="Which two answers",
                container=False,
                filterable=False,
                min_width=0,
                scale=0,
                visible=False,
                elem_id="vote-pair",
            )
            self.said = gr.HTML("", elem_id="vote-said")
            self.buttons = {
                vote: gr.Button("", size="sm", min_width=0, scale=0, elem_id=f"vote-{key}")
                for key, vote in enumerate(VOTES, 1)
            }

    @property
    def parts(self) -> list[Any]:
        """The components that `drawn` updates."""
        return [self.row, self.pair, self.said, *self.buttons.values()]

    def connect(self, state: gr.State, marked: Callable[[PageState], Updates], outputs: list[Any]) -> None:
        """Give the buttons their work.

        Args:
            marked: the updates that draw the lanes with their marks.
            outputs: what `marked` updates.
        """
        self._marked = marked
        for vote, button in self.buttons.items():
            button.click(self.on_vote(vote), [state], [*outputs, *self.parts], **QUICK)
        self.pair.input(self.on_pair, [state, self.pair], self.parts, **QUICK)

    # --- Handlers ---------------------------------------------------------------------------------

    def on_vote(self, vote: Vote) -> Callable[[PageState], Updates]:
        """The handler of a vote's button."""

        def handler(state: PageState) -> Updates:
            try:
                self.cast(state, vote)
                return {**self._marked(state), **self.drawn(state)}
            except Exception as error:
                warn(error)
                return self.drawn(state)

        return handler

    def on_pair(self, state: PageState, pair: Any) -> Updates:
        """Two other lanes; what the browser sends need not be a pair."""
        found = [each for each in combinations(range(len(LETTERS)), 2) if _named(each) == pair]
        state.voting.pair = found[0] if found else state.voting.pair
        return self.drawn(state)

    # --- Voting -----------------------------------------------------------------------------------

    def by(self, state: PageState) -> str:
        """Whose votes the visit's are."""
        state.voting.voter = self.browser() or state.voting.voter or secrets.token_hex(16)
        return state.voting.voter

    def cast(self, state: PageState, vote: Vote) -> Verdict:
        """Record a vote on the last turn.

        Raises:
            InputError: there is nothing to vote on, or what was voted blind is no longer.
        """
        conversation = self.chat.conversations.current(state)
        pairs = _pairs(conversation) if conversation and not state.streaming else []
        if conversation is None or not pairs:
            raise InputError("There are not two answers to vote on: wait for their end, or ask.")
        verdict = self.chat.session.judges.vote(
            conversation,
            len(conversation.turns) - 1,
            vote,
            _chosen(state, pairs),
            by=self.by(state),
            blind=state.blind,
        )
        state.own.add(conversation.id)
        return verdict

    # --- Drawing ----------------------------------------------------------------------------------

    def marks(self, state: PageState, conversation: Conversation, lane: int) -> dict[int, str]:
        """What stands under the answers of a lane; nothing under those that are being written."""
        judges = self.chat.session.judges
        verdicts = self.chat.session.verdicts(conversation)
        running = {judging.verdict.id for judging in judges.under_way(conversation.id)}
        costs = {verdict.id: judges.cost(verdict) for turn in verdicts for verdict in turn}
        return html_verdicts.marks(lane, verdicts, self.by(state), running, costs)

    def drawn(self, state: PageState, streaming: bool = False) -> Updates:
        """The row for the last turn; none while it is being answered, or if there is nothing to compare."""
        conversation = None if streaming else self.chat.conversations.current(state)
        pairs = _pairs(conversation) if conversation else []
        if conversation is None or not pairs:
            return {self.row: gr.update(visible=False)}
        pair = _chosen(state, pairs)
        cast = self._cast(state, conversation, pair)
        locked = cast is not None and cast.blind and not state.blind
        one, other = (LETTERS[lane] for lane in pair)
        labels = dict(zip(VOTES, (f"{one} better", f"{other} better", "Tie", "Both bad"), strict=True))
        chosen = html_verdicts.vote_of(cast, pair) if cast else None
        updates: Updates = {
            self.row: gr.update(visible=True),
            self.pair: gr.update(
                choices=[_named(each) for each in pairs], value=_named(pair), visible=len(pairs) > 1
            ),
            self.said: html_verdicts.asked(labels[chosen] if chosen else None, state.blind, locked),
        }
        for vote, button in self.buttons.items():
            updates[button] = gr.update(
                value=labels[vote], visible=not locked, elem_classes=["chosen"] if vote == chosen else []
            )
        return updates

    def _cast(self, state: PageState, conversation: Conversation, pair: tuple[int, int]) -> Verdict | None:
        """The visit's vote on the last turn's two answers."""
        votes = self.chat.session.verdicts(conversation)[-1]
        by = self.by(state)
        return next((vote for vote in votes if vote.by == by and set(vote.lanes) == set(pair)), None)


def _pairs(conversation: Conversation) -> list[tuple[int, int]]:
    """Every two lanes whose last answers can be compared."""
    if not conversation.turns:
        return []
    return list(combinations(answered(conversation, len(conversation.turns) - 1), 2))


def _chosen(state: PageState, pairs: list[tuple[int, int]]) -> tuple[int, int]:
    return state.voting.pair if state.voting.pair in pairs else pairs[0]


def _named(pair: tuple[int, int]) -> str:
    return f"{LETTERS[pair[0]]} and {LETTERS[pair[1]]}"
