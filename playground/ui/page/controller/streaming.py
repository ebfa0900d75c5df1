"""Generate answers for a page. Methods such as `send` and `retry` yield snapshots for the page to render."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager

from playground.rate_limits import Gate
from playground.session import Session
from playground.types import Conversation, InputError
from playground.ui.page.controller.catalog import LaneCatalog
from playground.ui.page.controller.conversations import (
    Conversations,
    count_hidden_lanes,
    refuse_while_streaming,
)
from playground.ui.page.controller.values import LaneSettings, Snapshot
from playground.ui.page.state import LANES, PageState

LONG = 20
"""Minimum number of turns at which the page is updated less often, because long histories render slowly."""


class Streaming:
    """Answer generation for pages, limited to one stream at a time per page."""

    def __init__(
        self,
        catalog: LaneCatalog,
        conversations: Conversations,
        gate: Gate,
        visitor: Callable[[], str],
    ) -> None:
        """Store the objects used to generate answers.

        Args:
            catalog: catalog that builds the lanes' variants.
            conversations: operations that provide a page's conversation.
            gate: gate that applies rate limits to messages.
            visitor: function that returns an identifier for the client. It is called within a handler.
        """
        self.session: Session = conversations.session
        self.catalog, self.conversations = catalog, conversations
        self.gate, self.visitor = gate, visitor

    def send(self, state: PageState, text: str, settings: LaneSettings) -> Generator[Snapshot]:
        """Send a message to every lane, and yield snapshots during generation.

        The last snapshot is marked `done`. If an earlier message is being edited, the conversation
        branches at that message.

        Raises:
            InputError: the message, a lane or a decoding parameter is invalid. In this case, nothing is
                changed.
        """
        yield from self.play(state, [text], lambda: settings)

    def play(
        self, state: PageState, texts: Sequence[str], settings: Callable[[], LaneSettings]
    ) -> Generator[Snapshot]:
        """Send messages one after another until all have been answered or the user has stopped all lanes.

        Args:
            state: the page's state.
            texts: messages to send.
            settings: function that reads the controls; called before each message.

        Raises:
            InputError: under the same conditions as `send`.
        """
        refuse_while_streaming(state)
        for text in texts:
            if not text.strip():
                raise InputError("The message is empty: type something first.")
        conversation = self._find_target(state, settings())
        with _streaming(state):
            for text in texts:
                now = settings()
                conversation = self._apply(state, conversation, now)
                with self._let_in(conversation, text, len(conversation.turns) + 1):
                    sending = self.session.send(conversation, text, now.histories, now.prefill)
                    conversation = yield from self._stream(state, sending)
                if all(answer.reply.finish == "cancelled" for answer in conversation.turns[-1].answers):
                    break
        yield _final_snapshot(conversation)

    def retry(self, state: PageState, lanes: Sequence[int], settings: LaneSettings) -> Generator[Snapshot]:
        """Regenerate the last answers of the given lanes, using the lanes' current settings.

        Raises:
            InputError: there is nothing to retry, or a lane cannot be used.
            ConflictError: the conversation has been continued elsewhere.
        """
        refuse_while_streaming(state)
        settings.require(*lanes)
        conversation = self._apply(state, self.conversations.require_up_to_date(state), settings)
        with _streaming(state), self._let_in(conversation):
            retrying = self.session.retry(conversation, lanes, settings.prefill or None)
            conversation = yield from self._stream(state, retrying)
        yield _final_snapshot(conversation)

    def continue_answer(self, state: PageState, lane: int, settings: LaneSettings) -> Generator[Snapshot]:
        """Continue a lane's last answer.

        Raises:
            InputError: there is nothing to continue, or the lane cannot be used.
            ConflictError: the conversation has been continued elsewhere.
        """
        refuse_while_streaming(state)
        settings.require(lane)
        conversation = self._apply(state, self.conversations.require_up_to_date(state), settings)
        with _streaming(state), self._let_in(conversation):
            conversation = yield from self._stream(state, self.session.continue_answer(conversation, lane))
        yield _final_snapshot(conversation)

    def stop(self, state: PageState, lane: int | None = None) -> None:
        """Stop generation in one lane, or in all lanes if `lane` is None."""
        if state.conversation:
            self.session.stop(state.conversation, lane)

    def may_count_draft(self) -> bool:
        """Return whether the user may have another draft counted, and count the request."""
        return self.gate.draft(self.visitor())

    def _let_in(
        self, conversation: Conversation, text: str = "", turns: int = 0
    ) -> AbstractContextManager[None]:
        """Return a context manager that raises InputError if a rate limit is exceeded."""
        return self.gate.message(self.visitor(), conversation.variants, turns, text)

    # --- Conversation and lanes -----------------------------------------------------------------------

    def _find_target(self, state: PageState, settings: LaneSettings) -> Conversation:
        """Return the conversation that the next message extends, creating or branching it if necessary."""
        current = self.conversations.find_up_to_date(state)
        if current is None:
            variants = self.catalog.lane_variants(state, None, settings)
            if state.blind:
                variants = tuple(random.SystemRandom().sample(variants, len(variants)))
            return dataclasses.replace(self.session.new(variants), owner=self.conversations.new_owner())
        if state.editing_turn is not None:
            turns = min(state.editing_turn, len(current.turns))
            current = self.conversations.make_branch(state, current, turns)
        elif count_hidden_lanes(state, current):
            # Lanes not shown on the page must neither generate answers nor be removed from the recorded
            # conversation.
            current = self.conversations.make_branch(state, current, len(current.turns))
        return self._apply(state, current, settings)

    def _apply(self, state: PageState, conversation: Conversation, settings: LaneSettings) -> Conversation:
        """Return the conversation with the controls' lanes and decoding, or unchanged in blind mode.

        Lanes that are not shown on the page keep their recipes and decoding parameters.
        """
        if state.blind:
            return conversation
        variants = self.catalog.lane_variants(state, conversation, settings)
        hidden = conversation.variants[len(variants) :]
        return dataclasses.replace(conversation, variants=(*variants, *hidden))

    # --- Snapshots ----------------------------------------------------------------------------------

    def _stream(
        self, state: PageState, growing: Generator[Conversation, None, None]
    ) -> Generator[Snapshot, None, Conversation]:
        """Yield snapshots at a limited rate, and return the final conversation.

        The final conversation is not yielded as a snapshot; the caller must yield that snapshot.
        """
        last: Snapshot | None = None
        drawn_at = 0.0
        with closing(growing):
            for conversation in growing:
                if last is None:
                    self.conversations.go_to(state, conversation)
                every = 0.1 if len(conversation.turns) < LONG else 0.15
                if last is not None and time.monotonic() - drawn_at < every:
                    continue
                snapshot = self._snapshot(conversation, last)
                if any(snapshot.changed):
                    yield snapshot
                    last, drawn_at = snapshot, time.monotonic()
        return conversation

    def _snapshot(self, conversation: Conversation, last: Snapshot | None) -> Snapshot:
        status = self.session.status()
        note = f"Loading\u2026 {status.note}" if status.state == "loading" else ""
        if last is None or last.note != note:
            everything = (True,) * LANES
            return Snapshot(conversation=conversation, changed=everything, note=note, is_first=last is None)
        now, then = conversation.turns[-1].answers, last.conversation.turns[-1].answers
        changed = tuple(lane < len(now) and now[lane] is not then[lane] for lane in range(LANES))
        return Snapshot(conversation=conversation, changed=changed, note=note)


def _final_snapshot(conversation: Conversation) -> Snapshot:
    return Snapshot(conversation=conversation, changed=(True,) * LANES, done=True)


@contextmanager
def _streaming(state: PageState) -> Iterator[None]:
    """Return a context manager that marks the page as streaming while the context is active."""
    state.streaming = True
    try:
        yield
    finally:
        state.streaming = False
