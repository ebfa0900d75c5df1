"""Tokenizers as the engine uses them: a prompt's token ids, and the ids that end an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedModel

from playground.files import first_line
from playground.types import InputError, Prompt, Token


def load_tokenizer(folder: Path, base: str, **options: Any) -> Any:
    """A base's tokenizer; `options` are `AutoTokenizer.from_pretrained`'s own."""
    try:
        return AutoTokenizer.from_pretrained(folder, **options)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"The tokenizer of {base} cannot be read: {first_line(error)}.") from error


def eos_token_ids(model: PreTrainedModel, tokenizer: Any) -> frozenset[int]:
    ends = model.generation_config.eos_token_id if model.generation_config else None
    named = ends if isinstance(ends, list) else [ends]
    return frozenset(token for token in [*named, tokenizer.eos_token_id] if token is not None)


def encode(tokenizer: Any, prompt: Prompt) -> list[int]:
    """A prompt's token ids, as the tokenizer itself gives them.

    BOS comes first exactly if the tokenizer puts one before a text of its own accord and the prompt does
    not decline it. Control tokens spelled out in the text count as such only where the prompt says so.
    """
    ids: list[int] = tokenizer(
        prompt.text, add_special_tokens=False, split_special_tokens=not prompt.control_tokens
    )["input_ids"]
    if prompt.bos and tokenizer.bos_token_id is not None:
        opening = tokenizer("")["input_ids"]
        if opening[:1] == [tokenizer.bos_token_id]:
            return [tokenizer.bos_token_id, *ids]
    return ids


def tokens(tokenizer: Any, prompt: Prompt) -> list[Token]:
    """The tokens of `encode`, with their pieces and where they begin in the text."""
    ids = encode(tokenizer, prompt)
    starts: list[int | None] = [None] * len(ids)
    if tokenizer.is_fast:
        offsets = tokenizer(
            prompt.text,
            add_special_tokens=False,
            split_special_tokens=not prompt.control_tokens,
            return_offsets_mapping=True,
        )["offset_mapping"]
        starts[len(ids) - len(offsets) :] = [start for start, _ in offsets]
    pieces = tokenizer.convert_ids_to_tokens(ids)
    return [
        Token(id=id, piece=piece, start=start) for id, piece, start in zip(ids, pieces, starts, strict=True)
    ]
