"""The engine protocol, and functions for opening engines and checking whether a model fits in memory.

An engine takes requests and yields a stream of events; it has no notion of conversations. Importing this
package does not import torch; opening a local engine does.
"""

from __future__ import annotations

import functools
import gc
import importlib.util
from collections.abc import Generator, Mapping, Sequence
from typing import Protocol

from playground.config import Settings, on_zero_gpu
from playground.engine.hub import Report
from playground.engine.hub.cache import has_token, measure_cached
from playground.library import Library
from playground.library.presets import Offer, Preset, join_cached
from playground.memory import Room
from playground.secret import Secret
from playground.types import Event, Prompt, Reply, Request, Status, Token, TokenScore

CHECK_WAIT = 15.0
"""Seconds to wait until servers have said what they serve, so that their lanes are known from the start."""


class Engine(Protocol):
    """Interface implemented by every engine. The same tests run on all implementations."""

    def status(self) -> Status:
        """Return the engine's state, including its model and adapters, without blocking."""

    def stream(self, requests: Sequence[Request]) -> Generator[Event, None, None]:
        """Answer all requests concurrently, one row per request.

        Yields `Delta` events and exactly one `Done` event per row. Concatenating a row's deltas gives the
        text of its reply. A failed row finishes with `finish="error"` and does not affect other rows. At
        least ten events are yielded per second (`Waiting` if there is nothing else to report), which gives
        the caller regular opportunities to cancel. Closing the generator stops the work within one decoding
        step. Thread-safe.
        """

    def tokens(self, prompt: Prompt) -> list[Token] | None:
        """Tokenise a prompt exactly as `stream` does.

        Returns:
            The tokens, or None if the model is still loading or the engine has no access to the model's
            tokenizer.
        """

    def score(  # Used by the token lens, to come.
        self, requests: Sequence[Request], replies: Sequence[Reply], top: int = 5
    ) -> list[list[TokenScore]]:
        """Compute the log-probability of every token in each reply, given the request that the reply answers.

        Scores a reply's `token_ids` or, if the reply has no token ids, the tokens of its `raw_text`. The
        log-probabilities are computed with the request's adapter, from logits to which no penalty,
        temperature or sampling filter has been applied. Blocks until all replies are scored.

        Args:
            requests: the requests; only their prompts and adapters are used.
            replies: one reply per request.
            top: number of most likely alternatives to include with each token's score.

        Raises:
            OutsideError: a reply cannot be scored; the message gives the reason.
        """

    def warm(self, prompts: Sequence[Prompt]) -> None:
        """Prefill prompts into the prefix cache while no row is decoding, to reduce the time to first token.

        Returns immediately. Prompts that fail are skipped; a later request with the same prompt reports the
        error.
        """

    def close(self) -> None:
        """Stop all work and free the model. Unfinished rows fail with an error."""


def open_engine(settings: Settings, library: Library) -> Engine:
    """Open the engine for the given settings: servers, or a model on this machine, and chat models.

    A model is loaded in the background. Servers are asked what they serve; `CHECK_WAIT` limits how long this
    function waits for them. In a Space with ZeroGPU, only the answers are generated on a GPU.
    """
    from playground.engine.mixed import MixedEngine

    return MixedEngine.open(open_own_engine(settings, library), settings)


def with_keys(engine: Engine, keys: Mapping[str, Secret]) -> Engine:
    """Return the engine with a user's own API keys for chat models, by server address.

    Keys are passed on for one turn and never stored.
    """
    from playground.engine.mixed import MixedEngine

    return engine.with_keys(keys) if keys and isinstance(engine, MixedEngine) else engine


def open_own_engine(settings: Settings, library: Library) -> Engine:
    """Open the engine for all requests that are not for a chat model."""
    if settings.remotes:
        from playground.engine.remote import RemoteEngine

        engine = RemoteEngine(settings, library)
        engine.wait_until_checked(CHECK_WAIT)
        return engine
    if on_zero_gpu() and importlib.util.find_spec("spaces") is not None:
        from playground.engine.zero_gpu import ZeroGpuEngine

        return ZeroGpuEngine(settings, library)
    from playground.engine.local import LocalEngine

    _exempt_libraries()
    return LocalEngine(settings, library)


@functools.cache
def _exempt_libraries() -> None:
    """Exempt all objects created so far from garbage collection. Runs once per process.

    Importing PyTorch, Transformers and PEFT creates about 450,000 permanent objects, and a full garbage
    collection takes 0.25 s to traverse these objects. No model is loaded yet at this point, so models can
    still be garbage-collected.
    """
    gc.freeze()


def fits_beside(settings: Settings, report: Report) -> bool:
    """Return whether the model named in the settings fits in memory alongside the loaded model.

    Raises:
        InputError: the model cannot be found or is not supported.
    """
    from playground.engine.loading import device

    return device.fits_beside(settings, report)


def measure_room(settings: Settings, running: int = 0) -> Room:
    """Measure the memory available for a model on this machine; see `engine.room.measure_room`."""
    from playground.engine import room

    return room.measure_room(settings, running)


def offer_presets(presets: Sequence[Preset], room: Room) -> list[Offer]:
    """Return each preset with this machine's available memory and the preset's download state.

    Does not access the network.
    """
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
