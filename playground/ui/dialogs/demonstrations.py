"""The workbench: a demonstration set as cards that can be switched off, moved, edited, added to and saved."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from playground import context_fit
from playground.demonstrations.draft import Draft
from playground.demonstrations.families import pieces
from playground.lanes.letters import LETTERS
from playground.lanes.names import URIAL
from playground.types import Demo, DemoSet, Exchange, InputError, Prompt
from playground.ui.controls.choice import Choice
from playground.ui.controls.decoding import Update
from playground.ui.controls.events import QUICK
from playground.ui.controls.lane import Lane
from playground.ui.controls.toast import say, tried, warn
from playground.ui.html import prompt as html_prompt
from playground.ui.page.controller import Controller
from playground.ui.page.state import PageState

TURNS = 4
"""Turns that a demonstration may have to be edited here."""
OWN_SETS = 20
"""Edited or imported sets that one page holds."""

# One listener for all cards: which button of which card was pressed.
ON_CLICK = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-act]');
  if (button) trigger('click', {act: button.dataset.act, at: Number(button.dataset.at)});
});
"""


class Bench:
    """A sheet over the page; made inside a `gr.Blocks`."""

    def __init__(self, chat: Controller, lanes: int, public: bool) -> None:
        self.chat = chat
        self._public = public
        with gr.Column(visible=False, elem_id="bench", elem_classes="sheet") as self.sheet:
            with gr.Row(elem_classes="sheet-head"):
                gr.HTML("<h2>Demonstrations</h2>", elem_id="bench-title")
                self.pick = Choice(
                    [], label="Set", container=False, min_width=170, scale=1, elem_id="bench-set"
                )
                self.compare = Choice(
                    [], label="Compare with", container=False, min_width=170, scale=1, elem_id="bench-compare"
                )
                self.load = gr.UploadButton(
                    "Import",
                    file_types=[".txt", ".toml"],
                    size="sm",
                    min_width=0,
                    scale=0,
                    visible=not public,
                    elem_id="bench-import",
                )
                self.close = gr.Button(
                    "Close", size="sm", min_width=0, scale=0, elem_id="bench-close", elem_classes="close"
                )
            self.about = gr.HTML("", elem_id="bench-about")
            with gr.Column(elem_classes="sheet-body", elem_id="bench-body"):
                self.instruction = gr.Textbox(
                    label="Instruction", lines=2, max_lines=8, elem_id="bench-instruction"
                )
                with gr.Column(visible=False, elem_id="bench-editor") as self.editor:
                    self.heading = gr.HTML("", elem_id="bench-editing")
                    self.turns: list[tuple[gr.Row, gr.Textbox, gr.Textbox]] = []
                    for turn in range(TURNS):
                        self.turns.append(self._compose_turn(turn))
                    with gr.Row(elem_classes="sheet-foot"):
                        self.more = gr.Button(
                            "Add a turn", size="sm", min_width=0, scale=0, elem_id="bench-more"
                        )
                        self.cancel = gr.Button(
                            "Cancel", size="sm", min_width=0, scale=0, elem_id="bench-cancel"
                        )
                        self.apply = gr.Button(
                            "Apply", variant="primary", size="sm", min_width=0, scale=0, elem_id="bench-apply"
                        )
                self.cards = gr.HTML("", js_on_load=ON_CLICK, elem_id="bench-cards")
            with gr.Row(elem_classes="sheet-foot", elem_id="bench-foot"):
                self.add = gr.Button(
                    "New demonstration", size="sm", min_width=0, scale=0, elem_id="bench-add"
                )
                self.use = [
                    gr.Button(
                        f"Use in {LETTERS[lane]}", size="sm", min_width=0, scale=0, elem_id=f"use-{lane}"
                    )
                    for lane in range(lanes)
                ]
                self.name = gr.Textbox(
                    placeholder="Name of a new set",
                    label="Name",
                    container=False,
                    max_length=100,
                    min_width=140,
                    scale=1,
                    visible=not public,
                    elem_id="bench-name",
                )
                self.save = gr.Button(
                    "Save",
                    variant="primary",
                    size="sm",
                    min_width=0,
                    scale=0,
                    visible=not public,
                    elem_id="bench-save",
                )

    def _compose_turn(self, turn: int) -> tuple[gr.Row, gr.Textbox, gr.Textbox]:
        with gr.Row(visible=turn == 0) as row:
            query = gr.Textbox(
                label="Query" if turn == 0 else f"Query, turn {turn + 1}",
                lines=3,
                max_lines=12,
                min_width=220,
                elem_id=f"bench-query-{turn}",
            )
            answer = gr.Textbox(
                label="Answer" if turn == 0 else f"Answer, turn {turn + 1}",
                placeholder="Left empty: the query is shown without an answer",
                lines=3,
                max_lines=12,
                min_width=220,
                elem_id=f"bench-answer-{turn}",
            )
        return row, query, answer

    @property
    def drawn(self) -> list[Any]:
        """The components that `draw` updates."""
        return [self.pick, self.compare, self.about, self.instruction, self.cards, *self.edited]

    @property
    def edited(self) -> list[Any]:
        """The components that `draw_editor` updates."""
        return [self.editor, self.heading, *(part for turn in self.turns for part in turn)]

    @property
    def texts(self) -> list[gr.Textbox]:
        """The editor's boxes, query and answer by turns."""
        return [box for _, query, answer in self.turns for box in (query, answer)]

    def connect(
        self, lanes: Sequence[Lane], state: gr.State, settle: tuple[Any, list[Any], list[Any]]
    ) -> None:
        """Give the buttons their work; `settle` is the event after a lane's controls were set from here."""
        drawing = [state, self.compare]

        def on(happens: Any, act: Callable[..., Any], *inputs: Any) -> None:
            happens(self.on_bench(act), [*drawing, *inputs], self.drawn, **QUICK)

        on(self.pick.input, self.take_up, self.pick)
        on(self.compare.input, lambda state: None)
        on(self.instruction.blur, self.tell, self.instruction)
        on(self.add.click, self.begin_new)
        on(self.cancel.click, self.stop_editing)
        on(self.load.upload, self.take_in, self.load)
        self.cards.click(self.on_card, drawing, self.drawn, **QUICK)
        self.apply.click(self.on_apply, [*drawing, *self.texts], self.drawn, **QUICK)
        self.save.click(self.on_save, [*drawing, self.name], self.drawn, **QUICK)
        rows = [row for row, _, _ in self.turns]
        self.more.click(self.on_more, [state, *self.texts], rows, **QUICK)
        for lane, button in zip(lanes, self.use, strict=True):
            inputs = [state, *lane.controls]
            lane.edit.click(self.on_edit(lane), inputs, [self.sheet, *self.use, *self.drawn], **QUICK)
            outputs = [self.sheet, *lane.rows, *lane.controls]
            used = button.click(self.on_use(lane), inputs, outputs, **QUICK)
            used.then(*settle, **QUICK)
        self.close.click(lambda: gr.update(visible=False), None, self.sheet, **QUICK)

    # --- Handlers ---------------------------------------------------------------------------------

    def on_bench(self, act: Callable[..., Any]) -> Callable[..., tuple[Update, ...]]:
        """The handler that does `act(visit, ...)` on the workbench and draws it."""

        def handler(state: PageState, compare: Any, *values: Any) -> tuple[Update, ...]:
            try:
                act(state, *values)
            except Exception as error:
                warn(error)
            return self.draw(state, compare) if state.demonstrations.draft else (gr.skip(),) * len(self.drawn)

        return handler

    def on_card(self, state: PageState, compare: Any, event: gr.EventData) -> tuple[Update, ...]:
        """A button of a card."""
        pressed = event._data or {}
        return self.on_bench(self.act)(state, compare, pressed.get("act"), pressed.get("at"))

    def on_apply(self, state: PageState, compare: Any, *texts: Any) -> tuple[Update, ...]:
        """What the editor holds becomes the demonstration; if it cannot, the editor keeps it."""
        try:
            self.finish(state, texts)
        except Exception as error:
            warn(error)
            return (gr.skip(),) * len(self.drawn)
        return self.draw(state, compare)

    def on_more(self, state: PageState, *texts: Any) -> tuple[Update, ...]:
        """Room for one more turn in the editor."""
        used = max((at // 2 + 1 for at, text in enumerate(texts) if text), default=1)
        return tuple(gr.update(visible=turn <= used) for turn in range(len(self.turns)))

    def on_edit(self, lane: Lane) -> Callable[..., tuple[Update, ...]]:
        """The handler that opens the workbench with a lane's set."""

        def handler(state: PageState, *values: Any) -> tuple[Update, ...]:
            try:
                name = lane.recipe(values).demos or self.chat.catalog.default_set()
                if state.demonstrations.draft is None or state.demonstrations.draft.demos.name != name:
                    self.take_up(state, name)
                there = [gr.update(visible=number < state.lanes) for number in range(len(self.use))]
                return (gr.update(visible=True), *there, *self.draw(state))
            except Exception as error:
                warn(error)
                return (gr.skip(),) * (1 + len(self.use) + len(self.drawn))

        return handler

    def on_use(self, lane: Lane) -> Callable[..., dict[Any, Update]]:
        """The handler that puts the workbench's set into a lane, all of it."""

        def handler(state: PageState, *values: Any) -> dict[Any, Update]:
            def act() -> dict[Any, Update]:
                name = self.keep(state)
                recipe = lane.recipe(values)
                preset = recipe.preset if recipe.kind.demonstrations else URIAL
                recipe = dataclasses.replace(recipe, preset=preset, demos=name, k=None, pick="first")
                spec = recipe.spec(self.chat.catalog.default_set(), self.chat.catalog.sets(state))
                return {self.sheet: gr.update(visible=False), **lane.set_to(state, spec)}

            return tried(act, self.sheet)

        return handler

    def on_save(self, state: PageState, compare: Any, name: Any) -> tuple[Update, ...]:
        """Save the workbench's set as the user's own."""
        try:
            if self._public:
                raise InputError("This page saves nothing for others: run Tandem yourself to save sets.")
            say(f"Saved as {self.write(state, name)}.")
        except Exception as error:
            warn(error)
            return (gr.skip(),) * len(self.drawn)
        return self.draw(state, compare)

    # --- What happens -----------------------------------------------------------------------------

    def take_up(self, state: PageState, name: Any) -> None:
        """Put a set on the workbench.

        Raises:
            InputError: there is none of that name.
        """
        sets = self.chat.catalog.sets(state)
        if name not in sets:
            raise InputError(f"There is no demonstration set {name!r} any more: choose another.")
        state.demonstrations.draft, state.demonstrations.card = Draft.of(sets[name]), None

    def act(self, state: PageState, act: Any, at: Any) -> None:
        """A button of a card was pressed.

        Raises:
            InputError: it means nothing.
        """
        draft = self._draft(state)
        if not isinstance(at, int) or act not in ("switch", "up", "down", "edit", "remove"):
            raise InputError("There is no such button: open the set again.")
        if act == "edit":
            if not 0 <= at < len(draft.cards):
                raise InputError(f"There is no demonstration {at + 1} here: open the set again.")
            if len(draft.cards[at].demo.exchanges) > TURNS:
                raise InputError(
                    f"Demonstration {at + 1} has more than {TURNS} turns: edit it in the set's TOML file."
                )
            state.demonstrations.card = at
            return
        state.demonstrations.card = None
        if act == "switch":
            state.demonstrations.draft = draft.switched(at)
        elif act == "remove":
            state.demonstrations.draft = draft.removed(at)
        else:
            state.demonstrations.draft = draft.moved(at, -1 if act == "up" else 1)

    def begin_new(self, state: PageState) -> None:
        """Edit a demonstration that is still to be."""
        state.demonstrations.card = len(self._draft(state).cards)

    def stop_editing(self, state: PageState) -> None:
        """Leave the demonstration as it was."""
        state.demonstrations.card = None

    def finish(self, state: PageState, texts: Sequence[Any]) -> None:
        """What the editor holds becomes the demonstration.

        Raises:
            InputError: it cannot be one.
        """
        draft = self._draft(state)
        at = state.demonstrations.card
        if at is None:
            raise InputError("No demonstration is being edited: press Edit on one.")
        exchanges = [
            Exchange(query=str(query or ""), answer=str(answer) if answer else None)
            for query, answer in zip(texts[::2], texts[1::2], strict=True)
        ]
        while len(exchanges) > 1 and not exchanges[-1].query and exchanges[-1].answer is None:
            exchanges.pop()
        first, *then = exchanges
        before = draft.cards[at].demo.before if at < len(draft.cards) else ""
        demo = Demo(query=first.query, answer=first.answer, then=tuple(then), before=before)
        state.demonstrations.draft, state.demonstrations.card = draft.changed(at, demo), None

    def tell(self, state: PageState, instruction: Any) -> None:
        """Another instruction.

        Raises:
            InputError: the set cannot be edited.
        """
        state.demonstrations.draft = self._draft(state).told(str(instruction or ""))

    def keep(self, state: PageState) -> str:
        """Keep the draft's set for the visit's lanes; its name.

        Raises:
            InputError: there is no room for more.
        """
        demos = self._draft(state).demos
        if demos.name not in self.chat.catalog.sets(state):
            self._shelve(state, demos)
        return demos.name

    def take_in(self, state: PageState, path: Any) -> None:
        """A file that a person brought becomes a set of this visit, and is taken up.

        Raises:
            InputError: it is no demonstration set, or this page takes none.
        """
        if self._public:
            raise InputError("This page takes no files: run Tandem yourself to import sets.")
        demos = self.chat.catalog.read_set(path)
        taken = self.chat.catalog.sets(state).get(demos.name)
        if taken is not None and taken.content_hash != demos.content_hash:
            raise InputError(
                f"There is another demonstration set {demos.name!r}: rename the file, or the name in it."
            )
        if taken is None:
            self._shelve(state, demos)
        self.take_up(state, demos.name)

    def write(self, state: PageState, name: Any) -> str:
        """Save the draft's set under a name, in the user's folder; says where it is.

        Raises:
            InputError: it cannot have that name.
            OutsideError: it cannot be written.
        """
        draft = self._draft(state)
        path = self.chat.catalog.save_set(draft.demos, str(name or "").strip())
        self.take_up(state, str(name).strip())
        return str(path)

    def _shelve(self, state: PageState, demos: DemoSet) -> None:
        if len(state.demonstrations.sets) >= OWN_SETS:
            raise InputError(
                f"This page holds {OWN_SETS} unsaved sets already: save what you need, and reload."
            )
        state.demonstrations.sets[demos.name] = demos

    @staticmethod
    def _draft(state: PageState) -> Draft:
        if state.demonstrations.draft is None:
            raise InputError("There is no set on the workbench: choose one.")
        return state.demonstrations.draft

    # --- Drawing ----------------------------------------------------------------------------------

    def draw(self, state: PageState, compare: Any = None) -> tuple[Update, ...]:
        """Everything on the sheet but the names of new sets."""
        draft = self._draft(state)
        sets = self.chat.catalog.sets(state)
        other = sets.get(compare) if compare else None
        names = list(sets)
        against: list[tuple[str, str]] = [("compare with…", ""), *((name, name) for name in names)]
        return (
            gr.update(choices=names, value=draft.source.name),
            gr.update(choices=against, value=compare if other else ""),
            self._about(draft),
            gr.update(value=draft.instruction, interactive=not draft.source.whole),
            html_prompt.cards(draft, self._costs(draft), other, state.demonstrations.card),
            *self.draw_editor(state),
        )

    def draw_editor(self, state: PageState) -> tuple[Update, ...]:
        """The editor with the demonstration that is being edited."""
        draft, at = self._draft(state), state.demonstrations.card
        if at is None:
            return (gr.update(visible=False), gr.skip(), *(gr.skip(),) * (3 * TURNS))
        new = at >= len(draft.cards)
        demo = Demo(query="", answer=None) if new else draft.cards[at].demo
        heading = "New demonstration" if new else f"Demonstration {at + 1}"
        exchanges = demo.exchanges
        boxes: list[Update] = []
        for turn in range(TURNS):
            exchange = exchanges[turn] if turn < len(exchanges) else None
            boxes += [
                gr.update(visible=turn < max(1, len(exchanges))),
                exchange.query if exchange else "",
                (exchange.answer or "") if exchange else "",
            ]
        return (gr.update(visible=True), f"<h3>{heading}</h3>", *boxes)

    def _about(self, draft: Draft) -> str:
        source = draft.source
        facts = [f"{len(draft.demos.demos)} of {len(draft.cards)} demonstrations on"]
        if draft.edited:
            facts.insert(0, "<strong>edited</strong>, not saved")
        facts.append(f"format {html_prompt.escaped(source.format)}")
        facts.append(f"content {draft.demos.content_hash[:12]}")
        described = " ".join(filter(None, (source.description, source.note)))
        return f"<p>{html_prompt.escaped(described)}</p><p class='facts'>{' · '.join(facts)}</p>"

    def _costs(self, draft: Draft) -> list[int] | None:
        """Tokens of each card, switched off or not; None while the model is loading."""
        every = draft.source.changed(demos=tuple(card.demo for card in draft.cards))
        prompt = Prompt.of(pieces(every, []))
        tokens = self.chat.session.tokens(prompt)
        if tokens is None:
            return None
        costs = context_fit.by_part(prompt, tokens)
        kinds = zip(prompt.parts, costs, strict=True)
        return [cost for part, cost in kinds if part.kind == "demonstration"]
