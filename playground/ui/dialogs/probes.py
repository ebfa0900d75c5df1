"""Dialog for choosing a probe."""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.ui.controls.choice import Choice
from playground.ui.controls.events import QUICK, Updates
from playground.ui.dialogs.dialog import Dialog
from playground.ui.html import probes as html_probes
from playground.ui.page.controller import Controller

WORDS_LIMIT = 200
"""Maximum length of the search text, in characters."""

ON_CLICK = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-probe]');
  if (!button) return;
  window.tandemPayload = {probe: button.dataset.probe};
  trigger('click');
});
"""


class ProbesDialog(Dialog):
    """Dialog that lists the probes, optionally filtered by kind and search words.

    The page handles clicks in `list` by starting a probe.
    """

    def __init__(self, controller: Controller, public: bool) -> None:
        self._probes = controller.probes
        self._public = public
        super().__init__("probes-dialog", "Probes", prefix="probes")

    def _compose_head(self) -> None:
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
            label="Search the probes",
            placeholder="Search",
            container=False,
            max_length=WORDS_LIMIT,
            min_width=120,
            scale=1,
            elem_id="probes-words",
        )

    def _compose_body(self) -> None:
        self.list = gr.HTML("", js_on_load=ON_CLICK, elem_id="probes-list", elem_classes="dialog-body")

    @property
    def outputs(self) -> list[Any]:
        """The components updated by the dialog's handlers."""
        return [self.frame, self.kind, self.list]

    def connect(self, opener: gr.Button) -> None:
        """Connect the dialog's event handlers. Clicking `opener` opens the dialog."""
        filters = [self.kind, self.words]
        opener.click(self.on_open, filters, self.outputs, **QUICK)
        gr.on(
            [self.kind.input, self.words.change],
            self.on_filter,
            filters,
            self.outputs,
            trigger_mode="always_last",
            **QUICK,
        )

    # --- Handlers -----------------------------------------------------------------------------------

    def on_open(self, kind: Any, words: Any) -> Updates:
        """Open the dialog with the current filters, resetting the kind if it no longer exists."""
        choices = html_probes.list_kinds(self._probes.list_ordered())
        known = kind if any(kind == value for _, value in choices) else ""
        return self.show(
            {self.kind: gr.update(choices=choices, value=known), self.list: self._render(known, words)}
        )

    def on_filter(self, kind: Any, words: Any) -> Updates:
        """Show the probes that match the filters."""
        return {self.list: self._render(kind, words)}

    # --- Content ------------------------------------------------------------------------------------

    def _render(self, kind: Any, words: Any) -> str:
        """Render the probe list. Both filters come from a browser and are untrusted."""
        kind = kind if isinstance(kind, str) else ""
        words = words[:WORDS_LIMIT] if isinstance(words, str) else ""
        found = html_probes.filter_probes(self._probes.list_ordered(), kind, words)
        # Error messages contain file paths, which untrusted users must not see.
        problems = [] if self._public else self._probes.problems
        return html_probes.render_probes(found, self._probes.base, problems)
