"""Ask a server what it is and what it serves."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from playground.engine.remote import kinds
from playground.engine.remote.kinds import ServerKind
from playground.engine.remote.transport import StreamDamagedError, get_json, post_json
from playground.types import InputError

if TYPE_CHECKING:
    import openai

PLAIN = "a"
"""Text that is one token in nearly every vocabulary, used to find out what a server prepends to a prompt."""


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A model in a server's list of models."""

    id: str
    root: str = ""
    """Folder or Hub ID from which the server loaded the model; "" if the server does not say."""
    parent: str | None = None
    """Id of the base model, if this is a LoRA module."""
    context: int | None = None
    """Context length in tokens, if the server says it."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """What one server is and what it serves."""

    address: str
    """Base URL, including ``/v1``."""
    kind: ServerKind
    version: str = ""
    base: ServedModel
    """The model used as the base."""
    models: tuple[ServedModel, ...] = ()
    """All models in the server's list."""
    begins: int | None = None
    """Number of tokens that the server prepends to a prompt, such as BOS; None if it was not determined."""

    @property
    def label(self) -> str:
        """The server's name, version and host, for display."""
        name = "OpenAI-compatible server" if self.kind is kinds.OTHER else self.kind.name
        return " ".join(filter(None, (name, self.version, "at", urlsplit(self.address).netloc)))

    @property
    def root_url(self) -> str:
        """The server's address without ``/v1``."""
        return self.address.removesuffix("/v1")

    def serves(self, id: str) -> bool:
        """Return whether the server lists a model, or can serve it without listing it."""
        listed = any(model.id == id for model in self.models)
        # SGLang does not list adapters: they are named BASE:ADAPTER.
        return listed or (self.kind is kinds.SGLANG and id.startswith(f"{self.base.id}:"))


async def discover(client: openai.AsyncOpenAI, address: str, wanted: str | None) -> Server:
    """Ask a server for its kind, version and models.

    Args:
        client: a client for the server.
        address: the server's base URL.
        wanted: the id of the base model; None for the only model that is not a LoRA module.

    Raises:
        InputError: the base model cannot be determined, or is not served.
        openai.APIError: the server cannot be reached, or reports an error.
        StreamDamagedError: the server does not send a list of models.
    """
    entries = await _list_entries(client, address, wanted)
    models = tuple(_read_model(entry) for entry in entries if isinstance(entry, dict) and entry.get("id"))
    kind, version, facts = await recognise(client, address, entries)
    base = _choose_base(models, wanted, address, kind)
    if kind is kinds.TRANSFORMERS:
        await _check_batching(client, address, base)
    if base.context is None and (context := _find_context(facts)):
        base = ServedModel(id=base.id, root=base.root, parent=base.parent, context=context)
    return Server(address=address, kind=kind, version=version, base=base, models=models)


async def _list_entries(client: openai.AsyncOpenAI, address: str, wanted: str | None) -> list[Any]:
    """Return the entries of a server's list of models.

    ``transformers serve`` lists the models in the Hub's cache, and fails if there is no cache; [] is then
    returned if the model is known without the list.
    """
    import openai

    try:
        listed = await get_json(client, "/models")
    except openai.InternalServerError:
        kind, _, _ = await recognise(client, address, [])
        if wanted is None or kind is not kinds.TRANSFORMERS:
            raise
        return []
    entries = listed.get("data") if isinstance(listed, dict) else None
    if not isinstance(entries, list):
        raise StreamDamagedError
    return entries


def _read_model(entry: Mapping[str, Any]) -> ServedModel:
    def text(name: str) -> str:
        value = entry.get(name)
        return value if isinstance(value, str) else ""

    context = entry.get("max_model_len")
    return ServedModel(
        id=str(entry["id"]),
        root=text("root"),
        parent=text("parent") or None,
        context=context if isinstance(context, int) and context > 0 else None,
    )


def _choose_base(
    models: Sequence[ServedModel], wanted: str | None, address: str, kind: ServerKind
) -> ServedModel:
    names = ", ".join(model.id for model in models[:20]) or "none"
    if wanted is not None:
        found = next((model for model in models if model.id == wanted), None)
        if found is None and (kind is kinds.TRANSFORMERS or not models):
            return ServedModel(id=wanted)  # not every server lists what it can load
        if found is None:
            raise InputError(f"The server at {address} does not serve {wanted!r}: choose one of {names}.")
        if found.parent is not None:
            raise InputError(
                f"{wanted!r} at {address} is a LoRA module of {found.parent!r}, and not a base model: write "
                f"--remote {address}={found.parent}, and the module is served as an adapter."
            )
        return found
    bases = [model for model in models if model.parent is None]
    if len(bases) == 1:
        return bases[0]
    if not bases:
        raise InputError(
            f"The server at {address} lists no base model: name one with --remote {address}=MODEL."
        )
    raise InputError(
        f"The server at {address} serves several models: choose one with --remote {address}=MODEL, where "
        f"MODEL is one of {', '.join(model.id for model in bases[:20])}."
    )


