"""Determine a request's client address and host name.

Proxy headers are ignored unless proxies are trusted (`--proxies`). Even then, only the entries added by
trusted proxies are used.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

FORWARDED = re.compile(r"x-forwarded-.*|forwarded|x-real-ip|x-original-.*|x-rewrite-url")
"""Headers in which proxies report the client and the original request."""
GRADIO = re.compile(r"x-gradio-.*|x-direct-url")
"""Headers from which Gradio reads the page's address. Tandem does not use the Node server that sets them."""
HOST = re.compile(r"[a-z0-9.\-]{1,253}(?::\d{1,5})?|\[[0-9a-f:.]{2,45}\](?::\d{1,5})?", re.IGNORECASE)
WITH_PORT = re.compile(r"\[([0-9a-f:.]+)\](?::\d*)?|([0-9.]+):\d*", re.IGNORECASE)
"""Matches an IPv6 address in brackets, or an IPv4 address with a port."""


class TrustedForwards:
    """Middleware that removes headers describing the page's address, except those set by trusted proxies."""

    def __init__(self, app: ASGIApp, proxies: int) -> None:
        """Create the middleware.

        Args:
            app: the wrapped ASGI app.
            proxies: number of trusted proxies in front of the server.
        """
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            scope = {**scope, "headers": self._trusted_headers(scope)}
        await self._app(scope, receive, send)

    def _trusted_headers(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        headers: list[tuple[bytes, bytes]] = []
        for raw, value in scope["headers"]:
            name = raw.decode("latin-1").lower()
            if not (GRADIO.fullmatch(name) or FORWARDED.fullmatch(name)):
                headers.append((raw, value))
            elif name == "x-forwarded-for" and self._proxies:
                headers.append((raw, value))  # `visitor_of` uses only the trusted entry
        if self._proxies:
            given = Headers(scope=scope)
            for name in ("x-forwarded-host", "x-forwarded-proto"):
                value = _last_written(given.getlist(name), self._proxies)
                if value and (name == "x-forwarded-proto" or HOST.fullmatch(value)):
                    headers.append((name.encode(), value.encode()))
        return headers


def _last_written(values: Sequence[str], proxies: int) -> str:
    """Return the forwarding header entry added by the outermost trusted proxy, or "" if there is none."""
    entries = [part.strip() for part in ",".join(values).split(",") if part.strip()]
    return entries[-min(proxies, len(entries))] if proxies and entries else ""


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Parse an IP address, with or without a port, as written by proxies. Return None if it is invalid."""
    if found := WITH_PORT.fullmatch(text):
        text = found[1] or found[2]
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def visitor_of(address: str, forwarded: Sequence[str], proxies: int) -> str:
    """Return the IP address used to identify a visitor for rate limiting.

    Args:
        address: IP address of the connection.
        forwarded: the X-Forwarded-For headers, in order.
        proxies: number of trusted proxies in front of the server, each of which appends an entry. Earlier
            entries are set by the client and can contain anything.

    Returns:
        The IP address; IPv6 addresses are truncated to their /64 prefix. If a proxy's entry is not an IP
        address (RFC 7239 allows "unknown" and obfuscated names), the address of the connection is used. If
        such an entry were used, clients could evade the limits by changing it.
    """
    entry = _last_written(forwarded, proxies)
    number = (_address(entry) if entry else None) or _address(address)
    if number is None:
        return address[:100]
    if number.version == 6 and number.ipv4_mapped:  # IPv4 client, server listening on IPv6
        return str(number.ipv4_mapped)
    if number.version == 6:
        return str(ipaddress.ip_network((number, 64), strict=False))
    return str(number)


def find_address(scope: Scope, proxies: int) -> str:
    """Return the IP address that identifies the client of an HTTP request, using `visitor_of`."""
    client = scope.get("client")
    forwarded = Headers(scope=scope).getlist("x-forwarded-for")
    return visitor_of(client[0] if client else "", forwarded, proxies)


def list_hosts(scope: Scope, proxies: int) -> frozenset[str]:
    """Return the host names (with port) to which a request was addressed.

    They are read from the Host header and, if proxies are trusted, from X-Forwarded-Host.
    """
    headers = Headers(scope=scope)
    hosts = {headers.get("host", "").lower()}
    if proxies:
        hosts.add(headers.get("x-forwarded-host", "").lower())
    return frozenset(hosts - {""})


def is_https(scope: Scope, proxies: int) -> bool:
    """Return whether the browser uses HTTPS, as seen by this server or reported by a trusted proxy."""
    scheme = Headers(scope=scope).get("x-forwarded-proto", "") if proxies else ""
    return "https" in (scope.get("scheme"), scheme)
