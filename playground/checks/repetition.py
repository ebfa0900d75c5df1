"""Check for a loop: the same words or characters many times in direct succession."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from playground.checks.code import find_code_blocks
from playground.checks.finding import Finding, quote
from playground.diff import is_word, tokens
from playground.types import Finish

LOOP_TIMES = 4
"""How often in direct succession the same words must come to be a loop."""
LOOP_WORDS = 36
"""Words that all those times must have together: "ha ha ha" has fewer, and so has a refrain."""
LOOP_PERIOD = 200
"""Words of the longest stretch that is looked for again."""
LOOP_CHARACTERS = 100
"""Characters of a loop that has no white space."""
_UNBROKEN = re.compile(r"(\S{1,20}?)\1{4,}")
_ASKED_TO_REPEAT = re.compile(
    r"(?i)\brepeat(?! (?:my|your|the (?:first|last))\b)|over and over|again and again|"
    r"\b(?:\d+|three|four|five|six|seven|eight|nine|ten|twelve|twenty|thirty|fifty|hundred|thousand|many|"
    r"several)[ -](?:times|lines|copies|rows)\b"
)


def check_loop(text: str, finish: Finish, messages: str) -> Finding | None:
    """The same words in direct succession, at least `LOOP_TIMES` times and `LOOP_WORDS` words altogether.

    Case, punctuation and the numbers of a list do not count; other numbers do, and what comes again must have
    a word in letters. Or the same 20 characters or fewer, over and over for `LOOP_CHARACTERS` without white
    space. Code and tables repeat by nature, and lines are drawn with signs, so among them only a run that the
    limit cut off is a loop. None where the conversation asked for a repetition.
    """
    if _ASKED_TO_REPEAT.search(messages):
        return None
    blocks = [block[:2] for block in find_code_blocks(text)]
    blocks += [row.span() for row in re.finditer(r"(?m)^[ \t]*\|.*$", text)]
    for start, end, unit_end, what, times in _find_runs(text):
        unit = text[start:unit_end]
        drawn = any(low <= start < high for low, high in blocks) or not any(map(str.isalpha, unit))
        if not drawn or (finish == "length" and len(text[end:].split()) <= 1):
            sentence = f"{what} {times} times in a row: {quote(unit)}."
            return Finding(kind="loop", label="Repeats itself", sentence=sentence, span=(start, end))
    return None


def _find_runs(text: str) -> Iterator[tuple[int, int, int, str, int]]:
    """Runs that are long enough: where each begins and ends, where its first time ends, what, how often."""
    words = list(_find_words(text))
    if run := _find_run([text[start:end].casefold() for start, end in words]):
        first, last, period = run
        what = "The same word comes" if period == 1 else f"The same {period} words come"
        unit_end = words[first + period - 1][1]
        yield words[first][0], words[last - 1][1], unit_end, what, (last - first) // period
    for found in _UNBROKEN.finditer(text):
        start, end = found.span()
        if end - start >= LOOP_CHARACTERS and not any(map(str.isdigit, found[1])):
            yield start, end, found.end(1), "The same piece comes", (end - start) // len(found[1])


def _find_words(text: str) -> Iterator[tuple[int, int]]:
    """Where the words of a text stand, less the numbers that lines of a list begin with."""
    numbers = {found.start(1) for found in re.finditer(r"(?m)^[ \t]*(\d+)[.)](?!\d)", text)}
    at = 0
    for token in tokens(text):
        if is_word(token) and at not in numbers:
            yield at, at + len(token)
        at += len(token)


def _find_run(words: Sequence[str]) -> tuple[int, int, int] | None:
    """First and last place (exclusive) and period of a run that is long enough; the shortest such period.

    A run of period p holds `needed` places one after the other, or more, whose word equals the p-th after it.
    So a look at every `needed`-th place finds it: about one look a word for all periods together.
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
