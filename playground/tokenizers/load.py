"""Load tokenizers from their files, and read special tokens from a loaded tokenizer."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from playground.files import check_regular, check_whole, first_line, read_object
from playground.tokenizers.files import has_vocabulary
from playground.types import InputError

TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json", "additional_chat_templates")


def load_tokenizer(folder: Path, name: str, **options: Any) -> Any:
    """Load a tokenizer from the files in a folder.

    If loading fails because of the chat templates, the tokenizer is loaded without them, because the returned
    tokenizer is not used to render prompts.

    Args:
        folder: the folder with the tokenizer's files.
        name: the name of the base model or adapter that the tokenizer belongs to, for error messages.
        **options: keyword arguments for `AutoTokenizer.from_pretrained`.

    Raises:
        InputError: the tokenizer cannot be read.
    """
    check_regular(folder)
    # Set `mistral_format`, so that the tokenizer does not depend on whether mistral-common is installed.
    options = {"trust_remote_code": False, "mistral_format": False, **options}
    try:
        return AutoTokenizer.from_pretrained(folder, **options)
    # For damaged files, the libraries raise anything from KeyError to a Rust panic, which is not an
    # `Exception`.
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        bare = _load_without_templates(folder, options)
        if bare is not None:
            return bare
        if not has_vocabulary(folder) and "gguf_file" not in options:
            raise InputError(
                f"{name} has no tokenizer: save one next to its weights (tokenizer.json or tokenizer.model)."
            ) from error
        reason = _describe_damage(folder) or " ".join(first_line(error).split())
        raise InputError(f"The tokenizer of {name} cannot be read: {reason}.") from error


def try_tokenizer(tokenizer: Any, name: str) -> None:
    """Check that a tokenizer can tokenise text.

    Some invalid settings cause errors only when a tokenizer is used, not when it is loaded.

    Args:
        tokenizer: a Transformers tokenizer, as returned by `load_tokenizer`.
        name: the name of the base model or adapter that the tokenizer belongs to, for error messages.

    Raises:
        InputError: the tokenizer cannot be used.
    """
    length = tokenizer.model_max_length
    if isinstance(length, bool) or not isinstance(length, int | float):
        raise InputError(
            f"The tokenizer of {name} cannot be used: model_max_length in its tokenizer_config.json must be "
            f"a number of tokens, not {length!r:.40}."
        )
    with explain_failures(f"The tokenizer of {name} cannot be used"):
        tokenizer("a")


def _describe_damage(folder: Path) -> str:
    """Describe the first tokenizer file that is damaged; return "" if no damage is found."""
    for path in sorted(folder.glob("*token*")):
        try:
            if path.suffix == ".json":
                read_object(path)
            elif path.is_file():
                with path.open("rb") as file:
                    check_whole(path, file.read(64))
        except InputError as error:
            return str(error).removesuffix(".")
    return ""


def _load_without_templates(folder: Path, options: dict[str, Any]) -> Any:
    """Load a tokenizer from a copy of its files without chat templates; return None if loading fails."""
    with tempfile.TemporaryDirectory() as copy:
        try:
            for path in folder.iterdir():
                if path.is_file() and path.name not in TEMPLATE_FILES and path.stat().st_size < 10**8:
                    shutil.copyfile(path, Path(copy) / path.name)
            config = Path(copy) / "tokenizer_config.json"
            if config.is_file():
                table = read_object(config)
                table.pop("chat_template", None)
                config.write_text(json.dumps(table), encoding="utf-8")
            return AutoTokenizer.from_pretrained(copy, **options)
        except BaseException as error:  # the caller reports the failure of the original load
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            return None


def read_special_tokens(folder: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Read a tokenizer's special tokens, keyed by chat template variable name, and its added tokens.

    Raises:
        InputError: the tokenizer cannot be read.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file())
    stamps = tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files)
    tokens, added = _read_special_tokens(folder, stamps)
    return dict(tokens), added


@lru_cache(maxsize=64)
def _read_special_tokens(
    folder: Path, stamps: tuple[Any, ...]
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    tokenizer = load_tokenizer(folder, str(folder))
    added = tuple(str(token) for token in tokenizer.added_tokens_decoder.values())
    return tuple(tokenizer.special_tokens_map.items()), added


@contextmanager
def explain_failures(lead: str = "The tokenizer cannot process this text") -> Iterator[None]:
    """Convert tokenizer exceptions raised within the block to an InputError with a one-sentence message."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        reason = " ".join(first_line(error).split())
        raise InputError(f"{lead}: {reason}.") from error
