"""The order of things: align, generate, record. The only place that knows it.

A session yields snapshots of a conversation, each a whole immutable `Conversation`; the page and the
command line draw them and call the methods here.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Literal, cast, get_args

from playground import context_fit
from playground.aligners import aligners
from playground.engine import Engine
from playground.judging.candidates import holds
from playground.judging.service import Judges
from playground.lanes import Quoted, parse_spec
from playground.library import Library
from playground.store import INTERRUPTED, STREAMING, Store, Summary, new_id
from playground.store.recorder import Recorder
from playground.streams import Streams
from playground.types import (
    SAMPLING_NAMES,
    Answer,
    Conversation,
    DemoSet,
    InputError,
    Message,
    OutsideError,
    Overflow,
    Prompt,
    Reply,
    Request,
    Sampling,
    Status,
    StopName,
    Token,
    Turn,
    Variant,
    Verdict,
    check_characters,
)

DRAW_EVERY = 0.1
"""Seconds between two snapshots while text streams; a page cannot draw more than 8 to 10 a second."""
SAVE_EVERY = 1.0
"""Seconds between two writes of a streaming turn."""
SETTLE = 1.5
"""Seconds that the end of answers waits to be written; after that it is written in the background."""
BUSY = "An answer is still being written: wait for its end, or stop it first."
ELSEWHERE = STREAMING


HistoryMode = Literal["own", "shared", "swapped"]
"""Whose earlier answers a lane is asked on: its own; those of one lane for all; or the next lane's, so that
with two lanes each goes on from the other's answers. Tells "the second answer is worse" from "the first one
was worse, and the second suffers from it"."""


def histories_of(mode: HistoryMode, lanes: int, leader: int = 0) -> tuple[int, ...]:
    """For each lane, the lane whose answers it is asked on, as `Turn.histories` has it."""
    if mode == "shared":
        return (leader,) * lanes
    return tuple((lane + 1) % lanes for lane in range(lanes)) if mode == "swapped" else ()


def parse_lane(spec: str, library: Library, sampling: Sampling | None = None) -> Variant:
    """A lane as a person writes it: ``name`` or ``name:key=value,...``.

    `name` is "base", the name of an aligner, or the name of an adapter, which means that adapter in its
    own chat format. Keys are the aligner's options, `overflow`, and the decoding parameters, which `sampling`
    gives the defaults for; `stop` is a stop sequence, or an aligner's stop rule if it has one of that name.
    The variant's name is the text itself. See `lane_spec` for values in quotes.

    Raises:
        InputError: an unknown name or key, or a bad value.
    """
    name, options = parse_spec(spec)
    decoding = {key: options.pop(key) for key in list(options) if key in SAMPLING_NAMES}
    overflow = options.pop("overflow", "refuse")
    if overflow not in get_args(Overflow):
        raise InputError(
            f"Lane {spec!r}: overflow must be one of {', '.join(get_args(Overflow))}, not {overflow!r}."
        )
    if "ablation" in options and "seed" in decoding:
        # A lane has one seed: by it the ablation draws its demonstrations, and the sampling its noise.
        options["seed"] = decoding["seed"]

    kinds = aligners()
    kind = "raw" if name == "base" else name
    if kind not in kinds:
        known = sorted(["base", *(set(kinds) - {"raw"}), *library.adapters])
        if name not in {*library.adapters, *library.other_adapters, *library.pending, *library.refused}:
            raise InputError(f"There is no lane {name!r}: choose one of {', '.join(known)}.")
        if "adapter" in options:
            raise InputError(f"Lane {name!r} is an adapter already: leave adapter= out.")
        kind, options["adapter"] = "ift", name
    if decoding.get("stop") in getattr(kinds[kind], "stop_rules", ()):
        options["stop"] = decoding.pop("stop")  # the name of a rule and not a stop sequence
    elif (rule := decoding.get("stop")) in get_args(StopName) and not isinstance(rule, Quoted):
        raise InputError(
            f'Lane {name!r} has no stop rules: leave stop={rule} out, or write stop="{rule}" for a stop '
            "sequence."
        )
    return Variant(
        name=spec.strip(),
        aligner=kinds[kind].build(options, library),
        sampling=Sampling.parse(decoding, sampling),
        overflow=cast(Overflow, overflow),
    )


