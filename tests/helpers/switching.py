"""Create a session on the pocket model that can switch to other models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playground.config import Settings
from playground.engine import open_engine
from playground.model_switch import ModelSwitch, Progress
from playground.session import Session
from playground.start import open_library
from playground.store import Store
from playground.types import Conversation, Sampling
from tests.helpers.waiting import until


class House:
    """A session on the pocket model with a `ModelSwitch` for loading other models."""

    def __init__(self, data_dir: Path, **options: Any) -> None:
        self.settings = Settings(data_dir=data_dir, device="cpu")
        library = open_library(self.settings)
        self.session = Session(open_engine(self.settings, library), library, Store(data_dir))
        until(lambda: self.session.status().state != "loading")
        self.change = ModelSwitch(self.session, self.settings, **options)

    def ended(self) -> Progress:
        until(lambda: not self.change.progress().busy)
        return self.change.progress()

    @property
    def base(self) -> str:
        return self.session.status().base

    def ask(
        self, text: str = "Hello", *lanes: str, conversation: Conversation | None = None, **sampling: Any
    ) -> Conversation:
        parameters = Sampling(**{"max_new_tokens": 5, **sampling})
        if conversation is None:
            conversation = self.session.new(
                [self.session.variant(lane, parameters) for lane in lanes or ("base",)]
            )
        *_, conversation = self.session.send(conversation, text)
        return conversation


@contextmanager
def house(path: Path, **options: Any) -> Iterator[House]:
    here = House(path, **options)
    try:
        yield here
    finally:
        here.change.cancel()
        until(lambda: not here.change.progress().busy)
        here.session.close()
