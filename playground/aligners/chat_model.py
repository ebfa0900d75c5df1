"""Chat model aligner: another model behind a chat API, as a reference beside the lanes of the base model.

The server applies the model's own chat format. The prompt is therefore the list of messages, written as the
JSON that is sent to the server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

from playground.aligners import Shelf, refuse_unknown
from playground.aligners.base import AlignerBase, LaneKind
from playground.servers.address import OPENAI, check_address, complete_address
from playground.templates.thinking import split_thinking
from playground.types import (
    ChatModel,
    InputError,
    Message,
    Piece,
    Prompt,
    StopRule,
    check_characters,
    number_messages,
)

OPTIONS = ("model", "server", "system", "think")
THINK = ("drop", "keep")


@dataclass(frozen=True, kw_only=True)
class Aligner(AlignerBase):
    """Aligner that sends the conversation to a chat model on a server."""

    kind: ClassVar[str] = "chat-model"
    lane: ClassVar[LaneKind] = LaneKind(label="Chat model", chat_model=True, rank=90)
    model: str
    """The model's name on the server."""
    server: str
    """The server's address, without a key."""
    system: str = ""
    """System message; "" for none."""
    think: str = "drop"
    """Whether to "keep" or "drop" the reasoning in earlier answers."""
    adapter: None = None

    def __call__(self, messages: Sequence[Message]) -> Prompt:
        """Write the messages as the JSON list that is sent to the server."""
        pieces: list[Piece] = []
        if self.system:
            pieces.append(("instruction", None, _write("system", self.system)))
        for kind, number, message in number_messages(messages):
            text = message.text
            if message.role == "assistant" and self.think == "drop":
                text = split_thinking(text).answer
            pieces.append((kind, number, _write(message.role, text)))
        return Prompt.of(
            _join(pieces),
            stop=StopRule(),
            bos=False,
            chat_model=ChatModel(name=self.model, server=self.server),
        )

    def describe(self, adapter_label: str) -> str:
        """Describe the lane's weights and prompt in one sentence."""
        host = urlsplit(self.server).netloc
        return f"{self.model} on {host}, in its own chat format: a reference, not the base model."

    @classmethod
    def build(cls, options: Mapping[str, str], shelf: Shelf) -> Aligner:
        """Build the aligner.

        Supports `model` (required), `server` (by default OpenAI's), `system` and `think`.
        """
        refuse_unknown(options, OPTIONS)
        model = check_characters(str(options.get("model", "")).strip(), "The model's name")
        if not model:
            raise InputError(
                "This lane needs a model: write MODEL@http://SERVER, or chat:model=MODEL,server=URL."
            )
        think = options.get("think", "drop")
        if think not in THINK:
            raise InputError(f"Unknown value think={think}: choose one of {', '.join(THINK)}.")
        server = str(options.get("server", OPENAI)).strip()
        check_address(server, "the lane's server", "a key for this visit, or in the environment,")
        return cls(
            model=model,
            server=complete_address(server),
            system=check_characters(str(options.get("system", "")), "The system message"),
            think=think,
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Aligner:
        """Create an aligner from the output of `types.to_json`."""
        return cls(**{name: data[name] for name in OPTIONS})


def _write(role: str, text: str) -> str:
    return json.dumps({"role": role, "content": text}, ensure_ascii=False, indent=1)


def _join(pieces: Sequence[Piece]) -> list[Piece]:
    """Add the brackets and commas of a JSON list to the messages."""
    joined: list[Piece] = []
    for index, (kind, number, text) in enumerate(pieces):
        before = "[\n" if index == 0 else ""
        after = "\n]" if index == len(pieces) - 1 else ",\n"
        joined.append((kind, number, before + text + after))
    return joined
