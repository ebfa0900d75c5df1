"""The engine protocol, and functions that open engines: requests in, a stream of events out.

An engine never sees a conversation. Importing this package does not import torch; opening a local model does.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Generator, Sequence
from typing import Protocol

from playground.config import Settings
from playground.engine.hub import Report
from playground.engine.hub.cache import has_token, measure_cached
from playground.library import Library
from playground.library.presets import Offer, Preset, join_cached
from playground.memory import Room
from playground.types import Event, Prompt, Reply, Request, Status, Token, TokenScore


class Engine(Protocol):
    """What every engine can do; one test class states the contract and runs on each engine."""

    def status(self) -> Status:
        """Return the engine's state, model and adapters; never blocks."""

    def stream(self, requests: Sequence[Request]) -> Generator[Event, None, None]:
        """Answer all requests at once, one row each.

        Yields `Delta`s, and exactly one `Done` for each row; a row's deltas concatenate to its reply's
        text. A row that fails ends with `finish="error"` and leaves the others alone. An event is yielded
        at least ten times a second, `Waiting` if there is nothing else, so that a caller can stop:
        closing the generator ends the work within one step. May be called from many threads at once.
        """

    def tokens(self, prompt: Prompt) -> list[Token] | None:
        """Tokenise a prompt exactly as `stream` does.

        Returns:
            The tokens; None while the model is loading, and from an engine that does not know its model's
            tokenizer.
        """

    def score(  # Used by the token lens, to come.
        self, requests: Sequence[Request], replies: Sequence[Reply], top: int = 5
    ) -> list[list[TokenScore]]:
        """Compute how likely each token of each reply is as an answer to its request.

        The reply's `token_ids` are scored, or where it has none the tokens of its `raw_text`, under the
        request's adapter and before any sampling filter. Blocks until all are done.

        Args:
            requests: whose prompts and adapters are used.
            replies: one for each request.
            top: how many of the likeliest tokens each score lists.

        Raises:
            OutsideError: one cannot be scored; the sentence says why.
        """

    def warm(self, prompts: Sequence[Prompt]) -> None:
        """Prefill prompts while no row decodes, so that their first answer comes sooner.

        Returns at once. A prompt that fails is skipped: the request that needs it will report why.
        """

    def close(self) -> None:
        """Stop all work and free the model; unfinished rows end with an error."""


def open_engine(settings: Settings, library: Library) -> Engine:
    """Open the local engine that the settings describe; the model loads in the background."""
    from playground.engine.local import LocalEngine

    _exempt_libraries()
    return LocalEngine(settings, library)


@functools.cache
def _exempt_libraries() -> None:
    """Exempt everything that is imported by now from garbage collection, once.

    PyTorch, Transformers and PEFT are about 450 000 objects that are never freed, and each full collection
    took 0.25 s to look at them. No model exists yet, so none is exempt.
    """
    gc.freeze()


def fits_beside(settings: Settings, report: Report) -> bool:
    """Whether the model that the settings name fits in memory beside the running one.

    Raises:
        InputError: there is no such model.
    """
    from playground.engine.loading import device

    return device.fits_beside(settings, report)


def measure_room(settings: Settings, running: int = 0) -> Room:
    """Measure the memory that a model can have on this machine; see `engine.room`."""
    from playground.engine import room

    return room.measure_room(settings, running)


def offer_presets(presets: Sequence[Preset], room: Room) -> list[Offer]:
    """Compare presets with this machine: the memory they need, and what is downloaded; offline."""
    token = has_token()
    return [
        Offer(
            preset=preset,
            room=room,
            cached=join_cached(map(measure_cached, preset.sources)),
            has_token=token,
        )
        for preset in presets
    ]
