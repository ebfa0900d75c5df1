"""Remove decoration such as emoji and end-of-turn tokens from a judge's reply."""

from __future__ import annotations

import re

from playground.types.text import fold


def _codes(*ranges: tuple[int, int]) -> set[int]:
    return {code for first, last in ranges for code in range(first, last + 1)}


# Purely decorative pictographs. All other pictographs are kept and prevent the reply from being parsed,
# because they can express negation or doubt (cross, thumbs down, question mark), a candidate, a number or a
# comparison, or can mark a choice (empty box, coloured circle).
_PICTOGRAPHS = (
    _codes(
        (0x2022, 0x2023),  # bullets
        (0x2192, 0x2192),
        (0x21D2, 0x21D2),
        (0x231A, 0x231B),
        (0x25B6, 0x25B6),
        (0x25BA, 0x25BA),
        (0x2600, 0x2775),
        (0x2794, 0x27BF),
        (0x2B50, 0x2B50),
        (0x1F300, 0x1F64F),
        (0x1F680, 0x1F6FF),
        (0x1F900, 0x1FAFF),
    )
    - _codes(
        (0x2610, 0x2610),
        (0x2612, 0x2613),
        (0x26A0, 0x26A0),  # warning sign
        (0x26AA, 0x26AB),
        (0x26D4, 0x26D4),
        (0x2715, 0x2718),
        (0x274C, 0x274E),
        (0x2753, 0x2754),
        (0x2795, 0x2797),
        (0x1F44E, 0x1F44E),
        (0x1F494, 0x1F494),
        (0x1F4AF, 0x1F4AF),  # hundred points
        (0x1F4C8, 0x1F4C9),
        (0x1F518, 0x1F518),
        (0x1F51F, 0x1F51F),  # keycap ten
        (0x1F523, 0x1F524),
        (0x1F532, 0x1F535),
        (0x1F53A, 0x1F53D),
        (0x1F645, 0x1F645),
        (0x1F6AB, 0x1F6AB),
        (0x1F6D1, 0x1F6D1),
        (0x1F914, 0x1F914),
        (0x1F91D, 0x1F91D),
        (0x1F937, 0x1F937),
        (0x1F948, 0x1F949),  # second and third place
    )
) | {0x200D, 0x20E3, 0xFE0E, 0xFE0F}  # joiner, keycap and variation selectors
_DECORATION = re.compile(
    rf"(?:[{''.join(map(chr, sorted(_PICTOGRAPHS)))}]"
    r"|(?i:<\|(?:end_of_(?:turn|text|message)(?:_token)?|endoftext|eot_id|eom_id|eot|eos|im_end|end|return"
    r"|end\u2581of\u2581(?:sentence|turn))\|>|<(?:end_of_turn|eos)>))+"
)
"""Matches runs of pictographs and end-of-turn tokens."""


def strip_decoration(text: str) -> str:
    """Return normalized text with pictographs and end-of-turn tokens replaced with the same number of spaces.

    Decoration between a label and its value is kept and prevents the value from being parsed. In answers,
    `rubric.neutral` does not rewrite labels followed by decoration, so the judge may be quoting an answer.
    """
    folded = fold(text)
    if folded.isascii() and "<" not in folded:
        return folded

    def blank(found: re.Match[str]) -> str:
        near = folded[max(0, found.start() - 40) : found.start()].rstrip(" \t\r\n\"'*_`~(")
        behind = near.endswith(":") or (not near and found.start() > 40)
        before = re.match(r"[\s\"'*_`~)]{0,20}:", folded[found.end() : found.end() + 21])
        return found[0] if behind or before else " " * len(found[0])

    return _DECORATION.sub(blank, folded)
