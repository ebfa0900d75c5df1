"""The address that a request comes from and the host name that it asks for.

Headers that only a proxy should write count if a proxy is trusted (`--proxies`), and only the part that the
trusted proxies wrote.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

FORWARDED = re.compile(r"x-forwarded-.*|forwarded|x-real-ip|x-original-.*|x-rewrite-url")
"""Headers by which proxies say whom they speak for and what was asked of them."""
GRADIO = re.compile(r"x-gradio-.*|x-direct-url")
"""Headers that Gradio believes about its own address; its Node server, which is not used here, sends them."""
HOST = re.compile(r"[a-z0-9.\-]{1,253}(?::\d{1,5})?|\[[0-9a-f:.]{2,45}\](?::\d{1,5})?", re.IGNORECASE)
WITH_PORT = re.compile(r"\[([0-9a-f:.]+)\](?::\d*)?|([0-9.]+):\d*", re.IGNORECASE)
"""An address of IPv6 in brackets, or one of IPv4 with a port."""


class TrustedForwards:
    """Removes headers about the page's address that no trusted proxy wrote."""

    def __init__(self, app: ASGIApp, proxies: int) -> None:
        """Args: the layers behind; how many proxies in front are trusted."""
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http":
            scope = {**scope, "headers": self._believed(scope)}
        await self._app(scope, receive, send)

    def _believed(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        headers: list[tuple[bytes, bytes]] = []
        for raw, value in scope["headers"]:
            name = raw.decode("latin-1").lower()
            if not (GRADIO.fullmatch(name) or FORWARDED.fullmatch(name)):
                headers.append((raw, value))
            elif name == "x-forwarded-for" and self._proxies:
                headers.append((raw, value))  # `visitor_of` takes the part that counts
        if self._proxies:
            given = Headers(scope=scope)
            for name in ("x-forwarded-host", "x-forwarded-proto"):
                value = _last_written(given.getlist(name), self._proxies)
                if value and (name == "x-forwarded-proto" or HOST.fullmatch(value)):
                    headers.append((name.encode(), value.encode()))
        return headers


def _last_written(values: Sequence[str], proxies: int) -> str:
    """The entry of a forwarding header that the outermost trusted proxy wrote; empty if there is none."""
    entries = [part.strip() for part in ",".join(values).split(",") if part.strip()]
    return entries[-min(proxies, len(entries))] if proxies and entries else ""


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address, with or without a port, as proxies write it; None for anything else."""
    if found := WITH_PORT.fullmatch(text):
        text = found[1] or found[2]
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def visitor_of(address: str, forwarded: Sequence[str], proxies: int) -> str:
    """The address that identifies a visitor for limits.

    Args:
        address: where the connection comes from.
        forwarded: the X-Forwarded-For headers, in their order.
        proxies: how many proxies in front add to them. What is before their entries was written by the
            caller, who may write anything.

    Returns:
        An address, or for IPv6 the network that one household has. A proxy whose entry is no address (RFC
        7239 allows "unknown", and names of its own) counts as one visitor: if each such entry
        were a visitor, a caller could avoid the limits by changing it.
    """
    entry = _last_written(forwarded, proxies)
    number = (_address(entry) if entry else None) or _address(address)
    if number is None:
        return address[:100]
    if number.version == 6 and number.ipv4_mapped:  # an IPv4 caller of a server that listens on IPv6
        return str(number.ipv4_mapped)
    if number.version == 6:
        return str(ipaddress.ip_network((number, 64), strict=False))
    return str(number)


def find_address(scope: Scope, proxies: int) -> str:
    """`visitor_of` for an HTTP request's scope."""
    client = scope.get("client")
    forwarded = Headers(scope=scope).getlist("x-forwarded-for")
    return visitor_of(client[0] if client else "", forwarded, proxies)


def list_hosts(scope: Scope, proxies: int) -> frozenset[str]:
    """Host names, with port, by which a request calls the page, a trusted proxy's included."""
    headers = Headers(scope=scope)
    hosts = {headers.get("host", "").lower()}
    if proxies:
        hosts.add(headers.get("x-forwarded-host", "").lower())
    return frozenset(hosts - {""})


def is_https(scope: Scope, proxies: int) -> bool:
    """Whether the browser came over HTTPS, as far as this server or a trusted proxy knows."""
    scheme = Headers(scope=scope).get("x-forwarded-proto", "") if proxies else ""
    return "https" in (scope.get("scheme"), scheme)
