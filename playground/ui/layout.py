"""The page's composition: components, and which handler each event goes to.

Every handler checks what it is given; what a browser sends need not come from this page.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import gradio as gr

from playground.config import Settings
from playground.library import POCKET, same_model
from playground.session import Session
from playground.types import Answer, Conversation, InputError, OutsideError, Sampling
from playground.ui import render
from playground.ui.chat import LABELS, LANES, Chat, View, Visit
from playground.ui.server import PEOPLE_AT_ONCE

log = logging.getLogger(__name__)

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

Update = Any
"""A component's new value, an update of its properties, or `gr.skip()`."""


def page(session: Session, settings: Settings) -> gr.Blocks:
    """The page on `session`."""
    return _Page(session, settings).blocks


class _Page:
    def __init__(self, session: Session, settings: Settings) -> None:
        self.session = session
        self.settings = settings
        self.chat = Chat(session)
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
        self.picks: list[gr.Dropdown] = []
        self.chats: list[gr.Chatbot] = []
        self.lines: list[gr.HTML] = []
        with gr.Row(elem_id="lanes", scale=1, equal_height=True):
            for lane in range(LANES):
                self._compose_lane(lane)
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

    def _compose_lane(self, lane: int) -> None:
        choices = self._choices()
        spec = self._default(lane)
        with gr.Column(elem_id=f"lane-{lane}", elem_classes="lane", scale=1, min_width=280):
            self.picks.append(
                gr.Dropdown(
                    choices,
                    value=spec,
                    label=f"Lane {lane + 1}",
                    container=False,
                    filterable=False,
                    elem_id=f"pick-{lane}",
                    elem_classes="pick",
                )
            )
            self.chats.append(
                gr.Chatbot(
                    height=None,
                    container=False,
                    show_label=False,
                    label=f"Lane {lane + 1}",
                    buttons=["copy", "copy_all"],
                    # A raw look at answers: what is between dollar signs stays as it was written.
                    latex_delimiters=[],
                    layout="bubble",
                    placeholder=self._placeholder(spec),
                    elem_id=f"chat-{lane}",
                    elem_classes="chat",
                )
            )
            self.lines.append(
                gr.HTML(render.status_line(None), elem_id=f"status-{lane}", elem_classes="status")
            )

    def _connect(self) -> None:
        hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        pane = [*self.chats, *self.lines]
        buttons = [self.send, self.stop, self.new]
        drawn = [*pane, *buttons, self.history, self.address]
        asked = [self.visit, *self.picks, *self.decoding]
        # Many people at once, each with a stream; the pool is one, since the lowest limit in it counts.
        stream: dict[str, Any] = {**hidden, "concurrency_limit": PEOPLE_AT_ONCE, "concurrency_id": "stream"}
        gr.on(
            [self.send.click, self.box.submit],
            self.on_send,
            [self.box, *asked],
            [self.box, *drawn],
            **stream,
        )
        for button in self.examples:
            button.click(self.on_example(str(button.value)), asked, [self.box, *drawn], **stream)
        self.stop.click(self.on_stop, [self.visit], None, queue=False, **hidden)

        opened = [*drawn, *self.picks, *self.decoding]
        quick: dict[str, Any] = {**hidden, "concurrency_limit": None}
        self.new.click(self.on_new, [self.visit], drawn, **quick)
        # "input" is a person's choice; setting the value from here does not come back as one.
        self.history.input(self.on_history, [self.visit, self.history], opened, **quick)
        for lane, pick in enumerate(self.picks):
            pick.change(self.on_pick, [pick], [self.chats[lane]], **quick)
        self.timer.tick(self.on_tick, self.picks, [self.model, *self.picks, *self.chats, self.timer], **quick)
        loaded = self.blocks.load(self.on_load, [self.visit], [self.model, *opened], **quick)
        # After a load too, since an id that is not known leaves the value as it was: empty.
        for happens in (loaded.then, self.address.change):
            happens(None, [self.address], None, js="(id) => tandemAddress(id)", **hidden)

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
        specs, values = controls[:LANES], controls[LANES:]
        accepted = False
        try:
            if len(text) > MESSAGE_LIMIT:
                raise InputError(f"The message is longer than {MESSAGE_LIMIT} characters: shorten it.")
            decoding = dict(zip(LABELS, values, strict=True))
            with closing(self.chat.send(visit, text, specs, decoding)) as views:
                for view in views:
                    box = "" if typed and not accepted else gr.skip()
                    yield (box, *self._draw(view, first=not accepted))
                    accepted = True
        except Exception as error:
            warn(error)
            if visit.streaming:
                # Another stream of this page goes on; its buttons are left to it.
                yield (gr.skip(),) * (1 + 2 * LANES + 5)
                return
            pane: tuple[Update, ...] = (gr.skip(),) * (2 * LANES)
            if accepted and visit.conversation:
                with suppress(InputError, OutsideError):  # what broke may be the record itself
                    pane = self._pane(self.session.open(visit.conversation))
            yield (gr.skip(), *pane, *_buttons(streaming=False), gr.skip(), gr.skip())

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
            return self._opened(self.chat.open(visit, id))
        except Exception as error:
            warn(error)
            return (gr.skip(),) * (2 * LANES + 5 + LANES + len(LABELS))

    def on_pick(self, spec: str) -> Update:
        """Say what the picked lane is, where nothing has been said in it yet."""
        return gr.update(placeholder=self._placeholder(spec))

    def on_tick(self, *specs: str) -> tuple[Update, ...]:
        """While the model loads: its progress; once it is ready, the lanes there are."""
        status = self.session.status()
        if status.state == "loading":
            return (render.model_chip(status), *(gr.skip(),) * (2 * LANES + 1))
        choices = [gr.update(choices=self._choices(spec)) for spec in specs]
        placeholders = [gr.update(placeholder=self._placeholder(spec)) for spec in specs]
        return (render.model_chip(status), *choices, *placeholders, gr.Timer(active=False))

    def on_load(self, visit: Visit, request: gr.Request) -> tuple[Update, ...]:
        """The conversation that the address names, or a fresh page."""
        chip = render.model_chip(self.session.status())
        id = request.query_params.get("c")
        if id:
            try:
                return (chip, *self._opened(self.chat.open(visit, id)))
            except Exception as error:
                warn(error)
        picks = [gr.update(choices=self._choices(), value=self._default(lane)) for lane in range(LANES)]
        return (chip, *self._fresh(), *picks, *(gr.skip(),) * len(LABELS))

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

    def _opened(self, conversation: Conversation) -> tuple[Update, ...]:
        """A conversation from the record, with the lanes and the decoding it had last."""
        specs = [variant.name for variant in conversation.variants[:LANES]]
        picks: list[Update] = [gr.update(choices=self._choices(spec), value=spec) for spec in specs]
        picks += [gr.skip()] * (LANES - len(specs))
        sampling = conversation.variants[0].sampling
        return (
            *self._pane(conversation),
            *_buttons(streaming=False),
            self._history(conversation.id),
            conversation.id,
            *picks,
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

    def _choices(self, spec: str | None = None) -> list[tuple[str, str]]:
        """The lanes to pick from, with `spec` among them, which may have been given by hand."""
        choices = render.lane_choices(list(self.chat.cards().values()))
        if spec and spec not in {lane for _, lane in choices}:
            choices.append((spec, spec))
        return choices

    def _default(self, lane: int) -> str:
        """URIAL beside IFT, or beside the base if there is no adapter."""
        return "urial" if lane == 0 else next(iter(self.chat.cards()), "base")

    def _placeholder(self, spec: str) -> str:
        try:
            variant = self.chat.variant(spec)
        except InputError as error:
            coming = self.session.status().state == "loading"
            name = {lane: label for label, lane in self._choices(spec)}[spec]
            return render.placeholder(name, str(error) if coming else "", None if coming else str(error))
        cards = self.chat.cards()
        return render.placeholder(
            render.lane_name(variant, cards),
            render.lane_sentence(variant.aligner, cards),
            self.chat.adapter_error(variant.aligner.adapter),
        )


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


def warn(error: Exception) -> None:
    """Show an error as a toast: its own sentence if it is for people, a reference to the log if it is not."""
    if isinstance(error, InputError | OutsideError):
        sentence = str(error)
    else:
        reference = secrets.token_hex(4)
        log.error("Error %s", reference, exc_info=error)
        sentence = f"Something went wrong on our side (error {reference} in the log): try again."
    gr.Warning(render.toast(sentence))
