"""What a person says and does in a conversation: the handlers of sending, asking again, branching, probes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from typing import Any

import gradio as gr

from playground.lanes.letters import LETTERS
from playground.store import ConflictError
from playground.types import InputError, OutsideError, check_characters
from playground.ui.controls.lane import Lane
from playground.ui.controls.toast import say, tried, warn
from playground.ui.dialogs import judge
from playground.ui.html import conversation as html_conversation
from playground.ui.page.components import MESSAGE_LIMIT, Parts, Updates
from playground.ui.page.controller import Snapshot
from playground.ui.page.state import PageState
from playground.ui.page.updates import Drawing


class Talking:
    """Handlers; each checks what it is given."""

    def __init__(self, page: Parts, drawing: Drawing) -> None:
        self.page, self.chat, self.asking, self.drawing = page, page.chat, page.asking, drawing

    # --- Asking -------------------------------------------------------------------------------------

    def on_send(
        self, text: str, shown: str, state: PageState, request: gr.Request, *values: Any
    ) -> Iterator[Updates]:
        """Ask every lane; the text box is emptied once the message is accepted.

        A message may arrive before the page's load event, or from a page that was loaded before the server
        restarted. The visit then has no conversation yet: the one on the page is opened first, so that the
        message does not start another.

        Args:
            shown: the id of the conversation that the page shows, if it shows one.
        """
        expected = "" if state.loaded else shown or request.query_params.get("c") or ""
        yield from self._send(text, state, values, typed=True, expected=expected)

    def on_example(self, text: str) -> Callable[..., Iterator[Updates]]:
        """The handler of an example's button, which leaves the text box alone."""

        def handler(state: PageState, *values: Any) -> Iterator[Updates]:
            yield from self._send(text, state, values, typed=False)

        return handler

    def _send(
        self, text: str, state: PageState, values: Sequence[Any], typed: bool, expected: str = ""
    ) -> Iterator[Updates]:
        text = text or ""  # a caller without the page may send none

        def views() -> Generator[Snapshot]:
            if len(text) > MESSAGE_LIMIT:
                raise InputError(f"The message is longer than {MESSAGE_LIMIT} characters: shorten it.")
            wish = self.asking.wish(state, *values, draw_seed=True)
            if expected and self.chat.conversations.current(state) is None:
                self.chat.conversations.open(state, expected)
            return self.chat.streaming.send(state, text, wish)

        yield from self._streamed(state, views, {self.page.box: ""} if typed else {})

    def on_retry(self, state: PageState, *values: Any) -> Iterator[Updates]:
        """Ask all lanes again for the last message."""

        def views() -> Generator[Snapshot]:
            current = self.chat.conversations.current(state)
            answered = len(current.turns[-1].answers) if current and current.turns else 0
            wish = self.asking.wish(state, *values, draw_seed=True)
            return self.chat.streaming.retry(state, range(min(answered, len(wish.specs))), wish)

        yield from self._streamed(state, views)

    def on_replay(self, state: PageState, *values: Any) -> Iterator[Updates]:
        """Put the same messages to the lanes as they are set up now, in a new conversation."""

        def views() -> Generator[Snapshot]:
            texts = self.chat.conversations.user_messages(state)
            if not texts:
                raise InputError("There is nothing to replay: nothing has been asked.")
            self.asking.wish(state, *values)  # which says what is wrong before anything is left
            self.chat.conversations.new(state)
            return self.chat.streaming.play(
                state, texts, lambda: self.asking.wish(state, *values, draw_seed=True)
            )

        yield from self._streamed(state, views)

    def on_asked(self, lane: Lane) -> Callable[..., Iterator[Updates]]:
        """The handler of the buttons in a lane's conversation that ask the lane."""

        def handler(state: PageState, event: gr.EventData, *values: Any) -> Iterator[Updates]:
            def views() -> Generator[Snapshot]:
                wish = self.asking.wish(state, *values, draw_seed=True)
                if (event._data or {}).get("act") == "extend":
                    return self.chat.streaming.continue_answer(state, lane.number, wish)
                return self.chat.streaming.retry(state, [lane.number], wish)

            yield from self._streamed(state, views)

        return handler

    def on_act(self, lane: Lane) -> Callable[..., Updates]:
        """The handler of the other buttons in a lane's conversation."""

        def handler(state: PageState, event: gr.EventData, *values: Any) -> Updates:
            data = event._data or {}
            act, turn = data.get("act"), data.get("turn")
            if act in judge.ACTS:
                return tried(lambda: self.page.judge.acted(state, act, turn, data.get("id")), self.page.box)
            return tried(lambda: self._acted(state, values, lane, act, turn), self.page.box)

        return handler

    def _acted(self, state: PageState, values: Sequence[Any], lane: Lane, act: Any, turn: Any) -> Updates:
        if not isinstance(turn, int):
            raise InputError("There is no such button: reload the page.")
        if act == "edit":
            text = self.chat.conversations.edit(state, turn)
            words = f"<p>Editing message {turn + 1}: sending it branches the conversation there.</p>"
            return {self.page.box: text, self.page.edited: words, **self.drawing.above(state)}
        if act == "branch":
            self.chat.conversations.branch(state, turn + 1)
            say("A new conversation goes on from here; the whole one stays in the history.")
            return {**self.drawing.shown(state), **self.drawing.metered(state, values)}
        if act in ("earlier", "later"):
            self.chat.conversations.show_version(state, lane.number, -1 if act == "earlier" else 1)
            return {**self.drawing.shown(state), **self.drawing.metered(state, values)}
        if act == "prompt":
            return self.page.prompt_dialog.show_past(state, lane.number, turn)
        if act == "after":
            answer = self.chat.conversations.answer(state, lane.number, turn)
            name = f"Lane {LETTERS[lane.number]}, message {turn + 1}"
            return self.page.after.show_html(html_conversation.after(answer, name))
        raise InputError("There is no such button: reload the page.")

    def _streamed(
        self,
        state: PageState,
        views: Callable[[], Generator[Snapshot]],
        accepted: Updates | None = None,
    ) -> Iterator[Updates]:
        """Draw views as they come; `accepted` goes with the first one."""
        begun = False
        state.ending = True
        unsaved: str | None = None
        try:
            with closing(views()) as each:
                for view in each:
                    now = self.chat.session.unsaved(view.conversation.id)
                    if now is not None and now != unsaved:
                        warn(OutsideError(now))
                    elif unsaved is not None and now is None:
                        say("The conversation is in the record again.")
                    unsaved = now
                    updates = self.drawing.drawn(state, view)
                    if not begun:
                        updates |= accepted or {}
                        begun = True
                    yield updates
        except Exception as error:
            warn(error)
            if state.streaming:
                return  # another stream of this page goes on, and its buttons are left to it
            updates = self.drawing.buttons(streaming=False)
            if begun or isinstance(error, ConflictError):
                with suppress(InputError, OutsideError):  # what broke may be the record itself
                    updates |= self.drawing.talks(state)
            yield updates

    def on_ended(self, state: PageState, *values: Any) -> Updates:
        """After the end of answers: what is counted, and what can be done now."""
        updates = {
            **self.drawing.metered(state, values),
            # The next answers may have begun to be written meanwhile.
            **self.drawing.above(state, state.streaming),
            **self.drawing.buttons(state.streaming),
        }
        state.ending = state.streaming
        return updates

    def on_stop(self, lane: int | None) -> Callable[[PageState], None]:
        """The handler that only asks; the stream itself draws its end."""

        def handler(state: PageState) -> None:
            self.chat.streaming.stop(state, lane)

        return handler

    # --- The conversation ---------------------------------------------------------------------------

    def on_new(self, state: PageState, *values: Any) -> Updates:
        """An empty page; the text box and the lanes stay as they are."""

        def act() -> Updates:
            self.chat.conversations.new(state)
            state.probe = None
            return {**self.drawing.shown(state, values), **self.drawing.metered(state, values)}

        return tried(act, self.page.box)

    def on_undo(self, state: PageState, *values: Any) -> Updates:
        """Without the last turn; its message is in the text box again."""

        def act() -> Updates:
            _, text = self.chat.conversations.undo(state)
            return {
                self.page.box: text,
                **self.drawing.shown(state, values),
                **self.drawing.metered(state, values),
            }

        return tried(act, self.page.box)

    def on_leave(self, state: PageState, *values: Any) -> Updates:
        """No longer edit a past message."""
        state.editing_turn = None
        return {self.page.box: "", **self.drawing.above(state), **self.drawing.metered(state, values)}

    def on_history(self, state: PageState, id: str | None) -> Updates:
        """Go to a past conversation."""

        def act() -> Updates:
            if not id:
                raise InputError("There is no such conversation: choose one of the list.")
            self.chat.conversations.open(state, check_characters(str(id), "The conversation's name"))
            return self.drawing.opened(state)

        return tried(act, self.page.box)

    # --- Probes -------------------------------------------------------------------------------------

    def on_probe(self, state: PageState, event: gr.EventData, *values: Any) -> Updates:
        """Take up the probe that was chosen from the list, in a new conversation."""
        name = (event._data or {}).get("probe")
        return tried(lambda: self._probed(state, values, name), self.page.box)

    def on_next_probe(self, state: PageState, *values: Any) -> Updates:
        """The one that follows in the list."""
        return tried(lambda: self._probed(state, values, self.chat.probes.find_next(state)), self.page.box)

    def _probed(self, state: PageState, values: Sequence[Any], name: Any) -> Updates:
        self.chat.probes.start(state, str(name))
        updates = {**self.drawing.shown(state, values), **self.drawing.metered(state, values)}
        return {**updates, **self.page.probes_dialog.hide()}

    def on_play(self, all_of_it: bool) -> Callable[..., Iterator[Updates]]:
        """The handler that asks the probe's next message, or all that are left."""

        def handler(state: PageState, *values: Any) -> Iterator[Updates]:
            def views() -> Generator[Snapshot]:
                texts = self.chat.probes.remaining_messages(state)
                wish = lambda: self.asking.wish(state, *values, draw_seed=True)  # noqa: E731
                return self.chat.streaming.play(state, texts if all_of_it else texts[:1], wish)

            yield from self._streamed(state, views)

        return handler

    def on_leave_probe(self, state: PageState, *values: Any) -> Updates:
        """Go on without it; the conversation stays."""
        state.probe = None
        return tried(lambda: self.drawing.above(state), self.page.box)
