"""The connection to the servers: what they serve, and whether they can be reached."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import threading
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING

from playground.config import Settings
from playground.engine.remote import catalog, discovery, kinds
from playground.engine.remote.catalog import ServedAdapter
from playground.engine.remote.discovery import Server
from playground.engine.remote.failures import ServerError, Target, explain
from playground.engine.remote.isolation import find_interference
from playground.engine.remote.tokens import PromptTokens, open_tokens
from playground.engine.remote.transport import StreamDamagedError, open_client
from playground.library import Library
from playground.types import InputError, OutsideError, Status

if TYPE_CHECKING:
    import openai

log = logging.getLogger(__name__)

RETRY_FIRST, RETRY_LAST = 1.0, 30.0
"""Shortest and longest time in seconds between attempts to reach a server that could not be used."""


class Connection:
    """The servers of one engine. Unless they say otherwise, its methods belong to the event loop's thread."""

    def __init__(self, settings: Settings, library: Library, silence: float, checks_isolation: bool) -> None:
        """
        Args:
            silence: seconds without data from a server after which an answer fails.
            checks_isolation: whether to check that adapters leave the base model of a server unchanged.
        """
        self._checks_isolation = checks_isolation
        self._settings = settings
        self._library = library
        self._silence = silence
        self.status = Status(state="loading", note="Connecting", base=self._name)
        """What the servers serve, or why they cannot be used. Any thread may read it."""
        self.checked = threading.Event()
        """Set after the first attempt to reach the servers."""
        self._servers: dict[str, Server] = {}
        self._adapters: dict[str, ServedAdapter] = {}
        self._tokens: dict[str, PromptTokens] = {}
        self._clients: dict[str, openai.AsyncOpenAI] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._lock = asyncio.Lock()

    async def _check_isolation(self) -> None:
        """Warn in the status if an adapter changes the base model of its server.

        If the check itself fails, there is no warning, because the lanes will report what is wrong.
        """
        import openai

        warning = None
        for server, model in self._list_checked():
            target = self.target(server.address, model)
            try:
                warning = await find_interference(self.client(server.address), server, model, target)
            except (openai.APIError, ServerError, StreamDamagedError, TimeoutError):
                continue
            except Exception as error:  # the servers must be reached again later, whatever has failed here
                log.warning("The check of %s failed.", server.label, exc_info=error)
            if warning is not None:
                break
        warnings = () if warning is None else (warning,)
        self.status = dataclasses.replace(self.status, warnings=warnings, is_checking=False)

    def _list_checked(self) -> list[tuple[Server, str]]:
        """Return the adapters that could change the base model, as (server, name on the server) pairs."""
        found = [(served.server, served.model) for served in self._adapters.values()]
        return [
            (server, model)
            for server, model in found
            if self._checks_isolation
            and server is not None
            and server.kind.scores_prompts == "prompt_logprobs"
            and any(listed.id == model and listed.parent for listed in server.models)
        ]

    async def keep_connected(self) -> None:
        """Reach the servers and, as long as they cannot be used, try again. Runs until it is cancelled."""
        pause = RETRY_FIRST
        try:
            while True:
                await self.connect()
                if self.status.is_checking:
                    await self._check_isolation()
                pause = RETRY_FIRST if self.status.state == "ready" else min(2 * pause, RETRY_LAST)
                await asyncio.sleep(pause)
        finally:
            for client in self._clients.values():
                await client.close()

    async def require(self) -> None:
        """Reach the servers now, if they could not be used before.

        Raises:
            OutsideError: the servers cannot be used.
        """
        if self.status.state != "ready":
            await self.connect()
        if self.status.state != "ready":
            raise OutsideError(self.status.note)

    async def check_again(self, server: Server) -> None:
        """After a failure of a server, find out whether the servers are still there and what they serve."""
        if self.status.state == "ready":
            note = f"The connection to {server.label} was lost: connecting again."
            self.status = dataclasses.replace(self.status, state="failed", note=note, is_retrying=True)
            await self.connect()

    async def connect(self) -> None:
        """Ask all servers what they serve, and set the status."""
        async with self._lock:
            if self.status.state == "ready":
                return
            address = self._settings.remotes[0][0]
            try:
                servers = []
                for address, model in self._settings.remotes:
                    servers.append(await discovery.discover(self.client(address), address, model))
                address = servers[0].address
                await self._adopt(servers)
            except Exception as error:
                note = explain(error, self.target(address, dict(self._settings.remotes)[address] or ""))
                self.status = Status(state="failed", note=note, base=self._name, is_retrying=True)
            finally:
                self.checked.set()

    async def _adopt(self, servers: Sequence[Server]) -> None:
        """Match what the servers serve with the library, and set the status to ready.

        Raises:
            InputError: the servers do not fit together, or the tokenizer does not fit their model.
        """
        base = catalog.find_base(self._settings, servers)
        library = self._library
        library.set_base(base)
        tokenizer, named = await asyncio.to_thread(catalog.open_tokenizer, self._settings, base, library)
        adapters = catalog.find_adapters(self._settings, servers, library, base)
        tokens = {}
        for server in servers:
            found = await open_tokens(self.client(server.address), server, tokenizer)
            if tokenizer is not None and found.tokenizer is None and named:
                raise InputError(
                    f"The tokenizer {self._settings.tokenizer} is not that of {server.base.id} at "
                    f"{server.address} ({found.mismatch}): name the model's own tokenizer."
                )
            texts = catalog.list_control_texts(library, adapters, found.tokenizer)
            found.bos_texts, found.control_texts = texts
            tokens[server.address] = found
        self._servers = {address: found.server for address, found in tokens.items()}
        self._tokens, self._adapters = tokens, adapters
        self.status = self._ready(base, servers, adapters)

    def _ready(self, base: str, servers: Sequence[Server], adapters: dict[str, ServedAdapter]) -> Status:
        contexts = [server.base.context for server in servers if server.base.context]
        first = servers[0]
        return Status(
            state="ready",
            note="Ready",
            base=base,
            progress=1.0,
            server=", ".join(server.label for server in servers),
            context=min(contexts, default=None),
            adapters=tuple(adapter.status for adapter in adapters.values()),
            is_checking=bool(self._list_checked()),
            tokens=self._tokens[first.address].describe(),
            gaps=kinds.list_gaps(first.kind, self._tokens[first.address].is_exact),
        )

    def find_server(self, adapter: str | None) -> tuple[Server, str]:
        """Return the server for an adapter or, for None, for the base, and the model's name there.

        Raises:
            InputError: no server serves the adapter.
        """
        if adapter is None:
            server = next(iter(self._servers.values()), None)
            if server is None:
                raise InputError(self.status.note)
            return server, server.base.id
        served = self._adapters.get(adapter)
        if served is None:
            raise InputError(f"There is no adapter {adapter!r} on the server.")
        if served.server is None:
            raise InputError(served.status.error or "")
        return self._servers[served.server.address], served.model

    def tokens_of(self, server: Server) -> PromptTokens:
        """Return the tokenisation for a server."""
        return self._tokens[server.address]

    def find_tokens(self, adapter: str | None) -> PromptTokens | None:
        """Return the tokenisation for an adapter or, for None, for the base. Any thread may call this.

        Returns None if the servers have not been reached.
        """
        try:
            return self._tokens.get(self.find_server(adapter)[0].address)
        except InputError:  # the row will fail; until then, all models have the same tokens
            return next(iter(self._tokens.values()), None)

    def describe_weights(self, server: Server, adapter: str | None) -> str:
        """Describe the weights that answer a request, for display."""
        base = f"{self.status.base} ({server.label})"
        return base if adapter is None else f"{base} + {adapter}"

    @property
    def _name(self) -> str:
        address, model = self._settings.remotes[0]
        return self._settings.base or model or address

    def client(self, address: str) -> openai.AsyncOpenAI:
        """Return the client for a server."""
        if address not in self._clients:
            key = self._settings.remote_key_of(address)
            self._clients[address] = open_client(address, key, self._silence)
        return self._clients[address]

    def take_turn(self, server: Server) -> AbstractAsyncContextManager[object]:
        """Return a context in which a request is sent to a server.

        A server that answers in turn gets one request at a time, since a lane in its queue would fail for
        its silence, and would change the random numbers of the lane before it.
        """
        if server.kind.answers_in_turn:
            return self._turns.setdefault(server.address, asyncio.Lock())
        return nullcontext()

    def target(self, address: str = "", model: str = "") -> Target:
        """Describe where a request goes, for error messages. The default is the first server."""
        address = address or self._settings.remotes[0][0]
        return Target(
            address=address, model=model, key=self._settings.remote_key_of(address), silence=self._silence
        )
