"""What is on disk for a person to choose from: demonstration sets and adapter cards.

Reads files and nothing else: no model is loaded and nothing is downloaded. A file that cannot be read is
left out and described in `Library.problems`, so one bad file never hides the good ones.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from playground.demonstrations.files import demo_files, read_demo_file, write_demo_set
from playground.files import check_table, place, read_object, read_toml
from playground.gguf import read_gguf
from playground.library.presets import Preset
from playground.library.sources import ROOT as ROOT
from playground.library.sources import Source, find_source, looks_like_path
from playground.templates import choose_template, find_ends, read_templates
from playground.types import AdapterCard, ChatFormat, DemoSet, InputError, check_name

POCKET = "models/pocket"
GENERAL_DEMOS = "general-3"
"""The set for a base that no set names."""


@dataclass
class Library:
    """Demonstration sets and adapter cards by name, for one base model."""

    base: str
    """The base model's name: a Hub id or a path, as given."""
    demo_sets: dict[str, DemoSet] = field(default_factory=dict)
    adapters: dict[str, AdapterCard] = field(default_factory=dict)
    """Those made for this base."""
    other_adapters: dict[str, AdapterCard] = field(default_factory=dict)
    """Those found here that were made for another base."""
    pending: dict[str, str] = field(default_factory=dict)
    """Adapters asked for whose files are still to come from the Hub: name to Hub id."""
    refused: dict[str, str] = field(default_factory=dict)
    """Adapters asked for that cannot be read, while others can: name to the reason, in one sentence."""
    base_format: ChatFormat | None = None
    """The chat template of the base's own tokenizer, once its files are here; `chat_format` completes it."""
    base_tokenizer: str = ""
    """The folder that `base_format` was read from; "" where it did not come from one."""
    problems: list[str] = field(default_factory=list)
    """One sentence for each file that could not be read."""
    preset: Preset | None = None
    """What the base was chosen by, if by a preset: its demonstration set is the default."""
    data_dir: Path | None = None
    """The user's folder; sets of theirs lie in `demos` there."""
    own_sets: dict[str, Path] = field(default_factory=dict)
    """The files of those of `demo_sets` that are the user's."""

    @classmethod
    def open(
        cls,
        base: str,
        adapters: Mapping[str, str] | None = None,
        root: Path = ROOT,
        data_dir: Path | None = None,
    ) -> Library:
        """Read `root`'s prompts and adapters, the demonstration sets in the user's `data_dir`, and the
        `adapters` named beside them (name to source).

        Raises:
            InputError: the only adapter that was asked for by name cannot be used. One of several goes to
                `refused`, and files that merely lie in `root` go to `problems` instead.
        """
        library = cls(base=base, data_dir=data_dir)
        if (local := _local_source(base, root)) is not None:
            library.read_base_format(local)
        library._read_demo_sets(root / "prompts" / "demos")
        if data_dir is not None:
            library._read_demo_sets(data_dir / "demos", own=True)
        for config in sorted((root / "adapters").glob("*/adapter_config.json")):
            try:
                card = read_adapter(config.parent)
                library._shelve(card)
            except InputError as error:
                library.problems.append(str(error))
        for name, source in (adapters or {}).items():
            try:
                library.ask_for(name, source)
            except InputError as error:
                if len(adapters or {}) == 1:
                    raise
                library.refused[name] = str(error)
                library.problems.append(str(error))
        return library

    def read_base_format(self, source: Source) -> None:
        """Take up the chat template of a base on this machine: of its tokenizer's files, or of the GGUF file
        that it is."""
        assert source.folder is not None
        if source.file is not None:
            self.base_tokenizer = ""
            self.base_format = read_gguf(source.folder / source.file).chat_format
            return
        self.base_tokenizer = str(source.folder) if has_templates(source.folder) else ""
        self.base_format = sketch_chat_format(source.folder)

    def _read_demo_sets(self, folder: Path, own: bool = False) -> None:
        """Take up a folder's sets; one whose name is taken is a problem, since a name means one set."""
        for path in demo_files(folder):
            try:
                demos = read_demo_file(path)
                if demos.name in self.demo_sets:
                    raise InputError(
                        f"{path}: the name {demos.name!r} is taken by another demonstration set; give this "
                        "one another name."
                    )
                self.demo_sets[demos.name] = demos
                if own:
                    self.own_sets[demos.name] = path
            except InputError as error:
                # A file's name need not be text, and a sentence about it must be.
                self.problems.append(str(error).encode("utf-8", "replace").decode("utf-8"))

    def save(self, demos: DemoSet) -> Path:
        """Write a set into the user's folder and take it up; one of the user's of that name is replaced.

        Raises:
            InputError: the name is taken by a set that is not the user's TOML file, or cannot be a name.
            OutsideError: the file cannot be written.
        """
        assert self.data_dir is not None
        own = self.own_sets.get(demos.name)
        if (own is None and demos.name in self.demo_sets) or (own is not None and own.suffix != ".toml"):
            raise InputError(
                f"The name {demos.name!r} is taken by another demonstration set: choose another name."
            )
        path = own or self.data_dir / "demos" / f"{check_name(demos.name, 'The set')}.toml"
        if own is not None and own.exists():
            try:
                unchanged = read_demo_file(own).content_hash == self.demo_sets[demos.name].content_hash
            except InputError:
                unchanged = False
            if not unchanged:
                raise InputError(
                    f"{own} has been changed since it was read, by another window or program: choose another "
                    "name, or start again to read it."
                )
        write_demo_set(path, demos, new=own is None)
        self.demo_sets[demos.name] = demos
        self.own_sets[demos.name] = path
        return path

    def ask_for(self, name: str, source: str) -> None:
        """Take up the adapter that a person named: at once from a folder, later from the Hub."""
        check_name(name, "The adapter name")
        if name in ("base", "raw", "urial", "ift", "chat"):
            raise InputError(f"The adapter name {name!r} is taken by a lane: give it another name.")
        folder = Path(source).expanduser()
        if folder.is_dir():
            self.add(read_adapter(folder, name=name))
        elif folder.is_file():
            raise InputError(
                f"{source} is a file: an adapter is a folder in PEFT's format, and LoRA files of llama.cpp "
                f"are not read; check the path given for {name!r}."
            )
        elif looks_like_path(source):
            raise InputError(f"There is no adapter folder {source}: check the path given for {name!r}.")
        else:
            self.pending[name] = source

    def add(self, card: AdapterCard) -> None:
        """Take up a card that a person asked for. Whether it fits the base is for the engine to find out, by
        its shapes: the name of a base differs from copy to copy."""
        self.pending.pop(card.name, None)
        self.adapters[card.name] = card

    def _shelve(self, card: AdapterCard) -> None:
        fits = same_model(card.base_model, self.base)
        (self.adapters if fits else self.other_adapters)[card.name] = card

    def demo_set(self, name: str) -> DemoSet:
        """The demonstration set of that name; InputError names the ones there are."""
        if name not in self.demo_sets:
            raise InputError(
                f"There is no demonstration set {name!r}: choose one of {_names(self.demo_sets)}."
            )
        return self.demo_sets[name]

    def default_demo_set(self) -> DemoSet:
        """The preset's set, else the one meant for this base, else the general one."""
        if self.preset is not None and self.preset.demos in self.demo_sets:
            return self.demo_sets[self.preset.demos]
        for demos in self.demo_sets.values():
            if same_model(demos.meant_for, self.base):
                return demos
        return self.demo_set(GENERAL_DEMOS)

    def adapter(self, name: str) -> AdapterCard:
        """The card of the adapter of that name, made for this base; InputError says what there is."""
        if name in self.adapters:
            return self.adapters[name]
        if name in self.other_adapters:
            made_for = self.other_adapters[name].base_model
            raise InputError(
                f"Adapter {name!r} was made for the base {made_for!r}, not for {self.base!r}: start "
                f"with --base {made_for}, or choose another adapter."
            )
        if name in self.refused:
            raise InputError(self.refused[name])
        if name in self.pending:
            raise InputError(
                f"Adapter {name!r} is still on its way from {self.pending[name]}: try again shortly."
            )
        raise InputError(f"There is no adapter {name!r}: choose one of {_names(self.adapters)}.")

    def chat_format(self, adapter: str | None = None, template: str | None = None) -> ChatFormat | None:
        """The complete chat format of an adapter or, for None, of the base.

        Loads the tokenizer that it belongs to, at the first time. A template that cannot be read does not
        raise: its format carries the reason in `problem`, so that it stays in the lanes that use it.

        Args:
            adapter: its own template counts, else the chat format that its card names, else the base's.
            template: which one of a tokenizer's named templates; None: the default.

        Returns:
            None where there is no chat template.

        Raises:
            InputError: there is no such adapter, or no such template.
        """
        folder, known = self._format_source(adapter)
        if folder is None:
            if template is not None:
                raise InputError(f"There is no chat template {template!r} to choose: leave template= out.")
            return None if known is None else _with_ends(known)
        try:
            names = read_templates(folder)
            if template is not None:
                choose_template(names, template)
            return tokenizer_chat_format(folder, template)
        except InputError as error:
            if template is not None:
                raise
            return ChatFormat(template="", problem=str(error))

    def template_names(self, adapter: str | None = None) -> tuple[str, ...]:
        """The names of the chat templates that `chat_format` can choose from; none where it cannot."""
        try:
            folder, _ = self._format_source(adapter)
            return () if folder is None else tuple(read_templates(folder))
        except InputError:
            return ()

    def _format_source(self, adapter: str | None) -> tuple[Path | None, ChatFormat | None]:
        """Where the chat format of an adapter or of the base comes from: a folder, or what is known."""
        if adapter is not None:
            card = self.adapter(adapter)
            if card.tokenizer:
                return Path(card.tokenizer), None
            if card.chat_format is not None:
                return None, card.chat_format
        return (Path(self.base_tokenizer) if self.base_tokenizer else None), self.base_format


