"""Create libraries and sessions from settings, for the page and the command line."""

from __future__ import annotations

from contextlib import ExitStack

from playground.config import Settings
from playground.engine import Engine, open_engine
from playground.engine.hub import fetch_cards
from playground.judging.service import Judges
from playground.judging_session import JudgingSession
from playground.library import Library
from playground.library.presets import find_preset
from playground.session import Session
from playground.store import Store
from playground.types import OutsideError


def open_library(settings: Settings) -> Library:
    """Open the library for the base model, adapters and preset specified in the settings."""
    # On a server, adapters have names instead of sources, and the engine finds their cards.
    adapters = {} if settings.remotes else dict(settings.adapters)
    library = Library.open(settings.base, adapters, data_dir=settings.data_dir)
    if settings.preset is not None:
        library.preset = find_preset(settings.preset, settings.data_dir)
        if library.preset.demos is not None and library.preset.demos not in library.demo_sets:
            library.problems.append(
                f"Preset {settings.preset!r} uses the demonstration set {library.preset.demos!r}, "
                "which was not found: another set is suggested instead."
            )
    return library


def read_cards(settings: Settings, library: Library, engine: Engine | None = None) -> None:
    """Add the adapter cards and chat formats that lane specs can refer to.

    They are downloaded or, if servers run the model, known once the servers have said what they serve.

    Args:
        engine: the engine that has been opened for these settings, if there is one.

    Raises:
        InputError: the base model cannot be found.
        OutsideError: a server cannot be used.
    """
    if not settings.remotes:
        fetch_cards(library)
        return
    with ExitStack() as stack:
        if engine is None:
            engine = open_engine(settings, library)
            stack.callback(engine.close)
        status = engine.status()
        if status.state != "ready":
            raise OutsideError(status.note)


def open_judging(settings: Settings) -> JudgingSession:
    """Open a session for judging recorded conversations on the command line, without loading a model.

    Raises:
        InputError: the database cannot be opened.
    """
    library = Library(base=settings.base, data_dir=settings.data_dir)
    library.read_rubrics_and_probes(data_dir=settings.data_dir)
    return JudgingSession(library, Judges(Store(settings.data_dir), settings, on_page=False))


def open_session(settings: Settings) -> Session:
    """Open a session with the engine specified in the settings. The model loads in the background.

    Raises:
        InputError: a requested adapter cannot be used, or the database cannot be opened.
    """
    library = open_library(settings)
    store = Store(settings.data_dir)
    return Session(open_engine(settings, library), library, store, Judges(store, settings))
