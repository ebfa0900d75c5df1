"""Operations on a page's conversation: open, leave, branch, edit, undo, switch versions, reorder lanes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from playground.rubrics.candidates import answered_lanes
from playground.session import Session
from playground.store import ConflictError
from playground.types import Answer, Conversation, InputError
from playground.ui.page.state import LANES, PageState

CONTINUED_ELSEWHERE = (
    "This conversation was continued in another tab or program. "
    "The page now shows the latest version: review it, then try again."
)


class Conversations:
    """Operations that change a page's conversation, whose id is stored in `PageState`."""

    def __init__(self, session: Session, owner: Callable[[], str | None] = lambda: None) -> None:
        """Store the session.

        Args:
            session: session that records the conversations.
            owner: function that returns the owner of new conversations. It is called within a handler. A
                conversation is listed only in its owner's history. None means that all users share one
                history. "" means that the owner is unknown, in which case the conversation is not listed in
                any history.
        """
        self.session = session
        self.owner = owner

    # --- Current conversation -----------------------------------------------------------------------

    def current(self, state: PageState) -> Conversation | None:
        """Return the conversation on the page, or None on a new page."""
        if state.branch is not None:
            return state.branch
        return self.session.open(state.conversation) if state.conversation else None

    def require_current(self, state: PageState) -> Conversation:
        """Return the conversation on the page.

        Raises:
            InputError: there is no conversation.
        """
        return _require(self.current(state))

    def find_up_to_date(self, state: PageState) -> Conversation | None:
        """Return the page's conversation after checking that the page shows its latest version.

        Returns:
            The conversation, or None on a new page.

        Raises:
            ConflictError: the page is out of date because another tab or program has continued the
                conversation. The caller must then redraw the page; the next call succeeds.
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
        """Return the page's conversation like `find_up_to_date`, but raise an error if there is none.

        Raises:
            InputError: there is no conversation.
            ConflictError: the conversation has been continued elsewhere.
        """
        return _require(self.find_up_to_date(state))

    def user_messages(self, state: PageState) -> list[str]:
        """Return the user message in each turn."""
        current = self.current(state)
        return [turn.user for turn in current.turns] if current else []

    def answer(self, state: PageState, lane: int, turn: int) -> Answer:
        """Return the displayed version of a lane's answer in a turn. Turns are numbered from 0.

        Raises:
            InputError: the answer does not exist.
        """
        turns = self.require_current(state).turns
        if not 0 <= turn < len(turns) or not 0 <= lane < len(turns[turn].answers):
            raise InputError("That answer does not exist: choose another answer.")
        return turns[turn].answers[lane]

    # --- Opening and leaving ------------------------------------------------------------------------

    def open(self, state: PageState, id: str) -> Conversation:
        """Open a recorded conversation.

        Raises:
            InputError: no conversation has that id, or an answer is being generated.
        """
        refuse_while_streaming(state)
        if not self.session.store.holds(id):  # the store's error message would reveal a path
            raise InputError(f"There is no conversation {id!r}: choose one from the history.")
        conversation = self.session.open(id)
        self.go_to(state, conversation)
        state.blind = False
        state.probe = None
        state.lanes = min(LANES, len(conversation.variants))
        return conversation

    def new(self, state: PageState) -> None:
        """Leave the current conversation, so that the next message starts a new one.

        Raises:
            InputError: an answer is being generated.
        """
        refuse_while_streaming(state)
        self.go_to(state, None)

    def go_to(self, state: PageState, conversation: Conversation | None) -> None:
        """Set the page's current conversation. If `conversation` is None, the page has no conversation."""
        state.conversation = conversation.id if conversation else None
        state.shown = _fingerprint(conversation) if conversation else ()
        state.branch = state.editing_turn = state.undo = None
        if conversation:
            state.own.add(conversation.id)

    # --- Changes ------------------------------------------------------------------------------------

    def show_version(self, state: PageState, lane: int, step: int) -> Conversation:
        """Show a later version of a lane's last answer, or an earlier version if `step` is negative.

        Raises:
            InputError: the answer does not exist, or an answer is being generated.
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
        """Create a branch with the conversation's first `turns` turns and the lanes on the page.

        Raises:
            InputError: there is no conversation, or an answer is being generated.
        """
        refuse_while_streaming(state)
        state.branch = self.make_branch(state, self.require_current(state), turns)
        state.conversation = None
        state.editing_turn = state.undo = None
        return state.branch

    def undo(self, state: PageState) -> tuple[Conversation, str]:
        """Create a branch without the last turn.

        Returns:
            A tuple of the branch and the user message of the omitted turn.

        Raises:
            InputError: there is no turn, or an answer is being generated.
        """
        conversation = self.require_current(state)
        if not conversation.turns:
            raise InputError("There is nothing to undo: send a message first.")
        return self.branch(state, len(conversation.turns) - 1), conversation.turns[-1].user

    def edit(self, state: PageState, turn: int) -> str:
        """Start editing an earlier message, and return its text.

        Raises:
            InputError: the message does not exist, or an answer is being generated.
        """
        refuse_while_streaming(state)
        conversation = self.require_current(state)
        if not 0 <= turn < len(conversation.turns):
            raise InputError("That message does not exist: choose another message.")
        state.editing_turn = turn
        return conversation.turns[turn].user

    def arrange(self, state: PageState, lanes: Sequence[int]) -> Conversation | None:
        """Reorder the conversation's lanes in a new branch.

        Args:
            state: the page's state.
            lanes: the current lane numbers in the new order. Lanes may be omitted or repeated.

        Returns:
            The branch, or None on a new page.

        Raises:
            InputError: there are too many lanes or none, or an answer is being generated.
        """
        refuse_while_streaming(state)
        if not 1 <= len(lanes) <= LANES:
            raise InputError(f"The page shows 1 to {LANES} lanes: choose a number in that range.")
        current = self.current(state)
        if current is not None:
            lanes = [lane for lane in lanes if lane < len(current.variants)]
            state.branch = self.make_branch(state, current, len(current.turns), lanes)
            state.conversation = None
        return state.branch

    def make_branch(
        self, state: PageState, conversation: Conversation, turns: int, lanes: Sequence[int] | None = None
    ) -> Conversation:
        """Create a branch of a conversation with its first `turns` turns, owned by the current user.

        If `lanes` is None, the branch has all lanes that are on the page.
        """
        if lanes is None:
            lanes = range(min(state.lanes, len(conversation.variants)))
        branch = self.session.branch(conversation, turns, lanes)
        return dataclasses.replace(branch, owner=self.new_owner())

    def new_owner(self) -> str:
        """Return the owner to store in `Conversation.owner` for a new conversation."""
        owner = self.owner()
        return "" if owner is None else owner or "unknown"


def refuse_while_streaming(state: PageState) -> None:
    """Check that no answer is being generated on the page.

    Raises:
        InputError: an answer is being generated.
    """
    if state.streaming:
        raise InputError("An answer is still being written: wait for it to finish, or stop it first.")


def count_hidden_lanes(state: PageState, conversation: Conversation) -> int:
    """Return how many of a conversation's lanes are not shown on the page.

    Conversations created on the command line can have more lanes than a page shows.
    """
    return max(0, len(conversation.variants) - state.lanes)


def answered_lanes_on_page(state: PageState, conversation: Conversation, turn: int) -> tuple[int, ...]:
    """Return the lanes on the page whose answer in the given turn can be judged."""
    return tuple(lane for lane in answered_lanes(conversation, turn) if lane < state.lanes)


def _require(conversation: Conversation | None) -> Conversation:
    if conversation is None:
        raise InputError("There is no message yet: send one first.")
    return conversation


def _fingerprint(conversation: Conversation) -> tuple[int, ...]:
    """Return the value of `PageState.shown`: the number of turns and the versions of the last answers."""
    last = conversation.turns[-1].answers if conversation.turns else ()
    return (len(conversation.turns), *(answer.version for answer in last))
