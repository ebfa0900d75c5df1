"""Read the card of a LoRA adapter from a folder in PEFT format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playground.files import check_table, place, read_object, read_toml
from playground.library.chat_formats import (
    UnknownFormatError,
    has_templates,
    read_chat_format,
    sketch_chat_format,
)
from playground.types import AdapterCard, InputError, check_name


def read_adapter(folder: Path, name: str | None = None, source: str | None = None) -> AdapterCard:
    """Read the card of a LoRA adapter in PEFT format, including its `adapter.toml` if there is one.

    Args:
        folder: folder with `adapter_config.json` and the weights.
        name: name of the adapter; defaults to the name in its card, or else the name of the folder.
        source: origin of the adapter, for example a Hub ID; defaults to `folder`.

    Raises:
        InputError: the folder is not an adapter, or its card or chat template cannot be read.
    """
    config_path = folder / "adapter_config.json"
    if not config_path.is_file():
        raise InputError(
            f"{folder} is not an adapter: it has no adapter_config.json. Specify the folder written by "
            "PEFT's save_pretrained."
        )
    config = read_object(config_path)
    card: dict[str, Any] = {}
    card_path = folder / "adapter.toml"
    if card_path.is_file():
        card = read_toml(card_path)
        known = ("name", "label", "source", "base_model", "chat_format", "description")
        check_table(card, card_path, {}, dict.fromkeys(known, str))
    name = name or card.get("name") or folder.resolve().name
    named = card.get("chat_format", "tokenizer")
    try:
        format = sketch_chat_format(folder) if named == "tokenizer" else read_chat_format(named)
    except UnknownFormatError as error:
        raise InputError(f"{place(card_path, key='chat_format')}: {error}") from error
    return AdapterCard(
        name=check_name(name, f"{folder}: the name"),
        source=source or str(folder),
        base_model=card.get("base_model") or str(config.get("base_model_name_or_path") or ""),
        label=card.get("label") or name,
        description=card.get("description", ""),
        chat_format=format,
        tokenizer=str(folder) if named == "tokenizer" and has_templates(folder) else "",
    )
