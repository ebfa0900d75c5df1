"""The model panel: what runs, where, with which adapters; another base or adapter, without a restart."""

from __future__ import annotations

import dataclasses
from typing import Any

import gradio as gr

from playground.model_switch import SOURCE_LIMIT, ModelSwitch
from playground.session import Session
from playground.ui.controls.events import QUICK
from playground.ui.controls.toast import warn
from playground.ui.html import model as html_model
from playground.ui.html import presets as html_presets
from playground.ui.html.labels import short_name
from playground.ui.page.state import PageState

PRECISIONS = [("auto", "auto"), ("4 bit", "4bit"), ("full", "none")]
CALM, BUSY = 4.0, 0.4
"""Seconds between two looks at the model: as a rule, and while another is being loaded."""

Updates = dict[Any, Any]

# The chip is a button inside; a click beside it means nothing.
ON_CLICK = """
element.addEventListener('click', (event) => {
  if (event.target.closest('button')) trigger('click');
});
"""


# A disabled button stays in reach of the keyboard, so that its reason can be read. The list is drawn anew as
# a load begins and ends: the button that had the focus gets it again.
ON_PRESET = """
let last = null;
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-preset]');
  if (!button || button.getAttribute('aria-disabled') === 'true') return;
  trigger('click', {preset: button.dataset.preset});
});
element.addEventListener('focusin', (event) => {
  last = event.target.closest('button')?.dataset.preset ?? null;
});
new MutationObserver(() => {
  if (last === null || document.activeElement !== document.body) return;
  element.querySelector(`button[data-preset="${CSS.escape(last)}"]`)?.focus();
}).observe(element, {childList: true, subtree: true});
"""


