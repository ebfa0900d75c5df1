"""The engine protocol, plus functions that open engines and check whether a model fits in memory.

An engine receives requests and yields a stream of events; it knows nothing about conversations. Importing
this package does not import torch; opening a local model does.
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
    """The interface that every engine implements. One test class checks the contract for all of them."""

    def status(self) -> Status:
        """Return the engine's state, model and adapters, without blocking."""

    def stream(self, requests: Sequence[Request]) -> Generator[Event, None, None]:
        """Answer all requests concurrently, one row per request.

        Yields `Delta`s and exactly one `Done` for each row. The deltas of a row, concatenated, are the text
        of its reply. A row that fails ends with `finish="error"` and does not affect the other rows. At least
        ten events are yielded per second (`Waiting` if there is nothing else to report), so that the caller
        can cancel: closing the generator stops the work within one decoding step. Safe to call from several
        threads at the same time.
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
        """Compute the log-probability of every token in each reply, given its request.

        Scores the reply's `token_ids`, or the tokens of its `raw_text` if it has no token ids, using the
        request's adapter and the logits before any sampling filter. Blocks until all replies are scored.

        Args:
            requests: the requests; only their prompts and adapters are used.
            replies: one reply per request.
            top: number of most likely tokens to include in each score.

        Raises:
            OutsideError: a reply cannot be scored; the message gives the reason.
        """

    def warm(self, prompts: Sequence[Prompt]) -> None:
        """Prefill prompts into the prefix cache while no row is decoding, to reduce the time to first token.

        Returns immediately. Prompts that fail are skipped; a later request with the same prompt reports the
        error.
        """

    def close(self) -> None:
        """Stop all work and free the model; unfinished rows end with an error."""


def open_engine(settings: Settings, library: Library) -> Engine:
    """Open the local engine described by the settings. The model loads in the background."""
    from playground.engine.local import LocalEngine

    _exempt_libraries()
    return LocalEngine(settings, library)


@functools.cache
def _exempt_libraries() -> None:
    """Exempt the objects of all modules imported so far from garbage collection, once per process.

    PyTorch, Transformers and PEFT create about 450,000 objects that are never freed, and each full collection
    took 0.25 s to traverse them. No model is loaded at this point, so models are still collected.
    """
    gc.freeze()


def fits_beside(settings: Settings, report: Report) -> bool:
    """Return whether the model named in the settings fits in memory alongside the running one.

    Raises:
        InputError: the model cannot be found or served.
    """
    from playground.engine.loading import device

    return device.fits_beside(settings, report)


def measure_room(settings: Settings, running: int = 0) -> Room:
    """Measure the memory available for a model on this machine; see `engine.room`."""
    from playground.engine import room

    return room.measure_room(settings, running)


def offer_presets(presets: Sequence[Preset], room: Room) -> list[Offer]:
    """Compare presets with this machine's memory and already downloaded files, without network access."""
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
