"""The base model in a chat template, without an adapter.

Shows what the template alone does: a base model that sees ``user``/``assistant`` markers often answers.
`render` is also how `ift` writes its prompts. Templates are run in Jinja's sandbox, since they come with
models from anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from playground.aligners import Shelf, refuse_unknown
from playground.types import ChatFormat, InputError, Message, PartKind, Piece, Prompt, StopRule


@dataclass(frozen=True, kw_only=True)
class Aligner:
    """A chat template on the base weights."""

    kind: ClassVar[str] = "chat"
    format: ChatFormat
    adapter: None = None

    def __call__(self, messages: Sequence[Message]) -> Prompt:
        """The template's text for the conversation, with the generation prompt at its end."""
        return prompt(self.format, messages, adapter=None)

    @classmethod
    def build(cls, options: Mapping[str, str], shelf: Shelf) -> Aligner:
        """Option: `adapter`, whose chat format to borrow (its weights are not used)."""
        refuse_unknown(options, ("adapter",), "chat")
        if "adapter" in options:
            return cls(format=chat_format(shelf, options["adapter"]))
        if shelf.base_format is None:
            raise InputError("The base has no chat template: borrow an adapter's, as in chat:adapter=NAME.")
        return cls(format=shelf.base_format)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Aligner:
        """See `aligner_from_json`."""
        return cls(format=ChatFormat(**data["format"]))


def chat_format(shelf: Shelf, adapter: str) -> ChatFormat:
    """The chat format of the adapter of that name: its own, the one its card names, or the base's.

    Raises:
        InputError: it is unknown, or there is no chat template anywhere.
    """
    format = shelf.adapter(adapter).chat_format or shelf.base_format
    if format is None:
        raise InputError(
            f"Adapter {adapter!r} has no chat template: name one of prompts/chat/ in its adapter.toml "
            '(chat_format = "chatml"), or save its tokenizer beside its weights.'
        )
    return format


def prompt(format: ChatFormat, messages: Sequence[Message], adapter: str | None) -> Prompt:
    """`messages` in the chat format, as `tokenizer.apply_chat_template` would write them.

    Raises:
        InputError: the template refuses the conversation; its own reason is in the sentence.
    """
    text = render(format, messages)
    # A template that writes the BOS token itself must not get a second one from the tokenizer.
    bos = not (format.bos_token and text.startswith(format.bos_token))
    stop = StopRule(tokens=(format.eos_token,) if format.eos_token else ())
    pieces = _pieces(format, messages, text)
    return Prompt.of(pieces, stop=stop, adapter=adapter, bos=bos, control_tokens=True)


def _pieces(format: ChatFormat, messages: Sequence[Message], text: str) -> list[Piece]:
    """The template's text, cut where the text for fewer messages ends, as far as the template allows that."""
    cuts: list[tuple[PartKind, int]] = []
    if len(messages) > 1:
        cuts.append(("history", len(messages) - 1))
    cuts.append(("message", len(messages)))
    pieces: list[Piece] = []
    done = ""
    for kind, number in cuts:
        try:
            shorter = render(format, messages[:number], generation_prompt=False)
        except InputError:  # it refuses a conversation that ends there
            continue
        if text.startswith(shorter) and shorter.startswith(done):
            pieces.append((kind, None, shorter[len(done) :]))
            done = shorter
    last: PartKind = "cue" if pieces and pieces[-1][0] == "message" else "text"
    return [*pieces, (last, None, text[len(done) :])]


def render(format: ChatFormat, messages: Sequence[Message], generation_prompt: bool = True) -> str:
    """The template's text; see `prompt`."""
    try:
        return _compile(format.template).render(
            messages=[{"role": message.role, "content": message.text} for message in messages],
            add_generation_prompt=generation_prompt,
            bos_token=format.bos_token,
            eos_token=format.eos_token,
            tools=None,
            documents=None,
        )
    except jinja2.TemplateError as error:
        raise InputError(f"The chat template cannot write this conversation: {error}.") from error


@lru_cache(maxsize=32)
def _compile(template: str) -> jinja2.Template:
    # The settings Hugging Face compiles chat templates with; the block trimming shapes the text.
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals["raise_exception"] = _raise
    return environment.from_string(template)


def _raise(message: str) -> None:
    raise jinja2.TemplateError(message)
