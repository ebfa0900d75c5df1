"""Another base, or another adapter, while people are here: in what order models come and go.

The new model is loaded beside the old one where both fit in memory, and people notice nothing until it is
there. Where they do not fit, the answers under way are waited for, the old model is let go of, and messages
wait for the new one. If it cannot be loaded, or somebody thinks better of it, the old one is there as
before. Conversations belong to neither: they stay.

An adapter is put on by loading its base again with one adapter more. PEFT could put it on a running model,
but not exactly: by then the layers have their fastest form (`engine/linear`), and 4-bit layers on a CPU lose
precision when they are unpacked.
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
    TokenScore,
)

log = logging.getLogger(__name__)

LOOK_EVERY = 0.1
"""Seconds between two looks at how far it is."""
SOURCE_LIMIT = 500
"""Characters of a path or a Hub id."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a change is, or how the last one ended."""

    state: Literal["idle", "loading", "stopping", "done", "cancelled", "failed"] = "idle"
    note: str = ""
    """One line for people."""
    share: float | None = None
    """Of the loading, 0 to 1."""

    @property
    def busy(self) -> bool:
        """Whether it is under way."""
        return self.state in ("loading", "stopping")


class _Cancelled(BaseException):
    """Somebody thought better of it; no failure that a library could take for its own."""


class ModelSwitch:
    """One change at a time of the model that a session runs on. Any thread may call; nothing here blocks."""

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
        """What the running model was opened with."""
        self._named = {settings.base: settings.adapters}
        """Adapters that were asked for, by the base they are for, so that going back finds them."""
        self.changes = 0
        """How often another engine took the place of one."""
        self.loading: str | None = None
        """The name of the preset that is being loaded, or was last."""
        self._progress = Progress()
        self._cancel = threading.Event()
        self._lock = threading.Lock()

    def progress(self) -> Progress:
        """How far it is."""
        return self._progress

    def base(self, source: Any, quantize: Any = "auto") -> None:
        """Begin to load another base, with the adapters that are there for it.

        Args:
            source: a folder or a Hub id.
            quantize: as `Settings.quantize`.

        Raises:
            InputError: it cannot be, as far as can be told at once; nothing has changed.
        """
        source = _source(source, "The base")
        if quantize not in ("auto", "4bit", "none"):
            raise InputError(f"The precision must be one of auto, 4bit, none, not {quantize!r}.")
        adapters = self._named.get(source, ())
        settings = dataclasses.replace(
            self.settings, base=source, preset=None, quantize=quantize, adapters=adapters
        )
        self._begin(settings, None, f"{source} is loaded.")

    def preset(self, name: Any) -> None:
        """Begin to load a preset: its base, with its adapters and those that are there for it.

        Where exactly these run already, only the set-up that it suggests becomes the library's.

        Args:
            name: of a preset.

        Raises:
            InputError: there is none of that name, it is too large for this machine, or as for `base`.
        """
        preset = find_preset(name if isinstance(name, str) else "", self.settings.data_dir)
        (offer,) = engines.offer_presets([preset], self._room())
        if not offer.fits:
            raise InputError(
                f"{preset.label} is too large for this machine: even in 4 bit it needs "
                f"{offer.memory[FOUR_BIT] / 1e9:.1f} GB. To try it anyway, give its base under Another base."
            )
        settings = dataclasses.replace(
            self.settings,
            base=preset.base,
            preset=name,
            quantize="auto",
            adapters=with_adapters(preset, self._named.get(preset.base, ())),
        )
        if self.runs(preset):
            self._adopt(settings, preset)
            return
        self._begin(settings, None, f"{preset.label} is loaded.", preset.name)

    def running(self) -> str | None:
        """The name of the preset whose set-up is in use, if it runs."""
        return self.settings.preset if self._session.status().state == "ready" else None

    def runs(self, preset: Preset) -> bool:
        """Whether a preset's base runs, with its adapters."""
        ready = self._session.status().state == "ready" and not self._progress.busy
        named = dict(self.settings.adapters)
        same = all(named.get(adapter.name) == adapter.source for adapter in preset.adapters)
        return ready and self.settings.base == preset.base and same

    def _adopt(self, settings: Settings, preset: Preset) -> None:
        self.settings = dataclasses.replace(self.settings, preset=settings.preset)
        self._session.library.preset = preset
        self._end("done", f"{preset.label} runs already.")

    def offers(self) -> tuple[list[Offer], list[str]]:
        """The presets on this machine, and one sentence for each that cannot be read."""
        presets, problems = list_presets(self.settings.data_dir)
        return engines.offer_presets(presets, self._room()), problems

    def _room(self) -> Room:
        status = self._session.status()
        held = 0
        if status.parameters is not None:
            held = weights_size(
                status.parameters, FOUR_BIT if "4-bit" in (status.precision or "") else "float32"
            )
        return engines.measure_room(self.settings, held)

    def adapter(self, source: Any, name: Any = "") -> None:
        """Begin to load another adapter for the base that runs.

        Args:
            source: a folder or a Hub id.
            name: what to call it; by default the last part of its source.

        Raises:
            InputError: as for `base`.
        """
        source = _source(source, "The adapter")
        name = (name.strip() if isinstance(name, str) else "") or Path(
            model_name(source)
        ).expanduser().resolve().name
        library = self._session.library
        if name in library.adapters or name in library.pending or name in library.other_adapters:
            raise InputError(f"There is an adapter {name!r} already: give this one another name.")
        adapters = (*self.settings.adapters, (name, source))
        settings = dataclasses.replace(self.settings, adapters=adapters)
        self._begin(settings, name, f"Adapter {name} is loaded.")

    def cancel(self) -> None:
        """Give up what is under way: a download or a load ends at its next step; the model before stays."""
        with self._lock:
            if self._progress.state == "loading":
                self._cancel.set()
                self._progress = dataclasses.replace(self._progress, state="stopping", note="Stopping")

    def _begin(self, settings: Settings, wanted: str | None, done: str, preset: str | None = None) -> None:
        with self._lock:
            if self._progress.busy:
                raise InputError("Another model is being loaded: wait for it, or cancel it.")
            if self._session.status().state == "loading":
                raise InputError("The model is still loading: wait for it.")
            library = open_library(settings)
            self.loading = preset
            self._cancel.clear()
            self._progress = Progress(state="loading", note="Starting", share=0.0)
            _thread(self._run, settings, library, wanted, done)

    # --- The thread of a change -----------------------------------------------------------------------

    def _run(self, settings: Settings, library: Library, wanted: str | None, done: str) -> None:
        before = self._session.engine
        try:
            self._change(settings, library, wanted)
            self.settings = settings
            self._named[settings.base] = settings.adapters
            self._end("done", done)
            _thread(self._let_go, before)
        except _Cancelled:
            self._end("cancelled", f"Cancelled: {self.settings.base} is there as before.")
        except (InputError, OutsideError) as error:
            self._end("failed", str(error))
        except Exception as error:
            log.error("A model could not be exchanged", exc_info=error)
            self._end("failed", f"{settings.base} could not be loaded: {type(error).__name__} (see the log).")

    def _change(self, settings: Settings, library: Library, wanted: str | None) -> None:
        session = self._session
        old, old_library = session.engine, session.library
        if old.status().state != "ready" or self._fits_beside(settings, self._report):
            self._exchange(self._opened(settings, library, wanted), library)
            return
        between = _Between(lambda: self._progress, settings.base)
        self._exchange(between, old_library)  # from now on messages wait
        try:
            self._let_go(old, cancellable=True)
        except _Cancelled:
            self._exchange(old, old_library)
            raise
        try:
            new = self._opened(settings, library, wanted)
        except BaseException as error:
            self._restore(old_library, error)
            raise
        self._exchange(new, library)

    def _exchange(self, engine: Engine, library: Library) -> None:
        self._session.swap_engine(engine, library)
        self.changes += 1

    def _opened(self, settings: Settings, library: Library, wanted: str | None) -> Engine:
        """An engine that is ready; closed again if it does not get there."""
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
        """Load the model before again."""
        back = self._open_engine(self.settings, library)
        while (status := back.status()).state == "loading":
            note = f"Loading {self.settings.base} again: {status.note}"
            self._progress = dataclasses.replace(self._progress, note=note, share=status.progress)
            time.sleep(LOOK_EVERY)
        self._exchange(back, library)
        if status.state == "failed":
            raise OutsideError(
                f"{error} Nor could {self.settings.base} be loaded again: {status.note}"
            ) from error

    def _let_go(self, engine: Engine, cancellable: bool = False) -> None:
        """Close an engine once nothing is being written by it any more."""
        while self._session.uses(engine):
            if cancellable:
                self._report("Waiting for the answers that are being written", 0.15)
            time.sleep(LOOK_EVERY)
        engine.close()

    def _report(self, note: str, share: float | None) -> None:
        with self._lock:
            if self._cancel.is_set():
                raise _Cancelled
            self._progress = Progress(state="loading", note=note, share=share)

    def _end(self, state: Literal["done", "cancelled", "failed"], note: str) -> None:
        with self._lock:
            self._progress = Progress(state=state, note=note)


