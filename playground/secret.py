"""A text that must not be seen: the key of a judge's server."""

from __future__ import annotations

import re
from typing import NoReturn

HIDDEN = "(key)"
SHORTEST = 4
"""Characters below which a key is not looked for in other texts, where it would be found in plain words."""


class Secret:
    """A key that shows itself only when asked to.

    It has no place in a record: its text is in no repr, and it can neither be pickled nor written as JSON.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The key itself, for the one place that sends it."""
        return self._text

    def scrub(self, text: str) -> str:
        """`text` with every occurrence of the key, whatever the case of its letters, hidden."""
        if len(self._text) < SHORTEST:
            return text
        return re.sub(re.escape(self._text), HIDDEN, text, flags=re.IGNORECASE)

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(("Secret", self._text))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("A key is not written anywhere.")
