"""Switch the base model or add an adapter at runtime.

If both models fit in memory, the new model is loaded alongside the old model before replacing it. Otherwise,
the switch waits for answers in progress to finish, closes the old model and loads the new one. New messages
wait until the new model is ready. If loading fails or is cancelled, the previous model is kept or reloaded.
Conversations are not tied to a model, so they are kept.

Adding an adapter reloads the base model with one more adapter. PEFT could add the adapter to the running
model, but the result would not be exact, because the layers have already been converted to their fastest form
(`engine/linear`) and 4-bit layers on a CPU lose precision when they are unpacked.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, Literal

from playground import engine as engines
from playground.config import Settings
from playground.engine import Engine
from playground.engine.hub import Report
from playground.engine.without_model import EngineWithoutModel
from playground.library import Library
from playground.library.presets import Offer, Preset, find_preset, list_presets, with_adapters
from playground.library.sources import model_name
from playground.memory import FOUR_BIT, Room, weights_size
from playground.session import Session
from playground.start import open_library
from playground.types import (
    Done,
    Event,
    InputError,
    OutsideError,
    Prompt,
    Reply,
    Request,
    Status,
    Token,
)
from playground.words import format_bytes

log = logging.getLogger(__name__)

LOOK_EVERY = 0.1
"""Polling interval in seconds for loading progress and for answers in progress."""
SOURCE_LIMIT = 500
"""Maximum number of characters in a path or Hub ID."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Progress:
    """Progress of the current model switch, or result of the last one."""

    state: Literal["idle", "loading", "stopping", "done", "cancelled", "failed"] = "idle"
    note: str = ""
    """One line of display text."""
    share: float | None = None
    """Loading progress from 0 to 1."""

    @property
    def busy(self) -> bool:
        """Whether a model switch is in progress."""
        return self.state in ("loading", "stopping")


class SwitchCancelled(BaseException):
    """Raised when the user cancels a model switch.

    Derived from BaseException, so that ``except Exception`` in library code does not catch it.
    """


