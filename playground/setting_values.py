"""Parse the values of settings from flags and environment variables.

The first argument of each function is the flag or variable that a value comes from, for error messages.
Invalid values raise InputError.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playground.servers.address import check_address, complete_address, hide_login
from playground.types import InputError

REMOTE_KEY = "TANDEM_REMOTE_KEY"
AUTH = "TANDEM_AUTH"

TRUE = ("1", "true", "yes", "on", "y")
FALSE = ("0", "false", "no", "off", "n", "")


def read_switch(label: str, value: Any) -> bool:
    """Parse a setting that is on or off."""
    text = str(value).strip().lower()
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise InputError(
        f"{label} must be 1 or 0, not {value!r:.60}: to turn it on, use {', '.join(TRUE)}; "
        f"to turn it off, use {', '.join(text for text in FALSE if text)} or leave it empty."
    )


def read_choice(allowed: Sequence[str], label: str, text: str) -> str:
    """Return the text if it is one of the allowed values."""
    if text not in allowed:
        raise InputError(f"{label} must be one of {', '.join(allowed)}, not {text!r:.60}.")
    return text


def read_whole(value: Any, digits: int) -> int | None:
    """Parse text as a non-negative integer with at most `digits` digits.

    Return None if the text is anything else.
    """
    text = str(value).strip()
    return int(text) if text.isdecimal() and len(text) <= digits else None


def read_count(label: str, value: Any) -> int:
    """Parse a non-negative integer."""
    number = read_whole(value, digits=9)
    if number is None:
        raise InputError(f"{label} must be an integer (0 for none), not {value!r:.60}.")
    return number


def read_port(label: str, value: Any) -> int:
    """Parse a port number."""
    number = read_whole(value, digits=9)
    if number is None or not 1 <= number <= 65535:
        raise InputError(f"{label} must be an integer from 1 to 65535, not {value!r:.60}.")
    return number


def read_budget(label: str, value: Any) -> int:
    """Parse a number of tokens, in which underscores may separate digits."""
    number = read_whole(str(value).strip().replace("_", ""), digits=15)
    if number is None:
        raise InputError(f"{label} must be an integer number of tokens, not {value!r:.60}.")
    return number


def read_timeout(label: str, text: str) -> float:
    """Parse a number of seconds."""
    return read_positive(label, text, "a number of seconds")


def read_prices(label: str, text: str) -> tuple[float, float, str]:
    """Parse the prices of judging: input, output, currency."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 3 or not parts[2]:
        raise InputError(
            f"{label} must be the price per million input tokens, the price per million "
            f"output tokens and the currency, for example 2.50,10,USD, not {text!r}."
        )
    prices = [read_positive(label, part, "a price", zero=True) for part in parts[:2]]
    return prices[0], prices[1], parts[2]


def read_positive(label: str, value: Any, what: str, zero: bool = False) -> float:
    """Parse a finite number above 0 or, if `zero` is set, of 0 or more."""
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0 or (number == 0 and not zero):
        raise InputError(f"{label} must be {what} {'of 0 or more' if zero else 'above 0'}, not {value!r}.")
    return number


def read_adapters(label: str, texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Parse adapter names and sources. Raises InputError if a name is given twice."""
    adapters = tuple(read_adapter(label, text) for text in texts)
    for number, (name, _) in enumerate(adapters):
        if name in [other for other, _ in adapters[:number]]:
            raise InputError(f"{label} uses the name {name!r} twice: give each adapter its own name.")
    return adapters


def read_adapter(label: str, text: str) -> tuple[str, str]:
    name, equals, source = text.partition("=")
    if not (equals and name.strip() and source.strip()):
        raise InputError(f"{label} must be NAME=ID or NAME=PATH, not {text!r}.")
    return name.strip(), source.strip()


def read_remotes(label: str, texts: Sequence[str]) -> tuple[tuple[str, str | None], ...]:
    """Parse server addresses, each as ``URL`` or ``URL=MODEL``.

    Raises InputError if there is no address, or one is invalid or given twice.
    """
    remotes: dict[str, str | None] = {}
    for text in filter(str.strip, texts):
        url, model = _split_remote(text.strip())
        if not url.lower().startswith(("http://", "https://")):
            raise InputError(
                f"{label} must be a URL that begins with http:// or https://, or URL=MODEL, not "
                f"{hide_login(text.strip())!r:.120}."
            )
        address = complete_address(check_address(url, f"the server's address in {label}", REMOTE_KEY))
        if address in remotes:
            raise InputError(f"{label} names the server {address} twice: remove one of the two.")
        remotes[address] = model
    if not remotes:
        raise InputError(f"{label} is empty: name a server such as http://127.0.0.1:8000, or leave it out.")
    return tuple(remotes.items())


def _split_remote(text: str) -> tuple[str, str | None]:
    """Split ``URL=MODEL``. A query such as ``?api-version=1`` may contain further equals signs."""
    url, equals, model = text.partition("=") if "?" not in text else (text, "", "")
    return url.strip(), model.strip() if equals and model.strip() else None


def read_hosts(_label: str, texts: Sequence[str]) -> tuple[str, ...]:
    """Return the host names in lower case."""
    return tuple(name.strip().lower() for name in texts if name.strip())


def read_mirror(label: str, text: str) -> str:
    """Parse the URL of a mirror."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # for example, an incomplete IPv6 address or a non-numeric port
        usable = False
    if not usable:
        raise InputError(f"{label} must be a URL such as https://host/path, not {text!r}.")
    return text.rstrip("/")


def read_auth(label: str, text: str) -> tuple[str, str]:
    """Parse ``USER:PASSWORD``."""
    # The error message does not quote the value, which could be a password.
    name, colon, password = text.partition(":")
    if not (colon and name.strip() and password):
        hint = "" if label == AUTH else f" To keep the password private, set {AUTH} instead."
        raise InputError(f"{label} must be USER:PASSWORD.{hint}")
    return name.strip(), password


def read_path(_label: str, value: Any) -> Path:
    """Return a path, with the home folder expanded."""
    return Path(value).expanduser()


def read_text(_label: str, value: Any) -> str:
    """Return the value as text."""
    return str(value)
