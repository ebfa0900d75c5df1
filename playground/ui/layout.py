"""The page's composition: components, and which handler each event goes to.

Every handler checks what it is given; what a browser sends need not come from this page. A handler gives the
updates by component, so that what it does not name stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from typing import Any

import gradio as gr

from playground.changeover import Changeover
from playground.config import Settings
from playground.library import POCKET, same_model
from playground.limits import Gate
from playground.session import Session
from playground.types import Answer, Conversation, InputError, OutsideError
from playground.ui import dials, judge_panel, model_panel, render, render_talk, shortcuts
from playground.ui.address import FOLLOW, Address, Controls
from playground.ui.asking import MODES, START_LIMIT, Asking
from playground.ui.bench import Bench
from playground.ui.chat import LANES, Chat, View, Visit
from playground.ui.choice import Choice
from playground.ui.compare import Compare
from playground.ui.inspector import Inspector
from playground.ui.judge_panel import JudgePanel
from playground.ui.lane import LETTERS, Lane
from playground.ui.probing import Probing
from playground.ui.scores import Scores
from playground.ui.server import PEOPLE_AT_ONCE, visitor, voter
from playground.ui.sheet import Sheet
from playground.ui.toast import say, warn
from playground.ui.votes import Votes

MESSAGE_LIMIT = 100_000
"""Characters in one message."""

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
Updates = dict[Any, Any]
"""By component: its new value, or an update of its properties."""


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
        self.chat.warm([self._default(lane) for lane in range(Visit.lanes)])

    # --- Components -------------------------------------------------------------------------------

    def _compose(self) -> None:
        self.visit = gr.State(Visit())
        self.address = Address(self.chat)
        self.timer = gr.Timer(0.5)
        self.judge = JudgePanel(self.chat, self.settings)
        with gr.Row(elem_id="topbar"):
            gr.HTML(
                "<h1>Tandem</h1><p>One base model, aligned in several ways: ask once, see all answer.</p>",
                elem_id="title",
            )
            with gr.Row(elem_id="tools"):
                self.add = self._tool("Add a lane", "add-lane")
                self.square = self._tool("The 2\u00d72", "square")
                self.blind = self._tool("Blind", "blind")
                self.probes = self._tool("Probes", "probes")
                self.scoring = self._tool("Scores", "open-scores")
                self.copy_link = self._tool("Copy link", "copy-link")
                self.keys = self._tool("?", "keys")
            chip = render.model_chip(self.session.status())
            self.model = gr.HTML(chip, js_on_load=model_panel.ON_CLICK, elem_id="model")
            self.history = Choice(
                [],
                value=None,
                label="History",
                container=False,
                visible=not self.settings.public,
                min_width=180,
                elem_id="history",
            )
        with gr.Row(elem_id="lanes", scale=1, equal_height=True):
            self.lanes = [
                Lane(number, self.chat, self._default(number), number < Visit.lanes)
                for number in range(LANES)
            ]
        self.probing = Probing(self.chat, self.settings.public)
        with gr.Column(elem_id="bottom"):
            self._compose_above()
            with gr.Row(elem_id="composer", equal_height=False):
                self.box = gr.Textbox(
                    placeholder="Ask all lanes",
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
            self._compose_decoding()
        changeover = None if self.settings.public else Changeover(self.session, self.settings)
        self.panel = model_panel.ModelPanel(self.session, changeover)
        self.inspector = Inspector(self.chat)
        self.bench = Bench(self.chat, LANES, self.settings.public)
        self.compare = Compare(self.chat)
        self.after = Sheet("after", "After the stop")
        self.probing.compose_sheet()
        self.scores = Scores(self.chat, self.settings.public)
        self.judge.compose_sheet()
        self.shortcuts = Sheet("shortcuts", "Keyboard")

    def _tool(self, label: str, id: str, **rest: Any) -> gr.Button:
        return gr.Button(label, size="sm", min_width=0, scale=0, elem_id=id, **rest)

    def _compose_above(self) -> None:
        """What stands above the text box: examples on a fresh page, what one can do in a conversation."""
        with gr.Row(elem_id="examples", elem_classes="above") as self.fresh:
            examples = POCKET_EXAMPLES if same_model(self.settings.base, POCKET) else EXAMPLES
            self.examples = [self._tool(text, f"example-{number}") for number, text in enumerate(examples)]
        self.probing.compose_row()
        with gr.Row(visible=False, elem_id="actions", elem_classes="above") as self.begun:
            self.votes = Votes(self.chat, voter)
            self.judge.compose_row()
            self.retry = self._tool("Retry all", "retry")
            self.undo = self._tool("Undo the turn", "undo")
            self.replay = self._tool("Replay", "replay")
            self.differences = self._tool("Differences", "differences")
        with gr.Row(visible=False, elem_id="editing", elem_classes="above") as self.editing:
            self.edited = gr.HTML("", elem_id="edited")
            self.leave = self._tool("Cancel", "cancel-edit")

    def _compose_decoding(self) -> None:
        self.dials = dials.Dials(most=self.settings.limits.max_tokens)
        with gr.Row(elem_id="decoding", elem_classes="dials"):
            self.dials.compose_main()
            self.more = self._tool("More", "more")
        with gr.Row(elem_id="decoding-more", elem_classes="dials"):
            self.dials.compose_more()
            self.linked = gr.Checkbox(
                True,
                label="The same in all lanes",
                min_width=150,
                elem_id="linked",
                elem_classes="dial check",
            )
            self.mode = Choice(
                [*MODES[:3], MODES[-1]],
                value="own",
                label="Each lane goes on from",
                info="whose earlier answers it is asked on",
                filterable=False,
                min_width=170,
                elem_id="mode",
                elem_classes="dial wide",
            )
            self.start = gr.Textbox(
                "",
                label="Answers begin with",
                info="words written for the model; it goes on from them",
                lines=1,
                max_lines=4,
                max_length=START_LIMIT,
                min_width=190,
                elem_id="start",
                elem_classes="dial wide",
            )

    def _connect(self) -> None:
        hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        self.controls = [control for lane in self.lanes for control in lane.controls]
        self.asking = Asking(self.linked, self.mode, self.start, self.dials, self.lanes)
        self.inputs = [self.visit, *self.asking.components]
        # Many people at once, each with a stream; the pool is one, since the lowest limit in it counts.
        stream: dict[str, Any] = {
            **hidden,
            "concurrency_limit": PEOPLE_AT_ONCE,
            "concurrency_id": "stream",
            "outputs": self.growing,
        }
        quick: dict[str, Any] = {**hidden, "concurrency_limit": None, "outputs": self.everything}
        metered: dict[str, Any] = {**quick, "outputs": self.meters}
        watched = [self.judge.timer, self.judge.stop, self.judge.cancel]
        listed = [*self.meters, *self.above, *self.votes.parts[1:], *watched, self.history]
        ended: dict[str, Any] = {**quick, "outputs": listed}
        loud: dict[str, Any] = {**hidden, "concurrency_limit": None}

        streams = [
            gr.on([self.send.click, self.box.submit], self.on_send, [self.box, *self.inputs], **stream),
            *(
                button.click(self.on_example(str(button.value)), self.inputs, **stream)
                for button in self.examples
            ),
            self.retry.click(self.on_retry, self.inputs, **stream),
            self.replay.click(self.on_replay, self.inputs, **stream),
            *(
                button.click(self.on_play(everything), self.inputs, **stream)
                for button, everything in ((self.probing.next, False), (self.probing.all, True))
            ),
        ]
        self.probing.list.click(self.on_probe, self.inputs, **quick)
        self.probing.following.click(self.on_next_probe, self.inputs, **quick)
        self.probing.leave.click(self.on_leave_probe, self.inputs, **quick)
        self.stop.click(self.on_stop(None), [self.visit], None, queue=False, **hidden)
        for lane in self.lanes:
            lane.stop.click(self.on_stop(lane.number), [self.visit], None, queue=False, **hidden)
            for part in (lane.past, lane.live):
                streams.append(part.click(self.on_asked(lane), self.inputs, **stream))
                part.submit(self.on_act(lane), self.inputs, **quick)
        for each in streams:
            each.then(self.on_ended, self.inputs, **ended)

        self.undo.click(self.on_undo, self.inputs, **quick)
        self.leave.click(self.on_leave, self.inputs, **quick)
        self.new.click(self.on_new, self.inputs, **quick)
        self.add.click(self.on_add, self.inputs, **quick)
        self.square.click(self.on_square, self.inputs, **quick).then(self.on_meters, self.inputs, **metered)
        self.blind.click(self.on_blind, self.inputs, **quick)
        # "input" is a person's choice; setting the value from here does not come back as one.
        opened = self.history.input(self.on_history, [self.visit, self.history], **quick)
        opened.then(self.on_meters, self.inputs, **metered)
        for lane in self.lanes:
            self._connect_lane(lane, hidden, quick, metered)
        self.linked.input(self.on_linked, self.inputs, **quick)
        for own in (self.dials, *(lane.dials for lane in self.lanes)):
            turned = {**quick, "outputs": [own.preset, *own.controls]}
            own.preset.input(self.on_preset(own), [own.preset], **turned)
            for control in own.controls:
                control.input(self.on_dial(own), own.controls, trigger_mode="always_last", **turned)
            most = own.controls[list(dials.DIALS).index("max_new_tokens")]
            most.change(self.on_meters, self.inputs, trigger_mode="always_last", **metered)
        for control in (self.mode, self.start):
            control.input(self.on_meters, self.inputs, trigger_mode="always_last", **metered)
        self.more.click(None, None, None, js="() => tandemMore()", **hidden)
        self.timer.tick(self.on_tick, self.inputs, **quick)
        loaded = self.blocks.load(self.on_load, self.inputs, **quick)
        settled = loaded.then(self.on_settle, self.inputs, **quick)
        spelling: dict[str, Any] = {**quick, "outputs": self.address.parts}
        spelled = settled.then(self.on_setup, self.inputs, **spelling)
        # After a load too, since an id that is not known leaves the value as it was: empty.
        followed = [self.address.conversation, self.address.kept]
        spelled.then(None, followed, None, js=FOLLOW, **hidden)
        said = [self.linked, self.mode, *self.dials.controls, *self.controls, self.address.moved]
        said += [dial for lane in self.lanes for dial in lane.dials.controls]
        changes = [each.change for each in said]
        gr.on(changes, self.on_setup, self.inputs, trigger_mode="always_last", **spelling)
        self.address.connect(self.copy_link, hidden)
        self.keys.click(lambda: self.shortcuts.opened(shortcuts.listed()), None, self.shortcuts.parts, **loud)
        self.shortcuts.connect(loud)
        self.panel.connect(self.model, self.timer)
        self.inspector.connect(self.lanes, self.visit, self.box, self.inputs, self.asking.wish)
        self.bench.connect(self.lanes, self.visit, (self.on_settle, self.inputs, self.everything))
        self.compare.connect(self.differences, self.visit)
        self.after.connect(loud)
        self.probing.connect(self.probes, loud)
        self.votes.connect(self.visit, self._marked, self.everything, loud)
        self.judge.connect(self.visit, self._marked, self.everything, loud)
        self.scores.connect(self.scoring, self.visit, self._opened, self.everything, loud)

    def _connect_lane(
        self, lane: Lane, hidden: dict[str, Any], quick: dict[str, Any], metered: dict[str, Any]
    ) -> None:
        settling = {**quick, "outputs": [lane.shown, lane.other, lane.k, lane.live, *self.meters]}
        for control in lane.controls:
            # A slider that is dragged says more than can be drawn: what it says last is what counts.
            handler = self.on_demos(lane) if control is lane.demos else self.on_control(lane)
            control.input(handler, self.inputs, trigger_mode="always_last", **settling)
        lane.setup.click(None, None, None, js=f"() => tandemSetUp({lane.number})", **hidden)
        moves = ((lane.swap, _swapped), (lane.duplicate, _duplicated), (lane.remove, _removed))
        for button, arranged in moves:
            moved = button.click(self.on_arrange(lane, arranged), self.inputs, **quick)
            moved.then(self.on_meters, self.inputs, **metered)

    @property
    def growing(self) -> list[Any]:
        """What is updated while answers grow: few, since a browser's work for an update grows with them."""
        parts = [self.box, self.send, self.stop, self.address.conversation, *self.above]
        return parts + [part for lane in self.lanes for part in (lane.past, lane.live, lane.line)]

    @property
    def above(self) -> list[Any]:
        """What stands above the text box, as `_above` updates it."""
        standing = self.probing.standing
        return [self.fresh, self.begun, self.editing, self.votes.row, self.address.moved, *standing]

    @property
    def meters(self) -> list[Any]:
        """What shows how much of the context the next prompts take."""
        return [lane.meter for lane in self.lanes]

    @property
    def everything(self) -> list[Any]:
        """All components that handlers update."""
        own = (self.dials, *(lane.dials for lane in self.lanes))
        parts = [
            *(self.box, self.send, self.stop, self.new, self.history, self.model, self.timer),
            *self.address.parts,
            *(self.fresh, self.begun, self.editing, self.edited, self.retry, self.undo, self.replay),
            *(self.add, self.square, self.blind, self.linked, self.mode),
            *(self.inspector.opened + self.after.parts + self.probing.parts),
            *(self.votes.parts + self.judge.parts),
            *(part for each in own for part in (each.preset, *each.controls)),
        ]
        for lane in self.lanes:
            parts += [lane.column, lane.past, lane.live, lane.line, lane.meter, lane.own_dials]
            parts += [lane.shown, *lane.controls]
        return parts

    # --- Asking -------------------------------------------------------------------------------------

    def on_send(self, text: str, visit: Visit, *values: Any) -> Iterator[Updates]:
        """Ask every lane; the text box is emptied once the message is accepted."""
        yield from self._send(text, visit, values, typed=True)

    def on_example(self, text: str) -> Callable[..., Iterator[Updates]]:
        """The handler of an example's button, which leaves the text box alone."""

        def handler(visit: Visit, *values: Any) -> Iterator[Updates]:
            yield from self._send(text, visit, values, typed=False)

        return handler

    def _send(self, text: str, visit: Visit, values: Sequence[Any], typed: bool) -> Iterator[Updates]:
        text = text or ""  # a caller without the page may send none

        def views() -> Generator[View]:
            if len(text) > MESSAGE_LIMIT:
                raise InputError(f"The message is longer than {MESSAGE_LIMIT} characters: shorten it.")
            wish = self.asking.wish(visit, *values, draw_seed=True)
            return self.chat.send(visit, text, wish)

        yield from self._streamed(visit, values, views, {self.box: ""} if typed else {})

    def on_retry(self, visit: Visit, *values: Any) -> Iterator[Updates]:
        """Ask all lanes again for the last message."""

        def views() -> Generator[View]:
            current = self.chat.current(visit)
            answered = len(current.turns[-1].answers) if current and current.turns else 0
            wish = self.asking.wish(visit, *values, draw_seed=True)
            return self.chat.retry(visit, range(min(answered, visit.lanes)), wish)

        yield from self._streamed(visit, values, views)

    def on_replay(self, visit: Visit, *values: Any) -> Iterator[Updates]:
        """Put the same messages to the lanes as they are set up now, in a new conversation."""

        def views() -> Generator[View]:
            texts = self.chat.asked_in(visit)
            if not texts:
                raise InputError("There is nothing to replay: nothing has been asked.")
            self.asking.wish(visit, *values)  # which says what is wrong before anything is left
            self.chat.new(visit)
            return self.chat.play(visit, texts, lambda: self.asking.wish(visit, *values, draw_seed=True))

        yield from self._streamed(visit, values, views)

    def on_asked(self, lane: Lane) -> Callable[..., Iterator[Updates]]:
        """The handler of the buttons in a lane's conversation that ask the lane."""

        def handler(visit: Visit, event: gr.EventData, *values: Any) -> Iterator[Updates]:
            def views() -> Generator[View]:
                wish = self.asking.wish(visit, *values, draw_seed=True)
                if (event._data or {}).get("act") == "extend":
                    return self.chat.extend(visit, lane.number, wish)
                return self.chat.retry(visit, [lane.number], wish)

            yield from self._streamed(visit, values, views)

        return handler

    def on_act(self, lane: Lane) -> Callable[..., Updates]:
        """The handler of the other buttons in a lane's conversation."""

        def handler(visit: Visit, event: gr.EventData, *values: Any) -> Updates:
            data = event._data or {}
            act, turn = data.get("act"), data.get("turn")
            if act in judge_panel.ACTS:
                return self._tried(lambda: self.judge.acted(visit, act, turn, data.get("id")))
            return self._tried(lambda: self._acted(visit, values, lane, act, turn))

        return handler

    def _acted(self, visit: Visit, values: Sequence[Any], lane: Lane, act: Any, turn: Any) -> Updates:
        if not isinstance(turn, int):
            raise InputError("There is no such button: reload the page.")
        if act == "edit":
            text = self.chat.edit(visit, turn)
            words = f"<p>Editing message {turn + 1}: sending it branches the conversation there.</p>"
            return {self.box: text, self.edited: words, **self._above(visit)}
        if act == "branch":
            self.chat.branch(visit, turn + 1)
            say("A new conversation goes on from here; the whole one stays in the history.")
            return {**self._shown(visit), **self._metered(visit, values)}
        if act in ("earlier", "later"):
            self.chat.show(visit, lane.number, -1 if act == "earlier" else 1)
            return {**self._shown(visit), **self._metered(visit, values)}
        if act == "prompt":
            opened = self.inspector.open_past(visit, lane.number, turn)
            return dict(zip(self.inspector.opened, opened, strict=True))
        if act == "after":
            answer = self.chat.answer(visit, lane.number, turn)
            name = f"Lane {LETTERS[lane.number]}, message {turn + 1}"
            return self.after.opened(render_talk.after(answer, name))
        raise InputError("There is no such button: reload the page.")

    def _streamed(
        self,
        visit: Visit,
        values: Sequence[Any],
        views: Callable[[], Generator[View]],
        accepted: Updates | None = None,
    ) -> Iterator[Updates]:
        """Draw views as they come; `accepted` goes with the first one."""
        begun = False
        try:
            with closing(views()) as each:
                for view in each:
                    updates = self._drawn(visit, view)
                    if not begun:
                        updates |= accepted or {}
                        begun = True
                    yield updates
        except Exception as error:
            warn(error)
            if visit.streaming:
                return  # another stream of this page goes on, and its buttons are left to it
            updates = self._buttons(streaming=False)
            if begun:
                with suppress(InputError, OutsideError):  # what broke may be the record itself
                    updates |= self._talks(visit)
            yield updates

    def on_ended(self, visit: Visit, *values: Any) -> Updates:
        """After the end of answers: what is counted and listed."""
        return {**self._metered(visit, values), **self._above(visit), self.history: self._history(visit)}

    def on_stop(self, lane: int | None) -> Callable[[Visit], None]:
        """The handler that only asks; the stream itself draws its end."""

        def handler(visit: Visit) -> None:
            self.chat.stop(visit, lane)

        return handler

    # --- The conversation ---------------------------------------------------------------------------

    def _tried(self, act: Callable[[], Updates], idle: Any = None) -> Updates:
        """The updates of an act, or none and a sentence if it cannot be done.

        Args:
            idle: one of the event's components, by default the text box; Gradio takes no empty answer.
        """
        try:
            return act()
        except Exception as error:
            warn(error)
            return {idle or self.box: gr.skip()}

    def on_new(self, visit: Visit, *values: Any) -> Updates:
        """An empty page; the text box and the lanes stay as they are."""

        def act() -> Updates:
            self.chat.new(visit)
            visit.probe = None
            return {**self._shown(visit, values), **self._metered(visit, values)}

        return self._tried(act)

    def on_undo(self, visit: Visit, *values: Any) -> Updates:
        """Without the last turn; its message is in the text box again."""

        def act() -> Updates:
            _, text = self.chat.undo(visit)
            return {self.box: text, **self._shown(visit, values), **self._metered(visit, values)}

        return self._tried(act)

    def on_leave(self, visit: Visit, *values: Any) -> Updates:
        """No longer edit a past message."""
        visit.editing_turn = None
        return {self.box: "", **self._above(visit), **self._metered(visit, values)}

    def on_history(self, visit: Visit, id: str | None) -> Updates:
        """Go to a past conversation."""

        def act() -> Updates:
            if not id:
                raise InputError("There is no such conversation: choose one of the list.")
            self.chat.open(visit, id)
            return self._opened(visit)

        return self._tried(act)

    # --- Probes -------------------------------------------------------------------------------------

    def on_probe(self, visit: Visit, event: gr.EventData, *values: Any) -> Updates:
        """Take up the probe that was chosen from the list, in a new conversation."""
        name = (event._data or {}).get("probe")
        return self._tried(lambda: self._probed(visit, values, name))

    def on_next_probe(self, visit: Visit, *values: Any) -> Updates:
        """The one that follows in the list."""
        return self._tried(lambda: self._probed(visit, values, self.probing.after(visit)))

    def _probed(self, visit: Visit, values: Sequence[Any], name: Any) -> Updates:
        self.chat.take_up(visit, str(name))
        updates = {**self._shown(visit, values), **self._metered(visit, values)}
        return {**updates, self.probing.sheet: gr.update(visible=False)}

    def on_play(self, all_of_it: bool) -> Callable[..., Iterator[Updates]]:
        """The handler that asks the probe's next message, or all that are left."""

        def handler(visit: Visit, *values: Any) -> Iterator[Updates]:
            def views() -> Generator[View]:
                texts = self.probing.left(visit)
                wish = lambda: self.asking.wish(visit, *values, draw_seed=True)  # noqa: E731
                return self.chat.play(visit, texts if all_of_it else texts[:1], wish)

            yield from self._streamed(visit, values, views)

        return handler

    def on_leave_probe(self, visit: Visit, *values: Any) -> Updates:
        """Go on without it; the conversation stays."""
        visit.probe = None
        return self._tried(lambda: self._above(visit))

    # --- Lanes ----------------------------------------------------------------------------------------

    def on_add(self, visit: Visit, *values: Any) -> Updates:
        """One lane more, at the right."""

        def act() -> Updates:
            self._refuse_in_the_blind(visit)
            if visit.lanes >= LANES:
                raise InputError(f"A page has {LANES} lanes at most: remove one first.")
            visit.lanes += 1
            return {**self._columns(visit), **self._metered(visit, values)}

        return self._tried(act)

    def on_square(self, visit: Visit, *values: Any) -> Updates:
        """Base, base + URIAL, IFT, IFT + URIAL, in a new conversation."""

        def act() -> Updates:
            self._refuse_in_the_blind(visit)
            adapter = next(iter(self.chat.cards()), None)
            if adapter is None:
                raise InputError("The 2\u00d72 needs an adapter: start Tandem with --adapter NAME=PATH.")
            self.chat.new(visit)
            visit.lanes = 4
            updates: Updates = {}
            for lane, spec in zip(
                self.lanes, ("base", "urial", adapter, f"urial:adapter={adapter}"), strict=True
            ):
                updates |= lane.set_to(visit, spec)
                updates[lane.live] = lane.placeholder(spec, visit)
            return {**self._shown(visit), **updates}

        return self._tried(act)

    def on_blind(self, visit: Visit, *values: Any) -> Updates:
        """Hide the lanes' names and shuffle them, from the next conversation on; or show them again."""

        def act() -> Updates:
            if visit.blind:
                conversation = self.chat.current(visit)
                visit.blind = False
                updates = self._set_to(visit, conversation) if conversation else {}
                return {**updates, **self._shown(visit, values)}
            self.chat.new(visit)
            visit.blind = True
            return self._shown(visit, values)

        return self._tried(act)

    def on_arrange(self, lane: Lane, arranged: Callable[[int, int], list[int]]) -> Callable[..., Updates]:
        """The handler that puts the lanes in another order."""

        def handler(visit: Visit, *values: Any) -> Updates:
            def act() -> Updates:
                self._refuse_in_the_blind(visit)
                said, specs = self.asking.said(values), self.asking.wish(visit, *values).specs
                order = arranged(lane.number, visit.lanes)
                self.chat.arrange(visit, order)
                visit.lanes = len(order)
                updates: Updates = {}
                for each, old in zip(self.lanes, order, strict=False):
                    updates |= each.set_to(visit, specs[old])
                    updates |= dict(zip(each.dials.controls, said.dials[old], strict=True))
                    updates[each.live] = each.placeholder(specs[old], visit)
                updates |= self._shown(visit, keep_empty=True)
                updates[self.mode]["value"] = self.asking.rearranged(values, order)
                return updates

            return self._tried(act)

        return handler

    def _refuse_in_the_blind(self, visit: Visit) -> None:
        if visit.blind:
            raise InputError("The lanes are hidden: press Reveal first.")

    def on_control(self, lane: Lane) -> Callable[..., Updates]:
        """The handler of a lane's controls: what depends on them, and what the lane is now."""

        def handler(visit: Visit, *values: Any) -> Updates:
            return self._tried(lambda: self._settled(visit, lane, values), lane.meter)

        return handler

    def on_demos(self, lane: Lane) -> Callable[..., Updates]:
        """The handler of a lane's choice of demonstrations: the same, and how far K goes."""

        def handler(visit: Visit, *values: Any) -> Updates:
            def act() -> Updates:
                recipe = lane.recipe(self.asking.of_lane(lane, values))
                reach = lane.reach(visit, recipe.demos, recipe.k)
                return {**self._settled(visit, lane, values), lane.k: reach}

            return self._tried(act, lane.meter)

        return handler

    def _settled(self, visit: Visit, lane: Lane, values: Sequence[Any]) -> Updates:
        own = self.asking.of_lane(lane, values)
        updates = lane.settled(visit, own)
        if not self._turns(visit):
            updates[lane.live] = lane.placeholder(lane.spec(visit, own), visit)
        return {**updates, **self._metered(visit, values)}

    def on_settle(self, visit: Visit, *values: Any) -> Updates:
        """The same for all lanes at once."""

        def act() -> Updates:
            updates: Updates = {}
            for lane in self.lanes[: visit.lanes]:
                updates |= self._settled(visit, lane, values)
            return updates

        return self._tried(act)

    # --- Decoding -----------------------------------------------------------------------------------

    def on_preset(self, own: dials.Dials) -> Callable[[Any], Updates]:
        """The handler of a preset that was chosen."""
        return lambda preset: own.chosen(preset) or {own.preset: gr.skip()}

    def on_dial(self, own: dials.Dials) -> Callable[..., Updates]:
        """The handler of a dial that was turned."""
        return lambda *values: own.after(values)

    def on_linked(self, visit: Visit, linked: Any, mode: Any, start: Any, *values: Any) -> Updates:
        """Whether all lanes decode alike; where not, each begins with what they had in common."""
        updates: Updates = {}
        for lane in self.lanes:
            updates[lane.own_dials] = gr.update(visible=not linked)
            if not linked:
                updates |= dict(zip(lane.dials.controls, values, strict=False))
                updates |= lane.dials.after(values[: len(dials.DIALS)])
                for control, value in zip(lane.dials.controls, values, strict=False):
                    marked = updates[control]
                    updates[control] = {**marked, "value": value} if isinstance(marked, dict) else value
        return updates

    def on_meters(self, visit: Visit, *values: Any) -> Updates:
        """How much of the context the next prompts take."""
        return self._metered(visit, values)

    def _metered(self, visit: Visit, values: Sequence[Any]) -> Updates:
        try:
            wish = self.asking.wish(visit, *values)
        except InputError:
            return {lane.meter: "" for lane in self.lanes}
        return {lane.meter: lane.drawn_meter(visit, wish) for lane in self.lanes[: visit.lanes]}

    # --- The model ----------------------------------------------------------------------------------

    def on_tick(self, visit: Visit, *values: Any) -> Updates:
        """While the model loads: its progress; once it is ready, the lanes there are."""
        status = self.session.status()
        updates: Updates = {self.model: render.model_chip(status)}
        if status.state == "loading":
            return updates
        updates[self.timer] = gr.Timer(active=False)
        for lane in self.lanes:
            preset = self.asking.of_lane(lane, values)[0]
            updates[lane.preset] = gr.update(
                choices=lane.presets(preset if isinstance(preset, str) else None)
            )
        return {**updates, **self.on_settle(visit, *values)}

    def on_load(self, visit: Visit, request: gr.Request, *values: Any) -> Updates:
        """The conversation that the address names, or a fresh page."""
        updates: Updates = {self.model: render.model_chip(self.session.status())}
        id = request.query_params.get("c")
        if id:
            try:
                self.chat.open(visit, id)
                if probe := request.query_params.get("probe"):
                    self.address.take_up(visit, probe, [])
                return {**updates, **self._opened(visit)}
            except Exception as error:
                warn(error)
            updates |= self._shown(visit, values)
        updates |= self._set_up(visit, request.query_params.multi_items())
        # Else the page is as it was made; a person may have begun to use it before this answer comes.
        for lane in self.lanes:
            updates |= lane.refreshed(visit)
        return {**updates, self.history: self._history(visit)}

    # --- The set-up as a link -----------------------------------------------------------------------

    def _set_up(self, visit: Visit, pairs: Sequence[tuple[str, str]]) -> Updates:
        """A fresh page as its address says."""

        def act() -> Updates:
            updates = self.address.follow(visit, pairs, self._set_by_link())
            if not updates and visit.probe is None:
                return {}
            columns = self._columns(visit)
            mode = {self.mode: {**columns[self.mode], "value": updates.pop(self.mode, "own")}}
            return {**columns, **self._above(visit), **updates, **mode}

        return self._tried(act)

    def _set_by_link(self) -> Controls:
        return Controls(
            lanes=self.lanes,
            dials=self.dials,
            linked=self.linked,
            mode=self.mode,
            modes=[value for _, value in MODES],
            defaults=[self._default(lane) for lane in range(LANES)],
        )

    def on_setup(self, visit: Visit, linked: Any, mode: Any, *values: Any) -> Updates:
        """After any change of the set-up: the link that spells it."""
        try:
            wish = self.asking.wish(visit, linked, mode, *values)
            new_seeds = self.asking.new_seeds(visit, linked, mode, *values)
            return self.address.spelled(visit, wish, self._set_by_link(), bool(linked), str(mode), new_seeds)
        except InputError:  # a control is being changed, and says what is wrong when it is used
            return {self.address.link: gr.skip()}

    # --- Drawing ------------------------------------------------------------------------------------

    def _turns(self, visit: Visit) -> int:
        current = self.chat.current(visit)
        return len(current.turns) if current else 0

    def _drawn(self, visit: Visit, view: View) -> Updates:
        """A view's updates: while answers grow, only what changed."""
        conversation = view.conversation
        updates: Updates = {}
        last = len(conversation.turns) - 1
        for lane in self.lanes[: visit.lanes]:
            if view.asked:
                updates[lane.past] = self._talk(visit, conversation, lane, range(last))
            if view.changed[lane.number]:
                updates[lane.live] = self._talk(visit, conversation, lane, [last], view.note)
                updates[lane.line] = self._line(visit, conversation, lane, view.note)
        if view.done:
            updates |= self._buttons(False)
        elif view.asked:
            updates |= {
                **self._buttons(True),
                **self._above(visit, True),
                self.address.conversation: conversation.id,
            }
        return updates

    def _talk(
        self, visit: Visit, conversation: Conversation, lane: Lane, turns: Iterable[int], note: str = ""
    ) -> str:
        cards, turns = self.chat.cards(), list(turns)
        answer = _last(conversation, lane.number)
        writing = turns == [len(conversation.turns) - 1] and answer is not None and not answer.reply.finish
        marks = {} if writing else self.votes.marks(visit, conversation, lane.number)
        return render_talk.talk(conversation, lane.number, turns, cards, note, visit.blind, marks)

    def _marked(self, visit: Visit) -> Updates:
        """The lanes with what judges and people have said by now; what is being written is left alone."""
        conversation = self.chat.current(visit)
        if conversation is None or not conversation.turns:
            return {}
        last, updates = len(conversation.turns) - 1, {}
        for lane in self.lanes[: visit.lanes]:
            updates[lane.past] = self._talk(visit, conversation, lane, range(last))
            if not visit.streaming:
                updates[lane.live] = self._talk(visit, conversation, lane, [last])
        return updates

    def _line(self, visit: Visit, conversation: Conversation, lane: Lane, note: str = "") -> str:
        answer = _last(conversation, lane.number)
        return render.status_line(answer.reply if answer else None, note, visit.blind)

    def _shown(self, visit: Visit, values: Sequence[Any] = (), keep_empty: bool = False) -> Updates:
        """All of the page but its controls, for what the visit shows now.

        Args:
            values: of `asking`, for what an empty lane says it is.
            keep_empty: whether empty lanes are left as they are.
        """
        updates = {**self._columns(visit), **self._above(visit), **self._buttons(False), **self._talks(visit)}
        if not self._turns(visit):
            for lane in self.lanes[: visit.lanes]:
                updates |= {lane.past: "", lane.line: render.status_line(None)}
                if visit.blind:
                    hidden = "One of the lanes; which one is shown when you reveal them."
                    updates[lane.live] = render.placeholder(f"Lane {LETTERS[lane.number]}", hidden)
                elif values and not keep_empty:
                    spec = lane.spec(visit, self.asking.of_lane(lane, values))
                    updates[lane.live] = lane.placeholder(spec, visit)
        updates[self.history] = self._history(visit)
        updates[self.address.conversation] = visit.conversation or ""
        return updates

    def _talks(self, visit: Visit) -> Updates:
        """All lanes of the conversation that the visit shows; nothing where nothing has been asked."""
        conversation = self.chat.current(visit)
        updates: Updates = {}
        if conversation is not None and (turns := len(conversation.turns)):
            for lane in self.lanes[: visit.lanes]:
                updates[lane.past] = self._talk(visit, conversation, lane, range(turns - 1))
                updates[lane.live] = self._talk(visit, conversation, lane, [turns - 1])
                updates[lane.line] = self._line(visit, conversation, lane)
        return updates

    def _columns(self, visit: Visit) -> Updates:
        """Which lanes are there, and whether they are hidden."""
        modes = [mode for mode in MODES if not mode[1].startswith("shared") or int(mode[1][-1]) < visit.lanes]
        classes = ["lane", "blind"] if visit.blind else ["lane"]
        return {
            **{
                lane.column: gr.update(visible=lane.number < visit.lanes, elem_classes=classes)
                for lane in self.lanes
            },
            self.mode: gr.update(choices=modes),
            **self.address.of(visit),
            self.add: gr.update(interactive=visit.lanes < LANES and not visit.blind),
            self.blind: gr.update(value="Reveal" if visit.blind else "Blind"),
        }

    def _above(self, visit: Visit, streaming: bool = False) -> Updates:
        """What stands above the text box; `streaming` as an answer begins to be written."""
        editing = visit.editing_turn is not None
        turns = self._turns(visit)
        return {
            self.fresh: gr.update(visible=not editing and not turns and visit.probe is None),
            **self.probing.above(visit, editing),
            self.begun: gr.update(visible=not editing and bool(turns)),
            self.editing: gr.update(visible=editing),
            **self.votes.drawn(visit, streaming),
            **self.address.of(visit),
            **({} if streaming else self.judge.watched(visit)),
        }

    def _buttons(self, streaming: bool) -> Updates:
        """Send or Stop, whichever can be used. What else cannot be used then is dimmed by the style sheet,
        and refused by its handler."""
        return {self.send: gr.update(visible=not streaming), self.stop: gr.update(visible=streaming)}

    def _opened(self, visit: Visit) -> Updates:
        """A conversation from the record, with the lanes and the decoding it had last."""
        conversation = self.chat.current(visit)
        assert conversation is not None
        return {**self._set_to(visit, conversation), **self._shown(visit)}

    def _set_to(self, visit: Visit, conversation: Conversation) -> Updates:
        """The controls as a conversation's lanes have them."""
        updates: Updates = {}
        variants = conversation.variants[: visit.lanes]
        linked = all(variant.sampling == variants[0].sampling for variant in variants)
        for lane, variant in zip(self.lanes, variants, strict=False):
            updates |= lane.set_to(visit, variant.name)
            updates |= lane.dials.set_to(variant.sampling)
        for lane in self.lanes:
            updates[lane.own_dials] = gr.update(visible=not linked)
        return {**updates, **self.dials.set_to(variants[0].sampling), self.linked: linked}

    def _history(self, visit: Visit) -> Any:
        if self.settings.public:
            return gr.skip()
        choices = [
            (f"{_short(summary.title)} \u00b7 {summary.updated.astimezone():%d %b %H:%M}", summary.id)
            for summary in self.session.history()
        ]
        known = any(id == visit.conversation for _, id in choices)
        return gr.update(choices=choices, value=visit.conversation if known else None, interactive=True)

    def _default(self, lane: int) -> str:
        """URIAL beside IFT, or beside the base if there is no adapter; then the base, and both at once."""
        adapter = next(iter(self.chat.cards()), None)
        both = f"urial:adapter={adapter}" if adapter else "urial"
        return ("urial", adapter or "base", "base", both)[lane]


def _swapped(lane: int, lanes: int) -> list[int]:
    order = list(range(lanes))
    other = (lane + 1) % lanes
    order[lane], order[other] = order[other], order[lane]
    return order


def _duplicated(lane: int, lanes: int) -> list[int]:
    order = list(range(lanes))
    return [*order[: lane + 1], lane, *order[lane + 1 :]]


def _removed(lane: int, lanes: int) -> list[int]:
    if lanes == 1:
        raise InputError("The last lane stays: add another one first.")
    return [each for each in range(lanes) if each != lane]


def _last(conversation: Conversation, lane: int) -> Answer | None:
    answers = [turn.answers[lane] for turn in conversation.turns if lane < len(turn.answers)]
    return answers[-1] if answers else None


def _short(text: str, most: int = 48) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "\u2026"