class Session:
    """Conversations with one engine, one library and one record; any number of people at once.

    It holds no conversation itself: callers pass theirs in and get new ones back.
    """

    def __init__(self, engine: Engine, library: Library, store: Store, judges: Judges | None = None) -> None:
        self.engine = engine
        self.library = library
        self.store = store
        self.judges = judges or Judges(store)
        self._recorder = Recorder(store)
        self._runs: dict[str, _Run] = {}
        """What is under way, by conversation."""
        self._recording = threading.Lock()  # an unfinished turn is never written after `close` wrote its end
        self._closed = False

    def status(self) -> Status:
        """The engine's."""
        return self.engine.status()

    def swap_engine(self, engine: Engine, library: Library) -> None:
        """Go on with another engine and its library; what is being written ends on the one before."""
        with self._recording:
            self.engine, self.library = engine, library

    def uses(self, engine: Engine) -> bool:
        """Whether an answer is still being written by an engine."""
        return any(run.engine is engine for run in list(self._runs.values()))

    def variant(
        self, spec: str, sampling: Sampling | None = None, sets: Mapping[str, DemoSet] | None = None
    ) -> Variant:
        """See `parse_lane`; `sets` are demonstration sets that only the caller knows, by name."""
        library = self.library
        if sets:
            library = dataclasses.replace(library, demo_sets={**library.demo_sets, **sets})
        return parse_lane(spec, library, sampling)

    def new(self, variants: Sequence[Variant]) -> Conversation:
        """An empty conversation; it is recorded with its first message."""
        if not variants:
            raise InputError("A conversation needs at least one lane.")
        return Conversation(id=new_id(), variants=tuple(variants))

    def open(self, id: str) -> Conversation:
        """A recorded conversation; InputError if there is none."""
        if id not in self._runs:
            return self._recorder.unwritten(id) or self.store.load(id)
        conversation = self.store.load(id)
        # The record cannot tell an answer that is being written from one that a crash cut off.
        last = conversation.turns[-1].answers if conversation.turns else ()
        for lane, answer in enumerate(last):
            if answer.reply.error == INTERRUPTED:
                told = dataclasses.replace(answer, reply=dataclasses.replace(answer.reply, error=ELSEWHERE))
                conversation = _showing(conversation, lane, told)
        return conversation

    def history(self, query: str = "", limit: int = 100, owner: str | None = None) -> list[Summary]:
        """Recorded conversations, the latest first; see `Store.summaries`."""
        return self.store.summaries(query, limit, owner)

    def tokens(self, prompt: Prompt) -> list[Token] | None:
        """See `Engine.tokens`."""
        return self.engine.tokens(prompt)

    def request(
        self, conversation: Conversation, lane: int, text: str, history: int | None = None, start: str = ""
    ) -> Request:
        """What `send(text)` would ask in that lane, once the model is loaded.

        Args:
            history: the lane whose earlier answers it is asked on; None: its own.
            start: words that the answer is to begin with.

        Raises:
            InputError: no prompt can be written, or it does not fit.
        """
        variant = conversation.variants[lane]
        said = conversation.history(lane if history is None else history)
        messages = [*said, Message(role="user", text=text)]
        context = self.engine.status().context
        if context is None:  # still loading, or a server's affair
            return Request(prompt=variant.aligner(messages).with_prefill(start), sampling=variant.sampling)
        return context_fit.fit(
            variant, messages, lambda prompt: len(self.tokens(prompt) or ()), context, start
        )

    def send(
        self, conversation: Conversation, text: str, histories: Sequence[int] = (), start: str = ""
    ) -> Generator[Conversation, None, None]:
        """Ask every lane and yield the conversation as the answers grow.

        A snapshot comes at least every tenth of a second, so a caller can look up; one that has nothing
        new is the same object as the one before. Closing the generator, or `stop`, stops the lanes; what they
        had written is kept. A lane that fails carries its error in its reply, and the others go on.

        Args:
            histories: for each lane, the lane whose earlier answers it is asked on, see `histories_of`; by
                default each has its own.
            start: words that every answer is to begin with.

        Raises:
            InputError: the message is empty or holds half a character, or an answer of this conversation is
                still being written.
            ConflictError: the conversation has gone on elsewhere, in another process or window.
            OutsideError: the record cannot be written. While it is locked, or where it fails later, the
                lanes still answer, and `unsaved` gives the reason.
        """
        if not text.strip():
            raise InputError("The message is empty: type something first.")
        check_characters(text, "The message")
        lanes = range(len(conversation.variants))

        def asked() -> Conversation:
            answers = [self._asked(conversation, lane, text, histories, start) for lane in lanes]
            turn = Turn(user=text, answers=tuple(answers), histories=tuple(histories))
            return dataclasses.replace(conversation, turns=(*conversation.turns, turn))

        yield from self._run(asked, lanes)

    def retry(
        self, conversation: Conversation, lanes: Sequence[int], start: str | None = None
    ) -> Generator[Conversation, None, None]:
        """Ask lanes again for the last turn, with the variants they have now; the answers so far are kept.

        A lane that samples does so with its seed plus the number of the version, since the same seed would
        bring the same answer. For what is yielded see `send`.

        Args:
            start: words that the answers are to begin with; None: those that they began with before.

        Raises:
            InputError: there is no turn, or no such lane in it, or an answer is still being written.
        """
        before, turn = self._last(conversation, lanes)

        def asked() -> Conversation:
            again = turn
            for lane in lanes:
                version = len(turn.all(lane))
                begun = _start(turn.answers[lane]) if start is None else start
                answer = self._asked(before, lane, turn.user, turn.histories, begun, version)
                again = again.select(answer, lane)
            return dataclasses.replace(conversation, turns=(*before.turns, again))

        yield from self._run(asked, lanes)

    def continue_answer(self, conversation: Conversation, lane: int) -> Generator[Conversation, None, None]:
        """Let a lane go on with its last answer, which was cut off; the longer one is another version.

        The model is asked for what follows the answer's text. For what is yielded see `send`.

        Raises:
            InputError: the answer came to its own end, or an answer is still being written.
        """
        before, turn = self._last(conversation, [lane])
        answer = turn.answers[lane]
        if answer.request is None or answer.reply.finish not in ("length", "cancelled") or not answer.text:
            raise InputError("This answer came to its own end: there is nothing to go on with.")
        written = answer.reply.raw_text
        if answer.request.prompt.stop.trim and not _start(answer):
            written = written.lstrip()  # as it stands in the conversation
        start = _start(answer) + written

        def asked() -> Conversation:
            longer = self._asked(
                before, lane, turn.user, turn.histories, start, len(turn.all(lane)), reseed=False
            )
            return dataclasses.replace(conversation, turns=(*before.turns, turn.select(longer, lane)))

        yield from self._run(asked, [lane])

    def show(self, conversation: Conversation, lane: int, version: int) -> Conversation:
        """The conversation with another version of a lane's last answer shown, and gone on from.

        Raises:
            InputError: there is no such version, or an answer is still being written.
        """
        before, turn = self._last(conversation, [lane])
        if not 0 <= version < len(turn.all(lane)):
            raise InputError(f"There is no version {version + 1} of this answer: choose another.")
        turn = turn.select(turn.all(lane)[version], lane)
        conversation = dataclasses.replace(conversation, turns=(*before.turns, turn))
        with self._recording:
            if conversation.id in self._runs:
                raise InputError(BUSY)
            if not self._recorder.settle(conversation.id, SETTLE):
                raise OutsideError(self.unsaved(conversation.id) or BUSY)
            self.store.show(conversation)
        return conversation

    def branch(
        self, conversation: Conversation, turns: int, lanes: Sequence[int] | None = None
    ) -> Conversation:
        """A new conversation that begins with another's first turns; the other stays as it is.

        It is recorded with its first message.

        Args:
            turns: how many of its turns.
            lanes: which of its lanes, in their new order; one may be there twice. By default all.

        Raises:
            InputError: there are no such turns or lanes.
        """
        lanes = range(len(conversation.variants)) if lanes is None else lanes
        if not 0 <= turns <= len(conversation.turns):
            raise InputError(f"The conversation has {len(conversation.turns)} turns: choose one of them.")
        if not lanes or not all(0 <= lane < len(conversation.variants) for lane in lanes):
            raise InputError("There is no such lane: choose one that is there.")
        return Conversation(
            id=new_id(),
            variants=tuple(conversation.variants[lane] for lane in lanes),
            turns=tuple(turn.rearrange(lanes) for turn in conversation.turns[:turns]),
            parent=conversation.id,
        )

    def stop(self, id: str, lane: int | None = None) -> None:
        """Stop what is being written in a conversation, or in one lane of it; returns at once."""
        if run := self._runs.get(id):
            run.stop(lane)

    # --- Asking -----------------------------------------------------------------------------------

    def _last(self, conversation: Conversation, lanes: Sequence[int]) -> tuple[Conversation, Turn]:
        """The last turn, and the conversation before it."""
        if not conversation.turns:
            raise InputError("Nothing has been asked yet: send a message first.")
        turn = conversation.turns[-1]
        if not lanes or not all(0 <= lane < len(turn.answers) for lane in lanes):
            raise InputError("That lane has no answer to this message: send another message.")
        return conversation.before(len(conversation.turns) - 1), turn

    def _asked(
        self,
        before: Conversation,
        lane: int,
        text: str,
        histories: Sequence[int | None],
        start: str,
        version: int = 0,
        reseed: bool = True,
    ) -> Answer:
        """A lane's answer before its first word: its request, or the reason why there is none."""
        variant = before.variants[lane]
        if version and reseed and variant.sampling.temperature:
            sampling = dataclasses.replace(variant.sampling, seed=(variant.sampling.seed + version) % 2**63)
            variants = (*before.variants[:lane], dataclasses.replace(variant, sampling=sampling))
            before = dataclasses.replace(before, variants=(*variants, *before.variants[lane + 1 :]))
        try:
            request = self.request(before, lane, text, histories[lane] if histories else None, start)
        except InputError as error:
            reply = Reply(finish="error", error=str(error))
            return Answer(variant=variant.name, request=None, reply=reply, version=version)
        return Answer(variant=variant.name, request=request, reply=Reply(), version=version)

    def _run(
        self, asked: Callable[[], Conversation], lanes: Sequence[int]
    ) -> Generator[Conversation, None, None]:
        """Let lanes of the last turn of `asked()` be answered, recording them; see `send`."""
        run = _Run(asked(), lanes)
        id = run.conversation.id
        with self._recording:
            if id in self._runs:
                raise InputError(BUSY)
            self._runs[id] = run
        try:
            with self._recording:
                self._recorder.begin(run.conversation, lanes)
                run.entered = True
            current = run.conversation
            yield current
            if self.status().state == "loading":
                # Only its tokenizer can tell what fits.
                while self.status().state == "loading" and not (self._closed or run.stopped):
                    time.sleep(DRAW_EVERY)
                    yield current
                run.conversation = asked()
            drawn = saved = time.monotonic()
            with self._recording:  # so that nobody closes it between the two
                run.engine = self.engine
            for _ in run.grow(run.engine):
                if self._closed:
                    break
                now = time.monotonic()
                if now - drawn < DRAW_EVERY:
                    continue
                if current is not run.conversation:
                    current = run.conversation
                    if now - saved >= SAVE_EVERY:
                        self._record(current)
                        saved = now
                yield current
                drawn = time.monotonic()
        finally:
            # Reached by the end, by a failure and by a caller who stops; in the last case this runs on
            # the caller's thread, which may be the one that serves the page, so it does little.
            run.stop()
            if run.entered:
                self._recorder.put(run.ended())
                self._recorder.settle(id, SETTLE)
            self._runs.pop(id, None)
        yield run.ended()

    def _record(self, unfinished: Conversation) -> None:
        """Write how far a turn has come, unless `close` has written its end."""
        with self._recording:
            if not self._closed:
                self._recorder.put(unfinished)

    def unsaved(self, id: str) -> str | None:
        """Why a conversation is not in the record in full, in one sentence; None where it is."""
        return self._recorder.problem(id)

    def verdicts(self, conversation: Conversation) -> tuple[tuple[Verdict, ...], ...]:
        """For each turn the verdicts on the answers it has now, those under way as far as they have come."""
        recorded = self.judges.verdicts(conversation.id)
        return tuple(
            tuple(verdict for verdict in recorded.get(turn, ()) if holds(verdict, conversation, turn))
            for turn in range(len(conversation.turns))
        )

    def warm(self, variants: Sequence[Variant]) -> None:
        """Let the engine read, in a quiet moment, what every conversation with these variants begins with."""
        self.engine.warm([variant.aligner([Message(role="user", text="")]) for variant in variants])

    def close(self) -> None:
        """Stop all lanes, record what they had written, and let go of the model.

        Does not rely on whoever was reading a `send`: they may have gone without closing it.
        """
        try:
            self.judges.close()
            with self._recording:
                self._closed = True
                for run in list(self._runs.values()):
                    run.stop()
                    if run.entered:
                        self._recorder.put(run.ended())
            self._recorder.close()
        finally:
            self.engine.close()


