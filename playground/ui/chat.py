"""What happens when a person sends, stops, begins anew or returns: generator functions over values.

No components here: `layout` turns what these yield into updates of the page.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playground.demo_files import read_demo_file
from playground.limits import Gate
from playground.retrieval import Choice
from playground.session import Session
from playground.types import (
    AdapterCard,
    Conversation,
    DemoSet,
    InputError,
    LeftOut,
    Message,
    Prompt,
    Token,
    Variant,
)
from playground.workbench import Draft

LANES = 2
LONG = 20
"""Turns above which the page is drawn less often: a browser's work for one drawing grows with the history."""
LABELS = {
    "temperature": "Temperature",
    "top_p": "Top-p",
    "repetition_penalty": "Repetition penalty",
    "max_new_tokens": "Max new tokens",
    "seed": "Seed",
}
"""The decoding parameters on the page; the others keep what a conversation has."""


@dataclass
class Visit:
    """One open page: which conversation it shows, what was asked of its stream, what is on its workbench."""

    conversation: str | None = None
    streaming: bool = False
    stopping: bool = False
    sets: dict[str, DemoSet] = field(default_factory=dict)
    """Demonstration sets of this page alone, by name: edited or imported, and not saved."""
    draft: Draft | None = None
    """What is on its workbench."""
    editing: int | None = None
    """Which of the draft's cards is being edited; one past the last is a new one."""


@dataclass(frozen=True, kw_only=True)
class View:
    """What to draw."""

    conversation: Conversation
    changed: tuple[bool, ...]
    """Which lanes differ from the view before."""
    note: str = ""
    """What answers without a first word are waiting for."""
    done: bool = False


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A prompt that was or would be asked."""

    prompt: Prompt
    tokens: list[Token] | None
    """None while the model is loading."""
    left_out: LeftOut | None = None
    error: str | None = None
    """Why it would not be asked."""
    chosen: Sequence[Choice] = ()
    """The demonstrations that the conversation chose, in the prompt's order; none where it has no say."""


