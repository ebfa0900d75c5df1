"""The model dialog, which shows the loaded model and can load bases, adapters and presets at run time."""

from __future__ import annotations

import dataclasses
from typing import Any

import gradio as gr

from playground.model_switch import SOURCE_LIMIT, ModelSwitch
from playground.session import Session
from playground.ui.controls.buttons import small_button
from playground.ui.controls.events import QUICK, Updates
from playground.ui.dialogs.dialog import Dialog
from playground.ui.html import model as html_model
from playground.ui.html import presets as html_presets
from playground.ui.html.labels import short_name
from playground.ui.page.state import PageState

PRECISIONS = [("auto", "auto"), ("4 bit", "4bit"), ("full", "none")]
IDLE_PERIOD, LOADING_PERIOD = 4.0, 0.4
"""Intervals in seconds at which the dialog is updated: when idle, and while a model is loading."""

# The model label's element contains a button; clicks outside that button are ignored.
ON_CLICK = """
element.addEventListener('click', (event) => {
  if (event.target.closest('button')) trigger('click');
});
"""

# Disabled buttons remain focusable so that their explanation can be read. The list is rerendered when loading
# starts and finishes, after which the focus is restored.
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


class ModelDialog(Dialog):
    """Dialog that shows the loaded model, its device and its adapters.

    File paths are omitted, because untrusted users can open this dialog in public mode.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        super().__init__("model-panel", "Model", prefix="model", size="medium")

    def _compose_body(self) -> None:
        with gr.Column(elem_classes="dialog-body"):
            self.about = gr.HTML("", elem_id="model-about")

    @property
    def outputs(self) -> list[Any]:
        """The components updated by the dialog's handlers."""
        return [self.frame, self.about]

    def connect(self, chip: gr.HTML) -> None:
        """Connect the dialog's events.

        Args:
            chip: model label that opens the dialog when clicked. Its load script must be `ON_CLICK`.
        """
        chip.click(self.on_open, None, self.outputs, **QUICK)

    def on_open(self) -> Updates:
        """Open the dialog."""
        return self.show(self._render())

    def _render(self) -> Updates:
        status, library = self.session.status(), self.session.library
        status = dataclasses.replace(status, base=short_name(status.base))
        return {self.about: html_model.render_model(status, library.other_adapters, [])}


class LoadingState:
    """State of the dialog that loads models. Must be created inside a `gr.Blocks` context."""

    def __init__(self) -> None:
        self.is_open = gr.State(False)
        self.seen = gr.State(0)
        """Number of model changes already processed by the page."""
        self.listed = gr.State("")
        """HTML of the preset list currently in the browser."""


