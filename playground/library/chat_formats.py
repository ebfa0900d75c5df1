"""Read chat formats from disk: named formats in prompts/chat/, and templates in tokenizer files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from playground.files import check_table, read_toml
from playground.library.sources import ROOT
from playground.templates import choose_template, find_ends, read_templates
from playground.tokenizers.files import has_vocabulary, read_token_names
from playground.types import ChatFormat, InputError


class UnknownFormatError(InputError):
    """Raised when there is no chat format with the given name."""


def read_chat_format(name: str, root: Path = ROOT) -> ChatFormat:
    """Read the chat format in `prompts/chat/NAME.toml`: its template, bos_token and eos_token.

    Raises:
        UnknownFormatError: there is no format with that name.
        InputError: the format's file cannot be read.
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
    """Return whether a folder's tokenizer files contain a chat template. Also return True if the files cannot
    be read, because they might contain one.
    """
    try:
        return bool(read_templates(folder))
    except InputError:
        return True


def sketch_chat_format(folder: Path) -> ChatFormat | None:
    """Return the default chat format in a folder of tokenizer files, without loading the tokenizer.

    This is fast, but special tokens that are not in the tokenizer's configuration may be missing. Returns
    None if there is no default template, or if a file cannot be read.
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
    """Return a chat format from a folder of tokenizer files, including the loaded tokenizer's special tokens.

    Args:
        template: name of the template, if there are several; None for the default template.

    Returns:
        The chat format, or None if there is no template.

    Raises:
        InputError: a file or the tokenizer cannot be read, or the template does not exist.
    """
    templates = read_templates(folder)
    if not templates:
        return None
    name = choose_template(templates, template)
    added: tuple[str, ...] = ()
    if has_vocabulary(folder):
        from playground.tokenizers.load import read_special_tokens  # slow import: loads Transformers

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
    """Return a copy of a chat format with the end markers that its template inserts after an answer.

    End markers are EOS tokens or stop sequences. To find the end markers, the template is rendered.

    Args:
        added: the tokenizer's added tokens, which are not part of its base vocabulary.
    """
    return dataclasses.replace(format, ends=format.ends or find_ends(format, added))
