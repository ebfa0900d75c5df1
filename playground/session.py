"""Conversation sessions: send, retry, edit and branch.

Only this module determines the order of alignment, generation and storage.

A session yields snapshots of a conversation, each a complete, immutable `Conversation`. The page and the
command line render these snapshots and call the methods here. The loop that yields the snapshots is in
`running_turn`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Mapping, Sequence
from typing import Literal

from playground import context_fit
from playground.engine import Engine
from playground.judging.service import Judges
from playground.judging_session import JudgingSession
from playground.lanes.names import find_adapter
from playground.lanes.variant import parse_lane
from playground.library import Library
from playground.running_turn import BUSY, SETTLE, RunningTurns, Snapshots, replace_last_answer
from playground.secret import Secret
from playground.store import INTERRUPTED, STREAMING, Store, Summary, new_id
from playground.store.recorder import Recorder
from playground.types import (
    Answer,
    Conversation,
    DemoSet,
    Event,
    InputError,
    Message,
    OutsideError,
    Prompt,
    Reply,
    Request,
    Sampling,
    Status,
    Token,
    Turn,
    Variant,
    check_characters,
)
from playground.words import count_things

HistoryMode = Literal["own", "shared", "swapped"]
"""The source of the earlier answers in each lane's prompt.

"own": the lane's own answers. "shared": one lane's answers in all prompts. "swapped": the next lane's
answers, so that two lanes swap histories. Swapping shows whether a lane's second answer is worse in itself,
or only because it follows a worse first answer.
"""


def choose_histories(mode: HistoryMode, lanes: int, leader: int = 0) -> tuple[int, ...]:
    """Return, for each lane, the index of the lane whose earlier answers the prompt will contain (see
    `Turn.histories`).
    """
    if mode == "shared":
        return (leader,) * lanes
    return tuple((lane + 1) % lanes for lane in range(lanes)) if mode == "swapped" else ()


class Session(JudgingSession):
    """Service that runs conversations for any number of concurrent users, using one engine, library and
    database.

    A session does not hold conversations: callers pass in a conversation and get back a new one.
    """

    def __init__(self, engine: Engine, library: Library, store: Store, judges: Judges | None = None) -> None:
        super().__init__(library, judges or Judges(store))
        self.engine = engine
        self.store = store
        self._recorder = Recorder(store)
        self._turns = RunningTurns(self._recorder, lambda: self.engine)

    def status(self) -> Status:
        """Return the engine's status."""
        return self.engine.status()

    def swap_engine(self, engine: Engine, library: Library) -> None:
        """Switch to another engine and its library. Answers in progress finish on the previous engine."""
        with self._turns.lock:
            self.engine, self.library = engine, library

    def uses(self, engine: Engine) -> bool:
        """Return whether the given engine is still generating an answer."""
        return self._turns.uses(engine)

    def count_answers(self) -> tuple[int, int]:
        """Return how many answers are being generated, and how many wait for their first token."""
        return self._turns.count_answers()

    def variant(
        self, spec: str, sampling: Sampling | None = None, sets: Mapping[str, DemoSet] | None = None
    ) -> Variant:
        """Build the variant for a lane spec (see `parse_lane`).

        `sets` provides additional demonstration sets.

        Raises:
            InputError: the spec is invalid, or its adapter cannot be used.
        """
        library = self.library
        if sets:
            library = dataclasses.replace(library, demo_sets={**library.demo_sets, **sets})
        return _parse_lane(spec, library, sampling, self.status())

    def new(self, variants: Sequence[Variant]) -> Conversation:
        """Create an empty conversation. The conversation is recorded when its first message is sent."""
        if not variants:
            raise InputError("A conversation needs at least one lane.")
        return Conversation(id=new_id(), variants=tuple(variants))

    def open(self, id: str) -> Conversation:
        """Load a recorded conversation. Raises InputError if the id is unknown."""
        if id not in self._turns:
            return self._recorder.find_unwritten(id) or self.store.load(id)
        conversation = self.store.load(id)
        # The database cannot tell an answer that is still being generated from one cut off by a crash.
        last = conversation.turns[-1].answers if conversation.turns else ()
        for lane, answer in enumerate(last):
            if answer.reply.error == INTERRUPTED:
                streaming = dataclasses.replace(answer.reply, error=STREAMING)
                answer = dataclasses.replace(answer, reply=streaming)
                conversation = replace_last_answer(conversation, lane, answer)
        return conversation

    def history(self, query: str = "", limit: int = 100, owner: str | None = None) -> list[Summary]:
        """Return the recorded conversations, newest first (see `Store.summaries`)."""
        return self.store.summaries(query, limit, owner)

    def tokens(self, prompt: Prompt) -> list[Token] | None:
        """Return a prompt's tokens, or None if the engine cannot tokenize it (see `Engine.tokens`)."""
        return self.engine.tokens(prompt)

    def request(
        self, conversation: Conversation, lane: int, text: str, history: int | None = None, prefill: str = ""
    ) -> Request:
        """Return the request that `send(text)` would make to the engine for a lane.

        If the model is still loading, the request is not fitted to the context.

        Args:
            history: the lane whose earlier answers the prompt contains; None for the lane itself.
            prefill: text with which the answer starts.

        Raises:
            InputError: the prompt cannot be rendered, or does not fit.
        """
        messages = _messages(conversation, lane if history is None else history, text)
        return self.fit(conversation.variants[lane], messages, prefill)

    def fit(self, variant: Variant, messages: Sequence[Message], prefill: str = "") -> Request:
        """Build the request for the next answer to `messages`, fitted to the context length if that length is
        known.

        Args:
            messages: the conversation, which ends with a user message.
            prefill: text with which the answer starts.

        Raises:
            InputError: the prompt cannot be rendered, or does not fit.
        """
        context = self.engine.status().context
        return context_fit.build_request(variant, messages, self.tokens, context, prefill)

    def stream(self, requests: Sequence[Request]) -> Generator[Event, None, None]:
        """Answer requests that belong to no conversation, and record nothing. Yields what `Engine.stream`
        yields.
        """
        return self._turns.stream(requests)

    def send(
        self,
        conversation: Conversation,
        text: str,
        histories: Sequence[int] = (),
        prefill: str = "",
        keys: Mapping[str, Secret] | None = None,
    ) -> Snapshots:
        """Send a message to every lane, and yield snapshots of the conversation as the answers grow.

        A snapshot is yielded at least every tenth of a second, so that the caller can react. If nothing has
        changed, the snapshot is the same object as before. Closing the generator or calling `stop` stops the
        lanes and keeps the text generated so far. If a lane fails, its reply contains the error and the other
        lanes continue.

        Args:
            histories: for each lane, the lane whose earlier answers its prompt contains (see
                `choose_histories`); by default, the lane itself.
            prefill: text with which every answer starts.
            keys: the user's own API keys for chat models, by server address, used for this turn only.

        Raises:
            InputError: the message is empty or has a lone surrogate, or an answer of this conversation is
                still being generated.
            ConflictError: the conversation has been continued in another process or window.
            OutsideError: the database cannot be written. If the database is only locked or fails later, the
                lanes still answer, and `unsaved_reason` returns the reason.
        """
        if not text.strip():
            raise InputError("The message is empty: type something first.")
        check_characters(text, "The message")
        lanes = range(len(conversation.variants))

        def ask() -> Conversation:
            turn = Turn(user=text, answers=(), histories=tuple(histories))
            answers = [
                self._begin_answer(variant, _turn_messages(conversation, turn, lane), prefill)
                for lane, variant in enumerate(conversation.variants)
            ]
            turn = dataclasses.replace(turn, answers=tuple(answers))
            return dataclasses.replace(conversation, turns=(*conversation.turns, turn))

        yield from self._turns.run(ask, lanes, keys)

    def retry(
        self,
        conversation: Conversation,
        lanes: Sequence[int],
        prefill: str | None = None,
        keys: Mapping[str, Secret] | None = None,
    ) -> Snapshots:
        """Regenerate the given lanes' answers to the last turn with their current variants, keeping earlier
        answers.

        Lanes that use sampling add the version number to their seed, because the same seed would reproduce
        the answer. Yields snapshots, as `send` does.

        Args:
            prefill: text with which the answers start. None keeps each answer's earlier prefill.
            keys: the user's own API keys for chat models, by server address.

        Raises:
            InputError: there is no turn, a lane does not exist, or an answer is still being generated.
        """
        before, turn = _split_last(conversation, lanes)

        def ask() -> Conversation:
            again = turn
            for lane in lanes:
                version = len(turn.all(lane))
                variant = _reseed(before.variants[lane], version)
                messages = _turn_messages(before, turn, lane)
                start = turn.answers[lane].prefill if prefill is None else prefill
                again = again.select(self._begin_answer(variant, messages, start, version), lane)
            return dataclasses.replace(conversation, turns=(*before.turns, again))

        yield from self._turns.run(ask, lanes, keys)

    def continue_answer(self, conversation: Conversation, lane: int) -> Snapshots:
        """Continue a lane's last answer, which must have been cut off.

        The longer answer becomes a new version. The earlier answer is used as the prefill. Yields snapshots,
        as `send` does.

        Raises:
            InputError: the answer is complete, or an answer is still being generated.
        """
        before, turn = _split_last(conversation, [lane])
        answer = turn.answers[lane]
        if answer.request is None or answer.reply.finish not in ("length", "cancelled") or not answer.text:
            raise InputError("This answer is complete: there is nothing to continue.")

        def ask() -> Conversation:
            messages = _turn_messages(before, turn, lane)
            longer = self._begin_answer(
                before.variants[lane], messages, answer.continuation, len(turn.all(lane))
            )
            return dataclasses.replace(conversation, turns=(*before.turns, turn.select(longer, lane)))

        yield from self._turns.run(ask, [lane])

    def show(self, conversation: Conversation, lane: int, version: int) -> Conversation:
        """Return a copy of the conversation in which another version of a lane's last answer is selected.

        Raises:
            InputError: the version does not exist, or an answer is still being generated.
            OutsideError: the conversation could not be recorded.
        """
        before, turn = _split_last(conversation, [lane])
        if not 0 <= version < len(turn.all(lane)):
            raise InputError(f"There is no version {version + 1} of this answer: choose another version.")
        turn = turn.select(turn.all(lane)[version], lane)
        conversation = dataclasses.replace(conversation, turns=(*before.turns, turn))
        with self._turns.lock:
            if conversation.id in self._turns:
                raise InputError(BUSY)
            if not self._recorder.settle(conversation.id, SETTLE):
                raise OutsideError(self.unsaved_reason(conversation.id) or BUSY)
            self.store.show(conversation)
        return conversation

    def branch(
        self, conversation: Conversation, turns: int, lanes: Sequence[int] | None = None
    ) -> Conversation:
        """Create a new conversation from the first turns of another conversation, which remains unchanged.

        The new conversation is recorded when its first message is sent.

        Args:
            turns: number of turns to copy.
            lanes: the lanes to copy, in their new order. Repetitions are allowed. By default, all lanes are
                copied.

        Raises:
            InputError: the turns or lanes do not exist.
        """
        lanes = range(len(conversation.variants)) if lanes is None else lanes
        if not 0 <= turns <= len(conversation.turns):
            raise InputError(
                f"The conversation has {count_things(len(conversation.turns), 'turn')}: choose one of them."
            )
        if not lanes or not all(0 <= lane < len(conversation.variants) for lane in lanes):
            raise InputError("This lane does not exist: choose an existing one.")
        return Conversation(
            id=new_id(),
            variants=tuple(conversation.variants[lane] for lane in lanes),
            turns=tuple(turn.rearrange(lanes) for turn in conversation.turns[:turns]),
            parent=conversation.id,
        )

    def stop(self, id: str, lane: int | None = None) -> None:
        """Stop generation in a conversation or in one of its lanes. Returns immediately."""
        self._turns.stop(id, lane)

    def unsaved_reason(self, id: str) -> str | None:
        """Return a one-sentence reason why a conversation is not fully recorded, or None if it is fully
        recorded.
        """
        return self._recorder.problem(id)

    def warm(self, variants: Sequence[Variant]) -> None:
        """Prefill the prompt prefix shared by all conversations that use these variants, while the engine is
        idle.
        """
        self.engine.warm([variant.aligner([Message(role="user", text="")]) for variant in variants])

    def close(self) -> None:
        """Stop all lanes, record the text generated so far and close the engine."""
        try:
            super().close()
            self._turns.close()
            self._recorder.close()
        finally:
            self.engine.close()

    # --- Requests ---------------------------------------------------------------------------------

    def _begin_answer(
        self, variant: Variant, messages: Sequence[Message], prefill: str, version: int = 0
    ) -> Answer:
        """Return an answer for a lane that has not generated any text yet. It contains the request or, if no
        request could be built, the error.
        """
        try:
            request = self.fit(variant, messages, prefill)
        except InputError as error:
            reply = Reply(finish="error", error=str(error))
            return Answer(variant=variant.name, request=None, reply=reply, version=version)
        return Answer(variant=variant.name, request=request, reply=Reply(), version=version)


