r"""Parse and format lane specs, ``name`` or ``name:key=value,...``.

A chat model on a server can also be written ``MODEL@http://SERVER,key=value,...``.

A value needs double quotes if it contains a comma or a newline, begins with a quotation mark, or has leading
or trailing whitespace: ``chat:system="Be brief, please."``. Within quotes, a backslash escapes a quotation
mark or another backslash, and ``\n`` and ``\t`` stand for newline and tab.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from playground.servers.address import hide_login
from playground.types import InputError
from playground.types.option_value import Quoted, is_scalar
from playground.words import shorten

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_WRITTEN = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_KEY = re.compile(r"[^=,]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?=,|\Z)', re.DOTALL)
_PLAIN = re.compile(r"[^,]*")
_ON_SERVER = re.compile(
    r"(?P<model>[^,=\"@]*[^,=\"@\s])@(?P<server>https?://[^,\s]*)(?P<rest>,.*|)\Z", re.DOTALL
)
_MISTYPED = re.compile(r"[^:,=\"]*@")
_OPTION_IN_SERVER = re.compile(r":[a-z_]+=")
CHAT_MODEL = "chat-model"
"""Name of the lanes of chat models, of which ``chat:model=MODEL`` and ``MODEL@SERVER`` are short forms."""


def parse_spec(spec: str) -> tuple[str, dict[str, str]]:
    """Parse a lane spec into a name and options. Quoted values become `Quoted` strings.

    Raises:
        InputError: an option does not have the form key=value, a key occurs twice, or a quotation mark is not
            closed.
    """
    spec = spec.strip()
    if found := _ON_SERVER.match(spec):
        if option := _OPTION_IN_SERVER.search(found["server"]):
            raise InputError(
                f"{shorten(option[0])!r} is not part of a server's address: separate the options of a chat "
                "model by commas, as in MODEL@http://SERVER,temperature=1."
            )
        name, options = parse_spec(f"{CHAT_MODEL}:{found['rest'].removeprefix(',')}")
        if both := {"model", "server"} & options.keys():
            raise InputError(f"{min(both)!r} is set twice: remove one of the two.")
        return name, {"model": found["model"].strip(), "server": found["server"], **options}
    if _MISTYPED.match(spec):
        raise InputError(
            f"{shorten(hide_login(spec))!r} is not a chat model on a server: write MODEL@http://SERVER or "
            "MODEL@https://SERVER, followed by options such as ,temperature=1."
        )
    name, _, rest = spec.partition(":")
    options = {}
    at = 0
    while at < len(rest):
        match = _KEY.match(rest, at)
        assert match is not None
        key, at = match[0].strip(), match.end()
        if at == len(rest) or rest[at] == ",":
            if key:
                raise InputError(
                    f"{shorten(key)!r} is not key=value: write {shorten(key)}=VALUE, or put quotes around a "
                    "value that contains a comma."
                )
            at += 1
            continue
        value, at = _value(rest, at + 1, key)
        if key in options:
            raise InputError(f"{key!r} is set twice: remove one of the two.")
        options[key] = value
    return (CHAT_MODEL if name == "chat" and options.keys() & {"model", "server"} else name), options


def _value(rest: str, at: int, key: str) -> tuple[str, int]:
    """Parse the value at position `at`. Return the value and the position of the next option."""
    while rest[at : at + 1].isspace():
        at += 1
    if rest[at : at + 1] != '"':
        plain = _PLAIN.match(rest, at)
        assert plain is not None
        return plain[0].strip(), plain.end() + 1
    quoted = _QUOTED.match(rest, at)
    if quoted is None:
        raise InputError(
            f"The quoted value of {key}= is not closed or is followed by more text: write "
            f'{key}="...", with \\" for a quotation mark in the value.'
        )
    text = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), quoted[1], flags=re.DOTALL)
    return Quoted(text), quoted.end() + 1


def format_spec(name: str, options: Mapping[str, str]) -> str:
    """Format a name and options as a lane spec; the inverse of `parse_spec`.

    Args:
        name: the lane's name, optionally with options, as in ``urial:adapter=NAME``.
        options: the options to append.
    """
    if not options:
        return name
    if name == CHAT_MODEL and "@" not in options.get("model", "@") and "server" in options:
        name = f"{options['model']}@{options['server']}"
        options = {key: value for key, value in options.items() if key not in ("model", "server")}
        rest = ",".join(f"{key}={quote_value(value)}" for key, value in options.items())
        return f"{name},{rest}" if rest else name
    joint = "," if ":" in name else ":"
    return name + joint + ",".join(f"{key}={quote_value(value)}" for key, value in options.items())


def quote_value(value: str) -> str:
    """Format a value in lane spec syntax. Quotes are added only if the value would otherwise be ambiguous."""
    bare = value == value.strip() and not value.startswith('"') and not re.search(r"[,\n\r\t]", value)
    if bare and not isinstance(value, Quoted):
        return value
    if bare and value and not is_scalar(value):
        return str(value)
    return '"' + "".join(_WRITTEN.get(character, character) for character in value) + '"'
