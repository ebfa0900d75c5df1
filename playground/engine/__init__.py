"""Engines turn requests into a stream of events, all rows in one batch.

An engine never sees a conversation, and nothing here imports torch until a local model is opened.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Protocol

from playground.config import Settings
from playground.engine.hub import Report
from playground.library import Library
from playground.library.presets import Offer, Preset, join_cached
from playground.memory import Room
from playground.types import Event, Prompt, Reply, Request, Status, Token, TokenScore


class Engine(Protocol):
    """What every engine offers. One test class states the contract and runs on each of them."""

    def status(self) -> Status:
        """What it is and whether it is ready; returns at once."""

    def stream(self, requests: Sequence[Request]) -> Generator[Event, None, None]:
        """Answer all requests at once.

        Yields `Delta`s, and exactly one `Done` for each row; a row's deltas concatenate to its reply's
        text. A row that fails ends with `finish="error"` and leaves the others alone. At least ten times
        a second something is yielded, `Waiting` if there is nothing else, so that a caller can stop:
        closing the generator ends the work within one step. May be called from many threads at once.
        """

    def tokens(self, prompt: Prompt) -> list[Token] | None:
        """A prompt as this engine's tokenizer cuts it, to the token what `stream` reads.

        None while the model is loading, and for an engine that does not know its model's tokens.
        """

    def score(
        self, requests: Sequence[Request], replies: Sequence[Reply], top: int = 5
    ) -> list[list[TokenScore]]:
        """How likely each token of each reply is as an answer to the request beside it.

        Scored are the reply's `token_ids`, or where it has none the tokens of its `raw_text`, under the
        request's adapter and before any sampling filter. Blocks until all are done.

        Raises:
            OutsideError: one cannot be scored; the sentence says why.
        """

    def warm(self, prompts: Sequence[Prompt]) -> None:
        """Read prompts that will be asked for, in quiet moments, so that their first answer comes sooner.

        Returns at once. What cannot be read is left, since the same failure will be told when it is asked.
        """

    def close(self) -> None:
        """Stop all work and let go of the model. Rows under way end with an error."""


def open_engine(settings: Settings, library: Library) -> Engine:
    """The engine that `settings` ask for; it goes on loading behind the return."""
    from playground.engine.local import LocalEngine

    return LocalEngine(settings, library)


def fits_beside(settings: Settings, report: Report) -> bool:
    """Whether the model that `settings` name fits in memory beside what is there; see `loading`.

    Raises:
        InputError: there is no such model.
    """
    from playground.engine.loading import device

    return device.fits_beside(settings, report)


def measure_room(settings: Settings, running: int = 0) -> Room:
    """The memory that a model can have here; see `engine.room`."""
    from playground.engine import room

    return room.measure_room(settings, running)


def offer_presets(presets: Sequence[Preset], room: Room) -> list[Offer]:
    """What presets need on this machine, and how much of them is here; asks no network."""
    from playground.engine.hub.cache import has_token, measure_cached

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