class _Run:
    """Lanes of a conversation's last turn while they are being answered."""

    def __init__(self, conversation: Conversation, lanes: Sequence[int]) -> None:
        self.conversation = conversation
        """With all that has come so far; only the thread that reads `grow` sets it."""
        self.engine: Engine | None = None
        """What writes the answers; None before they are asked for."""
        self.entered = False
        """Whether its turn is in the record, or will be."""
        self.stopped = False
        """Whether all lanes were stopped."""
        self._lanes = lanes
        self._stopped: set[int] = set()
        self._streams: Streams | None = None

    def stop(self, lane: int | None = None) -> None:
        """Stop one lane, or all; from any thread."""
        self._stopped |= set(self._lanes) if lane is None else {lane}
        self.stopped = self._stopped >= set(self._lanes)
        if self._streams:
            self._streams.stop(lane)

    def grow(self, engine: Engine) -> Iterator[None]:
        """Ask the engine and take in what comes; yields at least every tenth of a second."""
        answers = self.conversation.turns[-1].answers
        requests = {lane: request for lane in self._lanes if (request := answers[lane].request)}
        self._streams = Streams(engine, requests)
        for lane in list(self._stopped):
            self._streams.stop(lane)
        for came in self._streams:
            if came is not None:
                lane, reply = came
                answer = self.conversation.turns[-1].answers[lane]
                ended = _ended(answer) if reply is None else dataclasses.replace(answer, reply=reply)
                self.conversation = _showing(self.conversation, lane, ended)
            yield

    def ended(self) -> Conversation:
        """What it would be if it ended now."""
        conversation = self.conversation
        for lane in self._lanes:
            conversation = _showing(conversation, lane, _ended(conversation.turns[-1].answers[lane]))
        return conversation


def _showing(conversation: Conversation, lane: int, answer: Answer) -> Conversation:
    """The conversation with an answer shown in a lane of its last turn."""
    *turns, last = conversation.turns
    return dataclasses.replace(conversation, turns=(*turns, last.select(answer, lane)))


def _start(answer: Answer) -> str:
    return answer.request.prompt.prefill if answer.request else ""


def _ended(answer: Answer) -> Answer:
    """An answer after its stream: one without an end was stopped."""
    if answer.reply.finish:
        return answer
    return dataclasses.replace(answer, reply=dataclasses.replace(answer.reply, finish="cancelled"))