class Chat:
    """The page's side of a session. Holds nothing of any person; that is in their `Visit`."""

    def __init__(
        self, session: Session, gate: Gate | None = None, visitor: Callable[[], str] = lambda: ""
    ) -> None:
        """`gate` lets messages in; `visitor` says, within a handler, who is asking."""
        self.session = session
        self.gate = gate or Gate()
        self.visitor = visitor

    def cards(self) -> dict[str, AdapterCard]:
        """Adapters to choose from, those included that are still to come or could not be loaded."""
        library = self.session.library
        absent = {
            name: AdapterCard(name=name, source=source, base_model="", label=name)
            for name, source in library.pending.items()
        }
        return library.adapters | absent

    def sets(self, visit: Visit | None = None) -> dict[str, DemoSet]:
        """Demonstration sets by name, with those of this visit alone."""
        return {**self.session.library.demo_sets, **(visit.sets if visit else {})}

    def default_set(self) -> str:
        """The name of the base's own set."""
        return self.session.library.default_demo_set().name

    def adapter_error(self, name: str | None) -> str | None:
        """Why that adapter cannot be used, or what is odd about it, if anything."""
        for status in self.session.status().adapters:
            if status.card.name == name:
                return status.error or status.warning
        return None

    def variant(self, spec: str, visit: Visit | None = None) -> Variant:
        """The variant of a lane as picked.

        Raises:
            InputError: it cannot be used.
        """
        try:
            return self.session.variant(spec, sets=visit.sets if visit else None)
        except InputError:
            # An adapter that never arrived from the Hub stays pending; the reason is in the status.
            name = spec.removeprefix("urial:adapter=")
            if error := self.adapter_error(name):
                raise InputError(error) from None
            raise

    def warm(self, specs: Sequence[str]) -> None:
        """Have the lanes that a fresh page shows read ahead; one that cannot be used is left."""
        for spec in specs:
            with suppress(InputError):
                self.session.warm([self.variant(spec)])

    def open(self, visit: Visit, id: str) -> Conversation:
        """Go to a recorded conversation; InputError if there is none."""
        _refuse_while_streaming(visit)
        conversation = self.session.open(id)
        visit.conversation = conversation.id
        return conversation

    def new(self, visit: Visit) -> None:
        """Leave the conversation; the next message begins another."""
        _refuse_while_streaming(visit)
        visit.conversation = None

    def stop(self, visit: Visit) -> None:
        """Ask the visit's stream to end; it looks up ten times a second."""
        visit.stopping = True

    def send(
        self, visit: Visit, text: str, specs: Sequence[str], decoding: Mapping[str, float | None]
    ) -> Generator[View]:
        """Ask every lane and yield views as the answers grow; the last one is `done`.

        Raises:
            InputError: the message, a lane or a decoding parameter cannot be used; nothing has changed.
        """
        _refuse_while_streaming(visit)
        conversation = self._next(visit, text, specs, decoding)
        turns = len(conversation.turns) + 1
        with self.gate.message(self.visitor(), conversation.variants, turns, text):
            visit.streaming, visit.stopping = True, False
            try:
                yield from self._stream(visit, conversation, text)
            finally:
                visit.streaming = False

    def _next(
        self, visit: Visit, text: str, specs: Sequence[str], decoding: Mapping[str, float | None]
    ) -> Conversation:
        """The visit's conversation, or a new one, with the lanes and decoding now asked for."""
        if not text.strip():
            raise InputError("The message is empty: type something first.")
        for name, value in decoding.items():
            if value is None:
                raise InputError(f"{LABELS[name]} is empty: give a number.")
        current = self._current(visit)
        variants = []
        for lane, spec in enumerate(specs):
            variant = self._variant(visit, current, lane, spec)
            sampling = dataclasses.replace(variant.sampling, **decoding)  # type: ignore[arg-type]
            variants.append(dataclasses.replace(variant, sampling=sampling))
        if current is None:
            return self.session.new(variants)
        return dataclasses.replace(current, variants=tuple(variants))

    def _current(self, visit: Visit) -> Conversation | None:
        return self.session.open(visit.conversation) if visit.conversation else None

    def _variant(self, visit: Visit, current: Conversation | None, lane: int, spec: str) -> Variant:
        """The lane as picked, with the decoding it had before."""
        before = current.variants[lane] if current and lane < len(current.variants) else None
        if before and before.name == spec:
            return before  # what it was begun with, even if its files have changed since
        variant = self.variant(spec, visit)
        return dataclasses.replace(variant, sampling=before.sampling) if before else variant

    def next_prompt(self, visit: Visit, lane: int, spec: str, most: int, text: str = "") -> Asked:
        """What sending `text` would ask in a lane, for answers of at most so many tokens.

        Raises:
            InputError: the lane cannot be used.
        """
        current = self._current(visit)
        variant = self._variant(visit, current, lane, spec)
        sampling = dataclasses.replace(variant.sampling, max_new_tokens=most)
        variant = dataclasses.replace(variant, sampling=sampling)
        history = current.history(lane) if current else ()
        messages = [*history, Message(role="user", text=text)]
        prompt = variant.aligner(messages)
        chosen = _chosen(variant, messages, None)
        asked = Asked(prompt=prompt, tokens=self.session.tokens(prompt), chosen=chosen)
        conversation = current or self.session.new([variant])
        variants = [variant] * max(LANES, lane + 1)
        try:
            request = self.session.request(
                dataclasses.replace(conversation, variants=tuple(variants)), lane, text
            )
        except InputError as error:
            return dataclasses.replace(asked, error=str(error))
        if request.left_out is None:
            return asked
        return Asked(
            prompt=request.prompt,
            tokens=self.session.tokens(request.prompt),
            left_out=request.left_out,
            chosen=_chosen(variant, messages, request.left_out),
        )

    def asked_in(self, visit: Visit) -> list[str]:
        """The user's message of each turn so far."""
        current = self._current(visit)
        return [turn.user for turn in current.turns] if current else []

    def read_set(self, path: Any) -> DemoSet:
        """The demonstration set in a file that a person brought; InputError if it is none."""
        if not isinstance(path, str):
            raise InputError("There is no file: choose a .txt or .toml file.")
        return read_demo_file(Path(path))

    def save_set(self, demos: DemoSet, name: str) -> Path:
        """Save a set under a name in the user's folder; InputError or OutsideError if it cannot be."""
        if not name:
            raise InputError("The set needs a name: type one beside Save.")
        return self.session.library.save(dataclasses.replace(demos, name=name))

    def past_prompt(self, visit: Visit, lane: int, turn: int) -> Asked:
        """What was asked in a lane in a turn, counted from 0.

        Raises:
            InputError: there is no such answer, or nothing was asked for it.
        """
        current = self._current(visit)
        answers = current.turns[turn].answers if current and 0 <= turn < len(current.turns) else ()
        request = answers[lane].request if lane < len(answers) else None
        if request is None:
            raise InputError("Nothing was asked there: choose another turn.")
        assert current is not None
        chosen: Sequence[Choice] = ()
        variant = current.variants[lane]
        if variant.name == answers[lane].variant:  # else the lane was another one then
            before = dataclasses.replace(current, turns=current.turns[:turn])
            messages = [*before.history(lane), Message(role="user", text=current.turns[turn].user)]
            chosen = _chosen(variant, messages, request.left_out)
        tokens = self.session.tokens(request.prompt)
        return Asked(prompt=request.prompt, tokens=tokens, left_out=request.left_out, chosen=chosen)

    def _stream(self, visit: Visit, conversation: Conversation, text: str) -> Iterator[View]:
        every = 0.09 if len(conversation.turns) < LONG else 0.22
        visit.conversation = conversation.id
        drawn: View | None = None
        drawn_at = 0.0
        stopped = False
        with closing(self.session.send(conversation, text)) as snapshots:
            for conversation in snapshots:
                if visit.stopping:
                    stopped = True
                    break
                if time.monotonic() - drawn_at < every:
                    continue
                view = self._view(conversation, drawn)
                if any(view.changed):
                    yield view
                    drawn, drawn_at = view, time.monotonic()
        if stopped:
            conversation = self.session.open(conversation.id)
        yield dataclasses.replace(self._view(conversation, drawn), done=True, changed=(True,) * LANES)

    def _view(self, conversation: Conversation, drawn: View | None) -> View:
        status = self.session.status()
        note = f"Loading… {status.note}" if status.state == "loading" else ""
        if drawn is None or drawn.note != note:
            changed = (True,) * LANES
        else:
            now, then = conversation.turns[-1].answers, drawn.conversation.turns[-1].answers
            changed = tuple(now[lane] is not then[lane] for lane in range(LANES))
        return View(conversation=conversation, changed=changed, note=note)


def _chosen(variant: Variant, messages: Sequence[Message], left_out: LeftOut | None) -> Sequence[Choice]:
    """The demonstrations that a conversation chose for a prompt, as they stand in it."""
    aligner: Any = variant.aligner
    if not hasattr(aligner, "chosen"):  # only URIAL's has demonstrations
        return ()
    if left_out is not None:
        aligner = aligner.fewer(aligner.count - left_out.demos)
        messages = messages[2 * left_out.turns :]
    by_query = {choice.demo.query: choice for choice in aligner.chosen(messages)}
    # An ablation may have put them in another order.
    return [by_query[demo.query] for demo in aligner.shown(messages).demos] if by_query else ()


def _refuse_while_streaming(visit: Visit) -> None:
    if visit.streaming:
        raise InputError("An answer is still being written: wait for its end, or stop it first.")