class ModelLoadingDialog(ModelDialog):
    """Model dialog that can also load models. The dialog also lists unreadable files with their paths."""

    def __init__(
        self,
        session: Session,
        model_switch: ModelSwitch,
        state: gr.State,
        own: LoadingState,
        waiting: gr.Timer,
    ) -> None:
        """Create the hidden dialog.

        Args:
            session: session that provides the model's status.
            model_switch: object that loads models.
            state: the page's state, in which `preset` is the preset being loaded by this page.
            own: the dialog's state.
            waiting: the timer to start when the model has changed. Its handler updates the page's lanes and
                model label.
        """
        self.model_switch = model_switch
        self._state, self._waiting = state, waiting
        # The timer is outside the dialog, because timers in a hidden column do not fire.
        self.timer = gr.Timer(IDLE_PERIOD)
        self.is_open, self.seen, self.listed = own.is_open, own.seen, own.listed
        super().__init__(session)

    def _compose_body(self) -> None:
        with gr.Column(elem_classes="dialog-body"):
            self.about = gr.HTML("", elem_id="model-about")
            self.presets = gr.HTML("", js_on_load=ON_PRESET, elem_id="model-presets")
        with gr.Column(elem_id="model-load"):
            with gr.Row(elem_classes="load-row"):
                self._compose_base()
            with gr.Row(elem_classes="load-row"):
                self._compose_adapter()
            with gr.Row(elem_id="change-row"):
                self.progress = gr.HTML("", elem_id="change")
                self.cancel = small_button("Cancel", "change-cancel", visible=False)

    def _compose_base(self) -> None:
        self.base = self._compose_field("Another base", "Folder or Hub ID", "load-base", 3)
        self.precision = gr.Dropdown(
            PRECISIONS,
            value="auto",
            label="Precision",
            filterable=False,
            min_width=80,
            scale=1,
            elem_id="load-precision",
        )
        self.load_base = small_button("Load", "load-base-go", min_width=72)

    def _compose_adapter(self) -> None:
        self.adapter = self._compose_field("Another adapter", "Folder or Hub ID", "load-adapter", 3)
        self.name = self._compose_field("Name", "such as my-adapter", "load-name", 1)
        self.load_adapter = small_button("Load", "load-adapter-go", min_width=72)

    def _compose_field(self, label: str, placeholder: str, id: str, scale: int) -> gr.Textbox:
        return gr.Textbox(
            label=label,
            placeholder=placeholder,
            max_length=SOURCE_LIMIT,
            min_width=80,
            scale=scale,
            elem_id=id,
        )

    @property
    def outputs(self) -> list[Any]:
        """The components updated by the dialog's handlers."""
        loading = [self.progress, self.cancel, self.timer, self.presets, self.listed]
        return [self.frame, self.about, *loading, self.is_open]

    def connect(self, chip: gr.HTML) -> None:
        """Connect the dialog's events.

        Args:
            chip: model label that opens the dialog when clicked. Its load script must be `ON_CLICK`.
        """
        super().connect(chip)
        for event in (self.load_base.click, self.base.submit):
            event(self.on_base, [self.base, self.precision], self.outputs, **QUICK)
        for event in (self.load_adapter.click, self.adapter.submit, self.name.submit):
            event(self.on_adapter, [self.adapter, self.name], self.outputs, **QUICK)
        self.cancel.click(self.on_cancel, None, self.outputs, **QUICK)
        self.presets.click(self.on_preset, [self._state], [*self.outputs, self._waiting], **QUICK)
        outputs = [*self.outputs, self.seen, self._waiting]
        self.timer.tick(self.on_tick, [self._state, self.is_open, self.seen, self.listed], outputs, **QUICK)

    def show(self, updates: Updates | None = None) -> Updates:
        """Return UI updates that open the dialog and show its content."""
        return {**super().show(updates), self.is_open: True}

    def hide(self) -> Updates:
        """Return UI updates that close the dialog."""
        return {**super().hide(), self.is_open: False}

    # --- Handlers ---------------------------------------------------------------------------------

    def on_base(self, source: Any, precision: Any) -> Updates:
        """Load another base model.

        The field is not cleared, so that the user can correct it if loading fails.
        """

        def act() -> Updates:
            self.model_switch.load_base(source, precision)
            return self._render()

        return self.attempt(act)

    def on_adapter(self, source: Any, name: Any) -> Updates:
        """Load another adapter.

        The fields are not cleared, so that the user can correct them if loading fails.
        """

        def act() -> Updates:
            self.model_switch.load_adapter(source, name)
            return self._render()

        return self.attempt(act)

    def on_preset(self, state: PageState, event: gr.EventData) -> Updates:
        """Load the preset whose button was clicked."""

        def act() -> Updates:
            name = (event._data or {}).get("preset")
            self.model_switch.load_preset(name)
            state.preset = name
            # If the preset is already in use, the model does not change, so `on_tick` would not detect the
            # request.
            is_loading = self.model_switch.progress().busy
            set_up: Updates = {} if is_loading else {self._waiting: gr.Timer(active=True)}
            return {**self._render(), **set_up}

        return self.attempt(act)

    def on_cancel(self) -> Updates:
        """Cancel loading the model."""
        self.model_switch.cancel()
        return self._render()

    def on_tick(self, state: PageState, is_open: Any, seen: Any, listed: Any = "") -> Updates:
        """Show loading progress, and update this page if the model was changed, from this page or another.

        Args:
            state: the page's state.
            is_open: whether the dialog is open.
            seen: number of model changes already processed by this page.
            listed: HTML of the preset list currently in the browser.
        """
        if self.model_switch.progress().state in ("cancelled", "failed"):
            state.preset = None
        changes = self.model_switch.changes
        updates: Updates = {self.seen: changes}
        if seen != changes:
            updates[self._waiting] = gr.Timer(active=True)
        return {**updates, **self._render(listed)} if is_open else updates

    # --- Content ----------------------------------------------------------------------------------

    def _render(self, listed: Any = None) -> Updates:
        """Return UI updates for the dialog's content.

        Args:
            listed: HTML of the preset list currently in the browser; None if unknown.
        """
        status, library = self.session.status(), self.session.library
        progress = self.model_switch.progress()
        updates: Updates = {
            self.about: html_model.render_model(status, library.other_adapters, library.problems),
            self.progress: html_model.render_progress(progress),
            self.cancel: gr.update(visible=progress.busy, interactive=progress.state == "loading"),
            self.timer: gr.Timer(LOADING_PERIOD if progress.busy else IDLE_PERIOD),
        }
        presets = self._render_presets(progress.busy)
        # Update the list only if it has changed, because rerendering it removes focus from its buttons.
        return updates | ({self.presets: presets, self.listed: presets} if presets != listed else {})

    def _render_presets(self, is_loading: bool) -> str:
        offers, problems = self.model_switch.list_offers()
        loading = (self.model_switch.loading or "") if is_loading else None
        return html_presets.render_presets(offers, self.model_switch.running_preset(), loading, problems)
