"""The turns of the conversation as the lanes show them: messages, answers, marks and metrics."""

from __future__ import annotations

from collections.abc import Iterable

from playground.types import Answer, Conversation
from playground.ui.controls.events import Updates
from playground.ui.controls.lane import Lane
from playground.ui.html import conversation as html_conversation
from playground.ui.html import diff as html_diff
from playground.ui.html import labels as html_labels
from playground.ui.page.controller import Controller
from playground.ui.page.lanes import Lanes
from playground.ui.page.state import PageState
from playground.ui.page.votes import Votes


class TurnView:
    """View of a conversation's turns in all lanes."""

    def __init__(self, controller: Controller, lanes: Lanes, votes: Votes) -> None:
        """Store the view's dependencies.

        Args:
            controller: controller that provides the conversation.
            lanes: lanes in which the turns are shown.
            votes: votes and verdicts, shown beside the answers.
        """
        self._controller, self._lanes, self._votes = controller, lanes, votes

    def draw_all(self, state: PageState) -> Updates:
        """Return UI updates for all turns in all lanes, or {} if the page shows no turns."""
        # The record of a running turn lags behind, and its answers look as if they had been cut off.
        run = self._controller.streaming.find_run(state)
        latest = run.conversation if run is not None else None
        conversation = latest or self._controller.conversations.current(state)
        updates: Updates = {}
        if conversation is not None and (turns := len(conversation.turns)):
            for lane in self._lanes.columns[: state.lanes]:
                updates[lane.past] = self.render(state, conversation, lane, range(turns - 1))
                updates[lane.live] = self.render(state, conversation, lane, [turns - 1])
                updates[lane.line] = self.render_status(state, conversation, lane)
        return updates

    def draw_marks(self, state: PageState) -> Updates:
        """Return UI updates for all turns, including verdicts and votes.

        The last turn is omitted while its answers are being generated.
        """
        conversation = self._controller.conversations.current(state)
        if conversation is None or not conversation.turns:
            return {}
        last = len(conversation.turns) - 1
        updates: Updates = {}
        for lane in self._lanes.columns[: state.lanes]:
            updates[lane.past] = self.render(state, conversation, lane, range(last))
            if not state.streaming:
                updates[lane.live] = self.render(state, conversation, lane, [last])
        return updates

    def render(
        self, state: PageState, conversation: Conversation, lane: Lane, turns: Iterable[int], note: str = ""
    ) -> str:
        """Render a lane's turns with verdicts and votes. `note` is shown in answers that have no text yet."""
        cards, turns = self._controller.catalog.cards(), list(turns)
        answer = _last_answer(conversation, lane.number)
        writing = turns == [len(conversation.turns) - 1] and answer is not None and not answer.reply.finish
        marks = {} if writing else self._votes.marks(state, conversation, lane.number)
        return html_conversation.render_turns(
            conversation,
            lane.number,
            turns,
            cards,
            note,
            state.blind,
            marks,
            raw={turn for turn in turns if (conversation.id, lane.number, turn) in state.answers.raw},
            marked=_mark_differences(state, conversation, lane.number, turns),
        )

    def render_status(
        self,
        state: PageState,
        conversation: Conversation,
        lane: Lane,
        note: str = "",
        is_new: bool = False,
    ) -> str:
        """Render the metrics of a lane's last answer.

        Args:
            state: the page's state.
            conversation: conversation that contains the answer.
            lane: the lane.
            note: placeholder shown while the answer has no text.
            is_new: whether the answer is being generated or has just finished.
        """
        answer = _last_answer(conversation, lane.number)
        if answer is None:
            return html_labels.status_line(None, note, state.blind)
        # Keys can collide only if the durations of two answers are equal to the microsecond.
        which = f"{conversation.id} {len(conversation.turns)} {answer.version} {answer.reply.seconds}"
        ended = which if is_new else ""
        last = [turn for turn in conversation.turns if lane.number < len(turn.answers)][-1]
        before = last.continued_tokens(lane.number)
        return html_labels.status_line(answer.reply, note, state.blind, ended, before)


def _mark_differences(
    state: PageState, conversation: Conversation, lane: int, turns: Iterable[int]
) -> dict[int, str]:
    """Render a lane's finished answers with the differences from the other marked lane, keyed by turn."""
    pair = state.answers.marked
    if pair is None or lane not in pair or max(pair) >= state.lanes:
        return {}
    found = {}
    for turn in turns:
        answers = conversation.turns[turn].answers
        if max(pair) < len(answers) and all(answers[each].reply.finish for each in pair):
            texts = answers[pair[0]].text, answers[pair[1]].text
            if texts[pair.index(lane)]:
                found[turn] = html_diff.render_marked(texts, pair)[pair.index(lane)]
    return found


def _last_answer(conversation: Conversation, lane: int) -> Answer | None:
    answers = [turn.answers[lane] for turn in conversation.turns if lane < len(turn.answers)]
    return answers[-1] if answers else None
