"""The page's components, and where they stand."""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.config import Settings
from playground.library import POCKET, same_model
from playground.model_switch import ModelSwitch
from playground.rate_limits import Gate
from playground.session import Session
from playground.ui.controls import decoding as decoding_controls
from playground.ui.controls.buttons import small_button
from playground.ui.controls.choice import Choice
from playground.ui.controls.lane import Lane
from playground.ui.dialogs.compare import CompareDialog
from playground.ui.dialogs.demonstrations import DemonstrationEditor
from playground.ui.dialogs.dialog import HtmlDialog
from playground.ui.dialogs.judge import JudgePanel
from playground.ui.dialogs.model import ON_CLICK, ModelDialog, ModelLoadingDialog
from playground.ui.dialogs.probes import ProbesDialog
from playground.ui.dialogs.prompt import PromptDialog
from playground.ui.dialogs.scores import ScoresDialog
from playground.ui.html import labels as html_labels
from playground.ui.page.address import Address
from playground.ui.page.asking import MODES, START_LIMIT, Asking
from playground.ui.page.controller import Controller
from playground.ui.page.probe_row import ProbeRow
from playground.ui.page.state import LANES, PageState
from playground.ui.page.votes import Votes
from playground.ui.server.start import owner, visitor, voter

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


class Parts:
    """The page's components; made inside a `gr.Blocks`."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self.session = session
        self.settings = settings
        gate = Gate(settings.limits)
        everybody = settings.shared_history
        self.chat = Controller(
            session, gate, lambda: visitor(settings.proxies), (lambda: None) if everybody else owner
        )
        self._compose()
        self.asking = Asking(self.linked, self.mode, self.start, self.dials, self.lanes)
        self.inputs = [self.state, *self.asking.components]

    # --- Components -------------------------------------------------------------------------------

    def _compose(self) -> None:
        self.state = gr.State(PageState())
        self.address = Address(self.chat)
        self.timer = gr.Timer(0.5)
        self.judge = JudgePanel(self.chat, self.settings)
        with gr.Row(elem_id="topbar"):
            gr.HTML(
                "<h1>Tandem</h1><p>One base model, aligned in several ways: ask once, see all answer.</p>",
                elem_id="title",
            )
            with gr.Row(elem_id="tools"):
                self.add = small_button("Add a lane", "add-lane")
                self.square = small_button("The 2\u00d72", "square")
                self.blind = small_button("Blind", "blind")
                self.probes = small_button("Probes", "probes")
                self.scoring = small_button("Scores", "open-scores")
                self.copy_link = small_button("Copy link", "copy-link")
                self.keys = small_button("?", "keys")
            chip = html_labels.model_chip(self.session.status())
            self.model = gr.HTML(chip, js_on_load=ON_CLICK, elem_id="model")
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
                Lane(number, self.chat, self.chat.catalog.default_lane(number), number < PageState.lanes)
                for number in range(LANES)
            ]
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
        self.model_dialog = self._compose_model_dialog()
        self.prompt_dialog = PromptDialog(self.chat)
        self.demonstration_editor = DemonstrationEditor(self.chat, LANES, self.settings.public)
        self.compare = CompareDialog(self.chat)
        self.after = HtmlDialog("after", "After the stop")
        self.probes_dialog = ProbesDialog(self.chat, self.settings.public)
        self.scores_dialog = ScoresDialog(self.session, self.chat, self.settings.public)
        self.judge.compose_sheet()
        self.shortcuts = HtmlDialog("shortcuts", "Keyboard")

    def _compose_model_dialog(self) -> ModelDialog:
        if self.settings.public:
            return ModelDialog(self.session)
        model_switch = ModelSwitch(self.session, self.settings)
        return ModelLoadingDialog(self.session, model_switch, self.state, self.timer)

    def _compose_above(self) -> None:
        """What stands above the text box: examples on a fresh page, what one can do in a conversation."""
        with gr.Row(elem_id="examples", elem_classes="above") as self.fresh:
            examples = POCKET_EXAMPLES if same_model(self.settings.base, POCKET) else EXAMPLES
            self.examples = [small_button(text, f"example-{number}") for number, text in enumerate(examples)]
        self.probe_row = ProbeRow(self.chat)
        with gr.Row(visible=False, elem_id="actions", elem_classes="above") as self.begun:
            self.votes = Votes(self.chat, voter)
            self.judge.compose_row()
            self.retry = small_button("Retry all", "retry")
            self.undo = small_button("Undo the turn", "undo")
            self.replay = small_button("Replay", "replay")
            self.differences = small_button("Differences", "differences")
        with gr.Row(visible=False, elem_id="editing", elem_classes="above") as self.editing:
            self.edited = gr.HTML("", elem_id="edited")
            self.leave = small_button("Cancel", "cancel-edit")

    def _compose_decoding(self) -> None:
        self.dials = decoding_controls.Dials(most=self.settings.limits.max_tokens)
        with gr.Row(elem_id="decoding", elem_classes="dials"):
            self.dials.compose_main()
            self.more = small_button("More", "more")
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

    # --- Groups of them, as outputs --------------------------------------------------------------------

    @property
    def growing(self) -> list[Any]:
        """What is updated while answers grow: few, since a browser's work for an update grows with them."""
        parts = [self.box, self.send, self.stop, self.history, self.address.conversation, *self.above]
        return parts + [part for lane in self.lanes for part in (lane.past, lane.live, lane.line)]

    @property
    def above(self) -> list[Any]:
        """What stands above the text box, as `_above` updates it."""
        return [
            self.fresh,
            self.begun,
            self.editing,
            self.votes.row,
            self.address.moved,
            *self.probe_row.outputs,
        ]

    @property
    def talks(self) -> list[Any]:
        """The lanes' conversations."""
        return [part for lane in self.lanes for part in (lane.past, lane.live)]

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
            *(
                self.prompt_dialog.outputs
                + self.after.outputs
                + self.probes_dialog.outputs
                + self.probe_row.outputs
            ),
            *(self.votes.parts + self.judge.parts),
            *(part for each in own for part in (each.preset, *each.controls)),
        ]
        for lane in self.lanes:
            parts += [lane.column, lane.past, lane.live, lane.line, lane.meter, lane.own_dials]
            parts += [*lane.rows, *lane.controls]
        return parts
