"""Decode token ids to text one token at a time, for every kind of vocabulary.

The tokenizer is used through its `decode` function alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice

REPLACEMENT = "\ufffd"
LONGEST_WINDOW = 16
"""Ids after which the window is cut back; cutting at every step would decode twice."""
TAIL = 8
"""Last ids by which the end of a byte-level text is decoded; a character takes four at most."""
SCANNED_IDS, SCANNED_BLOCK = 2048, 256
"""How far a vocabulary is searched for raw bytes, and how many ids are decoded at once; they are usually near
the beginning."""

Decode = Callable[[Sequence[int]], str]


class Detokenizer:
    """Turns a growing list of token ids into a growing text.

    The returned pieces concatenate to ``decode(prompt + answer)[len(decode(prompt)):]``. Decoding one id at a
    time loses spaces and splits characters, and decoding all of them at every step is quadratic. So a
    short window is decoded, and what it has more than before is the new text. Two kinds of vocabularies
    spell rare characters as bytes, and in both a later token can change what an earlier one decodes to:

    * Byte-level BPE (GPT-2, Llama 3, Qwen): bytes are put together across all tokens, so only the last
      character can be incomplete.
    * Byte fallback (Llama 2, Mistral, Gemma): a run of byte tokens (``<0x0A>`` is one) is decoded as a whole,
      and becomes one U+FFFD a byte if any part of it is not valid UTF-8. So all of a run, several characters
      or a single newline, waits for the token that ends it.

    Example, byte fallback, with ``F0`` for the token ``<0xF0>``::

        fed      "▁Hi"  "▁"  F0  9F  98  80  F0  9F  98  81  "!"
        returns  " Hi"  " "  ""  ""  ""  ""  ""  ""  ""  ""  "😀😁!"

    The kind of a vocabulary is found through `decode` alone: append a byte that is valid nowhere, and look at
    what it changes.
    """

    def __init__(self, decode: Decode, prompt_ids: Sequence[int]) -> None:
        """
        Args:
            decode: decodes ids as `tokenizer.decode` does. It is called with ids of the prompt and the
                answer, and with those at the beginning of the vocabulary.
            prompt_ids: the ids before the answer. The last of them that no byte can change is decoded with
                the answer, so that the answer keeps its leading space.
        """
        self._decode = decode
        self._open: dict[int, bool] = {}  # by token, see `_is_open`
        self._bytes: list[int] = []  # ids of raw bytes, two at most: one of them may be a literal U+FFFD
        self._searched = False
        self._fallback = False  # whether the vocabulary is known to have byte tokens that decode as a run
        start = len(prompt_ids)
        while start > 0 and (start == len(prompt_ids) or self._is_open(prompt_ids[start])):
            start -= 1
        self._window = list(prompt_ids[start:])
        self._known = len(self._window)  # ids of the window whose text has been returned
        self._returned = len(decode(self._window)) if self._window else 0  # characters of that text

    def feed(self, token: int, following: int | None = None) -> str:
        """Add a token, and return the text that has become certain, often "".

        Args:
            token: the id.
            following: the id after it, where that is known already. A run of bytes that it ends is then
                returned with the run's last token.
        """
        self._window.append(token)
        if len(self._window) - self._known == 1:
            text = self._decode(self._window)
            new = text[self._returned :]
            if REPLACEMENT not in new and (len(new) > 1 or not new.isascii()):
                return self._accept(text)  # more than one byte can be: no need to look any closer
        ended = following is not None and not self._is_open(following)
        if self._is_open(token) and not ended and not self._completes_character(token):
            return ""
        return self._accept(self._decode(self._window))

    def finish(self) -> str:
        """Return the text that was held back; bytes that are not a whole character become U+FFFD."""
        return self._accept(self._decode(self._window)) if self._window else ""

    def _accept(self, text: str) -> str:
        """Return what `text`, the window's, has more than before, and cut a long window back."""
        new = text[self._returned :]
        if len(self._window) > LONGEST_WINDOW:
            # The last token keeps the next one's space; bytes before it cannot be changed any more.
            self._window = self._window[-1:]
            text = self._decode(self._window)
        self._known, self._returned = len(self._window), len(text)
        return new

    def _completes_character(self, token: int) -> bool:
        """Whether a token with part of a character has completed it, and nothing can change that."""
        if self._fallback or REPLACEMENT not in self._decode([token]):
            return False
        if self._decode(self._window[-TAIL:]).endswith(REPLACEMENT):
            return False
        text = self._decode(self._window)
        self._fallback = not all(
            self._decode([*self._window, byte]).startswith(text) for byte in self._bytes or [token]
        )
        return not self._fallback

    def _is_open(self, token: int) -> bool:
        """Whether a later token may change the text that a token adds, or the token adds none.

        Open tokens are bytes, parts of characters, and control tokens that decoding leaves out, which do not
        end a run of bytes. A token whose text is longer than a character is not open, so it ends a run.
        """
        if token not in self._open:
            alone = self._decode([token])
            if REPLACEMENT in alone:
                self._learn(token, alone)
                self._open[token] = True
            elif len(alone) > 1 or not alone.isascii():
                self._open[token] = False
            else:  # "" may be a space that decoders take from the beginning of a text
                self._open[token] = self._is_byte(token, alone) or not (alone or self._decode([token, token]))
        return self._open[token]

    def _is_byte(self, token: int, alone: str) -> bool:
        """Whether a token of at most one ASCII character is a byte of a run.

        If it is, a byte after it that is valid nowhere turns it into U+FFFD too.
        """
        # The 256 bytes mostly come one after the other, and FE and FF are never valid.
        beside = [token - ord(alone or " ") + byte for byte in (0xFE, 0xFF)]
        near = [id for id in beside if id >= 0 and self._try([id]) == REPLACEMENT]
        if len(near) < 2 and not self._searched:
            self._searched = True
            blocks = range(0, SCANNED_IDS, SCANNED_BLOCK)
            found = chain.from_iterable(self._raw_bytes(id, id + SCANNED_BLOCK) for id in blocks)
            self._bytes = [*self._bytes, *islice(found, 2)][:2]
        spoiled = any(self._decode([token, id]).count(REPLACEMENT) > 1 for id in (*near, *self._bytes))
        self._fallback = self._fallback or spoiled
        return spoiled

    def _learn(self, token: int, alone: str) -> None:
        """Note a token that is a raw byte; closed tokens are looked at again with it."""
        if alone == REPLACEMENT and len(self._bytes) < 2:
            self._bytes.append(token)
            self._open = {id: is_open for id, is_open in self._open.items() if is_open}

    def _raw_bytes(self, first: int, end: int) -> Iterator[int]:
        """Yield the ids from `first` to before `end` that decode to U+FFFD alone, found by halving."""
        text = self._try(range(first, end))
        if text is not None and REPLACEMENT not in text:
            return
        if end - first > 1:
            middle = (first + end) // 2
            yield from self._raw_bytes(first, middle)
            yield from self._raw_bytes(middle, end)
        elif text == REPLACEMENT:
            yield first

    def _try(self, ids: Sequence[int]) -> str | None:
        """Decode ids that the vocabulary may lack; None if it lacks one."""
        try:
            return self._decode(ids)
        except (LookupError, ValueError, TypeError, OverflowError):
            return None  # what tokenizers written in Python raise; the others leave such ids out
