"""Checks of text that a person gave: usable names, and characters that every file can hold."""

from __future__ import annotations

import re

from playground.types.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


LONGEST_NAME = 100
"""Characters of a name, which may become a file's."""


def check_name(name: str, what: str) -> str:
    """`name`, if it can stand in a command line, a file name and a page.

    Raises:
        InputError: it has other characters than letters, digits, dot, dash and underscore, or more than
            `LONGEST_NAME`.
    """
    if len(name) > LONGEST_NAME:
        raise InputError(f"{what} {name[:20]!r}... has {len(name)} characters: use at most {LONGEST_NAME}.")
    if not _NAME.match(name):
        raise InputError(
            f"{what} {name!r} is not a usable name: use letters, digits, dots, dashes and "
            "underscores, beginning with a letter or a digit."
        )
    return name


HALF_CHARACTER = re.compile("[\ud800-\udfff]")
"""Half of a surrogate pair, which no model reads and no file holds."""


def check_characters(text: str, what: str) -> str:
    """`text`, if every character of it is one: JSON and command lines can bring halves of a surrogate pair,
    which no model reads and no file holds.

    Raises:
        InputError: it has such a half.
    """
    if bad := HALF_CHARACTER.search(text):
        raise InputError(f"{what} holds {bad[0]!r}, which is half a character: remove it.")
    return text


def replace_surrogates(text: str) -> str:
    """`text` with each lone surrogate, which has no UTF-8 form, as U+FFFD."""
    return HALF_CHARACTER.sub("\ufffd", text)
