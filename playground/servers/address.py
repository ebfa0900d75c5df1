"""Parse and normalize the addresses of servers with an OpenAI-compatible API."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from playground.types import InputError, check_characters

OPENAI = "https://api.openai.com/v1"
CHAT_ENDPOINT = "/chat/completions"
NAME = "the server's address"
_PORTS = {"http": 80, "https": 443}
_SECRET_NAME = re.compile(r"key|token|secret|sig(?:nature)?$|password|auth|code$", re.IGNORECASE)


def check_address(server: str, name: str = NAME, key: str = "the API key") -> str:
    """Check that requests can be sent to a server address that contains no secret, and return the address.

    Args:
        server: the address.
        name: what the address is called in error messages.
        key: where a key is entered instead of in the address, for error messages.

    Raises:
        InputError: the address is invalid, or contains a user name, a password or an API key.
    """
    parts = split_address(server, name)
    if parts.scheme in ("http", "https") and not parts.hostname:
        raise InputError(
            f"{_capitalize(name)} {hide_login(server)!r} has no host name: enter one such as "
            "http://127.0.0.1:8000/v1."
        )
    if parts.scheme not in ("http", "https"):
        raise InputError(
            f"{_capitalize(name)} must begin with http:// or https://, not {clean(server, name)!r}."
        )
    if parts.username or parts.password:
        raise InputError(f"Remove the user name and password from {name} {clean(server, name)}.")
    if parts.fragment:
        raise InputError(f"Remove the # and everything after it from {name} {clean(server, name)}.")
    if any(_SECRET_NAME.search(each) for each, _ in parse_qsl(parts.query, keep_blank_values=True)):
        raise InputError(
            f"Remove the API key from {name} {clean(server, name)} and enter it as {key} instead."
        )
    return server


def _capitalize(name: str) -> str:
    return name[:1].upper() + name[1:]


def split_address(server: str, name: str = NAME) -> SplitResult:
    """Parse a server address and validate its port.

    Args:
        server: the address.
        name: what the address is called in error messages.

    Raises:
        InputError: the address or its port is invalid.
    """
    server = check_characters(server, _capitalize(name)).strip()
    try:
        parts = urlsplit(server)
    except ValueError:
        parts = None
    shown = hide_login(server)
    if parts is None:
        raise InputError(
            f"{_capitalize(name)} {shown!r} is not valid: enter one such as http://127.0.0.1:8000/v1."
        )
    try:
        allowed = parts.port != 0
    except ValueError:
        allowed = False
    if not allowed:
        raise InputError(f"The port in {name} {shown!r} must be a number from 1 to 65535.")
    return parts


def hide_login(server: str) -> str:
    """Strip user name, password, query and fragment from an address, even if the address is invalid."""
    return re.sub("//.*@", "//", re.split("[?#]", server, maxsplit=1)[0], flags=re.DOTALL)


def complete_address(server: str) -> str:
    """Return a server's base URL: the address without a trailing slash, with ``/v1`` if it has no path."""
    server = server.strip()
    return server.rstrip("/") if urlsplit(server).path.strip("/") else f"{server.rstrip('/')}/v1"


def clean(server: str, name: str = NAME) -> str:
    """Strip user name, password and query from an address, for display and storage.

    Raises:
        InputError: the address is invalid.
    """
    parts = split_address(server, name)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))


def request_address(server: str) -> tuple[str, dict[str, str]]:
    """Return the base URL for requests and the query parameters, such as Azure's ``api-version``."""
    parts = split_address(server)
    path = parts.path.rstrip("/").removesuffix(CHAT_ENDPOINT).rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, path, "", "")), dict(parse_qsl(parts.query))


def identify_server(server: str) -> str:
    """Normalize a server address, so that all spellings of the same address are equal.

    Raises:
        InputError: the address is invalid.
    """
    url, query = request_address(server)
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else (parts.hostname or "").rstrip(".")
    port = parts.port or _PORTS.get(parts.scheme)
    return urlunsplit((parts.scheme, f"{host}:{port}", parts.path, urlencode(sorted(query.items())), ""))
