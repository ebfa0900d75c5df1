"""What happens when a person sends, stops, begins anew or returns: generator functions over values.

No components here: `layout` turns what these yield into updates of the page.
"""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.demonstrations.files import read_demo_file
from playground.demonstrations.retrieval import Choice
from playground.library.probes import Probe
from playground.rate_limits import Gate
from playground.session import HistoryMode, Session, histories_of
from playground.store import ConflictError
from playground.types import (
    AdapterCard,
    Answer,
    Conversation,
    DemoSet,
    InputError,
    LeftOut,
    Message,
    Prompt,
    Token,
    Variant,
)
from playground.ui.page.state import LANES, PageState

GONE_ON = (
    "This conversation has gone on in another tab or program; this page now shows all of it: read it, then "
    "try again to continue from there."
)
LONG = 20
"""Turns above which the page is drawn less often: a browser's work for one drawing grows with the history."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the page's controls ask of its lanes, as the next thing is asked."""

    specs: Sequence[str]
    """Each lane's text."""
    decoding: Sequence[Mapping[str, Any]]
    """Fields of `Sampling`, for each lane."""
    new_seeds: Sequence[bool] = ()
    """Whether each lane draws a seed for every turn."""
    mode: HistoryMode = "own"
    leader: int = 0
    """The lane that all go on from in mode "shared"."""
    start: str = ""
    """Words that the answers are to begin with."""

    @property
    def histories(self) -> tuple[int, ...]:
        """As `Turn.histories` has it."""
        return histories_of(self.mode, len(self.specs), self.leader)

    def require(self, *lanes: int) -> None:
        """InputError if one of the lanes is not there: it may have gone since its button was pressed."""
        if any(lane >= len(self.specs) for lane in lanes):
            raise InputError("That lane is not shown any more: choose another.")


