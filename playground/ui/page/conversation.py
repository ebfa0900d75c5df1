"""What a person says and does in a conversation: the handlers of sending, asking again, branching, probes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from typing import Any

import gradio as gr

from playground.store import ConflictError
from playground.types import InputError, OutsideError, check_characters
from playground.ui.controls.lane import LETTERS, Lane
from playground.ui.controls.toast import say, tried, warn
from playground.ui.dialogs import judge
from playground.ui.html import conversation as html_conversation
from playground.ui.page.components import MESSAGE_LIMIT, Parts, Updates
from playground.ui.page.controller import View, Visit
from playground.ui.page.updates import Drawing


class Talking:
    """Handlers; each checks what it is given."""

    def __init__(self, page: Parts, drawing: Drawing) -> None:
        self.page, self.chat, self.asking, self.drawing = page, page.chat, page.asking, drawing

    # --- Asking -------------------------------------------------------------------------------------

    def on_send(
        self, text: str, shown: str, visit: Visit, request: gr.Request, *values: Any
    ) -> Iterator[Updates]:
        """Ask every lane; the text box is emptied once the message is accepted.

        A message may arrive before the page's load event, or from a page that was loaded before the server
        restarted. The visit then has no conversation yet: the one on the page is opened first, so that the
        message does not start another.

        Args:
            shown: the id of the conversation that the page shows, if it shows one.
        """
        expected = "" if visit.loaded else shown or request.query_params.get("c") or ""
        yield from self._send(text, visit, values, typed=True, expected=expected)

    def on_example(self, text: str) -> Callable[..., Iterator[Updates]]:
        """The handler of an example's button, which leaves the text box alone."""

        def handler(visit: Visit, *values: Any) -> Iterator[Updates]:
            yield from self._send(text, visit, values, typed=False)

        return handler

    def _send(
        self, text: str, visit: Visit, values: Sequence[Any], typed: bool, expected: str = ""
    ) -> Iterator[Updates]:
        text = text or ""  # a caller without the page may send none

        def views() -> Generator[View]:
            if len(text) > MESSAGE_LIMIT:
                raise InputError(f"The message is longer than {MESSAGE_LIMIT} characters: shorten it.")
            wish = self.asking.wish(visit, *values, draw_seed=True)
            if expected and self.chat.current(visit) is None:
                self.chat.open(visit, expected)
            return self.chat.send(visit, text, wish)

        yield from self._streamed(visit, views, {self.page.box: ""} if typed else {})

    def on_retry(self, visit: Visit, *values: Any) -> Iterator[Updates]:
        """Ask all lanes again for the last message."""

        def views() -> Generator[View]:
            current = self.chat.current(visit)
            answered = len(current.turns[-1].answers) if current and current.turns else 0
            wish = self.asking.wish(visit, *values, draw_seed=True)
            return self.chat.retry(visit, range(min(answered, len(wish.specs))), wish)

        yield from self._streamed(visit, views)

    def on_replay(self, visit: Visit, *values: Any) -> Iterator[Updates]:
        """Put the same messages to the lanes as they are set up now, in a new conversation."""

        def views() -> Generator[View]:
            texts = self.chat.asked_in(visit)
            if not texts:
                raise InputError("There is nothing to replay: nothing has been asked.")
            self.asking.wish(visit, *values)  # which says what is wrong before anything is left
            self.chat.new(visit)
            return self.chat.play(visit, texts, lambda: self.asking.wish(visit, *values, draw_seed=True))

        yield from self._streamed(visit, views)

    def on_asked(self, lane: Lane) -> Callable[..., Iterator[Updates]]:
        """The handler of the buttons in a lane's conversation that ask the lane."""

        def handler(visit: Visit, event: gr.EventData, *values: Any) -> Iterator[Updates]:
            def views() -> Generator[View]:
                wish = self.asking.wish(visit, *values, draw_seed=True)
                if (event._data or {}).get("act") == "extend":
                    return self.chat.extend(visit, lane.number, wish)
                return self.chat.retry(visit, [lane.number], wish)

            yield from self._streamed(visit, views)

        return handler

    def on_act(self, lane: Lane) -> Callable[..., Updates]:
        """The handler of the other buttons in a lane's conversation."""

        def handler(visit: Visit, event: gr.EventData, *values: Any) -> Updates:
            data = event._data or {}
            act, turn = data.get("act"), data.get("turn")
            if act in judge.ACTS:
                return tried(lambda: self.page.judge.acted(visit, act, turn, data.get("id")), self.page.box)
            return tried(lambda: self._acted(visit, values, lane, act, turn), self.page.box)

        return handler

    def _acted(self, visit: Visit, values: Sequence[Any], lane: Lane, act: Any, turn: Any) -> Updates:
        if not isinstance(turn, int):
            raise InputError("There is no such button: reload the page.")
        if act == "edit":
            text = self.chat.edit(visit, turn)
            words = f"<p>Editing message {turn + 1}: sending it branches the conversation there.</p>"
            return {self.page.box: text, self.page.edited: words, **self.drawing.above(visit)}
        if act == "branch":
            self.chat.branch(visit, turn + 1)
            say("A new conversation goes on from here; the whole one stays in the history.")
            return {**self.drawing.shown(visit), **self.drawing.metered(visit, values)}
        if act in ("earlier", "later"):
            self.chat.show(visit, lane.number, -1 if act == "earlier" else 1)
            return {**self.drawing.shown(visit), **self.drawing.metered(visit, values)}
        if act == "prompt":
            opened = self.page.inspector.open_past(visit, lane.number, turn)
            return dict(zip(self.page.inspector.opened, opened, strict=True))
        if act == "after":
            answer = self.chat.answer(visit, lane.number, turn)
            name = f"Lane {LETTERS[lane.number]}, message {turn + 1}"
            return self.page.after.opened(html_conversation.after(answer, name))
        raise InputError("There is no such button: reload the page.")

    def _streamed(
        self,
        visit: Visit,
        views: Callable[[], Generator[View]],
        accepted: Updates | None = None,
    ) -> Iterator[Updates]:
        """Draw views as they come; `accepted` goes with the first one."""
        begun = False
        visit.ending = True
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
                    updates = self.drawing.drawn(visit, view)
                    if not begun:
                        updates |= accepted or {}
                        begun = True
                    yield updates
        except Exception as error:
            warn(error)
            if visit.streaming:
                return  # another stream of this page goes on, and its buttons are left to it
            updates = self.drawing.buttons(streaming=False)
            if begun or isinstance(error, ConflictError):
                with suppress(InputError, OutsideError):  # what broke may be the record itself
                    updates |= self.drawing.talks(visit)
            yield updates

    def on_ended(self, visit: Visit, *values: Any) -> Updates:
        """After the end of answers: what is counted, and what can be done now."""
        updates = {
            **self.drawing.metered(visit, values),
            # The next answers may have begun to be written meanwhile.
            **self.drawing.above(visit, visit.streaming),
            **self.drawing.buttons(visit.streaming),
        }
        visit.ending = visit.streaming
        return updates

    def on_stop(self, lane: int | None) -> Callable[[Visit], None]:
        """The handler that only asks; the stream itself draws its end."""

        def handler(visit: Visit) -> None:
            self.chat.stop(visit, lane)

        return handler

    # --- The conversation ---------------------------------------------------------------------------

    def on_new(self, visit: Visit, *values: Any) -> Updates:
        """An empty page; the text box and the lanes stay as they are."""

        def act() -> Updates:
            self.chat.new(visit)
            visit.probe = None
            return {**self.drawing.shown(visit, values), **self.drawing.metered(visit, values)}

        return tried(act, self.page.box)

    def on_undo(self, visit: Visit, *values: Any) -> Updates:
        """Without the last turn; its message is in the text box again."""

        def act() -> Updates:
            _, text = self.chat.undo(visit)
            return {
                self.page.box: text,
                **self.drawing.shown(visit, values),
                **self.drawing.metered(visit, values),
            }

        return tried(act, self.page.box)

    def on_leave(self, visit: Visit, *values: Any) -> Updates:
        """No longer edit a past message."""
        visit.editing_turn = None
        return {self.page.box: "", **self.drawing.above(visit), **self.drawing.metered(visit, values)}

    def on_history(self, visit: Visit, id: str | None) -> Updates:
        """Go to a past conversation."""

        def act() -> Updates:
            if not id:
                raise InputError("There is no such conversation: choose one of the list.")
            self.chat.open(visit, check_characters(str(id), "The conversation's name"))
            return self.drawing.opened(visit)

        return tried(act, self.page.box)

    # --- Probes -------------------------------------------------------------------------------------

    def on_probe(self, visit: Visit, event: gr.EventData, *values: Any) -> Updates:
        """Take up the probe that was chosen from the list, in a new conversation."""
        name = (event._data or {}).get("probe")
        return tried(lambda: self._probed(visit, values, name), self.page.box)

    def on_next_probe(self, visit: Visit, *values: Any) -> Updates:
        """The one that follows in the list."""
        return tried(lambda: self._probed(visit, values, self.page.probing.after(visit)), self.page.box)

    def _probed(self, visit: Visit, values: Sequence[Any], name: Any) -> Updates:
        self.chat.take_up(visit, str(name))
        updates = {**self.drawing.shown(visit, values), **self.drawing.metered(visit, values)}
        return {**updates, self.page.probing.sheet: gr.update(visible=False)}

    def on_play(self, all_of_it: bool) -> Callable[..., Iterator[Updates]]:
        """The handler that asks the probe's next message, or all that are left."""

        def handler(visit: Visit, *values: Any) -> Iterator[Updates]:
            def views() -> Generator[View]:
                texts = self.page.probing.left(visit)
                wish = lambda: self.asking.wish(visit, *values, draw_seed=True)  # noqa: E731
                return self.chat.play(visit, texts if all_of_it else texts[:1], wish)

            yield from self._streamed(visit, views)

        return handler

    def on_leave_probe(self, visit: Visit, *values: Any) -> Updates:
        """Go on without it; the conversation stays."""
        visit.probe = None
        return tried(lambda: self.drawing.above(visit), self.page.box)