class _Between:
    """Stands in for an engine while none fits in memory; messages wait as while the first model loads."""

    def __init__(self, progress: Callable[[], Progress], base: str) -> None:
        self._progress = progress
        self._base = base

    def status(self) -> Status:
        """Loading."""
        progress = self._progress()
        return Status(state="loading", note=progress.note, base=self._base, progress=progress.share)

    def stream(self, requests: Sequence[Request]) -> Generator[Event, None, None]:
        """Nobody asks while the status is loading, but somebody may have looked a moment before."""
        reply = Reply(finish="error", error="The model is being exchanged: send the message again.")
        for row in range(len(requests)):
            yield Done(row=row, reply=reply)

    def tokens(self, prompt: Prompt) -> list[Token] | None:
        """Not known yet."""
        return None

    def score(
        self, requests: Sequence[Request], replies: Sequence[Reply], top: int = 5
    ) -> list[list[TokenScore]]:
        """See `Engine.score`."""
        raise OutsideError("The model is being exchanged: try again in a moment.")

    def warm(self, prompts: Sequence[Prompt]) -> None:
        """Nothing to read with."""

    def close(self) -> None:
        """Nothing to let go of."""


def _thread(work: Callable[..., None], *args: Any) -> None:
    # A daemon: a model in the middle of loading must not keep the program from ending.
    threading.Thread(target=work, args=args, name="tandem-changeover", daemon=True).start()


def _source(source: Any, what: str) -> str:
    text = source.strip() if isinstance(source, str) else ""
    if not text:
        raise InputError(f"{what} is empty: give a folder or a Hugging Face Hub id.")
    if len(text) > SOURCE_LIMIT or not text.isprintable():
        raise InputError(f"{what} is neither a path nor a Hugging Face Hub id: check it.")
    return text
