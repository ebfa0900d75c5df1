"""Options of lanes with a chat format: the system message, template variables, and whether the history keeps
the reasoning.

Shared by `chat`, `ift` and `few_shot_chat`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playground.aligners import Shelf, refuse_unknown
from playground.templates import template_variables
from playground.templates.thinking import split_thinking
from playground.types import ChatFormat, InputError, Message, check_characters
from playground.types.option_value import Quoted, is_scalar

FIXED = ("adapter", "system", "instruction", "template", "think")
"""Options of every lane with a chat format; any other option is a template variable."""
THINK = ("drop", "keep")


@dataclass(frozen=True, kw_only=True)
class ChatOptions:
    """Options of a lane with a chat format, apart from the format itself."""

    system: str = ""
    """System message; "" for none."""
    instruction: str = ""
    """Demonstration set whose instruction is used as the system message; "" if the message was given as
    text."""
    think: str = "drop"
    """Whether to "keep" or "drop" the reasoning in earlier answers when rendering the history."""
    variables: tuple[tuple[str, Any], ...] = ()
    """Template variables set by the lane, as (name, value) pairs."""

    @classmethod
    def build(
        cls,
        options: Mapping[str, str],
        shelf: Shelf,
        format: ChatFormat,
        besides: tuple[str, ...] = (),
    ) -> ChatOptions:
        """Parse the options of a lane, which are given as strings.

        Args:
            besides: names of options that the lane supports in addition. Their values are ignored here.

        Raises:
            InputError: an option is unknown or has an invalid value.
        """
        known = (*besides, *FIXED)
        others = {name: value for name, value in options.items() if name not in known}
        if others and not format.problem:
            refuse_unknown(others, template_variables(format), known)
        think = options.get("think", "drop")
        if think not in THINK:
            raise InputError(f"Unknown value think={think}: choose one of {', '.join(THINK)}.")
        system = check_characters(str(options.get("system", "")), "The system message")
        instruction = options.get("instruction", "")
        if instruction:
            if system:
                raise InputError("Both system= and instruction= set the system message: remove one of them.")
            system = shelf.demo_set(instruction).instruction.strip()
            if not system:
                raise InputError(
                    f"Demonstration set {instruction!r} has no instruction: choose another set, or write "
                    'the system message yourself with system="...".'
                )
        return cls(
            system=system,
            instruction=str(instruction),
            think=think,
            variables=tuple(sorted((name, _parse(value)) for name, value in others.items())),
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> ChatOptions:
        """Create the options from the output of `types.to_json`.

        If `data` is None, as in documents saved by old versions, reasoning is kept in the history.
        """
        if data is None:
            return cls(think="keep")
        return cls(**{**data, "variables": tuple((name, value) for name, value in data["variables"])})

    def messages(self, messages: Sequence[Message]) -> list[dict[str, str]]:
        """Convert a conversation to the message format that chat templates expect."""
        written = [{"role": "system", "content": self.system}] if self.system else []
        for message in messages:
            text = message.text
            if message.role == "assistant" and self.think == "drop":
                text = split_thinking(text).answer
            written.append({"role": message.role, "content": text})
        return written


def _parse(value: str) -> Any:
    """Parse a template variable's value as a JSON constant or number, or return it as a string."""
    if isinstance(value, Quoted) or not is_scalar(value):
        return check_characters(str(value), "A template variable")
    try:
        return json.loads(value)
    except ValueError:  # not a valid JSON number, for example 007
        return str(value)
