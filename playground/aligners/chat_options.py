"""What a lane can set in a chat format: the system message, template variables, and thinking in the history.

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
"""Options of every lane in a chat format; further ones are variables of its template."""
THINK = ("drop", "keep")


@dataclass(frozen=True, kw_only=True)
class ChatOptions:
    """A lane's settings besides its chat format."""

    system: str = ""
    """The system message; "" for none."""
    instruction: str = ""
    """The demonstration set whose instruction is the system message; "" where it was written by hand."""
    think: str = "drop"
    """Whether the history that the template gets has the reasoning of earlier answers: "drop" or "keep"."""
    variables: tuple[tuple[str, Any], ...] = ()
    """Further variables of the template, by name."""

    @classmethod
    def build(
        cls,
        options: Mapping[str, str],
        shelf: Shelf,
        format: ChatFormat,
        lane: str,
        besides: tuple[str, ...] = (),
    ) -> ChatOptions:
        """The settings from a lane's options as text.

        Args:
            lane: the lane's name in error messages.
            besides: further options of the lane, which are ignored here.

        Raises:
            InputError: an option is unknown or has a bad value.
        """
        known = (*besides, *FIXED)
        others = {name: value for name, value in options.items() if name not in known}
        if others and not format.problem:
            refuse_unknown(others, template_variables(format), lane, known)
        think = options.get("think", "drop")
        if think not in THINK:
            raise InputError(f"think={think} is not known: choose one of {', '.join(THINK)}.")
        system = check_characters(str(options.get("system", "")), "The system message")
        instruction = options.get("instruction", "")
        if instruction:
            if system:
                raise InputError(
                    "system= and instruction= both set the system message: leave one of them out."
                )
            system = shelf.demo_set(instruction).instruction.strip()
            if not system:
                raise InputError(
                    f"Demonstration set {instruction!r} has no instruction: choose another set, or write "
                    'one, as in system="...".'
                )
        return cls(
            system=system,
            instruction=str(instruction),
            think=think,
            variables=tuple(sorted((name, _parse(value)) for name, value in others.items())),
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> ChatOptions:
        """The settings that `types.to_json` wrote; None in records from before there were any."""
        if data is None:
            return cls(think="keep")
        return cls(**{**data, "variables": tuple((name, value) for name, value in data["variables"])})

    def messages(self, messages: Sequence[Message]) -> list[dict[str, str]]:
        """A conversation as a chat template gets it."""
        written = [{"role": "system", "content": self.system}] if self.system else []
        for message in messages:
            text = message.text
            if message.role == "assistant" and self.think == "drop":
                text = split_thinking(text).answer
            written.append({"role": message.role, "content": text})
        return written


def _parse(value: str) -> Any:
    """A variable's value: true, false, null and numbers as JSON means them, anything else as text."""
    if isinstance(value, Quoted) or not is_scalar(value):
        return check_characters(str(value), "A template variable")
    try:
        return json.loads(value)
    except ValueError:  # such as 007
        return str(value)
