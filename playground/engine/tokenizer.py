"""Load tokenizers, tokenise prompts and collect EOS token ids.

A tokenizer's prefix tokens and special tokens are determined from the loaded tokenizer, not from its files.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedModel

from playground.files import check_regular, check_whole, first_line, read_object
from playground.library.tokenizer_files import has_vocabulary
from playground.types import InputError, Prompt, Token

TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json", "additional_chat_templates")


def load_tokenizer(folder: Path, name: str, **options: Any) -> Any:
    """Load a tokenizer from the files in a folder.

    A tokenizer that cannot be loaded with its chat templates is loaded without them, since they are not
    needed here.

    Args:
        folder: the folder with the tokenizer's files.
        name: the name of the base model or adapter that the tokenizer belongs to, for error messages.
        options: options of `AutoTokenizer.from_pretrained`.

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
    """Check that a tokenizer can tokenise text, since some settings in its files take effect only then.

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
    with _explain_failures(f"The tokenizer of {name} cannot be used"):
        tokenizer("a")


def _describe_damage(folder: Path) -> str:
    """Describe the first tokenizer file that is truncated or not a JSON object; "" if there is none."""
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
    """Load the tokenizer from a copy of its files without chat templates, or return None if this fails."""
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
    """Read a tokenizer's special tokens, by their variable names in chat templates, and its added tokens.

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


def eos_token_ids(model: PreTrainedModel, tokenizer: Any) -> frozenset[int]:
    """Return the EOS token ids from the model's generation configuration and from the tokenizer.

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
    """The tokenizer of the base model or of an adapter; usable from any thread."""

    def __init__(self, hf: Any) -> None:
        """Wrap a Transformers tokenizer, `hf`."""
        self.hf = hf
        # A call can change the tokenizer's settings, so it must not be used by two threads at the same time.
        self._lock = threading.Lock()
        self._prefix: list[int] | None = None

    def encode(self, prompt: Prompt) -> list[int]:
        """Return a prompt's token ids; see the module's `encode` function.

        Raises:
            InputError: the tokenizer fails on the text.
        """
        with self._lock, _explain_failures():
            return encode(self.hf, prompt, self._cached_prefix_ids())

    def tokens(self, prompt: Prompt) -> list[Token]:
        """Return a prompt's tokens as in `encode`, with their pieces and start positions in the text.

        Raises:
            InputError: the tokenizer fails on the text.
        """
        with self._lock, _explain_failures():
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

        Ordinary vocabulary entries are ignored, since their text can also be spelled with other tokens.
        """
        with self._lock:
            added: dict[str, int] = self.hf.get_added_vocab()
            if text in added:
                return added[text]
            if text in self.hf.all_special_tokens and text != self.hf.unk_token:
                return int(self.hf.convert_tokens_to_ids(text))
        return None

    def texts(self, ids: Iterable[int]) -> tuple[str, ...]:
        """Return the vocabulary texts of tokens, sorted by token id."""
        return tuple(self.text(token) for token in sorted(ids))

    def _cached_prefix_ids(self) -> list[int]:
        if self._prefix is None:
            self._prefix = find_prefix_ids(self.hf)
        return self._prefix


@contextmanager
def _explain_failures(lead: str = "The tokenizer cannot process this text") -> Iterator[None]:
    """Convert exceptions raised by a tokenizer within the block into an InputError of one sentence."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        reason = " ".join(first_line(error).split())
        raise InputError(f"{lead}: {reason}.") from error


def find_prefix_ids(tokenizer: Any) -> list[int]:
    """Return the ids that a tokenizer prepends to a text, such as BOS; ids that it appends are ignored."""
    plain: list[int] = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole: list[int] = tokenizer("a")["input_ids"]
    for at in range(len(whole) - len(plain) + 1):
        if plain and whole[at : at + len(plain)] == plain:
            return whole[:at]
    return []


def encode(tokenizer: Any, prompt: Prompt, before: Sequence[int] | None = None) -> list[int]:
    """Return a prompt's token ids.

    The result starts with the ids that the tokenizer prepends to every text (`find_prefix_ids`). A prompt
    without control tokens can disable them with `bos=False`. A prompt whose text contains control tokens may
    already start with some or all of these ids, which are then not added twice.

    Args:
        tokenizer: a Transformers tokenizer.
        prompt: the prompt.
        before: the result of `find_prefix_ids(tokenizer)`, if already known.
    """
    ids: list[int] = tokenizer(
        prompt.text, add_special_tokens=False, split_special_tokens=not prompt.control_tokens
    )["input_ids"]
    first = list(find_prefix_ids(tokenizer) if before is None else before)
    if not prompt.bos and not prompt.control_tokens:
        return ids
    if prompt.control_tokens:
        written = (count for count in range(len(first), 0, -1) if ids[:count] == first[-count:])
        first = first[: len(first) - next(written, 0)]
    return first + ids


def list_tokens(tokenizer: Any, prompt: Prompt, before: Sequence[int] | None = None) -> list[Token]:
    """Return a prompt's tokens as in `encode`, with their pieces and start positions in the text."""
    ids = encode(tokenizer, prompt, before)
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
