"""Check for loops: the same words or characters repeated many times in a row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from playground.checks.code import find_code_blocks
from playground.checks.ending import is_blank
from playground.checks.finding import Finding, quote
from playground.diff import is_word, tokens
from playground.types import Finish, Reply
from playground.words import format_number

LOOP_TIMES = 4
"""Minimum number of consecutive repetitions in a loop of words."""
LOOP_WORDS = 36
"""Minimum total number of words in a loop, counting all repetitions. The minimum is high enough that "ha ha
ha" or a refrain is not reported."""
LOOP_PERIOD = 200
"""Maximum number of words in the sequence that a loop repeats."""
LOOP_CHARACTERS = 100
"""Minimum total length of a loop without whitespace, in characters."""
_UNBROKEN = re.compile(r"(\S{1,20}?)\1{4,}")
_BLANK_RUN = re.compile(r"(\s{1,20}?)\1{4,}")
_ASKED_TO_REPEAT = re.compile(
    r"(?i)\brepeat(?! (?:my|your|the (?:first|last))\b)|over and over|again and again|"
    r"\b(?:\d+|three|four|five|six|seven|eight|nine|ten|twelve|twenty|thirty|fifty|hundred|thousand|many|"
    r"several)[ -](?:times|lines|copies|rows)\b"
)


def check_loop(text: str, finish: Finish, messages: str) -> Finding | None:
    """Return a warning if the answer repeats the same words or characters many times in a row.

    A loop of words repeats the same sequence of words at least `LOOP_TIMES` times in a row, with at least
    `LOOP_WORDS` words in total. Case, punctuation and list numbers are ignored; other numbers are compared,
    and at least one word of the sequence must begin with a letter. A loop of characters repeats a unit of at
    most 20 characters without whitespace over at least `LOOP_CHARACTERS` characters.

    Code and tables are naturally repetitive, and repeated punctuation is used to draw lines. Repetition in
    code, tables or punctuation therefore counts as a loop only if it continues to the end of an answer that
    was cut off at the token limit. Returns None if the user asked for repetition.
    """
    if _ASKED_TO_REPEAT.search(messages):
        return None
    blocks = [block[:2] for block in find_code_blocks(text)]
    blocks += [row.span() for row in re.finditer(r"(?m)^[ \t]*\|.*$", text)]
    for start, end, unit_end, what, times in _find_runs(text):
        unit = text[start:unit_end]
        drawn = any(low <= start < high for low, high in blocks) or not any(map(str.isalpha, unit))
        if not drawn or (finish == "length" and len(text[end:].split()) <= 1):
            sentence = f"{what} {format_number(times)} times in a row: {quote(unit)}."
            return Finding(kind="loop", label="Repeats itself", sentence=sentence, span=(start, end))
    return None


def check_blank_loop(reply: Reply) -> Finding | None:
    """Return a warning if an answer of only white space repeats the same white space many times in a row."""
    found = _BLANK_RUN.search(reply.raw_text) if reply.finish and is_blank(reply) else None
    if found is None or len(found[0]) < LOOP_CHARACTERS:
        return None
    times = format_number(len(found[0]) // len(found[1]))
    sentence = f"The same white space is repeated {times} times in a row."
    return Finding(kind="loop", label="Repeats itself", sentence=sentence)


def _find_runs(text: str) -> Iterator[tuple[int, int, int, str, int]]:
    """Yield (start, end, end of first unit, description, number of repetitions) for each loop in `text`."""
    words = list(_find_words(text))
    if run := _find_run([text[start:end].casefold() for start, end in words]):
        first, last, period = run
        what = "The same word is repeated" if period == 1 else f"The same {period} words are repeated"
        unit_end = words[first + period - 1][1]
        yield words[first][0], words[last - 1][1], unit_end, what, (last - first) // period
    for found in _UNBROKEN.finditer(text):
        start, end = found.span()
        if end - start >= LOOP_CHARACTERS and not any(map(str.isdigit, found[1])):
            yield start, end, found.end(1), "The same text is repeated", (end - start) // len(found[1])


def _find_words(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) for each word in `text`, skipping numbers at the beginning of list items."""
    numbers = {found.start(1) for found in re.finditer(r"(?m)^[ \t]*(\d+)[.)](?!\d)", text)}
    at = 0
    for token in tokens(text):
        if is_word(token) and at not in numbers:
            yield at, at + len(token)
        at += len(token)


def _find_run(words: Sequence[str]) -> tuple[int, int, int] | None:
    """Find the loop of words with the shortest period; return (first, end, period) in words, or None.

    A run with period p contains at least `needed` consecutive words that each equal the p-th word after them.
    Testing every `needed`-th position is therefore enough to find the run.
    """
    for period in range(1, min(LOOP_PERIOD, len(words) // LOOP_TIMES) + 1):
        needed = max(LOOP_WORDS, LOOP_TIMES * period) - period
        at = needed - 1
        while at + period < len(words):
            low = high = at
            while high + period < len(words) and words[high] == words[high + period]:
                high += 1
            while high > at and low > 0 and words[low - 1] == words[low - 1 + period]:
                low -= 1
            unit = words[low : low + period]
            if high - low >= needed and any(word[0].isalpha() for word in unit):
                return low, high + period, period
            at = high + needed
    return None
