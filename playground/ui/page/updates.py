"""What the page shows of a visit: the updates of its components.

While answers grow only what changed is drawn, since a browser's work for an update grows with its parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import gradio as gr

from playground.lanes.letters import LETTERS
from playground.types import Answer, Conversation, InputError
from playground.ui.controls.lane import Lane
from playground.ui.html import conversation as html_conversation
from playground.ui.html import labels as html_labels
from playground.ui.page.asking import MODES
from playground.ui.page.components import Parts, Updates
from playground.ui.page.controller import Snapshot
from playground.ui.page.state import LANES, PageState
from playground.words import shorten


class Drawing:
    """Draws on a page's parts; changes nothing but what they show."""

    def __init__(self, page: Parts) -> None:
        self.page, self.chat, self.lanes, self.asking = page, page.chat, page.lanes, page.asking

    def turns(self, state: PageState) -> int:
        """How many there are in the conversation that is shown."""
        current = self.chat.conversations.current(state)
        return len(current.turns) if current else 0

    def drawn(self, state: PageState, view: Snapshot) -> Updates:
        """A view's updates: while answers grow, only what changed."""
        conversation = view.conversation
        updates: Updates = {}
        last = len(conversation.turns) - 1
        for lane in self.lanes[: state.lanes]:
            if view.is_first:
                updates[lane.past] = self.talk(state, conversation, lane, range(last))
            if view.changed[lane.number]:
                updates[lane.live] = self.talk(state, conversation, lane, [last], view.note)
                updates[lane.line] = self.line(state, conversation, lane, view.note, fresh=True)
        # With every view, since Gradio's script now and then loses a change of what is visible.
        updates |= self.buttons(not view.done)
        if view.is_first and not view.done:
            updates |= {**self.above(state, True), self.page.address.conversation: conversation.id}
            # Now, while nothing can be chosen from it; at the end the list would change under the hand.
            updates[self.page.history] = self.history(state)
        return updates

    def talk(
        self, state: PageState, conversation: Conversation, lane: Lane, turns: Iterable[int], note: str = ""
    ) -> str:
        """Some turns of one lane, with what judges and people said of them."""
        cards, turns = self.chat.catalog.cards(), list(turns)
        answer = _last(conversation, lane.number)
        writing = turns == [len(conversation.turns) - 1] and answer is not None and not answer.reply.finish
        marks = {} if writing else self.page.votes.marks(state, conversation, lane.number)
        return html_conversation.talk(conversation, lane.number, turns, cards, note, state.blind, marks)

    def marked(self, state: PageState) -> Updates:
        """The lanes with what judges and people have said by now; what is being written is left alone."""
        conversation = self.chat.conversations.current(state)
        if conversation is None or not conversation.turns:
            return {}
        last, updates = len(conversation.turns) - 1, {}
        for lane in self.lanes[: state.lanes]:
            updates[lane.past] = self.talk(state, conversation, lane, range(last))
            if not state.streaming:
                updates[lane.live] = self.talk(state, conversation, lane, [last])
        return updates

    def line(
        self, state: PageState, conversation: Conversation, lane: Lane, note: str = "", fresh: bool = False
    ) -> str:
        """The figures of a lane's last answer; `fresh`: it is being written, or was until now."""
        answer = _last(conversation, lane.number)
        if answer is None:
            return html_labels.status_line(None, note, state.blind)
        # Two answers that take equally long to the microsecond are one.
        which = f"{conversation.id} {len(conversation.turns)} {answer.version} {answer.reply.seconds}"
        return html_labels.status_line(answer.reply, note, state.blind, ended=which if fresh else "")

    def shown(self, state: PageState, values: Sequence[Any] = (), keep_empty: bool = False) -> Updates:
        """All of the page but its controls, for what the visit shows now.

        Args:
            values: of `asking`, for what an empty lane says it is.
            keep_empty: whether empty lanes are left as they are.
        """
        updates = {**self.columns(state), **self.above(state), **self.buttons(False), **self.talks(state)}
        if not self.turns(state):
            for lane in self.lanes[: state.lanes]:
                updates |= {lane.past: "", lane.line: html_labels.status_line(None)}
                if state.blind:
                    hidden = "One of the lanes; which one is shown when you reveal them."
                    updates[lane.live] = html_labels.placeholder(f"Lane {LETTERS[lane.number]}", hidden)
                elif values and not keep_empty:
                    spec = lane.spec(state, self.asking.of_lane(lane, values))
                    updates[lane.live] = lane.placeholder(spec, state)
        updates[self.page.history] = self.history(state)
        updates[self.page.address.conversation] = state.conversation or ""
        return updates

    def talks(self, state: PageState) -> Updates:
        """All lanes of the conversation that the visit shows; nothing where nothing has been asked."""
        conversation = self.chat.conversations.current(state)
        updates: Updates = {}
        if conversation is not None and (turns := len(conversation.turns)):
            for lane in self.lanes[: state.lanes]:
                updates[lane.past] = self.talk(state, conversation, lane, range(turns - 1))
                updates[lane.live] = self.talk(state, conversation, lane, [turns - 1])
                updates[lane.line] = self.line(state, conversation, lane)
        return updates

    def columns(self, state: PageState) -> Updates:
        """Which lanes are there, and whether they are hidden."""
        modes = [mode for mode in MODES if not mode[1].startswith("shared") or int(mode[1][-1]) < state.lanes]
        classes = ["lane", "blind"] if state.blind else ["lane"]
        return {
            **{
                lane.column: gr.update(visible=lane.number < state.lanes, elem_classes=classes)
                for lane in self.lanes
            },
            self.page.mode: gr.update(choices=modes),
            **self.page.address.of(state),
            self.page.add: gr.update(interactive=state.lanes < LANES and not state.blind),
            self.page.blind: gr.update(value="Reveal" if state.blind else "Blind"),
        }

    def above(self, state: PageState, streaming: bool = False) -> Updates:
        """What stands above the text box; `streaming` as an answer begins to be written."""
        editing = state.editing_turn is not None
        turns = self.turns(state)
        return {
            self.page.fresh: gr.update(visible=not editing and not turns and state.probe is None),
            **self.page.probe_row.render(state, editing),
            self.page.begun: gr.update(visible=not editing and bool(turns)),
            self.page.editing: gr.update(visible=editing),
            **self.page.votes.drawn(state, streaming),
            **self.page.address.of(state),
            **({} if streaming else self.page.judge.watched(state)),
        }

    def buttons(self, streaming: bool) -> Updates:
        """Send or Stop, whichever can be used. What else cannot be used then is dimmed by the style sheet,
        and refused by its handler."""
        return {
            self.page.send: gr.update(visible=not streaming),
            self.page.stop: gr.update(visible=streaming),
        }

    def metered(self, state: PageState, values: Sequence[Any]) -> Updates:
        """How much of the context each lane's next prompt takes; `values` are of `asking`."""
        try:
            wish = self.asking.wish(state, *values)
        except InputError:
            return {lane.meter: "" for lane in self.lanes}
        return {lane.meter: lane.draw_meter(state, wish) for lane in self.lanes[: len(wish.specs)]}

    def opened(self, state: PageState) -> Updates:
        """A conversation from the record, with the lanes and the decoding it had last."""
        conversation = self.chat.conversations.current(state)
        assert conversation is not None
        return {**self.set_to(state, conversation), **self.shown(state)}

    def set_to(self, state: PageState, conversation: Conversation) -> Updates:
        """The controls as a conversation's lanes have them."""
        updates: Updates = {}
        variants = conversation.variants[: state.lanes]
        linked = all(variant.sampling == variants[0].sampling for variant in variants)
        for lane, variant in zip(self.lanes, variants, strict=False):
            updates |= lane.set_to(state, variant.name)
            updates |= lane.dials.set_to(variant.sampling)
        for lane in self.lanes:
            updates[lane.own_dials] = gr.update(visible=not linked)
        return {**updates, **self.page.dials.set_to(variants[0].sampling), self.page.linked: linked}

    def history(self, state: PageState) -> Any:
        """The list of conversations; a stranger is told of none."""
        if self.page.settings.public:
            return gr.skip()
        choices = [
            (
                f"{shorten(summary.title, 48)} \u00b7 {summary.updated.astimezone():%d %b %H:%M}",
                summary.id,
            )
            for summary in self.page.session.history(owner=self.page.chat.owner())
        ]
        known = any(id == state.conversation for _, id in choices)
        return gr.update(choices=choices, value=state.conversation if known else None, interactive=True)


def _last(conversation: Conversation, lane: int) -> Answer | None:
    answers = [turn.answers[lane] for turn in conversation.turns if lane < len(turn.answers)]
    return answers[-1] if answers else None
