"""Validate user-provided names and text, and replace lone surrogates."""

from __future__ import annotations

import re

from playground.types.errors import InputError
from playground.words import format_number

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


LONGEST_NAME = 100
"""Maximum length of a name, in characters. The limit ensures that every name can also be used as a file
name.
"""


def check_name(name: str, what: str) -> str:
    """Validate that a name is usable on the command line, as a file name and on the page, and return the
    name.

    Raises:
        InputError: the name has characters other than letters, digits, dots, dashes and underscores, or is
            longer than `LONGEST_NAME`.
    """
    if len(name) > LONGEST_NAME:
        raise InputError(
            f"{what} {name[:20]!r}... has {format_number(len(name))} characters: use at most {LONGEST_NAME}."
        )
    if not _NAME.match(name):
        raise InputError(
            f"{what} {name!r} is not a usable name: use letters, digits, dots, dashes and "
            "underscores, beginning with a letter or a digit."
        )
    return name


HALF_CHARACTER = re.compile("[\ud800-\udfff]")
"""Matches a lone surrogate, which has no UTF-8 encoding."""


def check_characters(text: str, what: str) -> str:
    """Validate that `text` has no lone surrogates, and return `text`.

    Lone surrogates can come from JSON or a command line, but cannot be encoded as UTF-8.

    Raises:
        InputError: `text` has a lone surrogate.
    """
    if bad := HALF_CHARACTER.search(text):
        raise InputError(f"{what} contains {bad[0]!r}, an unpaired surrogate (half a character): remove it.")
    return text


def replace_surrogates(text: str) -> str:
    """Replace each lone surrogate in `text` with U+FFFD, so that the result can be encoded as UTF-8."""
    return HALF_CHARACTER.sub("\ufffd", text)


# Each character maps to exactly one character, so positions in the normalized text are also valid in the
# original.
_FOLDED = (
    {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # full-width ASCII
    | {ord(one): ord("[") for one in "\u3010\u3014\u3016\u301a\u27e6"}
    | {ord(one): ord("]") for one in "\u3011\u3015\u3017\u301b\u27e7"}
    | {ord(one): ord('"') for one in "\u201c\u201d\u201e\u201f\u00ab\u00bb\u300c\u300d\u300e\u300f"}
    | {ord(one): ord("'") for one in "\u2018\u2019\u201a\u201b\u2039\u203a"}
    | {ord(one): ord("-") for one in "\u2010\u2011\u2012\u2212"}
    | {ord(one): ord(" ") for one in "\u00a0\u3000\u2007\u2009\u202f"}
    | {ord("\u2236"): ord(":"), ord("\ufe55"): ord(":")}
)


def fold(text: str) -> str:
    """Return `text` with full-width characters, brackets and quotes replaced with ASCII characters.

    The length does not change.
    """
    return text.translate(_FOLDED)
