"""Tokenise prompts and collect EOS token ids.

Prefix tokens such as BOS are determined by running the loaded tokenizer, not by reading its files.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from playground.tokenizers.load import explain_failures
from playground.types import InputError, Prompt, Token

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def eos_token_ids(model: PreTrainedModel, tokenizer: Any) -> frozenset[int]:
    """Return the EOS token ids listed in the model's generation configuration and in the tokenizer.

    Raises:
        InputError: an EOS token id in the configuration is not a valid token id.
    """
    ends = model.generation_config.eos_token_id if model.generation_config else None
    named = ends if isinstance(ends, list) else [ends]
    if not all(token is None or (isinstance(token, int) and token >= 0) for token in named):
        raise InputError(
            f"The base model's eos_token_id must be one or more token ids, not {ends!r}: correct it "
            "in its generation_config.json or config.json."
        )
    return frozenset(token for token in [*named, tokenizer.eos_token_id] if token is not None)


class Tokenizer:
    """Thread-safe wrapper for the tokenizer of the base model or an adapter."""

    def __init__(self, hf: Any) -> None:
        """Wrap the Transformers tokenizer `hf`."""
        self.hf = hf
        # A call can change the tokenizer's settings, so it must not be used by two threads at the same time.
        self._lock = threading.Lock()
        self._prefix: list[int] | None = None

    def encode(self, prompt: Prompt) -> list[int]:
        """Return a prompt's token ids; see the module's `encode` function.

        Raises:
            InputError: the tokenizer cannot process the text.
        """
        with self._lock, explain_failures():
            return encode(self.hf, prompt, self._cached_prefix_ids())

    def encode_plainly(self, text: str, add_special_tokens: bool) -> list[int]:
        """Return the ids of a text as servers tokenise it: control tokens spelled out in the text are single
        tokens, and `add_special_tokens` also prepends and appends what the tokenizer's files say.
        """
        with self._lock, explain_failures():
            ids: list[int] = self.hf(text, add_special_tokens=add_special_tokens)["input_ids"]
        return ids

    def tokens(self, prompt: Prompt) -> list[Token]:
        """Return a prompt's tokens, each with its vocabulary piece and its start position in the text.

        Raises:
            InputError: the tokenizer cannot process the text.
        """
        with self._lock, explain_failures():
            return list_tokens(self.hf, prompt, self._cached_prefix_ids())

    def decode(self, ids: Sequence[int]) -> str:
        """Decode token ids to text, without control tokens."""
        with self._lock:
            text: str = self.hf.decode(
                list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        return text

    def text(self, token: int) -> str:
        """Return a token's text as listed in the vocabulary."""
        with self._lock:
            return str(self.hf.convert_ids_to_tokens(token))

    def token_id(self, text: str) -> int | None:
        """Return the id of the control token with the given text, or None if it does not exist.

        Ordinary vocabulary entries are ignored, since a model can also produce their text with other tokens.
        """
        with self._lock:
            added: dict[str, int] = self.hf.get_added_vocab()
            if text in added:
                return added[text]
            if text in self.hf.all_special_tokens and text != self.hf.unk_token:
                return int(self.hf.convert_tokens_to_ids(text))
        return None

    def special_tokens(self) -> dict[str, str]:
        """Return the texts of the named special tokens, keyed by names such as "bos_token"."""
        return {name: str(text) for name, text in self.hf.special_tokens_map.items() if isinstance(text, str)}

    def texts(self, ids: Iterable[int]) -> tuple[str, ...]:
        """Return the texts of tokens as listed in the vocabulary, sorted by token id."""
        return tuple(self.text(token) for token in sorted(ids))

    def _cached_prefix_ids(self) -> list[int]:
        if self._prefix is None:
            self._prefix = find_prefix_ids(self.hf)
        return self._prefix


def find_prefix_ids(tokenizer: Any) -> list[int]:
    """Return the ids, such as BOS, that a tokenizer prepends to text, ignoring those that it appends."""
    plain: list[int] = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole: list[int] = tokenizer("a")["input_ids"]
    for at in range(len(whole) - len(plain) + 1):
        if plain and whole[at : at + len(plain)] == plain:
            return whole[:at]
    return []


def encode(tokenizer: Any, prompt: Prompt, before: Sequence[int] | None = None) -> list[int]:
    """Return a prompt's token ids.

    The result starts with the ids that the tokenizer prepends to all text (`find_prefix_ids`). A prompt
    without control tokens can omit these ids by setting `bos=False`. If the text of a prompt with control
    tokens already starts with some or all of these ids, the ids are not duplicated.

    Args:
        tokenizer: a Transformers tokenizer.
        prompt: the prompt.
        before: the result of `find_prefix_ids(tokenizer)`, if already known.
    """
    ids: list[int] = tokenizer(
        prompt.text,
        add_special_tokens=False,
        split_special_tokens=not prompt.control_tokens,
        verbose=False,  # the limit in the tokenizer's files need not be that of the model or its server
    )["input_ids"]
    first = list(find_prefix_ids(tokenizer) if before is None else before)
    if not prompt.bos and not prompt.control_tokens:
        return ids
    if prompt.control_tokens:
        written = (count for count in range(len(first), 0, -1) if ids[:count] == first[-count:])
        first = first[: len(first) - next(written, 0)]
    return first + ids


def list_tokens(tokenizer: Any, prompt: Prompt, before: Sequence[int] | None = None) -> list[Token]:
    """Return a prompt's tokens, each with its vocabulary piece and its start position in the text."""
    ids = encode(tokenizer, prompt, before)
    starts: list[int | None] = [None] * len(ids)
    if tokenizer.is_fast:
        offsets = tokenizer(
            prompt.text,
            add_special_tokens=False,
            split_special_tokens=not prompt.control_tokens,
            return_offsets_mapping=True,
            verbose=False,
        )["offset_mapping"]
        starts[len(ids) - len(offsets) :] = [start for start, _ in offsets]
    pieces = tokenizer.convert_ids_to_tokens(ids)
    return [
        Token(id=id, piece=piece, start=start) for id, piece, start in zip(ids, pieces, starts, strict=True)
    ]
