"""The main page. Its features are created in document order, and then their events are connected.

Each feature is a module in this package or in `dialogs` that defines components, handlers and UI updates.
Handlers validate their inputs, because requests can come from clients other than the page. Handlers return UI
updates keyed by component; all other components are left unchanged.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.api.app import Api
from playground.config import Settings
from playground.model_switch import ModelSwitch
from playground.rate_limits import Gate
from playground.session import Session
from playground.ui.controls.buttons import small_button
from playground.ui.controls.events import GATHERED
from playground.ui.dialogs import shortcuts
from playground.ui.dialogs.chat_model import ChatModelDialog
from playground.ui.dialogs.compare import CompareDialog
from playground.ui.dialogs.demonstrations import DemonstrationEditor
from playground.ui.dialogs.dialog import HtmlDialog
from playground.ui.dialogs.judge import JudgeDialog, JudgeRow
from playground.ui.dialogs.model import LoadingState, ModelDialog, ModelLoadingDialog
from playground.ui.dialogs.probes import ProbesDialog
from playground.ui.dialogs.prompt import PromptDialog
from playground.ui.dialogs.scores import ScoresDialog
from playground.ui.page.actions import Actions
from playground.ui.page.address import Address
from playground.ui.page.arrangement import Arrangement
from playground.ui.page.composer import Composer
from playground.ui.page.controller import Controller
from playground.ui.page.conversation import ConversationView
from playground.ui.page.decoding import Decoding
from playground.ui.page.download import Download
from playground.ui.page.events import PageEvents
from playground.ui.page.examples import ExampleRow
from playground.ui.page.inputs import PageInputs
from playground.ui.page.lanes import Lanes
from playground.ui.page.load import PageLoad
from playground.ui.page.probe_row import ProbeRow
from playground.ui.page.probes import ProbePlayer
from playground.ui.page.resets import Resets
from playground.ui.page.runs import ABANDONED_AFTER
from playground.ui.page.sparse import SparseBlocks
from playground.ui.page.state import LANES, PageState
from playground.ui.page.stream import AnswerStream
from playground.ui.page.topbar import TopBar
from playground.ui.page.tour import Tour
from playground.ui.page.tour_row import TourRow
from playground.ui.page.votes import Votes
from playground.ui.server.caller import get_owner, get_visitor, get_voter


def build_page(session: Session, settings: Settings) -> gr.Blocks:
    """Build the main page for a session, and start prefilling the prompts of the default lanes."""
    gate = Gate(settings.limits)
    controller = Controller(
        session,
        gate,
        lambda: get_visitor(settings.proxies),
        (lambda: None) if settings.shared_history else get_owner,
        ABANDONED_AFTER if settings.public else None,
        offers_chat_models=not settings.public,
    )
    blocks: SparseBlocks
    # Gradio deletes cached files after one hour.
    with SparseBlocks(
        title="Tandem",
        fill_height=True,
        fill_width=True,
        analytics_enabled=False,
        delete_cache=(3600, 3600),
    ) as blocks:
        blocks.api = Api(session, gate, settings.api_key) if settings.api else None
        blocks.read_status, blocks.count_answers = session.status, session.count_answers
        Page(controller, settings).connect(blocks)
    catalog = controller.catalog
    catalog.warm([catalog.default_lane(lane) for lane in range(PageState.lanes)])
    return blocks


class Page:
    """The page with all of its features. Must be created inside a `gr.Blocks` context."""

    def __init__(self, controller: Controller, settings: Settings) -> None:
        """Create all components."""
        self.controller, self.settings = controller, settings
        # The inputs of most events come first, because Gradio's frontend searches for them from the start.
        self.state = gr.State(PageState())
        self.gathered = gr.JSON(visible=False, elem_id=GATHERED)
        self.loading_state = LoadingState()
        self.address = Address(controller)
        self.load = PageLoad(controller, self.address)
        self.conversation = ConversationView(controller, settings.public, self.address)
        self.arrangement = Arrangement(controller, self.address)
        self.topbar = TopBar(controller.session, self.arrangement, self.conversation)
        self.lanes = Lanes(controller)
        self.composer = Composer(controller)
        self.decoding = Decoding(self.lanes, settings.limits.max_tokens)
        with gr.Column(elem_id="bottom"):
            actions, editing = self._compose_bottom()
        self._compose_dialogs()
        self.actions = Actions(
            self.controller,
            examples=self.examples,
            actions=actions,
            editing=editing,
            send=self.composer.send,
            stop=self.composer.stop,
            probe_row=self.probe_row,
            tour=self.tour_row,
            votes=self.votes,
            judge=self.judge,
            address=self.address,
            hidden_lanes=self.hidden_lanes,
            setup_undo=self.setup_undo,
        )

    def _compose_bottom(self) -> tuple[gr.Row, gr.Row]:
        """Add all components below the lanes. Return the action row and the editing row."""
        composer, conversation = self.composer, self.conversation
        self.hidden_lanes = gr.HTML("", visible=False, elem_id="hidden-lanes", elem_classes="above")
        self.setup_undo = self.arrangement.compose_undo()
        self.download = Download(self.controller, self.settings.is_ephemeral)
        self.tour_row = TourRow()
        self.examples = ExampleRow(lambda: self.controller.session.library.base)
        self.probe_row = ProbeRow(self.controller)
        with gr.Row(visible=False, elem_id="actions", elem_classes="above") as actions:
            self.votes = Votes(self.controller, get_voter)
            self.judge_row = JudgeRow()
            composer.compose_retry()
            conversation.compose_undo()
            composer.compose_replay()
            self.differences = small_button("Differences", "differences")
            self.unmark = small_button("Hide differences", "unmark", visible=False)
            self.download.compose()
        with gr.Row(visible=False, elem_id="editing", elem_classes="above") as editing:
            conversation.compose_editing()
        with gr.Row(elem_id="composer", equal_height=False):
            composer.compose_box()
            conversation.compose_new()
        with gr.Row(elem_id="decoding", elem_classes="controls"):
            self.decoding.compose_main()
        with gr.Row(elem_id="decoding-more", elem_classes="controls"):
            self.decoding.compose_more()
            self.arrangement.compose_mode()
            composer.compose_prefill()
        return actions, editing

    def _compose_dialogs(self) -> None:
        controller, settings = self.controller, self.settings
        self.model_dialog = self._compose_model_dialog()
        self.prompt_dialog = PromptDialog(controller)
        self.demonstration_editor = DemonstrationEditor(controller, LANES, settings.public)
        self.compare = CompareDialog(controller)
        self.after = HtmlDialog("after", "Raw output after the stop", size="small")
        self.probes_dialog = ProbesDialog(controller, settings.public)
        self.scores_dialog = ScoresDialog(controller.session, controller, settings.public)
        self.judge = JudgeDialog(controller, settings, self.judge_row)
        self.chat_model = ChatModelDialog(controller, self.lanes)
        self.shortcuts = HtmlDialog("shortcuts", "Help", shortcuts.ON_CLICK)

    def _compose_model_dialog(self) -> ModelDialog:
        session = self.controller.session
        if self.settings.public or self.settings.remotes:  # models are loaded on the server
            return ModelDialog(session)
        model_switch = ModelSwitch(session, self.settings)
        return ModelLoadingDialog(session, model_switch, self.state, self.loading_state, self.load.timer)

    @property
    def outputs(self) -> list[Any]:
        """All components updated by the page's handlers."""
        return [
            *(self.composer.outputs + self.conversation.outputs + self.topbar.outputs),
            *(self.load.timer, *self.address.parts),
            *(self.actions.outputs + self.arrangement.outputs + self.decoding.outputs),
            *(self.prompt_dialog.outputs + self.after.outputs + self.probes_dialog.outputs),
            *self.probe_row.outputs,
            self.composer.prefill,
            *(self.judge.all_outputs + self.lanes.outputs),
        ]

    # --- Connections --------------------------------------------------------------------------------

    def connect(self, blocks: gr.Blocks) -> None:
        """Connect the events of all features."""
        inputs = PageInputs(
            state=self.state,
            shown=self.address.conversation,
            lanes=self.lanes.columns,
            decoding=self.decoding.common,
            linked=self.decoding.linked,
            mode=self.arrangement.mode,
            prefill=self.composer.prefill,
            message=self.composer.box,
            gathered=self.gathered,
        )
        outputs = list(dict.fromkeys(self.outputs))
        refusal = self.actions.draw_buttons(streaming=False)
        events = PageEvents(self.controller, inputs, outputs, refusal)
        self._connect_features(events)
        self.load.connect(
            blocks,
            events,
            topbar=self.topbar,
            lanes=self.lanes,
            arrangement=self.arrangement,
            decoding=self.decoding,
            actions=self.actions,
            conversation=self.conversation,
        )
        self._connect_dialogs(events)

    def _connect_features(self, events: PageEvents) -> None:
        stream = AnswerStream(
            self.controller,
            events,
            self.lanes,
            self.conversation,
            self.composer.box,
            self.load.watch,
            [self.topbar.model, self.load.timer],
        )
        self.conversation.connect(
            events,
            lanes=self.lanes,
            arrangement=self.arrangement,
            decoding=self.decoding,
            actions=self.actions,
            box=self.composer.box,
            judge=self.judge,
            prompt_dialog=self.prompt_dialog,
            after=self.after,
        )
        self.download.connect(events)
        self.composer.connect(events, stream, self.lanes, self.examples, replays=[self.setup_undo.replay])
        player = ProbePlayer(self.controller, self.probe_row, self.probes_dialog, self.conversation, stream)
        player.connect(events)
        tour = Tour(
            self.controller, self.tour_row, self.conversation, self.arrangement, self.composer.prefill
        )
        tour.connect(events, stream, self.examples.tour, self.shortcuts)
        stream.connect()
        self.arrangement.connect(events, self.lanes, self.conversation)
        self.lanes.connect(events, self.chat_model)
        self.decoding.connect(events, self.setup_undo)
        Resets(self.controller, self.setup_undo).connect(
            events,
            lanes=self.lanes,
            decoding=self.decoding,
            arrangement=self.arrangement,
            page=self.conversation,
            prefill=self.composer.prefill,
        )

    def _connect_dialogs(self, events: PageEvents) -> None:
        state, inputs, draw_marks = self.state, events.inputs, self.conversation.turns.draw_marks
        lanes = self.lanes.columns
        self.topbar.connect(self.shortcuts)
        self.model_dialog.connect(self.topbar.model)
        self.prompt_dialog.connect(lanes, self.composer.box, inputs.read, events.on, events.on_each)
        for used in self.demonstration_editor.connect(lanes, state, events):
            events.on(used.then, self.lanes.on_controls)
        self.chat_model.connect(events)
        self.compare.connect(self.differences, self.unmark, state, draw_marks, self.lanes.turns)
        self.probes_dialog.connect(self.topbar.probes)
        self.votes.connect(state, draw_marks, self.lanes.turns)
        self.judge.connect(state, draw_marks, self.lanes.turns)
        opened = self.scores_dialog.connect(
            self.topbar.scores, state, self.conversation.draw_opened, events.outputs
        )
        events.on(opened.then, self.lanes.on_meters, self.lanes.meters)
