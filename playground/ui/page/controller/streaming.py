"""Generate answers for a page. Methods such as `send` and `retry` yield snapshots for the page to render."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager

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
from playground.ui.page.runs import Generate, Run, Runs
from playground.ui.page.state import LANES, PageState

RECORDED_WITHIN = 5.0
"""Seconds to wait for a new conversation to be recorded."""
WAIT = 0.1
"""Seconds between checks of the engine's status while no text arrives."""
HEARTBEAT = 1.0
"""Maximum seconds between snapshots, even if nothing has changed."""
LONG = 20
"""Minimum number of turns at which the page is updated less often, because long histories render slowly."""


class Streaming:
    """Answer generation for pages, limited to one stream at a time per page.

    A run generates the answers, and pages follow it. It continues when its pages are closed.
    """

    def __init__(
        self,
        catalog: LaneCatalog,
        conversations: Conversations,
        gate: Gate,
        visitor: Callable[[], str],
        abandoned_after: float | None = None,
    ) -> None:
        """Store the objects used to generate answers.

        Args:
            catalog: catalog that builds the lanes' variants.
            conversations: operations that provide a page's conversation.
            gate: gate that applies rate limits to messages.
            visitor: function that returns an identifier for the client. It is called within a handler.
            abandoned_after: seconds for which answers that no page follows are generated; None for no limit.
        """
        self.runs = Runs()
        self.abandoned_after = abandoned_after
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
        visitor = self.visitor()

        def generate(run: Run) -> Generator[Conversation]:
            latest = conversation
            for text in texts:
                now = settings()
                latest = self._apply(state, latest, now)
                with self.gate.message(visitor, latest.variants, len(latest.turns) + 1, text):
                    for snapshot in self.session.send(
                        latest, text, now.histories, now.prefill, state.chat_keys
                    ):
                        latest = snapshot
                        yield latest
                if run.is_stopped or _is_cancelled(latest):
                    break

        yield from self._run(state, conversation, generate)

    def retry(self, state: PageState, lanes: Sequence[int], settings: LaneSettings) -> Generator[Snapshot]:
        """Regenerate the last answers of the given lanes, using the lanes' current settings.

        Raises:
            InputError: there is nothing to retry, or a lane cannot be used.
            ConflictError: the conversation has been continued elsewhere.
        """
        refuse_while_streaming(state)
        settings.require(*lanes)
        conversation = self._apply(state, self.conversations.require_up_to_date(state), settings)
        prefill = settings.prefill or None
        yield from self._run_once(
            state, conversation, self.session.retry(conversation, lanes, prefill, state.chat_keys)
        )

    def continue_answer(self, state: PageState, lane: int, settings: LaneSettings) -> Generator[Snapshot]:
        """Continue a lane's last answer.

        Raises:
            InputError: there is nothing to continue, or the lane cannot be used.
            ConflictError: the conversation has been continued elsewhere.
        """
        refuse_while_streaming(state)
        settings.require(lane)
        conversation = self._apply(state, self.conversations.require_up_to_date(state), settings)
        yield from self._run_once(state, conversation, self.session.continue_answer(conversation, lane))

    def stop(self, state: PageState, lane: int | None = None) -> None:
        """Stop generation in one lane, or in all lanes if `lane` is None.

        Does nothing if another owner's page started the answers.
        """
        run = self.find_run(state)
        if run is not None and lane is None:
            run.stop()
        elif run is not None:
            self.session.stop(run.id, lane)

    def may_count_draft(self) -> bool:
        """Return whether the user may have another draft counted, and count the request."""
        return self.gate.draft(self.visitor())

    # --- Runs -----------------------------------------------------------------------------------------

    def find_run(self, state: PageState) -> Run | None:
        """Return the run that generates answers in the page's conversation and that the page may follow."""
        if state.run is not None and not state.run.has_ended:
            return state.run
        return self.runs.find(state.conversation, self.conversations.owner())

    def find_latest(self) -> str | None:
        """Return the id of the conversation in which the caller started the latest run, or None.

        Waits until the conversation has been recorded.
        """
        run = self.runs.find_latest(self.conversations.owner())
        return run.id if run is not None and run.wait(None, RECORDED_WITHIN) is not None else None

    def follow(self, state: PageState) -> Generator[Snapshot]:
        """Yield snapshots of the answers that are being generated in the page's conversation, if any.

        The page may have been opened after the answers were started, for example by a reload.
        """
        refuse_while_streaming(state)
        run = self.find_run(state)
        if run is not None:
            yield from self._follow(state, run)

    def _run_once(
        self, state: PageState, conversation: Conversation, snapshots: Generator[Conversation, None, None]
    ) -> Generator[Snapshot]:
        visitor = self.visitor()

        def generate(run: Run) -> Generator[Conversation]:
            with self.gate.message(visitor, conversation.variants, 0):
                yield from snapshots

        yield from self._run(state, conversation, generate)

    def _run(self, state: PageState, conversation: Conversation, generate: Generate) -> Generator[Snapshot]:
        """Start a run and follow it."""
        id = conversation.id
        owner = self.conversations.owner()
        run = Run(id, owner, lambda: self.session.stop(id), self.abandoned_after)
        self.runs.start(run, generate)
        yield from self._follow(state, run)

    def _follow(self, state: PageState, run: Run) -> Generator[Snapshot]:
        """Yield a run's snapshots at a limited rate, and at least every `HEARTBEAT` seconds.

        Gradio can close a generator only when it yields, so a follower of a closed page is not left behind.
        """
        last: Snapshot | None = None
        yielded_at = 0.0
        with _following(state, run):
            while True:
                conversation = run.wait(last.conversation if last is not None else None, WAIT)
                every = 0.1 if conversation is None or len(conversation.turns) < LONG else 0.15
                run.wait_for_end(yielded_at + every - time.monotonic())
                has_ended, conversation = run.has_ended, run.conversation
                if conversation is not None:
                    if last is None or _is_other_turn(last.conversation, conversation):
                        self.conversations.go_to(state, conversation)
                        last = None
                    elif has_ended:
                        break
                    snapshot = self._snapshot(conversation, last)
                    if any(snapshot.changed) or time.monotonic() - yielded_at > HEARTBEAT:
                        yield snapshot
                        last, yielded_at = snapshot, time.monotonic()
                if has_ended:
                    break
        if run.error is not None:
            raise run.error
        if run.conversation is not None:
            yield _final_snapshot(run.conversation)

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


def _is_cancelled(conversation: Conversation) -> bool:
    return all(answer.reply.finish == "cancelled" for answer in conversation.turns[-1].answers)


def _is_other_turn(before: Conversation, now: Conversation) -> bool:
    return len(before.turns) != len(now.turns)


@contextmanager
def _following(state: PageState, run: Run) -> Iterator[None]:
    """Return a context manager that marks the page as streaming and counts it as a follower of the run."""
    state.streaming, state.run = True, run
    try:
        with run.following():
            yield
    finally:
        state.streaming, state.run = False, None