class ModelSwitch:
    """Controller that switches a session's model, one switch at a time.

    Public methods are thread-safe and do not block, because the work is done in a separate thread.
    """

    def __init__(
        self,
        session: Session,
        settings: Settings,
        open_engine: Callable[[Settings, Library], Engine] = engines.open_engine,
        fits_beside: Callable[[Settings, Report], bool] = engines.fits_beside,
    ) -> None:
        self._session = session
        self._open_engine = open_engine
        self._fits_beside = fits_beside
        self.settings = settings
        """The settings of the running model."""
        self._named = {settings.base: settings.adapters}
        """Requested adapters, keyed by base model. When the user switches back to a base model, the adapters
        requested for it are loaded again.
        """
        self.changes = 0
        """Number of times that the engine has been replaced."""
        self.loading: str | None = None
        """Name of the preset being loaded or last loaded. None if the model was not loaded from a preset."""
        self._progress = Progress()
        self._cancel = threading.Event()
        self._lock = threading.Lock()

    def progress(self) -> Progress:
        """Return the progress of the current model switch or the result of the last one."""
        return self._progress

    def load_base(self, source: Any, quantize: Any = "auto") -> None:
        """Start loading another base model together with all adapters requested for that model so far.

        Args:
            source: a folder or a Hub ID.
            quantize: precision, as in `Settings.quantize`.

        Raises:
            InputError: an argument is invalid, or a model is already being loaded. The running model is not
                affected.
        """
        source = _check_source(source, "The base")
        if quantize not in ("auto", "4bit", "none"):
            raise InputError(f"The precision must be one of auto, 4bit and none, not {quantize!r}.")
        adapters = self._named.get(source, ())
        settings = dataclasses.replace(
            self.settings, base=source, preset=None, quantize=quantize, adapters=adapters
        )
        self._start(settings, None, f"{source} is loaded.")

    def load_preset(self, name: Any) -> None:
        """Start loading a preset's base model, together with the preset's adapters and all other adapters
        requested for that base model.

        If the base model and all of these adapters are already loaded, only the preset's suggested settings
        are applied.

        Args:
            name: name of the preset.

        Raises:
            InputError: the preset does not exist or is too large for this machine, or a model is already
                being loaded.
        """
        preset = find_preset(name if isinstance(name, str) else "", self.settings.data_dir)
        (offer,) = engines.offer_presets([preset], self._measure_room())
        if not offer.fits:
            raise InputError(
                f"{preset.label} is too large for this machine: "
                f"even in 4-bit precision it needs {format_bytes(offer.memory[FOUR_BIT])}. "
                "To try it anyway, enter its base under Another base."
            )
        settings = dataclasses.replace(
            self.settings,
            base=preset.base,
            preset=name,
            quantize="auto",
            adapters=with_adapters(preset, self._named.get(preset.base, ())),
        )
        if self.is_running(preset):
            self._adopt_preset(settings, preset)
            return
        self._start(settings, None, f"{preset.label} is loaded.", preset.name)

    def running_preset(self) -> str | None:
        """Return the name of the active preset, or None."""
        return self.settings.preset if self._session.status().state == "ready" else None

    def is_running(self, preset: Preset) -> bool:
        """Return whether a preset's base model and adapters are loaded."""
        ready = self._session.status().state == "ready" and not self._progress.busy
        named = dict(self.settings.adapters)
        same = all(named.get(adapter.name) == adapter.source for adapter in preset.adapters)
        return ready and self.settings.base == preset.base and same

    def _adopt_preset(self, settings: Settings, preset: Preset) -> None:
        self.settings = dataclasses.replace(self.settings, preset=settings.preset)
        self._session.library.preset = preset
        self._finish("done", f"{preset.label} is already loaded.")

    def list_offers(self) -> tuple[list[Offer], list[str]]:
        """Return all presets with their memory requirements and download state on this machine, and a
        one-sentence error message for each preset file that cannot be read.
        """
        presets, problems = list_presets(self.settings.data_dir)
        return engines.offer_presets(presets, self._measure_room()), problems

    def _measure_room(self) -> Room:
        status = self._session.status()
        running = 0
        if status.parameters is not None:
            running = weights_size(
                status.parameters, FOUR_BIT if "4-bit" in (status.precision or "") else "float32"
            )
        return engines.measure_room(self.settings, running)

    def load_adapter(self, source: Any, name: Any = "") -> None:
        """Start loading an additional adapter for the running base model.

        Args:
            source: a folder or a Hub ID.
            name: name of the adapter; by default, the last part of its source.

        Raises:
            InputError: the source is invalid, the name is already in use, or a model is already being loaded.
        """
        source = _check_source(source, "The adapter")
        name = (name.strip() if isinstance(name, str) else "") or Path(
            model_name(source)
        ).expanduser().resolve().name
        library = self._session.library
        if name in library.adapters or name in library.pending or name in library.other_adapters:
            raise InputError(f"There is already an adapter named {name!r}: choose another name.")
        adapters = (*self.settings.adapters, (name, source))
        settings = dataclasses.replace(self.settings, adapters=adapters)
        self._start(settings, name, f"Adapter {name} is loaded.")

    def cancel(self) -> None:
        """Cancel the current model switch at the next step of downloading or loading.

        The previous model is kept.
        """
        with self._lock:
            if self._progress.state == "loading":
                self._cancel.set()
                self._progress = dataclasses.replace(self._progress, state="stopping", note="Stopping")

    def _start(self, settings: Settings, wanted: str | None, done: str, preset: str | None = None) -> None:
        with self._lock:
            if self._progress.busy:
                raise InputError("Another model is being loaded: wait until it is ready, or cancel it.")
            if self._session.status().state == "loading":
                raise InputError("The model is still loading: wait until it is ready.")
            library = open_library(settings)
            self.loading = preset
            self._cancel.clear()
            self._progress = Progress(state="loading", note="Starting", share=0.0)
            _start_thread(self._run, settings, library, wanted, done)

    # --- The switch's own thread ----------------------------------------------------------------------

    def _run(self, settings: Settings, library: Library, wanted: str | None, done: str) -> None:
        before = self._session.engine
        try:
            self._switch(settings, library, wanted)
            self.settings = settings
            self._named[settings.base] = settings.adapters
            self._finish("done", done)
            _start_thread(self._close_unused, before)
        except SwitchCancelled:
            self._finish("cancelled", f"Cancelled: {self.settings.base} is still loaded.")
        except (InputError, OutsideError) as error:
            self._finish("failed", str(error))
        except Exception as error:
            log.error("A model switch failed", exc_info=error)
            self._finish(
                "failed", f"{settings.base} could not be loaded: {type(error).__name__} (see the log)."
            )

    def _switch(self, settings: Settings, library: Library, wanted: str | None) -> None:
        session = self._session
        old, old_library = session.engine, session.library
        if old.status().state != "ready" or self._fits_beside(settings, self._report):
            self._swap(self._open(settings, library, wanted), library)
            return
        placeholder = PlaceholderEngine(lambda: self._progress, settings.base)
        self._swap(placeholder, old_library)  # from here on, new messages wait
        try:
            self._close_unused(old, cancellable=True)
        except SwitchCancelled:
            self._swap(old, old_library)
            raise
        try:
            new = self._open(settings, library, wanted)
        except BaseException as error:
            self._restore(old_library, error)
            raise
        self._swap(new, library)

    def _swap(self, engine: Engine, library: Library) -> None:
        self._session.swap_engine(engine, library)
        self.changes += 1

    def _open(self, settings: Settings, library: Library, wanted: str | None) -> Engine:
        """Open an engine and wait until it is ready. If loading fails or is cancelled, close the engine.

        Raises:
            InputError: the model cannot be loaded, or the adapter `wanted` cannot be used.
            SwitchCancelled: the user cancelled the switch.
        """
        engine = self._open_engine(settings, library)
        try:
            while (status := engine.status()).state == "loading":
                self._report(status.note, status.progress)
                time.sleep(LOOK_EVERY)
            if status.state == "failed":
                raise InputError(status.note)
            for adapter in status.adapters:
                if adapter.card.name == wanted and adapter.error:
                    raise InputError(adapter.error)
            self._report("Ready", 1.0)
        except BaseException:
            engine.close()
            raise
        return engine

    def _restore(self, library: Library, error: BaseException) -> None:
        """Reload the previous model after the new model has failed to load.

        Raises:
            OutsideError: reloading the previous model also failed. The message gives both reasons, starting
                with `error`.
        """
        back = self._open_engine(self.settings, library)
        while (status := back.status()).state == "loading":
            note = f"Reloading {self.settings.base}: {status.note}"
            self._progress = dataclasses.replace(self._progress, note=note, share=status.progress)
            time.sleep(LOOK_EVERY)
        self._swap(back, library)
        if status.state == "failed":
            raise OutsideError(
                f"{error} {self.settings.base} could not be reloaded either: {status.note}"
            ) from error

    def _close_unused(self, engine: Engine, cancellable: bool = False) -> None:
        """Wait until an engine has finished all answers in progress, then close the engine."""
        while self._session.uses(engine):
            if cancellable:
                self._report("Waiting for the answers in progress", 0.15)
            time.sleep(LOOK_EVERY)
        engine.close()

    def _report(self, note: str, share: float | None) -> None:
        with self._lock:
            if self._cancel.is_set():
                raise SwitchCancelled
            self._progress = Progress(state="loading", note=note, share=share)

    def _finish(self, state: Literal["done", "cancelled", "failed"], note: str) -> None:
        with self._lock:
            self._progress = Progress(state=state, note=note)


