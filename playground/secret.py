"""Keep API keys secret, and redact them from text."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from playground.types import InputError

HIDDEN = "(key)"
SHORTEST = 4
"""Minimum length of the keys that are redacted. Shorter keys would match ordinary words."""
SHORTEST_SPLIT = 8
"""Minimum length of the keys that are also found when interrupted by whitespace. Shorter keys would match
parts of adjacent words.
"""
DEPTH = 2
"""Maximum nesting depth of escapes to decode. A percent-encoded URL in JSON, for example, has depth 2."""

_GAPS = re.compile("[\\s\u00ad\u200b-\u200d\u2060\ufeff]+")
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _decode_backslash(found: re.Match[str]) -> str:
    code = found[1]
    return chr(int(code[1:], 16)) if len(code) > 1 else _LETTERS.get(code, code)


_ESCAPES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile("%([0-9A-Fa-f]{2})"), lambda found: chr(int(found[1], 16))),
    (
        re.compile("&(?:#[0-9]{1,7};?|#[xX][0-9A-Fa-f]{1,6};?|[A-Za-z][A-Za-z0-9]{1,31};)"),
        lambda found: html.unescape(found[0]),
    ),
    (re.compile(r"\\(u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|.)", re.DOTALL), _decode_backslash),
)
"""Supported escapes with their decoders: percent-encoding, HTML entities, and JSON or source code escapes."""


class Secret:
    """An API key that can only be accessed through `reveal`.

    To prevent accidental storage, its repr does not contain the key, and it cannot be pickled or serialized
    to JSON.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the key itself. Call this only to send the key to the server that it belongs to, or to
        check its form.
        """
        return self._text

    def matches(self, text: str) -> bool:
        """Return whether `text` is the key. The time taken reveals neither the key nor its length."""
        given, own = (
            hashlib.sha256(each.encode("utf-8", "surrogatepass")).digest() for each in (text, self._text)
        )
        return hmac.compare_digest(given, own)

    def scrub(self, text: str) -> str:
        """Return `text` with every occurrence of the key redacted.

        Case is ignored, as is whitespace within the key. The key is also found in base64, percent-encoding,
        or HTML, JSON or source code escapes, with up to `DEPTH` levels of nesting. Redact text before
        truncating it, because partial keys are not found.
        """
        if len(self._text) < SHORTEST:
            return text
        pattern = re.compile(_pattern(self._text))
        split = re.compile(_pattern(_GAPS.sub("", self._text) or self._text))
        spans = []
        for view, positions in _views(text):
            spans += [(positions[each.start()], positions[each.end()]) for each in pattern.finditer(view)]
            if len(self._text) >= SHORTEST_SPLIT and _GAPS.search(view):
                whole, at = _decode(view, range(len(view) + 1), _GAPS, lambda gap: "")
                spans += [
                    (positions[at[each.start()]], positions[at[each.end() - 1] + 1])
                    for each in split.finditer(whole)
                ]
        pieces, end = [], 0
        for first, last in sorted(spans):
            if first >= end:
                pieces += [text[end:first], HIDDEN]
            end = max(end, last)
        return "".join([*pieces, text[end:]])

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(("Secret", self._text))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Secret cannot be pickled.")


def check_key(key: Secret, name: str) -> Secret:
    """Check that an API key can be sent in an HTTP header, and return the key.

    Args:
        key: the key.
        name: what the key is called in the error message.

    Raises:
        InputError: the key cannot be sent. The message states the reason without revealing the key.
    """
    text = key.reveal()
    for wrong, what in (
        (any(each in text for each in "\r\n"), "a line break"),
        (not text.isascii(), "a non-ASCII character, such as an accented letter"),
        (
            text != text.strip() or not text.isprintable(),
            "leading or trailing whitespace, or a control character",
        ),
    ):
        if wrong:
            raise InputError(f"{name} contains {what}, so it cannot be sent: copy the key again.")
    return key


def _pattern(key: str) -> str:
    """Return a regular expression that matches a key and its base64 encodings."""
    forms = [f"(?i:{re.escape(key)})"]
    raw = key.encode("utf-8", "surrogatepass")
    for offset in range(3):
        # If longer text is encoded, the key starts at one of three offsets within a base64 group, and its
        # first and last encoded characters depend on the adjacent bytes.
        encoded = base64.b64encode(bytes(offset) + raw).decode().rstrip("=")
        whole = ["[-+]" if each == "+" else "[/_]" if each == "/" else each for each in encoded]
        first, last = -(-offset * 8 // 6), (offset + len(raw)) * 8 // 6
        # If the text ends with the key, its last bits are encoded in one more character.
        rest = "".join(f"(?:{each})?" for each in whole[last:])
        forms.append("".join(whole[first:last]) + rest + "={0,2}")
    return "|".join(forms)


def _views(text: str) -> Iterator[tuple[str, Sequence[int]]]:
    """Yield the text and all of its decoded forms, each with the offset in `text` of every character."""
    level: dict[str, Sequence[int]] = {text: range(len(text) + 1)}
    seen: set[str] = set()
    for _ in range(DEPTH + 1):
        yield from level.items()
        seen |= level.keys()
        following: dict[str, Sequence[int]] = {}
        for view, positions in level.items():
            for pattern, decode in _ESCAPES:
                if pattern.search(view):
                    decoded, at = _decode(view, positions, pattern, decode)
                    if decoded not in seen:
                        following.setdefault(decoded, at)
        level = following


def _decode(
    text: str, positions: Sequence[int], pattern: re.Pattern[str], decode: Callable[[re.Match[str]], str]
) -> tuple[str, list[int]]:
    """Decode one level of one kind of escape.

    Return the decoded text and the original offset of each character.
    """
    pieces: list[str] = []
    places: list[int] = []
    end = 0
    for found in pattern.finditer(text):
        new = decode(found)
        pieces += [text[end : found.start()], new]
        places.extend(positions[end : found.start()])
        places.extend([positions[found.start()]] * len(new))
        end = found.end()
    pieces.append(text[end:])
    places.extend(positions[end:])
    return "".join(pieces), places
