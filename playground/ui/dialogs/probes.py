"""Probes on the page: a sheet to choose one from, and the row above the text box that plays it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.library.probes import Probe
from playground.types import InputError
from playground.ui.controls.choice import Choice
from playground.ui.controls.decoding import Update
from playground.ui.controls.events import QUICK
from playground.ui.html import probes as html_probes
from playground.ui.page.controller import Controller
from playground.ui.page.state import PageState

MOST_WORDS = 200
"""Characters to filter by."""

ON_CLICK = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-probe]');
  if (button) trigger('click', {probe: button.dataset.probe});
});
"""


class Probing:
    """Made inside a `gr.Blocks`, in two places: `compose_row` and `compose_sheet`."""

    def __init__(self, chat: Controller, public: bool) -> None:
        self.chat = chat
        self._public = public

    def compose_row(self) -> None:
        """What stands above the text box while a probe is played."""
        with gr.Row(visible=False, elem_id="probing", elem_classes="above") as self.row:
            self.chip = gr.HTML("", elem_id="probe-chip")
            self.next = self._button("Send next", "probe-next")
            self.all = self._button("Play all turns", "probe-all")
            self.following = self._button("Next probe", "probe-following", visible=False)
            self.leave = self._button("Leave", "probe-leave")

    def compose_sheet(self) -> None:
        """The list."""
        with gr.Column(visible=False, elem_id="probes-sheet", elem_classes="sheet") as self.sheet:
            with gr.Row(elem_classes="sheet-head"):
                gr.HTML("<h2>Probes</h2>")
                self.kind = Choice(
                    [("All probes", "")],
                    value="",
                    label="Kind of probe",
                    container=False,
                    filterable=False,
                    min_width=170,
                    scale=1,
                    elem_id="probes-kind",
                )
                self.words = gr.Textbox(
                    "",
                    label="Words in a probe",
                    placeholder="Words in it",
                    container=False,
                    max_length=MOST_WORDS,
                    min_width=120,
                    scale=1,
                    elem_id="probes-words",
                )
                self.close = self._button("Close", "probes-close", elem_classes="close")
            self.list = gr.HTML("", js_on_load=ON_CLICK, elem_id="probes-list", elem_classes="sheet-body")

    def _button(self, label: str, id: str, **rest: Any) -> gr.Button:
        return gr.Button(label, size="sm", min_width=0, scale=0, elem_id=id, **rest)

    @property
    def parts(self) -> list[Any]:
        """The components that handlers of the page update."""
        return [*self.standing, self.leave, self.sheet]

    @property
    def standing(self) -> list[Any]:
        """The components that `above` updates."""
        return [self.row, self.chip, self.next, self.all, self.following]

    def connect(self, opener: gr.Button) -> None:
        """Give the sheet's controls their work; what plays a probe is the page's."""
        opener.click(self.on_open, [self.kind, self.words], [self.sheet, self.kind, self.list], **QUICK)
        gr.on(
            [self.kind.input, self.words.change],
            self.on_narrow,
            [self.kind, self.words],
            self.list,
            trigger_mode="always_last",
            **QUICK,
        )
        self.close.click(lambda: gr.update(visible=False), None, self.sheet, **QUICK)

    # --- Handlers -----------------------------------------------------------------------------------

    def on_open(self, kind: Any, words: Any) -> tuple[Update, ...]:
        """Show the list, as it was narrowed last."""
        choices = html_probes.kinds(self._probes())
        known = kind if any(kind == value for _, value in choices) else ""
        return gr.update(visible=True), gr.update(choices=choices, value=known), self.drawn(known, words)

    def on_narrow(self, kind: Any, words: Any) -> str:
        """The list narrowed otherwise."""
        return self.drawn(kind, words)

    # --- Drawing ------------------------------------------------------------------------------------

    def _probes(self) -> list[Probe]:
        return html_probes.in_order(self.chat.session.judges.probes, self.chat.session.library.base)

    def drawn(self, kind: Any, words: Any) -> str:
        """The list; both come from a browser."""
        kind = kind if isinstance(kind, str) else ""
        words = words[:MOST_WORDS] if isinstance(words, str) else ""
        shown = html_probes.narrowed(self._probes(), kind, words)
        # A sentence about a file names its path, which is nobody's business on a public page.
        problems = [] if self._public else self.chat.session.judges.probe_problems
        return html_probes.probes(shown, self.chat.session.library.base, problems)

    def above(self, state: PageState, editing: bool) -> dict[Any, Update]:
        """The updates of the row; it gives way while a past message is edited."""
        probing = self.chat.probes.current(state)
        updates: dict[Any, Update] = {self.row: gr.update(visible=probing is not None and not editing)}
        if probing is None:
            return updates
        probe, asked = probing
        left = asked < len(probe.turns)
        return updates | {
            self.chip: html_probes.playing(probe, asked),
            self.next: gr.update(visible=left),
            self.all: gr.update(visible=left, value="Play all turns" if not asked else "Play the rest"),
            self.following: gr.update(visible=not left and self.after(state) is not None),
        }

    # --- What it asks -------------------------------------------------------------------------------

    def left(self, state: PageState) -> tuple[str, ...]:
        """The messages that are still to be asked.

        Raises:
            InputError: there is none.
        """
        probing = self.chat.probes.current(state)
        if probing is None:
            raise InputError("No probe is being played: choose one under Probes.")
        probe, asked = probing
        if asked == len(probe.turns):
            raise InputError("All messages of this probe have been asked: choose the next one.")
        return probe.turns[asked:]

    def after(self, state: PageState) -> str | None:
        """The name of the probe that follows in the list; None at its end."""
        names = [probe.name for probe in self._probes()]
        at = names.index(state.probe) + 1 if state.probe in names else len(names)
        return names[at] if at < len(names) else None