def _parse_lane(spec: str, library: Library, sampling: Sampling | None, status: Status) -> Variant:
    try:
        return parse_lane(spec, library, sampling)
    except InputError:
        # An adapter that cannot be used is not in the library; the status contains the reason.
        if reason := status.adapter_error(find_adapter(spec)):
            raise InputError(reason) from None
        raise


def _messages(conversation: Conversation, lane: int, text: str) -> list[Message]:
    """Return a lane's history, followed by the user's next message."""
    return [*conversation.history(lane), Message(role="user", text=text)]


def _turn_messages(before: Conversation, turn: Turn, lane: int) -> list[Message]:
    """Return the messages from which a lane's prompt for a turn is rendered.

    If the lane that provided the history has been removed, the lane's own history is used.
    """
    history = turn.history_lane(lane)
    return _messages(before, lane if history is None else history, turn.user)


def _split_last(conversation: Conversation, lanes: Sequence[int]) -> tuple[Conversation, Turn]:
    """Return the conversation before its last turn, and the last turn itself.

    Raises:
        InputError: there is no turn, or the last turn has no answer in one of `lanes`.
    """
    if not conversation.turns:
        raise InputError("There is no message yet: send one first.")
    turn = conversation.turns[-1]
    if not lanes or not all(0 <= lane < len(turn.answers) for lane in lanes):
        raise InputError("This lane has no answer to this message: send another message.")
    return conversation.before(len(conversation.turns) - 1), turn


def _reseed(variant: Variant, version: int) -> Variant:
    """Return a copy of the variant with the version number added to the seed. With greedy decoding, the seed
    has no effect, so the variant is returned unchanged.
    """
    if not variant.sampling.temperature:
        return variant
    seed = (variant.sampling.seed + version) % 2**63
    return dataclasses.replace(variant, sampling=dataclasses.replace(variant.sampling, seed=seed))