@dataclass(frozen=True, kw_only=True)
class View:
    """What to draw."""

    conversation: Conversation
    changed: tuple[bool, ...]
    """Which lanes differ from the view before."""
    note: str = ""
    """What answers without a first word are waiting for."""
    asked: bool = False
    """Whether a turn has just been begun, so that what is before it is past."""
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
    """The page's side of a session. Holds nothing of any person; that is in their `PageState`."""

    def __init__(
        self,
        session: Session,
        gate: Gate | None = None,
        visitor: Callable[[], str] = lambda: "",
        owner: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Args:
        gate: lets messages in.
        visitor: says, within a handler, who is asking.
        owner: says, within a handler, whose history new conversations go to; None: everybody's, "": not
            known, so that no history lists them.
        """
        self.session = session
        self.gate = gate or Gate()
        self.visitor = visitor
        self.owner = owner

    def cards(self) -> dict[str, AdapterCard]:
        """Adapters to choose from, those included that are still to come or could not be loaded."""
        library = self.session.library
        absent = {
            name: AdapterCard(name=name, source=source, base_model="", label=name)
            for name, source in library.pending.items()
        }
        return library.adapters | absent

    def sets(self, state: PageState | None = None) -> dict[str, DemoSet]:
        """Demonstration sets by name, with those of this visit alone."""
        return {**self.session.library.demo_sets, **(state.demonstrations.sets if state else {})}

    def default_set(self) -> str:
        """The name of the base's own set."""
        return self.session.library.default_demo_set().name

    def default_lane(self, lane: int) -> str:
        """URIAL beside IFT, or beside the base if there is no adapter; then the base, and both at once."""
        adapter = self.default_adapter()
        both = f"urial:adapter={adapter}" if adapter else "urial"
        return ("urial", adapter or "base", "base", both)[lane]

    def default_adapter(self) -> str | None:
        """The first usable adapter, a preset's own before others; None without one."""
        preset = self.session.library.preset
        own = [adapter.name for adapter in preset.adapters] if preset else []
        broken = {status.card.name for status in self.session.status().adapters if status.error is not None}
        cards = self.cards()
        names = [name for name in dict.fromkeys([*own, *cards]) if name in cards and name not in broken]
        return names[0] if names else None

    def adapter_error(self, name: str | None) -> str | None:
        """Why that adapter cannot be used, or what is odd about it, if anything."""
        for status in self.session.status().adapters:
            if status.card.name == name:
                return status.error or status.warning
        return None

    def ends(self, prompt: Prompt) -> tuple[str, ...]:
        """Tokens and texts that end the answer to a prompt: the model's, and those of the prompt's rule."""
        status = self.session.status()
        own = [entry.ends for entry in status.adapters if entry.card.name == prompt.adapter]
        named = (*prompt.stop.tokens, *prompt.stop.texts)
        if prompt.control_tokens and own:
            return tuple(dict.fromkeys((*own[0], *named)))
        return tuple(dict.fromkeys((*status.ends, *named)))

    def variant(self, spec: str, state: PageState | None = None) -> Variant:
        """The variant of a lane as picked.

        Raises:
            InputError: it cannot be used.
        """
        try:
            return self.session.variant(spec, sets=state.demonstrations.sets if state else None)
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

    def open(self, state: PageState, id: str) -> Conversation:
        """Go to a recorded conversation; InputError if there is none."""
        _refuse_while_streaming(state)
        if not self.session.store.holds(id):  # whose own sentence names a file, no stranger's business
            raise InputError(f"There is no conversation {id!r} here: look in the history.")
        conversation = self.session.open(id)
        self._go_to(state, conversation)
        state.blind = False
        state.probe = None
        state.lanes = min(LANES, len(conversation.variants))
        return conversation

    def new(self, state: PageState) -> None:
        """Leave the conversation; the next message begins another."""
        _refuse_while_streaming(state)
        self._go_to(state, None)

    def stop(self, state: PageState, lane: int | None = None) -> None:
        """Stop all lanes, or one."""
        if state.conversation:
            self.session.stop(state.conversation, lane)

    def current(self, state: PageState) -> Conversation | None:
        """The conversation that the page shows; None on a fresh one."""
        if state.branch is not None:
            return state.branch
        return self.session.open(state.conversation) if state.conversation else None

    # --- Asking -----------------------------------------------------------------------------------

    def send(self, state: PageState, text: str, wish: Wish) -> Generator[View]:
        """Ask every lane and yield views as the answers grow; the last one is `done`.

        While a past message is being edited, the conversation branches there.

        Raises:
            InputError: the message, a lane or a decoding parameter cannot be used; nothing has changed.
        """
        yield from self.play(state, [text], lambda: wish)

    def play(self, state: PageState, texts: Sequence[str], wish: Callable[[], Wish]) -> Generator[View]:
        """Ask every lane one message after the other, until all are answered or all lanes were stopped.

        Args:
            wish: gives what the controls ask; called before each message.
        """
        _refuse_while_streaming(state)
        for text in texts:
            if not text.strip():
                raise InputError("The message is empty: type something first.")
        conversation = self._asked_of(state, wish())
        with _streaming(state):
            for text in texts:
                wished = wish()
                conversation = self._wished(state, conversation, wished)
                histories, start = wished.histories, wished.start
                with self._let_in(conversation, text, len(conversation.turns) + 1):
                    sending = self.session.send(conversation, text, histories, start)
                    conversation = yield from self._stream(state, sending)
                if all(answer.reply.finish == "cancelled" for answer in conversation.turns[-1].answers):
                    break
        yield _last_of(conversation)

    def retry(self, state: PageState, lanes: Sequence[int], wish: Wish) -> Generator[View]:
        """Ask lanes again for the last message, as they are set up now."""
        _refuse_while_streaming(state)
        wish.require(*lanes)
        conversation = self._wished(state, _begun(self._as_shown(state)), wish)
        with _streaming(state), self._let_in(conversation):
            start = wish.start or None
            conversation = yield from self._stream(state, self.session.retry(conversation, lanes, start))
        yield _last_of(conversation)

    def continue_answer(self, state: PageState, lane: int, wish: Wish) -> Generator[View]:
        """Let a lane's last answer go on."""
        _refuse_while_streaming(state)
        wish.require(lane)
        conversation = self._wished(state, _begun(self._as_shown(state)), wish)
        with _streaming(state), self._let_in(conversation):
            conversation = yield from self._stream(state, self.session.continue_answer(conversation, lane))
        yield _last_of(conversation)

    def _let_in(
        self, conversation: Conversation, text: str = "", turns: int = 0
    ) -> AbstractContextManager[None]:
        """Through the page's limits; InputError if they are reached."""
        return self.gate.message(self.visitor(), conversation.variants, turns, text)

    # --- Moving about in a conversation -------------------------------------------------------------

    def show(self, state: PageState, lane: int, step: int) -> Conversation:
        """Show the version of a lane's last answer that is `step` further on."""
        _refuse_while_streaming(state)
        conversation = self._present(state)
        if not conversation.turns or lane >= len(conversation.turns[-1].answers):
            raise InputError("That lane has no answer yet: send a message first.")
        version = conversation.turns[-1].answers[lane].version + step
        conversation = self.session.show(conversation, lane, version)
        self._go_to(state, conversation)
        return conversation

    def branch(self, state: PageState, turns: int) -> Conversation:
        """Go on from the first `turns` turns in a new conversation."""
        _refuse_while_streaming(state)
        state.branch = self._branch(self._present(state), turns)
        state.conversation = None
        state.editing_turn = None
        return state.branch

    def undo(self, state: PageState) -> tuple[Conversation, str]:
        """The conversation without its last turn, as a branch, and that turn's message."""
        conversation = self._present(state)
        if not conversation.turns:
            raise InputError("There is nothing to undo: nothing has been asked.")
        return self.branch(state, len(conversation.turns) - 1), conversation.turns[-1].user

    def edit(self, state: PageState, turn: int) -> str:
        """Begin to edit a past message; its text."""
        _refuse_while_streaming(state)
        conversation = self._present(state)
        if not 0 <= turn < len(conversation.turns):
            raise InputError("There is no such message: choose another.")
        state.editing_turn = turn
        return conversation.turns[turn].user

    def arrange(self, state: PageState, lanes: Sequence[int]) -> Conversation | None:
        """Put the lanes in another order, some left out or there twice; the conversation branches."""
        _refuse_while_streaming(state)
        if not 1 <= len(lanes) <= LANES:
            raise InputError(f"A page has one lane to {LANES}: choose another.")
        current = self.current(state)
        if current is not None:
            lanes = [lane for lane in lanes if lane < len(current.variants)]
            state.branch = self._branch(current, len(current.turns), lanes)
            state.conversation = None
        return state.branch

    # --- Probes -------------------------------------------------------------------------------------

    def take_up(self, state: PageState, name: str) -> Probe:
        """Begin a new conversation that a probe's messages go to; InputError if there is no such probe."""
        _refuse_while_streaming(state)
        probe = self.find_probe(name)
        self.new(state)
        state.probe = name
        return probe

    def find_probe(self, name: str) -> Probe:
        """The probe of that name; InputError if there is none."""
        for probe in self.session.judges.probes:
            if probe.name == name:
                return probe
        shown = name if len(name) <= 60 else f"{name[:59]}\u2026"
        raise InputError(f"There is no probe {shown!r}: choose one under Probes.")

    def probing(self, state: PageState) -> tuple[Probe, int] | None:
        """The probe that is being played and how many of its messages have been asked, if any is.

        Told by the conversation, so that a turn undone is to be asked again.
        """
        probe = next((probe for probe in self.session.judges.probes if probe.name == state.probe), None)
        return (probe, probe.asked(self.asked_in(state))) if probe else None

    def _present(self, state: PageState) -> Conversation:
        return _begun(self.current(state))

    def _as_shown(self, state: PageState) -> Conversation | None:
        """What `current` gives.

        Raises:
            ConflictError: another tab or program has continued the conversation, so that the page shows an
                old state of it. The caller redraws the page, so the next call does not raise.
        """
        current = self.current(state)
        if current is None or state.branch is not None or not state.shown:
            return current
        recorded, shown = _versions(current), state.shown
        if recorded[0] > shown[0] or (recorded[0] == shown[0] and recorded != shown):
            state.shown = recorded
            raise ConflictError(GONE_ON)
        return current

    def _go_to(self, state: PageState, conversation: Conversation | None) -> None:
        state.conversation = conversation.id if conversation else None
        state.shown = _versions(conversation) if conversation else ()
        state.branch = state.editing_turn = None
        if conversation:
            state.own.add(conversation.id)

    def _asked_of(self, state: PageState, wish: Wish) -> Conversation:
        """The conversation that the next message goes to; a new one if there is none."""
        current = self._as_shown(state)
        if current is None:
            variants = self._variants(state, None, wish)
            if state.blind:
                variants = tuple(random.SystemRandom().sample(variants, len(variants)))
            return dataclasses.replace(self.session.new(variants), owner=self._new_owner())
        if state.editing_turn is not None:
            current = self._branch(current, min(state.editing_turn, len(current.turns)))
        return self._wished(state, current, wish)

    def _branch(
        self, conversation: Conversation, turns: int, lanes: Sequence[int] | None = None
    ) -> Conversation:
        """See `Session.branch`; it is the visitor's, whoever began the other."""
        branch = self.session.branch(conversation, turns, lanes)
        return dataclasses.replace(branch, owner=self._new_owner())

    def _new_owner(self) -> str:
        """Whose a new conversation is; see `Conversation.owner`."""
        owner = self.owner()
        return "" if owner is None else owner or "unknown"

    def _wished(self, state: PageState, conversation: Conversation, wish: Wish) -> Conversation:
        """The conversation with the lanes and decoding now asked for; in a blind one they stay."""
        if state.blind:
            return conversation
        variants = self._variants(state, conversation, wish)
        return dataclasses.replace(conversation, variants=variants)

    def _variants(self, state: PageState, current: Conversation | None, wish: Wish) -> tuple[Variant, ...]:
        variants = []
        for lane, (spec, decoding) in enumerate(zip(wish.specs, wish.decoding, strict=True)):
            variant = self._variant(state, current, lane, spec)
            sampling = dataclasses.replace(variant.sampling, **decoding)
            variants.append(dataclasses.replace(variant, sampling=sampling))
        return tuple(variants)

    def _variant(self, state: PageState, current: Conversation | None, lane: int, spec: str) -> Variant:
        """The lane as picked, with the decoding it had before."""
        before = current.variants[lane] if current and lane < len(current.variants) else None
        if before and before.name == spec:
            return before  # what it was begun with, even if its files have changed since
        variant = self.variant(spec, state)
        return dataclasses.replace(variant, sampling=before.sampling) if before else variant

    # --- Prompts ------------------------------------------------------------------------------------

    def next_prompt(self, state: PageState, lane: int, wish: Wish, text: str = "") -> Asked:
        """What sending `text` would ask in a lane.

        Raises:
            InputError: the lane is not there or cannot be used.
        """
        wish.require(lane)
        current = self.current(state)
        if current is not None and state.editing_turn is not None:
            current = current.before(state.editing_turn)
        if state.blind and current is not None and lane < len(current.variants):
            variant = current.variants[lane]
        else:
            variant = self._variant(state, current, lane, wish.specs[lane])
            sampling = dataclasses.replace(variant.sampling, **wish.decoding[lane])
            variant = dataclasses.replace(variant, sampling=sampling)
        histories = wish.histories
        whose = histories[lane] if lane < len(histories) else lane
        history = current.history(whose) if current else ()
        messages = [*history, Message(role="user", text=text)]
        prompt = variant.aligner(messages).with_prefill(wish.start)
        chosen = _chosen(variant, messages, None)
        asked = Asked(prompt=prompt, tokens=self.session.tokens(prompt), chosen=chosen)
        conversation = current or self.session.new([variant])
        variants = [variant] * max(LANES, lane + 1)
        try:
            request = self.session.request(
                dataclasses.replace(conversation, variants=tuple(variants)), lane, text, whose, wish.start
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

    def asked_in(self, state: PageState) -> list[str]:
        """The user's message of each turn so far."""
        current = self.current(state)
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

    def past_prompt(self, state: PageState, lane: int, turn: int) -> Asked:
        """What was asked in a lane in a turn, counted from 0.

        Raises:
            InputError: there is no such answer, or nothing was asked for it.
        """
        current = self.current(state)
        answers = current.turns[turn].answers if current and 0 <= turn < len(current.turns) else ()
        request = answers[lane].request if lane < len(answers) else None
        if request is None:
            raise InputError("Nothing was asked there: choose another turn.")
        assert current is not None
        chosen: Sequence[Choice] = ()
        variant = current.variants[lane]
        whose = current.turns[turn].history_lane(lane)
        if variant.name == answers[lane].variant and whose is not None:  # else the lane was another one then
            history = current.before(turn).history(whose)
            messages = [*history, Message(role="user", text=current.turns[turn].user)]
            chosen = _chosen(variant, messages, request.left_out)
        tokens = self.session.tokens(request.prompt)
        return Asked(prompt=request.prompt, tokens=tokens, left_out=request.left_out, chosen=chosen)

    def answer(self, state: PageState, lane: int, turn: int) -> Answer:
        """A lane's shown answer of a turn, counted from 0.

        Raises:
            InputError: there is none.
        """
        turns = self._present(state).turns
        if not 0 <= turn < len(turns) or not 0 <= lane < len(turns[turn].answers):
            raise InputError("There is no such answer: choose another.")
        return turns[turn].answers[lane]

    # --- Streaming ----------------------------------------------------------------------------------

    def _stream(
        self, state: PageState, snapshots: Generator[Conversation, None, None]
    ) -> Generator[View, None, Conversation]:
        """Views as the answers grow; returns the conversation at their end, which is left to be drawn."""
        drawn: View | None = None
        drawn_at = 0.0
        with closing(snapshots):
            for conversation in snapshots:
                if drawn is None:
                    self._go_to(state, conversation)
                every = 0.1 if len(conversation.turns) < LONG else 0.15
                if drawn is not None and time.monotonic() - drawn_at < every:
                    continue
                view = self._view(conversation, drawn)
                if any(view.changed):
                    yield view
                    drawn, drawn_at = view, time.monotonic()
        return conversation

    def _view(self, conversation: Conversation, drawn: View | None) -> View:
        status = self.session.status()
        note = f"Loading\u2026 {status.note}" if status.state == "loading" else ""
        if drawn is None or drawn.note != note:
            return View(conversation=conversation, changed=(True,) * LANES, note=note, asked=drawn is None)
        now, then = conversation.turns[-1].answers, drawn.conversation.turns[-1].answers
        changed = tuple(lane < len(now) and now[lane] is not then[lane] for lane in range(LANES))
        return View(conversation=conversation, changed=changed, note=note)


def _begun(conversation: Conversation | None) -> Conversation:
    """A page's conversation; InputError if there is none."""
    if conversation is None:
        raise InputError("Nothing has been asked yet: send a message first.")
    return conversation


def _versions(conversation: Conversation) -> tuple[int, ...]:
    """As `PageState.shown` has it."""
    last = conversation.turns[-1].answers if conversation.turns else ()
    return (len(conversation.turns), *(answer.version for answer in last))


def _last_of(conversation: Conversation) -> View:
    """The view that gives the page back to its person: whatever they do now is no longer refused."""
    return View(conversation=conversation, changed=(True,) * LANES, done=True)


@contextmanager
def _streaming(state: PageState) -> Iterator[None]:
    state.streaming = True
    try:
        yield
    finally:
        state.streaming = False


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


def _refuse_while_streaming(state: PageState) -> None:
    if state.streaming:
        raise InputError("An answer is still being written: wait for its end, or stop it first.")
