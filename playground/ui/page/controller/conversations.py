"""Which conversation a page shows: open, leave, branch, edit, undo, versions of answers, order of lanes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from playground.session import Session
from playground.store import ConflictError
from playground.types import Answer, Conversation, InputError
from playground.ui.page.state import LANES, PageState

CONTINUED_ELSEWHERE = (
    "This conversation was continued in another tab or program. The page now shows all of it: read "
    "it, then try again."
)


class Conversations:
    """Moves a page between conversations. Each page's own position is in its `PageState`."""

    def __init__(self, session: Session, owner: Callable[[], str | None] = lambda: None) -> None:
        """Keep the session.

        Args:
            session: where conversations are recorded.
            owner: gives, within a handler, whose history new conversations belong to. None: a history that
                all share; "": not known, so that no history lists them.
        """
        self.session = session
        self.owner = owner

    # --- The one that is shown ----------------------------------------------------------------------

    def current(self, state: PageState) -> Conversation | None:
        """The conversation that the page shows; None on a fresh page."""
        if state.branch is not None:
            return state.branch
        return self.session.open(state.conversation) if state.conversation else None

    def require_current(self, state: PageState) -> Conversation:
        """The conversation that the page shows.

        Raises:
            InputError: it shows none.
        """
        return _require(self.current(state))

    def find_up_to_date(self, state: PageState) -> Conversation | None:
        """The conversation that the page shows, as long as it shows all of it; None on a fresh page.

        Raises:
            ConflictError: another tab or program has continued the conversation, so that the page shows an
                old state of it. The caller redraws the page, so the next call does not raise.
        """
        current = self.current(state)
        if current is None or state.branch is not None or not state.shown:
            return current
        recorded, shown = _fingerprint(current), state.shown
        if recorded[0] > shown[0] or (recorded[0] == shown[0] and recorded != shown):
            state.shown = recorded
            raise ConflictError(CONTINUED_ELSEWHERE)
        return current

    def require_up_to_date(self, state: PageState) -> Conversation:
        """The conversation that the page shows, see `find_up_to_date`.

        Raises:
            InputError: it shows none.
            ConflictError: it has been continued elsewhere.
        """
        return _require(self.find_up_to_date(state))

    def user_messages(self, state: PageState) -> list[str]:
        """The user's message of each turn so far."""
        current = self.current(state)
        return [turn.user for turn in current.turns] if current else []

    def answer(self, state: PageState, lane: int, turn: int) -> Answer:
        """A lane's shown answer of a turn, counted from 0.

        Raises:
            InputError: there is none.
        """
        turns = self.require_current(state).turns
        if not 0 <= turn < len(turns) or not 0 <= lane < len(turns[turn].answers):
            raise InputError("There is no such answer: choose another.")
        return turns[turn].answers[lane]

    # --- Going to another one -----------------------------------------------------------------------

    def open(self, state: PageState, id: str) -> Conversation:
        """Show a recorded conversation.

        Raises:
            InputError: there is none of that id, or an answer is being written.
        """
        refuse_while_streaming(state)
        if not self.session.store.holds(id):  # its own message names a file, which users must not see
            raise InputError(f"There is no conversation {id!r} here: look in the history.")
        conversation = self.session.open(id)
        self.go_to(state, conversation)
        state.blind = False
        state.probe = None
        state.lanes = min(LANES, len(conversation.variants))
        return conversation

    def new(self, state: PageState) -> None:
        """Leave the conversation; the next message starts a new one.

        Raises:
            InputError: an answer is being written.
        """
        refuse_while_streaming(state)
        self.go_to(state, None)

    def go_to(self, state: PageState, conversation: Conversation | None) -> None:
        """Make a recorded conversation the one that the page shows."""
        state.conversation = conversation.id if conversation else None
        state.shown = _fingerprint(conversation) if conversation else ()
        state.branch = state.editing_turn = None
        if conversation:
            state.own.add(conversation.id)

    # --- Changing it --------------------------------------------------------------------------------

    def show_version(self, state: PageState, lane: int, step: int) -> Conversation:
        """Show a later (or earlier, for a negative step) version of a lane's last answer.

        Raises:
            InputError: there is no such answer, or one is being written.
        """
        refuse_while_streaming(state)
        conversation = self.require_current(state)
        if not conversation.turns or lane >= len(conversation.turns[-1].answers):
            raise InputError("That lane has no answer yet: send a message first.")
        version = conversation.turns[-1].answers[lane].version + step
        conversation = self.session.show(conversation, lane, version)
        self.go_to(state, conversation)
        return conversation

    def branch(self, state: PageState, turns: int) -> Conversation:
        """Continue from the first `turns` turns in a new conversation.

        Raises:
            InputError: the page shows none, or an answer is being written.
        """
        refuse_while_streaming(state)
        state.branch = self.make_branch(self.require_current(state), turns)
        state.conversation = None
        state.editing_turn = None
        return state.branch

    def undo(self, state: PageState) -> tuple[Conversation, str]:
        """Branch before the last turn; the branch and that turn's message.

        Raises:
            InputError: there is no turn, or an answer is being written.
        """
        conversation = self.require_current(state)
        if not conversation.turns:
            raise InputError("There is nothing to undo: send a message first.")
        return self.branch(state, len(conversation.turns) - 1), conversation.turns[-1].user

    def edit(self, state: PageState, turn: int) -> str:
        """Start to edit a past message; its text.

        Raises:
            InputError: there is no such message, or an answer is being written.
        """
        refuse_while_streaming(state)
        conversation = self.require_current(state)
        if not 0 <= turn < len(conversation.turns):
            raise InputError("There is no such message: choose another.")
        state.editing_turn = turn
        return conversation.turns[turn].user

    def arrange(self, state: PageState, lanes: Sequence[int]) -> Conversation | None:
        """Reorder the lanes of the conversation, on a branch of it; None on a fresh page.

        Args:
            lanes: by new place, the old one; one may be missing or there twice.

        Raises:
            InputError: there are too many lanes or none, or an answer is being written.
        """
        refuse_while_streaming(state)
        if not 1 <= len(lanes) <= LANES:
            raise InputError(f"A page has one lane to {LANES}: choose another.")
        current = self.current(state)
        if current is not None:
            lanes = [lane for lane in lanes if lane < len(current.variants)]
            state.branch = self.make_branch(current, len(current.turns), lanes)
            state.conversation = None
        return state.branch

    def make_branch(
        self, conversation: Conversation, turns: int, lanes: Sequence[int] | None = None
    ) -> Conversation:
        """Branch a conversation, see `Session.branch`; the branch belongs to the caller's history."""
        branch = self.session.branch(conversation, turns, lanes)
        return dataclasses.replace(branch, owner=self.new_owner())

    def new_owner(self) -> str:
        """The owner of a new conversation, see `Conversation.owner`."""
        owner = self.owner()
        return "" if owner is None else owner or "unknown"


def refuse_while_streaming(state: PageState) -> None:
    """Check that the page is not receiving an answer.

    Raises:
        InputError: it is.
    """
    if state.streaming:
        raise InputError("An answer is still being written: wait for its end, or stop it first.")


def _require(conversation: Conversation | None) -> Conversation:
    if conversation is None:
        raise InputError("There is no message yet: send one first.")
    return conversation


def _fingerprint(conversation: Conversation) -> tuple[int, ...]:
    """How much of a conversation there is, as `PageState.shown` has it."""
    last = conversation.turns[-1].answers if conversation.turns else ()
    return (len(conversation.turns), *(answer.version for answer in last))