def _names(table: Mapping[str, object]) -> str:
    return ", ".join(sorted(table)) or "(there are none)"


def same_model(one: str, other: str) -> bool:
    """Whether two names mean one base model: the same path, or the same last part of a name or path.

    A base is often trained on under its Hub id and run from a local copy, or trained on in 4 bit, so the
    owner, the folders before the name and a suffix for 4 bit are not compared; a different name means a
    different model. Where both names are folders here, their files decide and not their names.
    """
    if not one or not other:
        return False
    folders = [_folder(name) for name in (one, other)]
    if folders[0] is not None and folders[1] is not None:
        return folders[0] == folders[1] or _same_files(folders[0], folders[1])
    return _last_part(one) == _last_part(other)


_FOUR_BIT = re.compile(r"(-unsloth)?-bnb-4bit$")
_CACHED = re.compile(r"(?:^|/)models--(?:[^/]*--)?([^/]+?)/snapshots/[^/]+/?$")
"""A snapshot in the Hub's cache: models--OWNER--NAME/snapshots/HASH."""


def _folder(name: str) -> Path | None:
    path = Path(name).expanduser()
    for folder in (path, ROOT / path):
        if folder.is_dir():
            return folder.resolve()
    return None


def _last_part(name: str) -> str:
    # A path such as "." has its name in its absolute form only.
    name = str(_folder(name) or name).replace("\\", "/").rstrip("/")
    cached = _CACHED.search(name)
    last = (cached[1] if cached else name.rpartition("/")[2]).lower()
    return _FOUR_BIT.sub("", last.partition("@")[0])


