"""The order of things: align, generate, record. The only place that knows it.

A session yields snapshots of a conversation, each a whole immutable `Conversation`; the page and the
command line draw them and call the methods here.
"""

from __future__ import annotations

import dataclasses
import secrets
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import cast, get_args

from playground import budget
from playground.aligners import aligners
from playground.engine import Engine
from playground.library import Library
from playground.store import INTERRUPTED, Store, Summary
from playground.types import (
    SAMPLING_NAMES,
    Answer,
    Conversation,
    Delta,
    DemoSet,
    Done,
    InputError,
    Message,
    Overflow,
    Prompt,
    Reply,
    Request,
    Sampling,
    Status,
    Token,
    Turn,
    Variant,
)

DRAW_EVERY = 0.1
"""Seconds between two snapshots while text streams; a page cannot draw more than 8 to 10 a second."""
SAVE_EVERY = 1.0
"""Seconds between two writes of a streaming turn."""
ELSEWHERE = "This answer is still being written, on another page: open the conversation again in a moment."


def parse_lane(spec: str, library: Library, sampling: Sampling | None = None) -> Variant:
    """A lane as a person writes it: ``name`` or ``name:key=value,...``.

    `name` is "base", the name of an aligner, or the name of an adapter, which means that adapter in its
    own chat format. Keys are the aligner's options, `overflow`, and the decoding parameters, which `sampling`
    gives the defaults for. The variant's name is the text itself.

    Raises:
        InputError: an unknown name or key, or a bad value.
    """
    name, _, rest = spec.strip().partition(":")
    options: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in rest.split(","))):
        key, equals, value = part.partition("=")
        if not equals:
            raise InputError(f"Lane {spec!r}: {part!r} is not key=value.")
        if key.strip() in options:
            raise InputError(f"Lane {spec!r} gives {key.strip()!r} twice.")
        options[key.strip()] = value.strip()
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
        if name not in {*library.adapters, *library.other_adapters, *library.pending}:
            raise InputError(f"There is no lane {name!r}: choose one of {', '.join(known)}.")
        if "adapter" in options:
            raise InputError(f"Lane {name!r} is an adapter already: leave adapter= out.")
        kind, options["adapter"] = "ift", name
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

    def __init__(self, engine: Engine, library: Library, store: Store) -> None:
        self.engine = engine
        self.library = library
        self.store = store
        self._streaming: dict[str, Callable[[], Conversation]] = {}
        """By conversation that a `send` is under way in: what it would be if that send ended now."""
        self._recording = threading.Lock()  # an unfinished turn is never written after `close` wrote its end
        self._closed = False

    def status(self) -> Status:
        """The engine's."""
        return self.engine.status()

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
        # Sortable by time, and not to be guessed, since the id is all that a link to it needs.
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        return Conversation(id=f"{stamp}-{secrets.token_hex(8)}", variants=tuple(variants))

    def open(self, id: str) -> Conversation:
        """A recorded conversation; InputError if there is none."""
        conversation = self.store.load(id)
        if id not in self._streaming:
            return conversation
        # The record cannot tell an answer that is being written from one that a crash cut off.
        *turns, last = conversation.turns
        answers = tuple(
            dataclasses.replace(answer, reply=dataclasses.replace(answer.reply, error=ELSEWHERE))
            if answer.reply.error == INTERRUPTED
            else answer
            for answer in last.answers
        )
        return dataclasses.replace(conversation, turns=(*turns, dataclasses.replace(last, answers=answers)))

    def history(self, query: str = "", limit: int = 100) -> list[Summary]:
        """Recorded conversations, the latest first."""
        return self.store.summaries(query, limit)

    def tokens(self, prompt: Prompt) -> list[Token] | None:
        """See `Engine.tokens`."""
        return self.engine.tokens(prompt)

    def request(self, conversation: Conversation, lane: int, text: str) -> Request:
        """What `send(text)` would ask in that lane, once the model is loaded.

        Raises:
            InputError: no prompt can be written, or it does not fit.
        """
        variant = conversation.variants[lane]
        messages = [*conversation.history(lane), Message(role="user", text=text)]
        context = self.engine.status().context
        if context is None:  # still loading, or a server's affair
            return Request(prompt=variant.aligner(messages), sampling=variant.sampling)
        return budget.fit(variant, messages, lambda prompt: len(self.tokens(prompt) or ()), context)

    def send(self, conversation: Conversation, text: str) -> Generator[Conversation, None, None]:
        """Ask every lane, each on its own history, and yield the conversation as the answers grow.

        A snapshot comes at least every tenth of a second, so a caller can look up; one that has nothing
        new is the same object as the one before. Closing the generator stops all lanes; what they had
        written is kept. A lane that fails carries its error in its reply, and the others go on.

        Raises:
            InputError: the message is empty.
            OutsideError: the record cannot be written.
        """
        if not text.strip():
            raise InputError("The message is empty: type something first.")
        before = conversation
        answers = self._ask(before, text)

        def snapshot(answers: Iterable[Answer]) -> Conversation:
            turn = Turn(user=text, answers=tuple(answers))
            return dataclasses.replace(before, turns=(*before.turns, turn))

        current = snapshot(answers)
        self.store.save(current)
        self._streaming[before.id] = lambda: snapshot(map(_ended, answers))
        try:
            yield current
            if self.status().state == "loading":
                # Only its tokenizer can tell what fits.
                while self.status().state == "loading" and not self._closed:
                    time.sleep(DRAW_EVERY)
                    yield current
                answers[:] = self._ask(before, text)
            asked = [lane for lane, answer in enumerate(answers) if answer.request is not None]
            requests = [request for answer in answers if (request := answer.request) is not None]
            drawn = saved = time.monotonic()
            changed = False
            with closing(self.engine.stream(requests)) as events:
                for event in events:
                    if self._closed:
                        break
                    if isinstance(event, Delta | Done):
                        lane = asked[event.row]
                        answers[lane] = dataclasses.replace(answers[lane], reply=event.reply)
                        changed = True
                    now = time.monotonic()
                    if now - drawn < DRAW_EVERY:
                        continue
                    if changed:
                        current, changed = snapshot(answers), False
                        if now - saved >= SAVE_EVERY:
                            with self._recording:
                                if not self._closed:
                                    self.store.save(current)
                            saved = now
                    yield current
                    drawn = time.monotonic()
        finally:
            # Reached by the end, by a failure and by a caller who stops; in the last case this runs on
            # the caller's thread, which may be the one that serves the page, so it does little.
            current = snapshot(map(_ended, answers))
            self._streaming.pop(before.id, None)
            self.store.save(current)
        yield current

    def _ask(self, conversation: Conversation, text: str) -> list[Answer]:
        """Every lane's request, or the reason why there is none."""
        answers = []
        for lane, variant in enumerate(conversation.variants):
            try:
                request = self.request(conversation, lane, text)
                answers.append(Answer(variant=variant.name, request=request, reply=Reply()))
            except InputError as error:
                reply = Reply(finish="error", error=str(error))
                answers.append(Answer(variant=variant.name, request=None, reply=reply))
        return answers

    def warm(self, variants: Sequence[Variant]) -> None:
        """Let the engine read, in a quiet moment, what every conversation with these variants begins with."""
        self.engine.warm([variant.aligner([Message(role="user", text="")]) for variant in variants])

    def close(self) -> None:
        """Stop all lanes, record what they had written, and let go of the model.

        Does not rely on whoever was reading a `send`: they may have gone without closing it.
        """
        try:
            with self._recording:
                self._closed = True
                for ended in list(self._streaming.values()):
                    self.store.save(ended())
        finally:
            self.engine.close()


def _ended(answer: Answer) -> Answer:
    """An answer after its stream: one without an end was stopped."""
    if answer.reply.finish:
        return answer
    return dataclasses.replace(answer, reply=dataclasses.replace(answer.reply, finish="cancelled"))
