"""The engine protocol, and functions that open engines and measure whether models fit.

An engine gets requests and yields a stream of events; it does not know about conversations. Importing this
package does not import torch; opening a local model does.
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
    """The interface of all engines. One test class specifies the contract and runs on every engine."""

    def status(self) -> Status:
        """Return the engine's state, model and adapters, without blocking."""

    def stream(self, requests: Sequence[Request]) -> Generator[Event, None, None]:
        """Answer all requests at the same time, one row each.

        Yields `Delta`s and exactly one `Done` for each row; a row's deltas concatenate to its reply's
        text. A row that fails ends with `finish="error"` and does not affect the others. An event is
        yielded at least ten times a second (`Waiting` if there is no other) so that the caller can cancel:
        closing the generator ends the work within one decoding step. May be called from several threads at
        the same time.
        """

    def tokens(self, prompt: Prompt) -> list[Token] | None:
        """Tokenise a prompt exactly as `stream` does.

        Returns:
            The tokens, or None while the model is loading or if the engine has no access to its model's
            tokenizer.
        """

    def score(  # Used by the token lens, to come.
        self, requests: Sequence[Request], replies: Sequence[Reply], top: int = 5
    ) -> list[list[TokenScore]]:
        """Compute the log-probability of each token of each reply, given its request.

        The reply's `token_ids` are scored, or the tokens of its `raw_text` if it has none, with the
        request's adapter and before any sampling filter. Blocks until all replies are scored.

        Args:
            requests: the requests, of which the prompts and adapters are used.
            replies: one reply for each request.
            top: number of the likeliest tokens that each score lists.

        Raises:
            OutsideError: a reply cannot be scored; the message has the reason.
        """

    def warm(self, prompts: Sequence[Prompt]) -> None:
        """Prefill prompts into the prefix cache while no row decodes, to reduce the time to first token.

        Returns at once. A prompt that fails is skipped; the request that needs it will report the error.
        """

    def close(self) -> None:
        """Stop all work and free the model; unfinished rows end with an error."""


def open_engine(settings: Settings, library: Library) -> Engine:
    """Open the local engine that the settings describe. The model loads in the background."""
    from playground.engine.local import LocalEngine

    _exempt_libraries()
    return LocalEngine(settings, library)


@functools.cache
def _exempt_libraries() -> None:
    """Exempt all objects of the modules that are already imported from garbage collection, once.

    PyTorch, Transformers and PEFT have about 450 000 objects that are never freed, and each full collection
    took 0.25 s to traverse them. No model is loaded yet, so models are still collected.
    """
    gc.freeze()


def fits_beside(settings: Settings, report: Report) -> bool:
    """Whether the model that the settings name fits in memory beside the running one.

    Raises:
        InputError: the model cannot be found or served.
    """
    from playground.engine.loading import device

    return device.fits_beside(settings, report)


def measure_room(settings: Settings, running: int = 0) -> Room:
    """Measure the memory that a model can use on this machine; see `engine.room`."""
    from playground.engine import room

    return room.measure_room(settings, running)


def offer_presets(presets: Sequence[Preset], room: Room) -> list[Offer]:
    """Compare presets with this machine's memory and downloaded files, without network access."""
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
