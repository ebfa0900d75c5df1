"""Decode token ids to text one token at a time, for every kind of vocabulary.

Only the tokenizer's `decode` function is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice

REPLACEMENT = "\ufffd"
LONGEST_WINDOW = 16
"""Number of ids after which the window is shortened; shortening it at every step would decode twice."""
TAIL = 8
"""Number of last ids decoded to check the end of a byte-level text; a character takes at most four."""
SCANNED_IDS, SCANNED_BLOCK = 2048, 256
"""Number of ids that are searched for raw bytes, which are usually near the start of a vocabulary, and number
of ids that are decoded at once."""

Decode = Callable[[Sequence[int]], str]


class Detokenizer:
    """Turns a growing list of token ids into a growing text.

    The returned pieces concatenate to ``decode(prompt + answer)[len(decode(prompt)):]``. Decoding one id at a
    time loses spaces and splits characters, and decoding all ids at every step takes quadratic time. A short
    window of the last ids is therefore decoded, and the text that it has gained since the previous step is
    the new text. Two kinds of vocabularies spell rare characters as bytes, and in both a later token can
    change the text of an earlier one:

    * Byte-level BPE (GPT-2, Llama 3, Qwen): the bytes of all tokens are joined before decoding, so only the
      last character can be incomplete.
    * Byte fallback (Llama 2, Mistral, Gemma): a run of byte tokens such as ``<0x0A>`` is decoded as a whole.
      If any part of the run is not valid UTF-8, every byte becomes U+FFFD. The text of a run, whether several
      characters or a single newline, is therefore held back until a token ends the run.

    Example, byte fallback, with ``F0`` for the token ``<0xF0>``::

        fed      "▁Hi"  "▁"  F0  9F  98  80  F0  9F  98  81  "!"
        returns  " Hi"  " "  ""  ""  ""  ""  ""  ""  ""  ""  "😀😁!"

    The kind of a vocabulary is found with `decode` only: a byte that is never valid in UTF-8 is appended, and
    the resulting text shows which earlier tokens it changes.
    """

    def __init__(self, decode: Decode, prompt_ids: Sequence[int]) -> None:
        """
        Args:
            decode: decodes ids like `tokenizer.decode`. It is called with ids of the prompt and the answer,
                and with the ids at the start of the vocabulary.
            prompt_ids: the ids before the answer. The last one whose text no later byte can change is decoded
                together with the answer, so that the answer keeps its leading space.
        """
        self._decode = decode
        self._open: dict[int, bool] = {}  # results of `_is_open` by token
        self._bytes: list[int] = []  # ids of at most two raw bytes, since one of them may be a literal U+FFFD
        self._searched = False
        self._fallback = False  # whether the vocabulary is known to have byte tokens that decode as a run
        start = len(prompt_ids)
        while start > 0 and (start == len(prompt_ids) or self._is_open(prompt_ids[start])):
            start -= 1
        self._window = list(prompt_ids[start:])
        self._known = len(self._window)  # number of ids of the window whose text has been returned
        self._returned = len(decode(self._window)) if self._window else 0  # number of characters of that text

    def feed(self, token: int, following: int | None = None) -> str:
        """Add a token and return the text that can no longer change, which is often "".

        Args:
            token: the token's id.
            following: the id of the next token, if it is already known. If the next token ends a run of
                bytes, the run's text is then returned with its last token.
        """
        self._window.append(token)
        if len(self._window) - self._known == 1:
            text = self._decode(self._window)
            new = text[self._returned :]
            if REPLACEMENT not in new and (len(new) > 1 or not new.isascii()):
                return self._accept(text)  # longer than a byte token's text, so no later token changes it
        ended = following is not None and not self._is_open(following)
        if self._is_open(token) and not ended and not self._completes_character(token):
            return ""
        return self._accept(self._decode(self._window))

    def finish(self) -> str:
        """Return the text that was held back; bytes of an incomplete character become U+FFFD."""
        return self._accept(self._decode(self._window)) if self._window else ""

    def _accept(self, text: str) -> str:
        """Return the new part of `text`, the text of the window, and shorten a long window."""
        new = text[self._returned :]
        if len(self._window) > LONGEST_WINDOW:
            # With the last token in the window, the next one keeps its leading space. The text of earlier
            # bytes can no longer change.
            self._window = self._window[-1:]
            text = self._decode(self._window)
        self._known, self._returned = len(self._window), len(text)
        return new

    def _completes_character(self, token: int) -> bool:
        """Whether a token with a part of a character completes it, and no later token can change it."""
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
        """Whether a token has no text, or a later token may change its text.

        Open tokens are bytes, parts of characters, and control tokens that decoding omits, which do not end a
        run of bytes. A token whose text is longer than a character is not open, so it ends a run.
        """
        if token not in self._open:
            alone = self._decode([token])
            if REPLACEMENT in alone:
                self._learn(token, alone)
                self._open[token] = True
            elif len(alone) > 1 or not alone.isascii():
                self._open[token] = False
            else:  # "" may be a space, which decoders strip at the start of a text
                self._open[token] = self._is_byte(token, alone) or not (alone or self._decode([token, token]))
        return self._open[token]

    def _is_byte(self, token: int, alone: str) -> bool:
        """Whether a token of at most one ASCII character is a byte token of a byte-fallback vocabulary.

        If it is, a following byte that is never valid in UTF-8 turns it into U+FFFD too.
        """
        # Most vocabularies have the 256 byte tokens in sequence. FE and FF are never valid in UTF-8.
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
        """Add a token to `_bytes` if it is a raw byte; tokens that are not open are then checked again."""
        if alone == REPLACEMENT and len(self._bytes) < 2:
            self._bytes.append(token)
            self._open = {id: is_open for id, is_open in self._open.items() if is_open}

    def _raw_bytes(self, first: int, end: int) -> Iterator[int]:
        """Find the ids from `first` up to `end` (exclusive) that decode to a single U+FFFD, by bisection."""
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
        """Decode ids of which the vocabulary may lack some; return None if it lacks one."""
        try:
            return self._decode(ids)
        except (LookupError, ValueError, TypeError, OverflowError):
            return None  # tokenizers written in Python raise these; the others ignore unknown ids
