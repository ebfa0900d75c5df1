"""What happens when a person sends, stops, begins anew or returns: generator functions over values.

No components here: `layout` turns what these yield into updates of the page.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass

from playground.session import Session
from playground.types import AdapterCard, Conversation, InputError, Sampling, Variant

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
    """One open page: which conversation it shows and what was asked of its stream. Ids and flags only."""

    conversation: str | None = None
    streaming: bool = False
    stopping: bool = False


@dataclass(frozen=True, kw_only=True)
class View:
    """What to draw."""

    conversation: Conversation
    changed: tuple[bool, ...]
    """Which lanes differ from the view before."""
    note: str = ""
    """What answers without a first word are waiting for."""
    done: bool = False


class Chat:
    """The page's side of a session. Holds nothing of any person; that is in their `Visit`."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def cards(self) -> dict[str, AdapterCard]:
        """Adapters to choose from, those included that are still to come or could not be loaded."""
        library = self.session.library
        absent = {
            name: AdapterCard(name=name, source=source, base_model="", label=name)
            for name, source in library.pending.items()
        }
        return library.adapters | absent

    def adapter_error(self, name: str | None) -> str | None:
        """Why that adapter cannot be used, or what is odd about it, if anything."""
        for status in self.session.status().adapters:
            if status.card.name == name:
                return status.error or status.warning
        return None

    def variant(self, spec: str) -> Variant:
        """The variant of a lane as picked.

        Raises:
            InputError: it cannot be used.
        """
        try:
            return self.session.variant(spec)
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
        current = self.session.open(visit.conversation) if visit.conversation else None
        variants = []
        for lane, spec in enumerate(specs):
            before = current.variants[lane] if current and lane < len(current.variants) else None
            sampling = dataclasses.replace(before.sampling if before else Sampling(), **decoding)  # type: ignore[arg-type]
            variant = self.variant(spec)
            if before and before.name == spec:
                variant = before  # what it was begun with, even if its files have changed since
            variants.append(dataclasses.replace(variant, sampling=sampling))
        if current is None:
            return self.session.new(variants)
        return dataclasses.replace(current, variants=tuple(variants))

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


def _refuse_while_streaming(visit: Visit) -> None:
    if visit.streaming:
        raise InputError("An answer is still being written: wait for its end, or stop it first.")
