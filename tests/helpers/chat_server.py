"""Chat server for tests: streams answers in the form of `/v1/chat/completions`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.helpers.completions_server import Asked


def stream_chat(
    asked: Asked,
    deltas: Iterable[dict[str, Any]],
    finish: str = "stop",
    usage: Any = None,
    model: str = "served-model",
) -> None:
    """Stream an answer. Each delta is an object such as ``{"content": "Hello"}``."""
    asked.begin()
    for delta in deltas:
        asked.emit({"model": model, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    asked.emit({"model": model, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    if usage is not None:
        asked.emit({"model": model, "choices": [], "usage": usage})
    asked.end_stream()


def say(*texts: str) -> Any:
    """Return a function that answers each request with the same text."""

    def answer(asked: Asked, body: dict[str, Any]) -> None:
        stream_chat(asked, [{"content": text} for text in texts])

    return answer
