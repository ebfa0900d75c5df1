"""The page: which handler each event goes to.

Every handler checks what it is given; what a browser sends need not come from this page. A handler gives the
updates by component, so that what it does not name stays as it is.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.config import Settings
from playground.session import Session
from playground.ui.controls import decoding as decoding_controls
from playground.ui.controls.events import HIDDEN, QUICK, RAW
from playground.ui.controls.lane import Lane
from playground.ui.dialogs import shortcuts
from playground.ui.page.address import FOLLOW
from playground.ui.page.components import Parts
from playground.ui.page.conversation import Talking
from playground.ui.page.lanes import Arranging, duplicated, removed, swapped
from playground.ui.page.load import Arriving
from playground.ui.page.sparse import SparseBlocks
from playground.ui.page.state import PageState
from playground.ui.page.updates import Drawing
from playground.ui.server.start import PEOPLE_AT_ONCE


def page(session: Session, settings: Settings) -> gr.Blocks:
    """The page on `session`."""
    return _Page(session, settings).blocks


class _Page:
    def __init__(self, session: Session, settings: Settings) -> None:
        # Nothing is uploaded or made on this page; what Gradio caches anyway goes after an hour.
        with SparseBlocks(
            title="Tandem",
            fill_height=True,
            fill_width=True,
            analytics_enabled=False,
            delete_cache=(3600, 3600),
        ) as self.blocks:
            self.page = Parts(session, settings)
            self.drawing = Drawing(self.page)
            self.talking = Talking(self.page, self.drawing)
            self.arranging = Arranging(self.page, self.drawing)
            self.arriving = Arriving(self.page, self.drawing, self.arranging)
            self._connect()
        chat = self.page.chat
        chat.catalog.warm([chat.catalog.default_lane(lane) for lane in range(PageState.lanes)])

    def _connect(self) -> None:
        page, talking, arranging = self.page, self.talking, self.arranging
        # Many people at once, each with a stream; the pool is one, since the lowest limit in it counts.
        stream: dict[str, Any] = {
            **HIDDEN,
            "concurrency_limit": PEOPLE_AT_ONCE,
            "concurrency_id": "stream",
            "outputs": page.growing,
            **RAW,
        }
        quick: dict[str, Any] = {**QUICK, "outputs": page.everything}
        metered: dict[str, Any] = {**quick, "outputs": page.meters}
        watched = [page.judge.timer, page.judge.stop, page.judge.cancel]
        listed = [
            *page.meters,
            *page.above,
            *page.votes.parts[1:],
            *watched,
            page.send,
            page.stop,
        ]
        ended: dict[str, Any] = {**quick, "outputs": listed, **RAW}

        streams = [
            gr.on(
                [page.send.click, page.box.submit],
                talking.on_send,
                [page.box, page.address.conversation, *page.inputs],
                **stream,
            ),
            *(
                button.click(talking.on_example(str(button.value)), page.inputs, **stream)
                for button in page.examples
            ),
            page.retry.click(talking.on_retry, page.inputs, **stream),
            page.replay.click(talking.on_replay, page.inputs, **stream),
            *(
                button.click(talking.on_play(everything), page.inputs, **stream)
                for button, everything in ((page.probe_row.send_next, False), (page.probe_row.send_all, True))
            ),
        ]
        page.probes_dialog.list.click(talking.on_probe, page.inputs, **quick)
        page.probe_row.next_probe.click(talking.on_next_probe, page.inputs, **quick)
        page.probe_row.leave.click(talking.on_leave_probe, page.inputs, **quick)
        page.stop.click(talking.on_stop(None), [page.state], None, queue=False, **HIDDEN)
        for lane in page.lanes:
            lane.stop.click(talking.on_stop(lane.number), [page.state], None, queue=False, **HIDDEN)
            for part in (lane.past, lane.live):
                streams.append(part.click(talking.on_asked(lane), page.inputs, **stream))
                part.submit(talking.on_act(lane), page.inputs, **quick)
        for each in streams:
            each.then(talking.on_ended, page.inputs, **ended)

        page.undo.click(talking.on_undo, page.inputs, **quick)
        page.leave.click(talking.on_leave, page.inputs, **quick)
        page.new.click(talking.on_new, page.inputs, **quick)
        page.add.click(arranging.on_add, page.inputs, **quick)
        page.square.click(arranging.on_square, page.inputs, **quick).then(
            arranging.on_meters, page.inputs, **metered
        )
        page.blind.click(arranging.on_blind, page.inputs, **quick)
        # "input" is a person's choice; setting the value from here does not come back as one.
        opened = page.history.input(talking.on_history, [page.state, page.history], **quick)
        opened.then(arranging.on_meters, page.inputs, **metered)
        for lane in page.lanes:
            self._connect_lane(lane, quick, metered)
        page.linked.input(arranging.on_linked, page.inputs, **quick)
        for own in (page.dials, *(lane.dials for lane in page.lanes)):
            turned = {**quick, "outputs": [own.preset, *own.controls]}
            own.preset.input(arranging.on_preset(own), [own.preset], **turned)
            for control in own.controls:
                control.input(arranging.on_dial(own), own.controls, trigger_mode="always_last", **turned)
            most = own.controls[list(decoding_controls.DIALS).index("max_new_tokens")]
            most.change(arranging.on_meters, page.inputs, trigger_mode="always_last", **metered)
        for changed in (page.mode.input, page.start.change):
            changed(arranging.on_meters, page.inputs, trigger_mode="always_last", **metered)
        page.more.click(None, None, None, js="() => tandemMore()", **HIDDEN)
        page.timer.tick(self.arriving.on_tick, page.inputs, **quick)
        loaded = self.blocks.load(self.arriving.on_load, page.inputs, **quick)
        settled = loaded.then(arranging.on_settle, page.inputs, **quick)
        spelling: dict[str, Any] = {**quick, "outputs": page.address.parts}
        spelled = settled.then(self.arriving.on_setup, page.inputs, **spelling)
        # After a load too, since an id that is not known leaves the value as it was: empty.
        followed = [page.address.conversation, page.address.kept]
        spelled.then(None, followed, None, js=FOLLOW, **HIDDEN)
        said = [part for part in page.asking.components if part is not page.start]
        changes = [each.change for each in (*said, page.address.moved)]
        gr.on(changes, self.arriving.on_setup, page.inputs, trigger_mode="always_last", **spelling)
        page.address.connect(page.copy_link)
        page.keys.click(
            lambda: page.shortcuts.show_html(shortcuts.listed()), None, page.shortcuts.outputs, **QUICK
        )
        page.model_dialog.connect(page.model)
        page.prompt_dialog.connect(page.lanes, page.state, page.box, page.asking.components, page.asking.wish)
        for used in page.demonstration_editor.connect(page.lanes, page.state):
            used.then(arranging.on_settle, page.inputs, **quick)
        page.compare.connect(page.differences, page.state)
        page.probes_dialog.connect(page.probes)
        page.votes.connect(page.state, self.drawing.marked, page.talks)
        page.judge.connect(page.state, self.drawing.marked, page.talks)
        page.scores_dialog.connect(page.scoring, page.state, self.drawing.opened, page.everything)

    def _connect_lane(self, lane: Lane, quick: dict[str, Any], metered: dict[str, Any]) -> None:
        page, arranging = self.page, self.arranging
        settling = {**quick, "outputs": [*lane.dependent, lane.demonstrations.k, lane.live, *page.meters]}
        for control in lane.controls:
            # A slider that is dragged says more than can be drawn: what it says last is what counts.
            handler = (
                arranging.on_demos(lane)
                if control is lane.demonstrations.demos
                else arranging.on_control(lane)
            )
            # Half a variable is none: it is read once the text is left.
            event = control.blur if control is lane.chat_format.variables else control.input
            event(handler, page.inputs, trigger_mode="always_last", **settling)
        lane.setup.click(None, None, None, js=f"() => tandemSetUp({lane.number})", **HIDDEN)
        moves = ((lane.swap, swapped), (lane.duplicate, duplicated), (lane.remove, removed))
        for button, arranged in moves:
            moved = button.click(arranging.on_arrange(lane, arranged), page.inputs, **quick)
            moved.then(arranging.on_meters, page.inputs, **metered)
