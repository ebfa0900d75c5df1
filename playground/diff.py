"""Word-level diff of two answers in bounded time.

Matching uses difflib (Ratcliff-Obershelp), which takes quadratic and, in the worst case, cubic time.
Therefore, all word comparisons in a diff share one budget, `WORK`. In long texts, equal sentences and lines
are matched first. The text between two such matches is then matched word by word. Text that has not been
compared by the time the budget is used up counts as different. The budget is measured in steps rather than
time, so the result is deterministic.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import accumulate, chain, pairwise
from typing import Literal

Mark = Literal["same", "only"]
Stretch = tuple[str, Mark]
"""A span of one text, and whether it also occurs in the text it is compared with."""

WORK = 3_000_000
"""Maximum number of steps per diff. Each search for a match takes one step per position searched and one step
per pair of equal words.
"""
DIRECT = 100_000
"""Maximum number of steps for comparing two texts word by word without matching sentences first.

Enough for about 2000 words of prose.
"""


@dataclass(frozen=True, kw_only=True)
class Diff:
    """A side-by-side diff of two texts.

    On both sides, the spans marked "same" concatenate to the same text.
    """

    left: tuple[Stretch, ...]
    """The left text, split into spans. Adjacent spans have different marks."""
    right: tuple[Stretch, ...]
    similarity: float
    """Share of words in common (Dice coefficient), from 0 to 1.

    If neither text contains words: 1 if the texts are equal, else 0.
    """


def diff(left: str, right: str) -> Diff:
    """Compare two texts word by word.

    Punctuation and whitespace are marked as the same if they are equal in both texts and adjacent to a
    matching word or to the beginning or end of the text.
    """
    a, b = _Side(left), _Side(right)
    _same_signs(a, -1, b, -1)
    _same_signs(a, len(a.tokens), b, len(b.tokens))
    shared = 0
    for i, j, size in _matches(_sentences(a.tokens), _sentences(b.tokens)):
        shared += size
        for x, y in zip(a.words[i : i + size], b.words[j : j + size], strict=True):
            a.same[x] = b.same[y] = True
            _same_signs(a, x, b, y)
    words = len(a.words) + len(b.words)
    similarity = 2 * shared / words if words else float(left == right)
    return Diff(left=a.stretches(), right=b.stretches(), similarity=similarity)


class _Side:
    """One of the two texts, split into tokens, with the positions of the words and a record of which tokens
    match the other text.
    """

    def __init__(self, text: str) -> None:
        self.tokens = tokens(text)
        self.words = [at for at, token in enumerate(self.tokens) if is_word(token)]
        self.same = [False] * len(self.tokens)

    def open(self, at: int) -> bool:
        """Return whether position `at` holds a non-word token that is not yet marked as the same."""
        return 0 <= at < len(self.tokens) and not self.same[at] and not is_word(self.tokens[at])

    def stretches(self) -> tuple[Stretch, ...]:
        """Return the text as spans, joining adjacent tokens that are all marked as the same or all marked as
        different.
        """
        edges = [at for at in range(1, len(self.tokens)) if self.same[at] != self.same[at - 1]]
        return tuple(
            ("".join(self.tokens[start:end]), "same" if self.same[start] else "only")
            for start, end in pairwise([0, *edges, len(self.tokens)])
            if start < end
        )


def _same_signs(a: _Side, x: int, b: _Side, y: int) -> None:
    """Mark equal punctuation and whitespace around two positions as the same, up to the adjacent words."""
    for step in (1, -1):
        i, j = x + step, y + step
        while a.open(i) and b.open(j) and a.tokens[i] == b.tokens[j]:
            a.same[i] = b.same[j] = True
            i, j = i + step, j + step


# --- Words ----------------------------------------------------------------------------------------

_TOKEN = re.compile(r"[wd][wdj]*(?:(?:a|(?<=d)n(?=d))[wd][wdj]*)*|cj*|s+|[pan](?:j+p?)*|j+")
"""Regular expression for tokens, applied to text in which `_class` has replaced each character by a letter.
The alternatives are a word, a single-character word, whitespace and punctuation.
"""
# Scripts written without spaces: Thai, Lao, Burmese, Khmer, kana and Chinese characters.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


def tokens(text: str) -> list[str]:
    """Split `text` losslessly into words, whitespace and single punctuation characters.

    A word is a run of letters and digits, including inner apostrophes ("don't"). Numbers keep their decimal
    point and commas ("3.14"). In scripts without spaces, each character is a word. Combining marks stay with
    their base character.
    """
    classes = "".join(map(_class, text))
    return [text[found.start() : found.end()] for found in _TOKEN.finditer(classes)]


def is_word(token: str) -> bool:
    """Return whether a token is a word rather than whitespace or punctuation."""
    return token[0].isalnum()


@lru_cache(maxsize=4096)
def _class(character: str) -> str:
    """Return the class of a character, as one of the letters used in `_TOKEN`."""
    if character.isspace():
        return "s"
    if character in "'\u2019":
        return "a"
    if character in ".,":
        return "n"
    if unicodedata.category(character)[0] == "M" or character in "\u200c\u200d":
        return "j"
    if _UNSPACED.match(character) and character.isalpha():
        return "c"
    if character.isdigit():
        return "d"
    return "w" if character.isalnum() else "p"


# --- Matching -------------------------------------------------------------------------------------

Match = tuple[int, int, int]
"""A run of equal items, as (start in the first sequence, start in the second sequence, number of items)."""


class _Budget:
    """Counter of the steps that are left of the budget `WORK`."""

    def __init__(self) -> None:
        self._left = WORK

    def pays(self, steps: int) -> bool:
        """Deduct `steps` from the budget and return True. If fewer steps are left, return False and deduct
        nothing.
        """
        if steps > self._left:
            return False
        self._left -= steps
        return True


Sentence = tuple[str, ...]
"""The words in a sentence or line, without punctuation and whitespace."""


def _matches(lines_a: Sequence[Sentence], lines_b: Sequence[Sentence]) -> Iterator[Match]:
    """Yield matches between equal words in two texts. The matches do not cross, and their positions are
    counted in words.
    """
    budget = _Budget()
    a, b = list(chain(*lines_a)), list(chain(*lines_b))
    if _first_look(a, b) <= DIRECT:
        yield from _equal(a, b, budget)
        return
    starts_a = [0, *accumulate(map(len, lines_a))]
    starts_b = [0, *accumulate(map(len, lines_b))]
    done_a = done_b = 0
    for i, j, size in [*sorted(_equal(lines_a, lines_b, budget)), (len(lines_a), len(lines_b), 0)]:
        for x, y, n in _equal(a[done_a : starts_a[i]], b[done_b : starts_b[j]], budget):
            yield done_a + x, done_b + y, n
        done_a, done_b = starts_a[i + size], starts_b[j + size]
        yield starts_a[i], starts_b[j], done_a - starts_a[i]


def _first_look(a: Sequence[str], b: Sequence[str]) -> int:
    """Return how many steps it takes to find the longest match: one per position in `a`, plus one per pair of
    equal words.
    """
    counts = Counter(b)
    return len(a) + sum(counts[word] for word in a)


def _sentences(parts: Sequence[str]) -> list[Sentence]:
    """Group the words in a sequence of tokens by sentence. Line breaks also end a sentence."""
    ends = [
        at + 1
        for at, token in enumerate(parts)
        if token.isspace() and ("\n" in token or (at and parts[at - 1][-1] in ".!?\u2026"))
    ]
    lines = (tuple(filter(is_word, parts[start:end])) for start, end in pairwise([0, *ends, len(parts)]))
    return [line for line in lines if line]


def _equal(a: Sequence[Hashable], b: Sequence[Hashable], budget: _Budget) -> Iterator[Match]:
    """Yield matches as difflib's `get_matching_blocks` does, until the budget is used up.

    The common prefix and suffix of both sequences are matched regardless of the budget.
    """
    shortest = min(len(a), len(b))
    head = next((at for at in range(shortest) if a[at] != b[at]), shortest)
    shortest -= head
    tail = next((at for at in range(shortest) if a[-1 - at] != b[-1 - at]), shortest)
    end_a, end_b = len(a) - tail, len(b) - tail
    if head:
        yield 0, 0, head
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    costs = [0, *accumulate(1 + len(matcher.b2j.get(item, ())) for item in a)]  # type: ignore[attr-defined]
    ranges = [(head, end_a, head, end_b)]
    while ranges:
        i_low, i_high, j_low, j_high = ranges.pop()
        if i_low == i_high or j_low == j_high or not budget.pays(costs[i_high] - costs[i_low]):
            continue
        i, j, size = matcher.find_longest_match(i_low, i_high, j_low, j_high)
        if size:
            yield i, j, size
            ranges += [(i + size, i_high, j + size, j_high), (i_low, i, j_low, j)]
    if tail:
        yield end_a, end_b, tail