SAMPLE = 1 << 16
"""Bytes read at each place of a weights file to tell it from another of the same size."""


def _same_files(one: Path, other: Path) -> bool:
    """Whether two folders hold one model: what shapes it in config.json, and samples of the weights."""
    return _last_part(str(one)) == _last_part(str(other)) and _fingerprint(one) == _fingerprint(other)


def _fingerprint(folder: Path) -> tuple[Any, ...]:
    try:
        config = json.loads((folder / "config.json").read_bytes())
        files = sorted([*folder.glob("*.safetensors"), *folder.glob("*.gguf"), *folder.glob("*.bin")])
        samples = tuple((path.name, path.stat().st_size, _sample(path)) for path in files)
    except (OSError, ValueError, RecursionError):
        return (str(folder),)
    aside = {"_name_or_path", "transformers_version", "torch_dtype", "dtype", "use_cache"}
    shape = (
        {key: value for key, value in config.items() if key not in aside}
        if isinstance(config, dict)
        else config
    )
    return (json.dumps(shape, sort_keys=True), samples)


def _sample(path: Path) -> bytes:
    """A digest of a file's beginning, middle and end."""
    digest = hashlib.blake2b()
    size = path.stat().st_size
    with path.open("rb") as file:
        for place in (0, size // 2, max(0, size - SAMPLE)):
            file.seek(place)
            digest.update(file.read(SAMPLE))
    return digest.digest()


# --- Files ----------------------------------------------------------------------------------------


def read_adapter(folder: Path, name: str | None = None, source: str | None = None) -> AdapterCard:
    """The card of a LoRA adapter in PEFT's layout, with `adapter.toml` where there is one.

    Args:
        folder: holds `adapter_config.json` and the weights.
        name: what to call it; by default what its card says, else the folder's name.
        source: where it came from, if not from `folder`.

    Raises:
        InputError: the folder is not an adapter, or its card or chat template cannot be read.
    """
    config_path = folder / "adapter_config.json"
    if not config_path.is_file():
        raise InputError(
            f"{folder} is not an adapter: it has no adapter_config.json. Give the folder that PEFT's "
            "save_pretrained wrote."
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
        raise UnknownFormatError(f"there is no chat format {name!r:.80}; choose one of {_names(there)}.")
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
    return _with_ends(_format(templates, name, tokens), added)


def _format(templates: Mapping[str, str], name: str, tokens: Mapping[str, str]) -> ChatFormat:
    return ChatFormat(
        template=templates[name],
        bos_token=tokens.get("bos_token", ""),
        eos_token=tokens.get("eos_token", ""),
        name=name if len(templates) > 1 else "",
        special_tokens=tuple(tokens.items()),
    )


def _local_source(base: str, root: Path) -> Source | None:
    """The base's files on this machine; None for a Hub id, and for a path that the engine will refuse."""
    try:
        source = find_source(base, root)
    except InputError:
        return None
    return source if source.folder is not None else None


@lru_cache(maxsize=64)
def _with_ends(format: ChatFormat, added: tuple[str, ...] = ()) -> ChatFormat:
    return dataclasses.replace(format, ends=format.ends or find_ends(format, added))


def read_token_names(folder: Path) -> dict[str, str]:
    """The special tokens that a tokenizer's JSON files name, by variable; for a folder without vocabulary.

    Raises:
        InputError: a file cannot be read.
    """
    tokens = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        path = folder / name
        table = read_object(path) if path.is_file() else {}
        for key, value in table.items():
            if key.endswith("_token") and (text := _token_text(value)):
                tokens[key] = text
    return tokens


VOCABULARIES = ("tokenizer.json", "tokenizer.model", "vocab.*", "spiece.model", "*.tiktoken", "tekken.json")
"""Files of which one holds a tokenizer's vocabulary."""


def has_vocabulary(folder: Path) -> bool:
    """Whether a folder has a tokenizer, and not only its configuration."""
    return any(next(folder.glob(pattern), None) is not None for pattern in VOCABULARIES)


def _token_text(token: Any) -> str:
    """A special token as a tokenizer's JSON file gives it: text, an object with `content`, or null."""
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) else ""
