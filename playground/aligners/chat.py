"""Chat aligner: prompts the base model with a chat template, without an adapter.

This aligner isolates the effect of the template: ``user``/``assistant`` markers alone are often enough to
make a base model answer. The function `prompt` also renders the prompts for `ift` and `few_shot_chat`.
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
    """Aligner that prompts the base model with a chat template."""

    kind: ClassVar[str] = "chat"
    lane: ClassVar[LaneKind] = LaneKind(
        label="Base + chat format", adapter="optional", chat_format=True, rank=30
    )
    format: ChatFormat
    options: ChatOptions = field(default_factory=ChatOptions)
    adapter: None = None

    def __call__(self, messages: Sequence[Message]) -> Prompt:
        """Render the conversation with the chat template, including the generation prompt."""
        return prompt(self.format, messages, None, self.options)

    def describe(self, adapter_label: str) -> str:
        """Describe the lane's weights and prompt in one sentence."""
        return "The base model, given your message in a chat format. The model itself is not changed."

    @classmethod
    def build(cls, options: Mapping[str, str], shelf: Shelf) -> Aligner:
        """Build the aligner.

        Supports the options of `ChatOptions`, and `template`, the name of the chat template if there are
        several. If `adapter` is given, the adapter's chat format is used, but not its weights.
        """
        format = borrow_format(options, shelf, "chat")
        return cls(format=format, options=ChatOptions.build(options, shelf, format))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Aligner:
        """Create an aligner from the output of `types.to_json`."""
        return cls(
            format=ChatFormat.from_json(data["format"]), options=ChatOptions.from_json(data.get("options"))
        )


def borrow_format(options: Mapping[str, str], shelf: Shelf, lane: str) -> ChatFormat:
    """Return the chat format selected by the options `adapter` and `template`.

    If an adapter is given, this is the adapter's chat format; otherwise, it is the base model's chat format.

    Raises:
        InputError: the adapter or template does not exist, or the base model has no chat template.
    """
    template = options.get("template")
    if "adapter" in options:
        return chat_format(shelf, options["adapter"], template)
    format = shelf.chat_format(None, template)
    if format is None:
        raise InputError(
            f"The base model has no chat template: use an adapter's, for example {lane}:adapter=NAME."
        )
    return format


def chat_format(shelf: Shelf, adapter: str, template: str | None = None) -> ChatFormat:
    """Return the adapter's own chat format, else the format named in its card, else the base model's format.

    Raises:
        InputError: the adapter or the chat template does not exist.
    """
    format = shelf.chat_format(adapter, template)
    if format is None:
        raise InputError(
            f"Adapter {adapter!r} has no chat template: set chat_format in its adapter.toml to a format from "
            'prompts/chat/ (for example chat_format = "chatml"), or save its tokenizer next to its weights. '
            "If a server runs the model, name the tokenizer with --tokenizer."
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
        adapter: name of the adapter to generate with; None for the base model.
        demonstrations: the messages of each demonstration, rendered before `messages`.

    Raises:
        InputError: the template rejects the conversation or its system message; the message gives the reason.
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
                f"The chat template does not accept a system message ({error.reason}): remove it from "
                "the lane."
            ) from error
        if not options.system and templates.needs_system(format, said, variables):
            raise InputError(templates.without_system(error.reason)) from error
        raise
    if options.system and _renders(format, said[1:], variables) == text:
        raise InputError("The chat template ignores the system message: remove it from the lane.")
    # Do not add a second BOS token to text that starts with one. Tokenization also checks whether the prompt
    # already starts with a BOS token id.
    bos = not (format.bos_token and text.startswith(format.bos_token))
    pieces = _pieces(format, said, text, variables, [len(turns) for turns in demonstrations])
    return Prompt.of(pieces, stop=_stop(format), adapter=adapter, bos=bos, control_tokens=True)


def render(format: ChatFormat, messages: Sequence[Message], generation_prompt: bool = True) -> str:
    """Render messages with the chat template alone: no system message or template variables are added."""
    return templates.render(format, ChatOptions(think="keep").messages(messages), generation_prompt)


def _renders(format: ChatFormat, said: Sequence[Mapping[str, str]], variables: Mapping[str, Any]) -> str:
    try:
        return templates.render(format, said, variables=variables)
    except InputError:
        return ""


def _stop(format: ChatFormat) -> StopRule:
    """Return the stop rule for a chat format's end markers. Markers that begin with a newline become stop
    sequences. All other markers become stop tokens.
    """
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
    """Split the rendered text into parts, at boundaries found by rendering prefixes of the message list.

    If the template rejects a prefix, the adjacent parts are merged.

    Args:
        demonstrations: number of messages in each demonstration.
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
        except InputError:  # the template rejects a conversation that ends here
            continue
        if text.startswith(shorter) and shorter.startswith(done):
            pieces.append((kind, number_of, shorter[len(done) :]))
            done = shorter
    last: PartKind = "cue" if pieces and pieces[-1][0] == "message" else "text"
    return [*pieces, (last, None, text[len(done) :])]