class ModelPanel:
    """A sheet over the page; made inside a `gr.Blocks`."""

    def __init__(self, session: Session, model_switch: ModelSwitch | None) -> None:
        """`changeover` loads other models; None: this page loads none."""
        self.session = session
        self.model_switch = model_switch
        with gr.Column(visible=False, elem_id="model-panel", elem_classes="sheet") as self.sheet:
            with gr.Row(elem_classes="sheet-head"):
                gr.HTML("<h2>Model</h2>")
                self.close = gr.Button(
                    "Close", size="sm", min_width=0, scale=0, elem_id="model-close", elem_classes="close"
                )
            with gr.Column(elem_classes="sheet-body"):
                self.about = gr.HTML("", elem_id="model-about")
                if model_switch is not None:
                    self.presets = gr.HTML("", js_on_load=ON_PRESET, elem_id="model-presets")
            if model_switch is not None:
                with gr.Column(elem_id="model-load"):
                    self._compose_loading()
        if model_switch is not None:
            # Beside the sheet, since what is in a hidden one does not tick.
            self.timer = gr.Timer(CALM)
            self.open, self.seen = gr.State(False), gr.State(model_switch.changes)
            self.listed = gr.State("")

    def _compose_loading(self) -> None:
        with gr.Row(elem_classes="load-row"):
            self.base = self._field("Another base", "Folder or Hub id", "load-base", 3)
            self.precision = gr.Dropdown(
                PRECISIONS,
                value="auto",
                label="Precision",
                filterable=False,
                min_width=80,
                scale=1,
                elem_id="load-precision",
            )
            self.load_base = gr.Button("Load", size="sm", min_width=72, scale=0, elem_id="load-base-go")
        with gr.Row(elem_classes="load-row"):
            self.adapter = self._field("Another adapter", "Folder or Hub id", "load-adapter", 3)
            self.name = self._field("Called", "its name", "load-name", 1)
            self.load_adapter = gr.Button("Load", size="sm", min_width=72, scale=0, elem_id="load-adapter-go")
        with gr.Row(elem_id="change-row"):
            self.progress = gr.HTML("", elem_id="change")
            self.cancel = gr.Button(
                "Cancel", size="sm", min_width=0, scale=0, visible=False, elem_id="change-cancel"
            )

    def _field(self, label: str, placeholder: str, id: str, scale: int) -> gr.Textbox:
        return gr.Textbox(
            label=label,
            placeholder=placeholder,
            max_length=SOURCE_LIMIT,
            min_width=80,
            scale=scale,
            elem_id=id,
        )

    @property
    def _shown(self) -> list[Any]:
        parts = [self.sheet, self.about]
        return parts if self.model_switch is None else [*parts, *self._loading, self.open]

    @property
    def _loading(self) -> list[Any]:
        return [self.progress, self.cancel, self.timer, self.presets, self.listed]

    def connect(self, chip: gr.HTML, waiting: gr.Timer, state: gr.State) -> None:
        """Give the buttons their work.

        Args:
            chip: what opens the sheet; made with `ON_CLICK`.
            waiting: started whenever the model has changed; it draws the chip and the lanes there are.
            visit: what the page shows; its `preset` is set while one is loaded that it asked for.
        """
        chip.click(self.on_open, None, self._shown, **QUICK)
        shut: list[Any] = [self.sheet] if self.model_switch is None else [self.sheet, self.open]
        self.close.click(self.on_close, None, shut, **QUICK)
        if self.model_switch is None:
            return
        for happens in (self.load_base.click, self.base.submit):
            happens(self.on_base, [self.base, self.precision], self._shown, **QUICK)
        for happens in (self.load_adapter.click, self.adapter.submit, self.name.submit):
            happens(self.on_adapter, [self.adapter, self.name], self._shown, **QUICK)
        self.cancel.click(self.on_cancel, None, self._shown, **QUICK)
        self._waiting = waiting
        self.presets.click(self.on_preset, [state], [*self._shown, waiting], **QUICK)
        drawn = [self.about, *self._loading, self.seen, waiting]
        self.timer.tick(self.on_tick, [state, self.open, self.seen, self.listed], drawn, **QUICK)

    # --- Handlers ---------------------------------------------------------------------------------

    def on_open(self) -> Updates:
        """Show the sheet."""
        opened = {self.sheet: gr.update(visible=True), **self._drawn()}
        return opened if self.model_switch is None else {**opened, self.open: True}

    def on_close(self) -> Updates:
        """Put it away."""
        shut = {self.sheet: gr.update(visible=False)}
        return shut if self.model_switch is None else {**shut, self.open: False}

    def on_base(self, source: Any, precision: Any) -> Updates:
        """Begin to load another base; what was typed stays, since it may be refused on the way."""
        assert self.model_switch is not None
        try:
            self.model_switch.base(source, precision)
        except Exception as error:
            warn(error)
            return {self.sheet: gr.skip()}
        return self._drawn()

    def on_adapter(self, source: Any, name: Any) -> Updates:
        """Begin to load another adapter; see `on_base`."""
        assert self.model_switch is not None
        try:
            self.model_switch.adapter(source, name)
        except Exception as error:
            warn(error)
            return {self.sheet: gr.skip()}
        return self._drawn()

    def on_preset(self, state: PageState, event: gr.EventData) -> Updates:
        """Begin to load the preset whose button was pressed."""
        assert self.model_switch is not None
        name = (event._data or {}).get("preset")
        try:
            self.model_switch.preset(name)
        except Exception as error:
            warn(error)
            return {self.sheet: gr.skip()}
        state.preset = name
        # Where it runs already nothing will change that `on_tick` could see.
        set_up = {} if self.model_switch.progress().busy else {self._waiting: gr.Timer(active=True)}
        return {**self._drawn(), **set_up}

    def on_cancel(self) -> Updates:
        """Give up what is being loaded."""
        assert self.model_switch is not None
        self.model_switch.cancel()
        return self._drawn()

    def on_tick(self, state: PageState, opened: Any, seen: Any, listed: Any = "") -> Updates:
        """How far it is; and, whoever changed the model, that it is another one now."""
        assert self.model_switch is not None
        if self.model_switch.progress().state in ("cancelled", "failed"):
            state.preset = None
        changes = self.model_switch.changes
        updates: Updates = {self.seen: changes}
        if seen != changes:
            updates[self._waiting] = gr.Timer(active=True)
        return {**updates, **self._drawn(listed)} if opened else updates

    # --- Drawing ----------------------------------------------------------------------------------

    def _drawn(self, listed: Any = None) -> Updates:
        """The updates of all that is shown.

        Args:
            listed: the list of presets as it is shown; None where that is not known.
        """
        library = self.session.library
        status = self.session.status()
        problems = library.problems
        if self.model_switch is None:  # strangers are told no paths
            status = dataclasses.replace(status, base=short_name(status.base))
            problems = []
        updates: Updates = {self.about: html_model.model(status, library.other_adapters, problems)}
        if self.model_switch is not None:
            now = self.model_switch.progress()
            updates |= {
                self.progress: html_model.progress(now),
                self.cancel: gr.update(visible=now.busy, interactive=now.state == "loading"),
                self.timer: gr.Timer(BUSY if now.busy else CALM),
            }
            presets = self._presets(now.busy)
            # Drawn only when it is another: what has the focus in it would lose it each time.
            updates |= {self.presets: presets, self.listed: presets} if presets != listed else {}
        return updates

    def _presets(self, busy: bool) -> str:
        assert self.model_switch is not None
        offers, problems = self.model_switch.offers()
        loading = (self.model_switch.loading or "") if busy else None
        return html_presets.render_presets(offers, self.model_switch.running(), loading, problems)
