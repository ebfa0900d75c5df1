"""Metadata and chat formats of LoRA adapters, which can be read without loading the adapters' weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ChatFormat:
    """A model's prompt format, defined by a Jinja chat template and the tokenizer's special tokens."""

    template: str
    """Jinja source of the template, as in a Hugging Face tokenizer's `chat_template`."""
    bos_token: str = ""
    eos_token: str = ""
    name: str = ""
    """The template's name, if the tokenizer has several templates; "" if the tokenizer has only one."""
    special_tokens: tuple[tuple[str, str], ...] = ()
    """The tokenizer's special tokens, as (template variable, text) pairs. Empty in documents saved by earlier
    versions, which contain only `bos_token` and `eos_token`.
    """
    ends: tuple[str, ...] = ()
    """End markers: the special tokens that the template inserts directly after an assistant message or, if it
    inserts only plain text there, that text.

    Plain text that begins with a newline ends an answer only where it occurs at the start of a line.
    """
    problem: str = ""
    """One-sentence reason why prompts cannot be rendered in this format; "" if there is no problem."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ChatFormat:
        """Parse a `ChatFormat` from the output of `to_json`, in this or an earlier version."""
        special_tokens = tuple((name, text) for name, text in data.get("special_tokens", ()))
        return cls(**{**data, "special_tokens": special_tokens, "ends": tuple(data.get("ends", ()))})

    @property
    def token_variables(self) -> dict[str, str]:
        """The text of each special token, keyed by the token's template variable."""
        if self.special_tokens:
            return dict(self.special_tokens)
        return {"bos_token": self.bos_token, "eos_token": self.eos_token}


@dataclass(frozen=True, kw_only=True)
class AdapterCard:
    """Metadata of a LoRA adapter, which can be read without loading the adapter's weights."""

    name: str
    source: str
    """Local folder or Hugging Face Hub ID from which the adapter is loaded."""
    base_model: str
    """The base model that the adapter was trained on, according to its card or PEFT's adapter_config.json."""
    label: str
    description: str = ""
    chat_format: ChatFormat | None = None
    """The chat format named in the card or, failing that, the format read from the tokenizer's files.

    A format read from the tokenizer's files can lack special tokens; `Library.chat_format` returns the
    complete format. None if the adapter has no default template and its card names no format.
    """
    tokenizer: str = ""
    """The folder that contains the adapter's own chat template and tokenizer; "" if the adapter has neither,
    or if the card names a chat format.
    """
