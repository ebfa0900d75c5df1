"""Find where the tokens of a prompt begin in its text, from the vocabulary pieces that a server returns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
SPACE = "\u2581"
"""The character that stands for a space in a SentencePiece vocabulary."""
MOST_PREPENDED = 4
"""Number of tokens that a server may prepend."""


def locate_pieces(text: str, pieces: Sequence[str | bytes]) -> list[int | None]:
    """Return the start of each token in `text`, in characters.

    A token that is not part of the text, such as a BOS token prepended by the server, has no start. If the
    pieces cannot be matched with the text, none has.

    Args:
        text: the tokenised text.
        pieces: the tokens as listed in a SentencePiece or byte-level BPE vocabulary, as plain text, or as
            bytes.
    """
    data = text.encode()
    offered = range(min(MOST_PREPENDED, len(pieces)) + 1)
    first = next((number for number in offered if _fits(data, pieces[number:])), None)
    if first is None:
        return [None] * len(pieces)
    starts: list[int | None] = [None] * first
    at = 0
    for number, piece in enumerate(pieces[first:]):
        starts.append(len(data[:at].decode(errors="ignore")))
        at += _match(data, at, piece, number == 0) or 0
    return starts


def _fits(data: bytes, pieces: Sequence[str | bytes]) -> bool:
    at = 0
    for number, piece in enumerate(pieces):
        length = _match(data, at, piece, number == 0)
        if length is None:
            return False
        at += length
    return at == len(data)


def _match(data: bytes, at: int, piece: str | bytes, is_first: bool) -> int | None:
    """Return how many bytes of `data` a piece stands for at a position, or None if it does not match there.

    Args:
        is_first: whether the piece is the text's first, to which SentencePiece may have added a space.
    """
    for form in _forms(piece):
        if data.startswith(form, at):
            return len(form)
        if is_first and form.startswith(b" ") and data.startswith(form[1:], at):
            return len(form) - 1
    return None


@cache
def _forms(piece: str | bytes) -> tuple[bytes, ...]:
    """Return the byte strings that a piece can stand for."""
    if isinstance(piece, bytes):
        return (piece,)
    if found := _BYTE.fullmatch(piece):
        return (bytes([int(found[1], 16)]), piece.encode())
    forms = [piece.replace(SPACE, " ").encode(), piece.encode()]
    letters = _byte_letters()
    if all(letter in letters for letter in piece):
        forms.insert(0, bytes(letters[letter] for letter in piece))
    return tuple(dict.fromkeys(forms))


@cache
def _byte_letters() -> dict[str, int]:
    """Return the byte for each letter of a byte-level BPE vocabulary.

    Printable Latin-1 characters stand for themselves. The other bytes, in order, are the characters from
    U+0100 (GPT-2, Radford et al. 2019).
    """
    own = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in own]
    return {chr(byte): byte for byte in own} | {
        chr(0x100 + number): byte for number, byte in enumerate(others)
    }
