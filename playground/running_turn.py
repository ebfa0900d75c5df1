"""Run the last turn of a conversation: stream, record and stop the lanes' answers."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

from playground.engine import Engine, with_keys
from playground.secret import Secret
from playground.store.recorder import Recorder
from playground.streams import Streams
from playground.types import Answer, Conversation, Event, InputError, Request

YIELD_EVERY = 0.03
"""Seconds between snapshots while streaming. A page renders 8 to 10 per second, each time the latest,
so that this interval adds to its latency.
"""
SAVE_EVERY = 1.0
"""Seconds between database writes while a turn is streaming."""
SETTLE = 1.5
"""Seconds to wait for finished answers to be saved. After that, saving continues in the background."""
BUSY = "An answer is still being written: wait for it to finish, or stop it first."

Snapshots = Generator[Conversation, None, None]


class RunningTurn:
    """The last turn of a conversation while lanes are still generating answers."""

    def __init__(self, conversation: Conversation, lanes: Sequence[int], keys: Mapping[str, Secret]) -> None:
        self.conversation = conversation
        """The conversation with the answers generated so far.

        Set only by the thread that consumes `stream`.
        """
        self.engine: Engine | None = None
        """The engine generating the answers; None before `stream` is called."""
        self.is_recorded = False
        """Whether the turn has been written to the database or queued for writing."""
        self.is_stopped = False
        """Whether all lanes have been stopped."""
        self._lanes = lanes
        self._keys = keys
        self._stopped: set[int] = set()
        self._streams: Streams | None = None

    def stop(self, lane: int | None = None) -> None:
        """Stop the given lane, or all lanes if `lane` is None. Thread-safe."""
        self._stopped |= set(self._lanes) if lane is None else {lane}
        self.is_stopped = self._stopped >= set(self._lanes)
        if self._streams:
            self._streams.stop(lane)

    def stream(self, engine: Engine) -> Iterator[None]:
        """Stream the answers from the engine into the conversation. Yields at least every 0.1 s."""
        answers = self.conversation.turns[-1].answers
        requests = {lane: request for lane in self._lanes if (request := answers[lane].request)}
        self._streams = Streams(with_keys(engine, self._keys), requests)
        for lane in list(self._stopped):
            self._streams.stop(lane)
        for update in self._streams:
            if update is not None:
                lane, reply = update
                answer = self.conversation.turns[-1].answers[lane]
                answer = _end(answer) if reply is None else dataclasses.replace(answer, reply=reply)
                self.conversation = replace_last_answer(self.conversation, lane, answer)
            yield

    def count_answers(self) -> tuple[int, int]:
        """Return how many answers are being generated, and how many wait for their first token."""
        answers = self.conversation.turns[-1].answers
        unfinished = [answers[lane].reply for lane in self._lanes if not answers[lane].reply.finish]
        waiting = sum(reply.ttft is None for reply in unfinished)
        return len(unfinished) - waiting, waiting

    def end(self) -> Conversation:
        """Return the conversation as it would be if all lanes stopped now: unfinished lanes are marked as
        cancelled.
        """
        conversation = self.conversation
        for lane in self._lanes:
            answer = conversation.turns[-1].answers[lane]
            conversation = replace_last_answer(conversation, lane, _end(answer))
        return conversation


class RunningTurns:
    """The running turns of a session, at most one per conversation. Each turn is recorded while its answers
    are being streamed.
    """

    def __init__(self, recorder: Recorder, engine: Callable[[], Engine]) -> None:
        self.lock = threading.Lock()
        """Lock held while a turn is added, recorded or closed.

        The lock ensures that an unfinished state is never written after `close` has written the final state.
        """
        self._recorder = recorder
        self._engine = engine
        self._turns: dict[str, RunningTurn] = {}
        self._unrecorded: list[Engine] = []
        """The engine of each stream that belongs to no conversation."""
        self._closed = False

    def __contains__(self, id: str) -> bool:
        """Return whether a turn of the conversation with the given id is running."""
        return id in self._turns

    def uses(self, engine: Engine) -> bool:
        """Return whether the given engine is still generating an answer."""
        turns = list(self._turns.values())
        return engine in self._unrecorded or any(turn.engine is engine for turn in turns)

    def stream(self, requests: Sequence[Request]) -> Generator[Event, None, None]:
        """Answer requests that belong to no conversation (see `Session.stream`)."""
        with self.lock:  # so that the engine cannot be swapped before it counts as used
            engine = self._engine()
            self._unrecorded.append(engine)
        try:
            yield from engine.stream(requests)
        finally:
            self._unrecorded.remove(engine)

    def count_answers(self) -> tuple[int, int]:
        """Return how many answers of all turns are being generated, and how many wait for their first
        token.
        """
        counts = [turn.count_answers() for turn in list(self._turns.values())]
        return sum(generating for generating, _ in counts), sum(waiting for _, waiting in counts)

    def stop(self, id: str, lane: int | None = None) -> None:
        """Request that a conversation's running turn, or one of its lanes, stop. Returns immediately."""
        if turn := self._turns.get(id):
            turn.stop(lane)

    def run(
        self,
        ask: Callable[[], Conversation],
        lanes: Sequence[int],
        keys: Mapping[str, Secret] | None = None,
    ) -> Snapshots:
        """Generate and record the given lanes' answers in a conversation's last turn (see `Session.send`).

        Args:
            ask: function that returns the conversation with the turn's requests. If a model is still loading,
                the function is called again afterwards, so that the prompts are fitted to the model's
                context.
            lanes: the lanes that generate answers.
            keys: the user's own API keys for chat models, by server address.

        Yields:
            Snapshots of the conversation. The last one contains the finished turn.

        Raises:
            InputError: a turn of the conversation is already running.
        """
        turn = RunningTurn(ask(), lanes, keys or {})
        id = turn.conversation.id
        with self.lock:
            if id in self._turns:
                raise InputError(BUSY)
            self._turns[id] = turn
        try:
            with self.lock:
                self._recorder.begin(turn.conversation, lanes)
                turn.is_recorded = True
            yield turn.conversation
            if self._is_loading():
                yield from self._wait_for_model(turn)
                turn.conversation = ask()  # the tokenizer is now available to fit prompts to the context
            yield from self._stream(turn)
        finally:
            # Reached at the end, after a failure, and when the caller closes the generator. In the last case,
            # this runs in the caller's thread, which may be the thread that serves the page, so it must be
            # quick.
            turn.stop()
            if turn.is_recorded:
                self._recorder.put(turn.end())
                self._recorder.settle(id, SETTLE)
            self._turns.pop(id, None)
        yield turn.end()

    def _is_loading(self) -> bool:
        return self._engine().status().state == "loading"

    def _wait_for_model(self, turn: RunningTurn) -> Snapshots:
        """Repeatedly yield the unchanged conversation until the engine's model has loaded or the turn is
        stopped.
        """
        while self._is_loading() and not (self._closed or turn.is_stopped):
            time.sleep(YIELD_EVERY)
            yield turn.conversation

    def _stream(self, turn: RunningTurn) -> Snapshots:
        """Yield snapshots while the answers stream, and record a snapshot every `SAVE_EVERY` seconds."""
        current = turn.conversation
        yielded_at = saved_at = time.monotonic()
        with self.lock:  # so that the engine cannot be swapped or closed before `turn.engine` is set
            turn.engine = self._engine()
        for _ in turn.stream(turn.engine):
            if self._closed:
                break
            now = time.monotonic()
            if now - yielded_at < YIELD_EVERY:
                continue
            if current is not turn.conversation:
                current = turn.conversation
                if now - saved_at >= SAVE_EVERY:
                    self._record(current)
                    saved_at = now
            yield current
            yielded_at = time.monotonic()

    def _record(self, unfinished: Conversation) -> None:
        """Record a turn in progress, unless `close` has already written its final state."""
        with self.lock:
            if not self._closed:
                self._recorder.put(unfinished)

    def close(self) -> None:
        """Stop all lanes and record their answers.

        This also works if a caller of `run` has dropped the generator without closing it.
        """
        with self.lock:
            self._closed = True
            for turn in list(self._turns.values()):
                turn.stop()
                if turn.is_recorded:
                    self._recorder.put(turn.end())


def replace_last_answer(conversation: Conversation, lane: int, answer: Answer) -> Conversation:
    """Return a copy of the conversation in which `answer` is a lane's selected answer in the last turn."""
    *turns, last = conversation.turns
    return dataclasses.replace(conversation, turns=(*turns, last.select(answer, lane)))


def _end(answer: Answer) -> Answer:
    """Finalize an answer after streaming. An answer without a finish reason is marked as cancelled."""
    if answer.reply.finish:
        return answer
    return dataclasses.replace(answer, reply=dataclasses.replace(answer.reply, finish="cancelled"))
