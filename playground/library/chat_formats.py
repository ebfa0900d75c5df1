"""Chat formats on disk: named ones in prompts/chat/, and the templates among a tokenizer's files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from playground.files import check_table, read_toml
from playground.library.sources import ROOT
from playground.library.tokenizer_files import has_vocabulary, read_token_names
from playground.templates import choose_template, find_ends, read_templates
from playground.types import ChatFormat, InputError


class UnknownFormatError(InputError):
    """No chat format has that name."""


def read_chat_format(name: str, root: Path = ROOT) -> ChatFormat:
    """A chat format from prompts/chat/: `NAME.toml` with template, bos_token and eos_token.

    Raises:
        UnknownFormatError: there is none of that name.
        InputError: its file cannot be read.
    """
    there = {path.stem: path for path in (root / "prompts" / "chat").glob("*.toml")}
    if name not in there:
        known = ", ".join(sorted(there)) or "(there are none)"
        raise UnknownFormatError(f"there is no chat format {name!r:.80}; choose one of {known}.")
    path = there[name]
    table = read_toml(path)
    check_table(table, path, {"template": str}, {"bos_token": str, "eos_token": str})
    return ChatFormat(**table)


def has_templates(folder: Path) -> bool:
    """Whether there is a chat template among a tokenizer's files, or a file that may hold one but cannot be
    read."""
    try:
        return bool(read_templates(folder))
    except InputError:
        return True


def sketch_chat_format(folder: Path) -> ChatFormat | None:
    """The default chat template among a tokenizer's files with the tokens that its configuration names.

    Reads no tokenizer, so it is quick, and may lack special tokens that are kept elsewhere. None where there
    is no default template, or no file that can be read.
    """
    try:
        templates = read_templates(folder)
        if not templates:
            return None
        name = choose_template(templates, None)
        tokens = read_token_names(folder)
    except InputError:
        return None
    return _format(templates, name, tokens)


def tokenizer_chat_format(folder: Path, template: str | None = None) -> ChatFormat | None:
    """A chat template among a tokenizer's files, with the special tokens that the tokenizer itself has.

    Args:
        template: the name of one of several; None: the default.

    Returns:
        None where there is no template.

    Raises:
        InputError: a file or the tokenizer cannot be read, or there is no such template.
    """
    templates = read_templates(folder)
    if not templates:
        return None
    name = choose_template(templates, template)
    added: tuple[str, ...] = ()
    if has_vocabulary(folder):
        from playground.engine.tokenizer import read_special_tokens

        tokens, added = read_special_tokens(folder)
    else:
        tokens = read_token_names(folder)
    return add_ends(_format(templates, name, tokens), added)


def _format(templates: Mapping[str, str], name: str, tokens: Mapping[str, str]) -> ChatFormat:
    return ChatFormat(
        template=templates[name],
        bos_token=tokens.get("bos_token", ""),
        eos_token=tokens.get("eos_token", ""),
        name=name if len(templates) > 1 else "",
        special_tokens=tuple(tokens.items()),
    )


@lru_cache(maxsize=64)
def add_ends(format: ChatFormat, added: tuple[str, ...] = ()) -> ChatFormat:
    """The format with what the template writes right after an answer, as the template itself shows.

    Args:
        added: the tokens that a tokenizer has besides its vocabulary.
    """
    return dataclasses.replace(format, ends=format.ends or find_ends(format, added))
