"""Chat aligner: the base model in a chat template, without an adapter.

Shows the effect of the template alone: a base model given ``user``/``assistant`` markers often answers. The
function `prompt` also renders the prompts of `ift`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, ClassVar

from playground import templates
from playground.aligners import Shelf
from playground.aligners.base import AlignerBase, LaneKind
from playground.aligners.chat_options import ChatOptions
from playground.types import ChatFormat, InputError, Message, PartKind, Piece, Prompt, StopRule

NO_OPTIONS = ChatOptions()


@dataclass(frozen=True, kw_only=True)
class Aligner(AlignerBase):
    """A chat template on the base weights."""

    kind: ClassVar[str] = "chat"
    lane: ClassVar[LaneKind] = LaneKind(
        label="Base + chat format", adapter="optional", chat_format=True, rank=30
    )
    format: ChatFormat
    options: ChatOptions = field(default_factory=ChatOptions)
    adapter: None = None

    def __call__(self, messages: Sequence[Message]) -> Prompt:
        """Render the conversation with the template, including the generation prompt."""
        return prompt(self.format, messages, None, self.options)

    def describe(self, adapter_label: str) -> str:
        """Describe in one sentence what the model gets."""
        return "The base model asked in a chat format; no weights are changed."

    @classmethod
    def build(cls, options: Mapping[str, str], shelf: Shelf) -> Aligner:
        """Build the aligner. Options: `adapter`, whose chat format is used without its weights, `template`
        (the name of one of several), and those of `ChatOptions`."""
        format = borrow_format(options, shelf, "chat")
        return cls(format=format, options=ChatOptions.build(options, shelf, format, "chat"))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Aligner:
        """Read an aligner from the output of `types.to_json`."""
        return cls(
            format=ChatFormat.from_json(data["format"]), options=ChatOptions.from_json(data.get("options"))
        )


def borrow_format(options: Mapping[str, str], shelf: Shelf, lane: str) -> ChatFormat:
    """Return the chat format named by the options `adapter` and `template`: an adapter's, or else the base's.

    Raises:
        InputError: there is no such adapter or template, or the base has none.
    """
    template = options.get("template")
    if "adapter" in options:
        return chat_format(shelf, options["adapter"], template)
    format = shelf.chat_format(None, template)
    if format is None:
        raise InputError(f"The base has no chat template: borrow an adapter's, as in {lane}:adapter=NAME.")
    return format


def chat_format(shelf: Shelf, adapter: str, template: str | None = None) -> ChatFormat:
    """Return the chat format of an adapter: its own, the one that its card names, or the base's.

    Raises:
        InputError: the adapter is unknown, or there is no such chat template.
    """
    format = shelf.chat_format(adapter, template)
    if format is None:
        raise InputError(
            f"Adapter {adapter!r} has no chat template: name one of prompts/chat/ in its adapter.toml "
            '(chat_format = "chatml"), or save its tokenizer beside its weights.'
        )
    return format


def prompt(
    format: ChatFormat,
    messages: Sequence[Message],
    adapter: str | None,
    options: ChatOptions = NO_OPTIONS,
    demonstrations: Sequence[Sequence[Message]] = (),
) -> Prompt:
    """Render `messages` in the chat format, like `tokenizer.apply_chat_template`.

    Args:
        adapter: the adapter to decode with; None is the base.
        demonstrations: the turns of each demonstration, which come before `messages`.

    Raises:
        InputError: the template refuses the conversation or its system message; the message says why.
    """
    said = options.messages([*chain.from_iterable(demonstrations), *messages])
    variables = dict(options.variables)
    try:
        text = templates.render(format, said, variables=variables)
    except templates.TemplateError as error:
        if error.reason == templates.NOT_IN_TIME:
            raise
        if options.system and _renders(format, said[1:], variables):
            raise InputError(
                f"The chat template takes no system message ({error.reason}): remove it from the lane."
            ) from error
        if not options.system and templates.needs_system(format, said, variables):
            raise InputError(templates.without_system(error.reason)) from error
        raise
    if options.system and _renders(format, said[1:], variables) == text:
        raise InputError("The chat template leaves the system message out: remove it from the lane.")
    # Token ids decide later whether a BOS is there already, but a text that begins with the BOS token never
    # needs one.
    bos = not (format.bos_token and text.startswith(format.bos_token))
    pieces = _pieces(format, said, text, variables, [len(turns) for turns in demonstrations])
    return Prompt.of(pieces, stop=_stop(format), adapter=adapter, bos=bos, control_tokens=True)


def render(format: ChatFormat, messages: Sequence[Message], generation_prompt: bool = True) -> str:
    """Render messages with the template, without any options; see `templates.render`."""
    return templates.render(format, ChatOptions(think="keep").messages(messages), generation_prompt)


def _renders(format: ChatFormat, said: Sequence[Mapping[str, str]], variables: Mapping[str, Any]) -> str:
    try:
        return templates.render(format, said, variables=variables)
    except InputError:
        return ""


def _stop(format: ChatFormat) -> StopRule:
    """Return the stop rule of a template's ends: tokens, and texts for ends that begin with a newline."""
    ends = [end for end in dict.fromkeys((format.eos_token, *format.ends)) if end.strip()]
    tokens = tuple(end for end in ends if not end.startswith("\n"))
    return StopRule(tokens=tokens, texts=tuple(end for end in ends if end.startswith("\n")))


def _pieces(
    format: ChatFormat,
    said: Sequence[Mapping[str, str]],
    text: str,
    variables: Mapping[str, Any],
    demonstrations: Sequence[int],
) -> list[Piece]:
    """Split the rendered text where the rendering of fewer messages ends, as far as the template allows it.

    Args:
        demonstrations: number of messages of each demonstration.
    """
    cuts: list[tuple[PartKind, int | None, int]] = []
    end = 1 if said[0]["role"] == "system" else 0
    if end:
        cuts.append(("instruction", None, end))
    for number, size in enumerate(demonstrations, start=1):
        end += size
        cuts.append(("demonstration", number, end))
    if len(said) > end + 1:
        cuts.append(("history", None, len(said) - 1))
    cuts.append(("message", None, len(said)))
    pieces: list[Piece] = []
    done = ""
    for kind, number_of, end in cuts:
        try:
            shorter = templates.render(format, said[:end], False, variables)
        except InputError:  # the template refuses a conversation that ends there
            continue
        if text.startswith(shorter) and shorter.startswith(done):
            pieces.append((kind, number_of, shorter[len(done) :]))
            done = shorter
    last: PartKind = "cue" if pieces and pieces[-1][0] == "message" else "text"
    return [*pieces, (last, None, text[len(done) :])]
