"""Load base models from disk and generate text with them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from playground.config import Settings
from playground.engine import Engine, open_own_engine
from playground.library import Library
from playground.types import Done, Prompt, Reply, Request, Sampling, Status

TEXT = "Hello there, what is"


def opened(folder: Path | str, **settings: Any) -> Engine:
    """Open the engine of a base model and wait until loading has finished or failed."""
    engine = open_own_engine(Settings(base=str(folder), device="cpu", **settings), Library.open(str(folder)))
    while engine.status().state == "loading":
        time.sleep(0.01)
    return engine


def status(folder: Path | str, **settings: Any) -> Status:
    engine = opened(folder, **settings)
    try:
        return engine.status()
    finally:
        engine.close()


def served(folder: Path | str, **settings: Any) -> tuple[Status, Reply]:
    """Return the engine status and a reply of a base model, asserting that both are free of errors."""
    engine = opened(folder, **settings)
    try:
        assert engine.status().state == "ready", engine.status().note
        request = Request(prompt=Prompt(text=TEXT), sampling=Sampling(max_new_tokens=12))
        (done,) = [event for event in engine.stream([request]) if isinstance(event, Done)]
        assert done.reply.error is None
        return engine.status(), done.reply
    finally:
        engine.close()


def refused(folder: Path | str, *said: str, **settings: Any) -> str:
    """Assert that loading a base model fails with a one-line error containing `said`; return the error."""
    now = status(folder, **settings)
    assert now.state == "failed", now
    assert "\n" not in now.note
    assert "could not be loaded: [" not in now.note
    for words in said:
        assert words in now.note, now.note
    return now.note
