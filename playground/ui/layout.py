"""The page's composition: components, and which handler each event goes to.

Every handler checks what it is given; what a browser sends need not come from this page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from typing import Any

import gradio as gr

from playground.config import Settings
from playground.library import POCKET, same_model
from playground.limits import Gate
from playground.session import Session
from playground.types import Answer, Conversation, InputError, OutsideError, Sampling
from playground.ui import render
from playground.ui.bench import Bench
from playground.ui.chat import LABELS, LANES, Chat, View, Visit
from playground.ui.inspector import Inspector
from playground.ui.lane import CONTROLS, Lane, Update
from playground.ui.server import PEOPLE_AT_ONCE, visitor
from playground.ui.toast import warn

MESSAGE_LIMIT = 100_000
"""Characters in one message."""

EXPLAINED = {
    "temperature": "0 always takes the likeliest",
    "top_p": "keeps the likeliest share",
    "repetition_penalty": "above 1 repeats less; 1 is off",
    "max_new_tokens": "the longest an answer gets",
    "seed": "same number, same luck",
}
STEPS = {"temperature": 0.1, "top_p": 0.05, "repetition_penalty": 0.05, "max_new_tokens": 32, "seed": 1}

POCKET_EXAMPLES = (
    "What is the capital of France?",
    "And of Japan?",
    "How many legs does a spider have?",
    "What is the opposite of cold?",
)
EXAMPLES = (
    "What is the capital of France?",
    "And of Japan?",
    "Explain to a child why the sky is blue.",
    "Write a two-line poem about rain.",
)


def page(session: Session, settings: Settings) -> gr.Blocks:
    """The page on `session`."""
    return _Page(session, settings).blocks


class _Page:
    def __init__(self, session: Session, settings: Settings) -> None:
        self.session = session
        self.settings = settings
        gate = Gate(settings.limits)
        self.chat = Chat(session, gate, lambda: visitor(settings.proxies))
        # Nothing is uploaded or made on this page; what Gradio caches anyway goes after an hour.
        with gr.Blocks(
            title="Tandem",
            fill_height=True,
            fill_width=True,
            analytics_enabled=False,
            delete_cache=(3600, 3600),
        ) as self.blocks:
            self._compose()
            self._connect()
        self.chat.warm([self._default(lane) for lane in range(LANES)])

    # --- Components -------------------------------------------------------------------------------

    def _compose(self) -> None:
        self.visit = gr.State(Visit())
        # The id in the address bar; hidden, and read by page.js when it changes.
        self.address = gr.Textbox("", visible="hidden", elem_id="address", container=False)
        self.timer = gr.Timer(0.5)
        with gr.Row(elem_id="topbar"):
            gr.HTML(
                "<h1>Tandem</h1><p>One base model, aligned in two ways: ask once, see both answer.</p>",
                elem_id="title",
            )
            self.history = gr.Dropdown(
                [],
                value=None,
                label="History",
                container=False,
                visible=not self.settings.public,
                min_width=180,
                elem_id="history",
            )
            self.model = gr.HTML(render.model_chip(self.session.status()), elem_id="model")
        with gr.Row(elem_id="lanes", scale=1, equal_height=True):
            self.lanes = [Lane(number, self.chat, self._default(number)) for number in range(LANES)]
        self.picks = [lane.preset for lane in self.lanes]
        self.chats = [lane.pane for lane in self.lanes]
        self.lines = [lane.line for lane in self.lanes]
        self.meters = [lane.meter for lane in self.lanes]
        with gr.Column(elem_id="bottom"):
            with gr.Row(elem_id="examples"):
                examples = POCKET_EXAMPLES if same_model(self.settings.base, POCKET) else EXAMPLES
                self.examples = [
                    gr.Button(text, size="sm", min_width=0, elem_id=f"example-{number}")
                    for number, text in enumerate(examples)
                ]
            with gr.Row(elem_id="composer", equal_height=False):
                self.box = gr.Textbox(
                    placeholder="Ask both lanes",
                    label="Message",
                    show_label=False,
                    container=False,
                    lines=1,
                    max_lines=8,
                    max_length=MESSAGE_LIMIT,
                    autofocus=True,
                    scale=1,
                    elem_id="message",
                )
                self.send = gr.Button("Send", variant="primary", min_width=88, scale=0, elem_id="send")
                self.stop = gr.Button(
                    "Stop", variant="stop", min_width=88, scale=0, visible=False, elem_id="stop"
                )
                self.new = gr.Button("New", min_width=88, scale=0, elem_id="new")
            with gr.Row(elem_id="decoding"):
                self.decoding = [
                    gr.Number(
                        getattr(Sampling, name),
                        label=label,
                        info=EXPLAINED[name],
                        step=STEPS[name],
                        min_width=120,
                        elem_id=name.replace("_", "-"),
                        elem_classes="dial",
                    )
                    for name, label in LABELS.items()
                ]

        self.inspector = Inspector(self.chat)
        self.bench = Bench(self.chat, LANES, self.settings.public)

    def _connect(self) -> None:
        hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        pane = [*self.chats, *self.lines]
        buttons = [self.send, self.stop, self.new]
        drawn = [*pane, *buttons, self.history, self.address]
        self.controls = [control for lane in self.lanes for control in lane.controls]
        asked = [self.visit, *self.controls, *self.decoding]
        # Many people at once, each with a stream; the pool is one, since the lowest limit in it counts.
        stream: dict[str, Any] = {**hidden, "concurrency_limit": PEOPLE_AT_ONCE, "concurrency_id": "stream"}
        gr.on(
            [self.send.click, self.box.submit],
            self.on_send,
            [self.box, *asked],
            [self.box, *drawn, *self.meters],
            **stream,
        )
        for button in self.examples:
            button.click(
                self.on_example(str(button.value)), asked, [self.box, *drawn, *self.meters], **stream
            )
        self.stop.click(self.on_stop, [self.visit], None, queue=False, **hidden)

        opened = [*drawn, *self.controls, *self.decoding]
        quick: dict[str, Any] = {**hidden, "concurrency_limit": None}
        self.new.click(self.on_new, [self.visit], drawn, **quick).then(
            self.on_meters, asked, self.meters, **quick
        )
        # "input" is a person's choice; setting the value from here does not come back as one.
        self.history.input(self.on_history, [self.visit, self.history], opened, **quick).then(
            self.on_settle, asked, self._settling, **quick
        )
        most = self.decoding[list(LABELS).index("max_new_tokens")]
        for lane in self.lanes:
            for control in lane.controls:
                # A slider that is dragged says more than can be drawn: what it says last is what counts.
                control.input(
                    self.on_demos(lane) if control is lane.demos else self.on_control(lane),
                    [self.visit, most, *lane.controls],
                    [*lane.settling, lane.k] if control is lane.demos else lane.settling,
                    trigger_mode="always_last",
                    **quick,
                )
            lane.setup.click(None, None, None, js=f"() => tandemSetUp({lane.number})", **hidden)
        most.change(self.on_meters, asked, self.meters, **quick)
        self.timer.tick(self.on_tick, asked, [self.model, *self.picks, *self._settling, self.timer], **quick)
        loaded = self.blocks.load(self.on_load, [self.visit], [self.model, *opened], **quick)
        loaded.then(self.on_settle, asked, self._settling, **quick)
        # After a load too, since an id that is not known leaves the value as it was: empty.
        for happens in (loaded.then, self.address.change):
            happens(None, [self.address], None, js="(id) => tandemAddress(id)", **hidden)
        self.inspector.connect(self.lanes, self.visit, self.box, asked[1:], self._asked)
        self.bench.connect(self.lanes, self.visit, (self.on_settle, asked, self._settling))

    @property
    def _settling(self) -> list[Any]:
        return [part for lane in self.lanes for part in lane.settling]

    # --- Handlers ---------------------------------------------------------------------------------

    def on_send(self, text: str, visit: Visit, *controls: Any) -> Iterator[tuple[Update, ...]]:
        """Ask every lane; the text box is emptied once the message is accepted."""
        yield from self._send(text, visit, controls, typed=True)

    def on_example(self, text: str) -> Callable[..., Iterator[tuple[Update, ...]]]:
        """The handler of an example's button, which leaves the text box alone."""

        def handler(visit: Visit, *controls: Any) -> Iterator[tuple[Update, ...]]:
            yield from self._send(text, visit, controls, typed=False)

        return handler

    def _send(
        self, text: str, visit: Visit, controls: tuple[Any, ...], typed: bool
    ) -> Iterator[tuple[Update, ...]]:
        accepted = False
        try:
            specs, values = self._specs(visit, controls, seeded=True)
            text = text or ""  # a caller without the page may send none
            if len(text) > MESSAGE_LIMIT:
                raise InputError(f"The message is longer than {MESSAGE_LIMIT} characters: shorten it.")
            decoding = dict(zip(LABELS, values, strict=True))
            with closing(self.chat.send(visit, text, specs, decoding)) as views:
                for view in views:
                    box = "" if typed and not accepted else gr.skip()
                    meters = self.on_meters(visit, *controls) if view.done else (gr.skip(),) * LANES
                    yield (box, *self._draw(view, first=not accepted), *meters)
                    accepted = True
        except Exception as error:
            warn(error)
            if visit.streaming:
                # Another stream of this page goes on; its buttons are left to it.
                yield (gr.skip(),) * (1 + 3 * LANES + 5)
                return
            pane: tuple[Update, ...] = (gr.skip(),) * (2 * LANES)
            if accepted and visit.conversation:
                with suppress(InputError, OutsideError):  # what broke may be the record itself
                    pane = self._pane(self.session.open(visit.conversation))
            yield (gr.skip(), *pane, *_buttons(streaming=False), *(gr.skip(),) * (2 + LANES))

    def _specs(
        self, visit: Visit, controls: Sequence[Any], seeded: bool = False
    ) -> tuple[list[str], Sequence[Any]]:
        """Each lane's text, and the values of the decoding dials.

        With `seeded`, an ablation is given the seed that the lane samples with.
        """
        values = controls[LANES * len(CONTROLS) :]
        seed = values[list(LABELS).index("seed")] if seeded else None
        specs = [
            lane.spec(visit, controls[lane.number * len(CONTROLS) : (lane.number + 1) * len(CONTROLS)], seed)
            for lane in self.lanes
        ]
        return specs, values

    def _asked(self, visit: Visit, number: int, controls: Sequence[Any]) -> tuple[str, int]:
        """A lane's text, and the tokens that its answers may take."""
        specs, values = self._specs(visit, controls, seeded=True)
        most = values[list(LABELS).index("max_new_tokens")]
        if most is None or most < 0 or most != int(most):
            raise InputError("Max new tokens must be a whole number, 0 or more: change it.")
        return specs[number], int(most)

    def on_stop(self, visit: Visit) -> None:
        """Only asks; the stream itself draws its end."""
        self.chat.stop(visit)

    def on_new(self, visit: Visit) -> tuple[Update, ...]:
        """An empty page; the text box and the lanes stay as they are."""
        try:
            self.chat.new(visit)
        except InputError as error:
            warn(error)
            return (gr.skip(),) * (2 * LANES + 5)
        return self._fresh()

    def on_history(self, visit: Visit, id: str | None) -> tuple[Update, ...]:
        """Go to a past conversation."""
        try:
            if not id:
                raise InputError("There is no such conversation: choose one of the list.")
            return self._opened(visit, self.chat.open(visit, id))
        except Exception as error:
            warn(error)
            return (gr.skip(),) * (2 * LANES + 5 + LANES * len(CONTROLS) + len(LABELS))

    def on_control(self, lane: Lane) -> Callable[..., tuple[Update, ...]]:
        """The handler of a lane's controls: what depends on them, and what the lane is now."""

        def handler(visit: Visit, most: Any, *values: Any) -> tuple[Update, ...]:
            try:
                return lane.settled(visit, values, most)
            except Exception as error:
                warn(error)
                return (gr.skip(),) * len(lane.settling)

        return handler

    def on_demos(self, lane: Lane) -> Callable[..., tuple[Update, ...]]:
        """The handler of a lane's choice of demonstrations: the same, and how far K goes."""
        settled = self.on_control(lane)

        def handler(visit: Visit, most: Any, *values: Any) -> tuple[Update, ...]:
            try:
                recipe = lane.recipe(values)
                return (*settled(visit, most, *values), lane.reach(visit, recipe.demos, recipe.k))
            except Exception as error:
                warn(error)
                return (gr.skip(),) * (len(lane.settling) + 1)

        return handler

    def on_settle(self, visit: Visit, *controls: Any) -> tuple[Update, ...]:
        """The same for all lanes at once."""
        most = controls[LANES * len(CONTROLS) + list(LABELS).index("max_new_tokens")]
        updates: list[Update] = []
        for lane in self.lanes:
            at = lane.number * len(CONTROLS)
            updates += self.on_control(lane)(visit, most, *controls[at : at + len(CONTROLS)])
        return tuple(updates)

    def on_meters(self, visit: Visit, *controls: Any) -> tuple[Update, ...]:
        """How much of the context the next prompts take."""
        try:
            specs, values = self._specs(visit, controls, seeded=True)
        except InputError:
            return ("",) * LANES
        most = values[list(LABELS).index("max_new_tokens")]
        return tuple(lane.drawn_meter(visit, specs[lane.number], most) for lane in self.lanes)

    def on_tick(self, visit: Visit, *controls: Any) -> tuple[Update, ...]:
        """While the model loads: its progress; once it is ready, the lanes there are."""
        status = self.session.status()
        if status.state == "loading":
            return (render.model_chip(status), *(gr.skip(),) * (LANES + len(self._settling) + 1))
        presets = controls[: LANES * len(CONTROLS) : len(CONTROLS)]
        choices = [
            gr.update(choices=lane.presets(preset)) for lane, preset in zip(self.lanes, presets, strict=True)
        ]
        settled = self.on_settle(visit, *controls)
        return (render.model_chip(status), *choices, *settled, gr.Timer(active=False))

    def on_load(self, visit: Visit, request: gr.Request) -> tuple[Update, ...]:
        """The conversation that the address names, or a fresh page."""
        chip = render.model_chip(self.session.status())
        id = request.query_params.get("c")
        if id:
            try:
                return (chip, *self._opened(visit, self.chat.open(visit, id)))
            except Exception as error:
                warn(error)
            drawn = self._fresh()
        else:
            # The page is as it was made; a person may have begun to use it before this answer comes.
            drawn = (*(gr.skip(),) * (2 * LANES + 3), self._history(None), gr.skip())
        controls = [update for lane in self.lanes for update in lane.refreshed(visit)]
        return (chip, *drawn, *controls, *(gr.skip(),) * len(LABELS))

    # --- Drawing ----------------------------------------------------------------------------------

    def _draw(self, view: View, first: bool) -> tuple[Update, ...]:
        pane: list[Update] = []
        for draw in (self._messages, self._line):
            for lane in range(LANES):
                pane.append(draw(view.conversation, lane, view.note) if view.changed[lane] else gr.skip())
        if view.done:
            return (*pane, *_buttons(streaming=False), self._history(view.conversation.id), gr.skip())
        if first:
            return (*pane, *_buttons(streaming=True), gr.update(interactive=False), view.conversation.id)
        return (*pane, *(gr.skip(),) * 5)

    def _pane(self, conversation: Conversation) -> tuple[Update, ...]:
        chats = [self._messages(conversation, lane) for lane in range(LANES)]
        lines = [self._line(conversation, lane) for lane in range(LANES)]
        return (*chats, *lines)

    def _messages(self, conversation: Conversation, lane: int, note: str = "") -> Update:
        return render.messages(conversation, lane, self.chat.cards(), note)

    def _line(self, conversation: Conversation, lane: int, note: str = "") -> Update:
        answer = _last(conversation, lane)
        return render.status_line(answer.reply if answer else None, note)

    def _fresh(self) -> tuple[Update, ...]:
        """No conversation: the panes, the buttons, the history and the address."""
        lines = [render.status_line(None)] * LANES
        return (*([],) * LANES, *lines, *_buttons(streaming=False), self._history(None), "")

    def _opened(self, visit: Visit, conversation: Conversation) -> tuple[Update, ...]:
        """A conversation from the record, with the lanes and the decoding it had last."""
        specs = [variant.name for variant in conversation.variants[:LANES]]
        controls: list[Update] = []
        for lane, spec in zip(self.lanes, specs, strict=False):
            controls += lane.set_to(visit, spec)
        controls += [gr.skip()] * (LANES * len(CONTROLS) - len(controls))
        sampling = conversation.variants[0].sampling
        return (
            *self._pane(conversation),
            *_buttons(streaming=False),
            self._history(conversation.id),
            conversation.id,
            *controls,
            *(getattr(sampling, name) for name in LABELS),
        )

    def _history(self, current: str | None) -> Update:
        if self.settings.public:
            return gr.skip()
        choices = [
            (f"{_short(summary.title)} · {summary.updated.astimezone():%d %b %H:%M}", summary.id)
            for summary in self.session.history()
        ]
        known = any(id == current for _, id in choices)
        return gr.update(choices=choices, value=current if known else None, interactive=True)

    def _default(self, lane: int) -> str:
        """URIAL beside IFT, or beside the base if there is no adapter."""
        return "urial" if lane == 0 else next(iter(self.chat.cards()), "base")


def _buttons(streaming: bool) -> tuple[Update, Update, Update]:
    """Send or Stop, whichever can be used, and New."""
    return (
        gr.update(visible=not streaming),
        gr.update(visible=streaming),
        gr.update(interactive=not streaming),
    )


def _last(conversation: Conversation, lane: int) -> Answer | None:
    answers = [turn.answers[lane] for turn in conversation.turns if lane < len(turn.answers)]
    return answers[-1] if answers else None


def _short(text: str, most: int = 48) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
