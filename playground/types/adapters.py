"""What is known of a LoRA adapter before its weights are loaded, and the chat format it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ChatFormat:
    """How a conversation is written for a fine-tuned model: a Jinja chat template and its tokens."""

    template: str
    """Jinja source, as in a Hugging Face tokenizer's `chat_template`."""
    bos_token: str = ""
    eos_token: str = ""
    name: str = ""
    """Which of a tokenizer's templates it is; "" for the only one."""
    special_tokens: tuple[tuple[str, str], ...] = ()
    """The tokenizer's special tokens as (variable, text), which the template can read; empty in old records,
    where only the two above are known."""
    ends: tuple[str, ...] = ()
    """What the template writes right after an assistant's text: tokens, and texts where there is no token.
    A text that begins with a newline ends an answer only there."""
    problem: str = ""
    """Why no prompt can be written with it, in one sentence; "" if one can."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ChatFormat:
        """The `ChatFormat` that `to_json` wrote, now or before formats had all of today's fields."""
        special_tokens = tuple((name, text) for name, text in data.get("special_tokens", ()))
        return cls(**{**data, "special_tokens": special_tokens, "ends": tuple(data.get("ends", ()))})

    @property
    def token_variables(self) -> dict[str, str]:
        """The template's variables for special tokens, and their text."""
        if self.special_tokens:
            return dict(self.special_tokens)
        return {"bos_token": self.bos_token, "eos_token": self.eos_token}


@dataclass(frozen=True, kw_only=True)
class AdapterCard:
    """What is known of a LoRA adapter without loading its weights."""

    name: str
    source: str
    """Where the files are: a folder, or a Hugging Face Hub id."""
    base_model: str
    """The base it was trained on, as its card or PEFT's adapter_config.json says."""
    label: str
    description: str = ""
    chat_format: ChatFormat | None = None
    """The chat format that its card names, or a sketch of its tokenizer's, which `Library.chat_format`
    completes. None: it brings no single template and names none."""
    tokenizer: str = ""
    """The folder of the chat template and tokenizer beside its weights; "" if there are none, or if the card
    names a chat format."""