class PlaceholderEngine(EngineWithoutModel):
    """Placeholder engine used while no model is in memory. New messages wait until the next model is ready to
    answer them.
    """

    no_scores = "The model is being switched: try again in a moment."

    def __init__(self, progress: Callable[[], Progress], base: str) -> None:
        self._progress = progress
        self._base = base

    def status(self) -> Status:
        """Return a "loading" status that shows the progress of the model switch."""
        progress = self._progress()
        return Status(state="loading", note=progress.note, base=self._base, progress=progress.share)

    def stream(self, requests: Sequence[Request]) -> Generator[Event, None, None]:
        """Fail every row with an error.

        Called when a request was based on the status of an engine that has since been replaced.
        """
        reply = Reply(finish="error", error="The model is being switched: send the message again.")
        for row in range(len(requests)):
            yield Done(row=row, reply=reply)

    def tokens(self, prompt: Prompt) -> list[Token] | None:
        """Return None, because the next model's tokenizer is not known yet."""
        return None


def _start_thread(work: Callable[..., None], *args: Any) -> None:
    # A daemon thread, so that a load in progress does not prevent the program from exiting.
    threading.Thread(target=work, args=args, name="tandem-model-switch", daemon=True).start()


def _check_source(source: Any, what: str) -> str:
    """Validate a source entered on the page, and return it without leading and trailing whitespace.

    Args:
        source: the value entered on the page.
        what: subject of the error message, such as "The base".

    Raises:
        InputError: the source cannot be a path or a Hub ID.
    """
    text = source.strip() if isinstance(source, str) else ""
    if not text:
        raise InputError(f"{what} is empty: enter a folder or a Hugging Face Hub ID.")
    if len(text) > SOURCE_LIMIT or not text.isprintable():
        raise InputError(f"{what} is neither a path nor a Hugging Face Hub ID: check the spelling.")
    return text
