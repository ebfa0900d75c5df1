"""Match what servers serve with the library: the base model, the adapters and the tokenizer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from playground.config import Settings
from playground.engine.hub import SMALL_FILES, find_folder
from playground.engine.remote.discovery import ServedModel, Server
from playground.library import Library, check_adapter_name, read_adapter
from playground.library.base_names import same_model
from playground.library.sources import find_source
from playground.tokenizers.files import has_vocabulary
from playground.types import AdapterCard, AdapterStatus, InputError

if TYPE_CHECKING:
    from playground.engine.tokenizer import Tokenizer


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServedAdapter:
    """An adapter, and where it is served."""

    status: AdapterStatus
    server: Server | None = None
    """The server that serves the adapter; None if it cannot be used."""
    model: str = ""
    """The adapter's name on the server."""


def find_base(settings: Settings, servers: Sequence[Server]) -> str:
    """Return the name of the base model that the servers serve.

    It is the model named by ``--base`` or, failing that, where the first server loaded its model from.

    Raises:
        InputError: the servers serve different base models.
    """
    own = dict(settings.adapters).values()
    bases = [server for server in servers if server.base.id not in own] or list(servers)
    first = bases[0]
    for other in bases[1:]:
        if not same_model(_origin(first.base), _origin(other.base)):
            raise InputError(
                f"The servers at {first.address} and {other.address} serve different base models "
                f"({_origin(first.base)} and {_origin(other.base)}): start Tandem once for each base."
            )
    return settings.base or _origin(first.base)


def _origin(model: ServedModel) -> str:
    return model.root or model.id


def find_adapters(
    settings: Settings, servers: Sequence[Server], library: Library, base: str
) -> dict[str, ServedAdapter]:
    """Return the adapters that the servers serve, by name.

    The library gets the cards of the adapters that can be used. Other adapters are moved to its `not_served`.
    """
    found: dict[str, ServedAdapter] = {}
    named = dict(settings.adapters)
    for name, served in named.items():
        server = next((server for server in servers if server.serves(served)), None)
        if server is None:
            where = " and ".join(server.address for server in servers)
            reason = (
                f"The server at {where} does not serve {served!r}, named for adapter {name!r}: load it there"
                f"{_list_modules(servers)}."
            )
            found[name] = _refuse(_make_card(name, served, base), reason)
        else:
            found[name] = _read(name, served, server, library, base)
    for server in servers:
        for model in server.models:
            if model.parent is not None and model.id not in {*named.values(), *found}:
                found[model.id] = _read(model.id, model.id, server, library, base)
    for name in [name for name in library.adapters if name not in found]:
        library.not_served[name] = library.adapters.pop(name)
    for adapter in found.values():
        if adapter.server is not None:
            library.add(adapter.status.card)
    return found


def _list_modules(servers: Sequence[Server]) -> str:
    """Return the LoRA modules that can be named instead, as the end of a sentence; "" if there are none."""
    names = [model.id for server in servers for model in server.models if model.parent is not None]
    return f", or name one of {', '.join(names[:20])}" if names else ""


def _read(name: str, served: str, server: Server, library: Library, base: str) -> ServedAdapter:
    """Return a served adapter with its card: the card on disk, the card where the server loaded it from, or
    a card that contains only its name.
    """
    model = next((model for model in server.models if model.id == served), ServedModel(id=served))
    try:
        check_adapter_name(name)
        card = library.adapters.get(name) or library.other_adapters.get(name)
        if card is None:
            card = _read_root(model, name) or _make_card(name, model.root or served, base)
    except InputError as error:
        return _refuse(_make_card(name, served, base), str(error))
    if card.base_model and not same_model(card.base_model, base):
        return _refuse(
            card,
            f"Adapter {name!r} was made for base {card.base_model!r}, but the server at {server.address} "
            f"serves {base!r}: choose another adapter, or name the server's base with --base.",
        )
    status = AdapterStatus(card=card, serving=f"{served} on {server.label}")
    return ServedAdapter(status=status, server=server, model=served)


def _read_root(model: ServedModel, name: str) -> AdapterCard | None:
    """Read an adapter's card from the folder that the server loaded it from, if that is on this machine."""
    folder = Path(model.root) if model.root else None
    if folder is None or not (folder / "adapter_config.json").is_file():
        return None
    return read_adapter(folder, name=name)


def _make_card(name: str, source: str, base: str) -> AdapterCard:
    return AdapterCard(name=name, source=source, base_model=base, label=name)


def _refuse(card: AdapterCard, reason: str) -> ServedAdapter:
    return ServedAdapter(status=AdapterStatus(card=card, error=reason))


def open_tokenizer(settings: Settings, base: str, library: Library) -> tuple[Tokenizer | None, bool]:
    """Open the model's tokenizer, and read its chat template into the library.

    Without ``--tokenizer``, the tokenizer of a base model that is a folder on this machine is used.

    Returns:
        The tokenizer, or None if there is none, and whether the user named it.

    Raises:
        InputError: the tokenizer named by the user cannot be found or read.
    """
    named = settings.tokenizer is not None
    try:
        source = find_source(settings.tokenizer or base)
        if source.folder is None and not named:
            return None, False
        folder = find_folder(settings.tokenizer or base, SMALL_FILES)
        if source.file is not None or not has_vocabulary(folder):
            raise InputError(
                f"--tokenizer {settings.tokenizer} has no tokenizer files: name a folder with tokenizer.json "
                "or tokenizer.model, or a Hub ID."
            )
        library.read_base_format(dataclasses.replace(source, folder=folder))
        return _load(folder, str(settings.tokenizer or base)), named
    except InputError:
        if named:
            raise
        return None, False


def _load(folder: Path, name: str) -> Tokenizer:
    from playground.engine.tokenizer import Tokenizer
    from playground.tokenizers.load import load_tokenizer, try_tokenizer

    loaded = load_tokenizer(folder, name)
    try_tokenizer(loaded, name)
    return Tokenizer(loaded)


def list_control_texts(
    library: Library, adapters: Mapping[str, ServedAdapter], tokenizer: Tokenizer | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the texts of the BOS tokens and of all control tokens that are known."""
    formats = []
    for name in (None, *(name for name, adapter in adapters.items() if adapter.server is not None)):
        try:
            if (format := library.chat_format(name)) is not None:
                formats.append(format)
        except InputError:
            continue
    names = {} if tokenizer is None else tokenizer.special_tokens()
    bos = dict.fromkeys(filter(None, (names.get("bos_token"), *(format.bos_token for format in formats))))
    texts = dict.fromkeys(names.values())
    for format in formats:
        texts |= dict.fromkeys(filter(None, (*format.token_variables.values(), *format.ends)))
    return tuple(bos), tuple(text for text in texts if not text.startswith("\n"))