# --- The kind of server ---------------------------------------------------------------------------


async def recognise(
    client: openai.AsyncOpenAI, address: str, entries: Sequence[Any]
) -> tuple[ServerKind, str, Mapping[str, Any]]:
    """Return the kind and version of a server, and what it says about its model."""
    owners = {entry.get("owned_by") for entry in entries if isinstance(entry, dict)}
    root = address.removesuffix("/v1")
    if urlsplit(address).hostname == "api.openai.com":
        return kinds.OPENAI, "", {}
    if "vllm" in owners:
        return kinds.VLLM, _text(await _try(client, f"{root}/version"), "version"), {}
    if "sglang" in owners:
        facts = await _try(client, f"{root}/get_server_info")
        return kinds.SGLANG, _text(facts, "version"), facts
    if "llamacpp" in owners:
        facts = await _try(client, f"{root}/props")
        return kinds.LLAMA_CPP, _text(facts, "build_info"), facts
    facts = await _try(client, f"{root}/info")
    if "max_total_tokens" in facts or "max_input_tokens" in facts:
        return kinds.TGI, _text(facts, "version"), facts
    paths = (await _try(client, f"{root}/openapi.json")).get("paths")
    if isinstance(paths, dict) and {"/load_model", "/reset"} <= paths.keys():
        return kinds.TRANSFORMERS, "", {}
    return kinds.OTHER, "", {}


async def _check_batching(client: openai.AsyncOpenAI, address: str, base: ServedModel) -> None:
    """Check that ``transformers serve`` was started without ``--continuous-batching``.

    With it, the server ignores the decoding parameters of all requests but the first, and the model's EOS
    tokens. It then also ignores a limit on time, which otherwise ends an answer after its first token.

    Raises:
        InputError: the server uses continuous batching.
    """
    config = json.dumps({"do_sample": False, "max_time": 1e-9})
    body = {"model": base.id, "prompt": PLAIN, "max_tokens": 2, "generation_config": config}
    if await count_tokens(client, body, "completion_tokens") == 2:
        raise InputError(
            f"The server at {address} uses the decoding parameters of its first request for all requests: "
            "start transformers serve without --continuous-batching."
        )


async def _try(client: openai.AsyncOpenAI, url: str) -> Mapping[str, Any]:
    """Request a document that not every server has; return {} if there is none."""
    import openai

    with contextlib.suppress(openai.APIStatusError, StreamDamagedError):
        found = await get_json(client, url)
        if isinstance(found, dict):
            return found
    return {}


def _text(facts: Mapping[str, Any], name: str) -> str:
    value = facts.get(name)
    return value if isinstance(value, str) else ""


def _find_context(facts: Mapping[str, Any]) -> int | None:
    """Return the context length from what a server says about its model."""
    settings = facts.get("default_generation_settings")
    for table, name in (
        (facts, "max_total_tokens"),  # TGI
        (facts, "context_length"),  # SGLang
        (settings if isinstance(settings, dict) else {}, "n_ctx"),  # llama.cpp
    ):
        value = table.get(name)
        if isinstance(value, int) and value > 0:
            return value
    return None


async def count_beginning(client: openai.AsyncOpenAI, server: Server, plain: int) -> int | None:
    """Return how many tokens the server prepends to a prompt, by asking it once.

    Args:
        plain: number of tokens of `PLAIN` itself.

    Returns:
        The number of tokens, or None if the server does not count a prompt's tokens.
    """
    body = {"model": server.base.id, "prompt": PLAIN, "max_tokens": 1, "temperature": 0}
    count = await count_tokens(client, body)
    return None if count is None else max(0, count - plain)


async def count_tokens(
    client: openai.AsyncOpenAI, body: dict[str, Any], which: str = "prompt_tokens"
) -> int | None:
    """Return the number of tokens that a server counts for a request, or None if it does not count.

    Args:
        body: the request.
        which: the field of the usage, "prompt_tokens" or "completion_tokens".
    """
    import openai

    try:
        answer = await post_json(client, "/completions", body, timeout=60.0)
    except (openai.APIStatusError, StreamDamagedError):
        return None
    usage = answer.get("usage") if isinstance(answer, dict) else None
    count = usage.get(which) if isinstance(usage, dict) else None
    return count if isinstance(count, int) else None
