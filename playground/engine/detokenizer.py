"""Incremental decoding of token ids to text, for any kind of vocabulary.

The tokenizer is accessed only through its `decode` function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice

REPLACEMENT = "\ufffd"
LONGEST_WINDOW = 16
"""Number of token ids above which the decoding window is shortened. Shortening the window at every step would
double the number of `decode` calls."""
TAIL = 8
"""Number of trailing ids decoded to check whether byte-level text ends with an incomplete character. A
character takes at most four ids."""
SCANNED_IDS, SCANNED_BLOCK = 2048, 256
"""Number of token ids to search for byte tokens, and number of ids to decode per call. Only the first ids are
searched, since byte tokens are usually near the start of a vocabulary."""

Decode = Callable[[Sequence[int]], str]


class Detokenizer:
    """Incremental decoder for a growing list of token ids.

    The concatenation of the returned pieces equals ``decode(prompt + answer)[len(decode(prompt)):]``.
    Decoding one id at a time loses spaces and splits characters, and decoding all ids at every step takes
    quadratic time. Each step therefore decodes a short window of the last ids and returns the text added
    since the previous step. Two kinds of vocabulary encode rare characters as bytes; in both, a later token
    can change the text of an earlier one:

    * Byte-level BPE (GPT-2, Llama 3, Qwen): the bytes of all tokens are joined before decoding, so only the
      last character can be incomplete.
    * Byte fallback (Llama 2, Mistral, Gemma): a run of byte tokens such as ``<0x0A>`` is decoded in one
      piece. If any part of the run is not valid UTF-8, every byte of the run becomes U+FFFD. The text of a
      run, even a single newline, is therefore held back until another token ends the run.

    Example, byte fallback, with ``F0`` for the token ``<0xF0>``::

        fed      "▁Hi"  "▁"  F0  9F  98  80  F0  9F  98  81  "!"
        returns  " Hi"  " "  ""  ""  ""  ""  ""  ""  ""  ""  "😀😁!"

    The kind of vocabulary is detected by appending a byte token that is never valid UTF-8 and decoding the
    result: with byte fallback, the text of the byte tokens before it changes.
    """

    def __init__(self, decode: Decode, prompt_ids: Sequence[int]) -> None:
        """
        Args:
            decode: a function that decodes ids like `tokenizer.decode`. It is called with ids from the prompt
                and the answer, and with the first ids of the vocabulary.
            prompt_ids: the token ids of the prompt. Decoding starts at the last prompt token whose text is
                final, so that the answer keeps its leading space.
        """
        self._decode = decode
        self._open: dict[int, bool] = {}  # cached results of `_is_open`, keyed by token id
        self._bytes: list[int] = []  # at most two raw byte ids, since one may be a literal U+FFFD
        self._searched = False
        self._fallback = False  # whether the vocabulary is known to decode byte tokens as runs
        start = len(prompt_ids)
        while start > 0 and (start == len(prompt_ids) or self._is_open(prompt_ids[start])):
            start -= 1
        self._window = list(prompt_ids[start:])
        self._known = len(self._window)  # number of window ids whose text has been returned
        self._returned = len(decode(self._window)) if self._window else 0  # length of the returned text

    def feed(self, token: int, following: int | None = None) -> str:
        """Add a token and return the text that has become final, often an empty string.

        Args:
            token: the token's id.
            following: the id of the next token, if already known. If the next token ends a run of byte
                tokens, the text of the run is returned now instead of one call later.
        """
        self._window.append(token)
        if len(self._window) - self._known == 1:
            text = self._decode(self._window)
            new = text[self._returned :]
            if REPLACEMENT not in new and (len(new) > 1 or not new.isascii()):
                # The text is longer than the text of any byte token, so no later token can change it.
                return self._accept(text)
        ended = following is not None and not self._is_open(following)
        if self._is_open(token) and not ended and not self._completes_character(token):
            return ""
        return self._accept(self._decode(self._window))

    def finish(self) -> str:
        """Return the remaining text. The bytes of an incomplete character become U+FFFD."""
        return self._accept(self._decode(self._window)) if self._window else ""

    def _accept(self, text: str) -> str:
        """Return the window's text that has not been returned yet, and shorten the window if it is too long.

        `text` is the decoded text of the whole window.
        """
        new = text[self._returned :]
        if len(self._window) > LONGEST_WINDOW:
            # Keeping the last token preserves the leading space of the next one. The text of earlier bytes
            # can no longer change.
            self._window = self._window[-1:]
            text = self._decode(self._window)
        self._known, self._returned = len(self._window), len(text)
        return new

    def _completes_character(self, token: int) -> bool:
        """Return whether a token completes a character that no later token can change."""
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
        """Return whether a token is open, that is, has no text or has text that a later token may change.

        Open tokens are byte tokens, tokens that contain only part of a character, and control tokens. Control
        tokens do not end a run of byte tokens because `decode` skips control tokens. A token that decodes to
        several complete characters is not open and ends a run of byte tokens.
        """
        if token not in self._open:
            alone = self._decode([token])
            if REPLACEMENT in alone:
                self._learn(token, alone)
                self._open[token] = True
            elif len(alone) > 1 or not alone.isascii():
                self._open[token] = False
            else:  # empty text may be a space, which decoders strip at the start
                self._open[token] = self._is_byte(token, alone) or not (alone or self._decode([token, token]))
        return self._open[token]

    def _is_byte(self, token: int, alone: str) -> bool:
        """Return whether a token whose text is at most one ASCII character is a byte-fallback token.

        The test appends a byte that is never valid in UTF-8 and decodes both tokens: the text of a
        byte-fallback token then becomes U+FFFD as well.
        """
        # In most vocabularies, the 256 byte tokens are consecutive. FE and FF are never valid in UTF-8.
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
        """Record a token in `_bytes` if the token is a raw byte.

        At most two raw bytes are recorded. Each new one changes the result of `_is_open` for other tokens, so
        cached results for non-open tokens are discarded. `alone` is the token's text.
        """
        if alone == REPLACEMENT and len(self._bytes) < 2:
            self._bytes.append(token)
            self._open = {id: is_open for id, is_open in self._open.items() if is_open}

    def _raw_bytes(self, first: int, end: int) -> Iterator[int]:
        """Yield the ids in range(first, end) that decode to a single U+FFFD, found by bisection."""
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
        """Decode ids that may not exist in the vocabulary; return None if any id does not exist."""
        try:
            return self._decode(ids)
        except (LookupError, ValueError, TypeError, OverflowError):
            return None  # raised by slow (Python) tokenizers; fast tokenizers ignore unknown ids
