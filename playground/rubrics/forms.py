"""Regular expressions for winners and scores in judges' replies, in brackets (``[[A]]``) or after a label
(``Score:``).

`judging.parse` parses these forms in replies, and `rubric.neutral` rewrites them in answers. All of the
regular expressions expect text normalized by `fold` and match in linear time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

BRACKETS = re.compile(r"\\?\[\\?\[([^\[\]\n]{0,60}?)\\?\]\\?\]")
"""Matches ``[[...]]`` on one line, including Markdown-escaped brackets."""
_DECORATION = "\"'*_`~\\[](){}$#| \t"
"""Markdown characters, quotes and brackets that can precede a value.

Angle brackets are excluded because ``>7`` is a range.
"""

WINNER_LABELS = (
    r"verdicts?|winners?|decision|judge?ment|urteil|gewinner|sieger|gagnant|vainqueur|d\u00e9cision|jugement"
    r"|\u5224\u51b3|\u88c1\u51b3|\u88c1\u5b9a|\u5224\u5b9a|\u7ed3\u8bba|\u80dc\u8005|\u83b7\u80dc\u8005|\u80dc\u51fa\u8005"
)
SCORE_LABELS = (
    r"ratings?|scores?|bewertung|punktzahl"
    r"|\u8bc4\u5206|\u5f97\u5206|\u6253\u5206|\u5206\u6570|\u8a55\u5206|\u5206\u6578"
)
_AFTER_LABEL = r"(?:[ _]+(?:finale?s?|is|ist|est|final))?"
LABEL = re.compile(
    rf"(?P<label>(?P<winner>{WINNER_LABELS})|(?P<score>{SCORE_LABELS}))"
    rf"(?P<between>{_AFTER_LABEL}[\s\"'*_`~)]{{0,20}}):",
    re.IGNORECASE,
)
"""Matches a label up to and including the colon before its value."""
_SOME_LABEL = rf"(?:(?P<winner>{WINNER_LABELS})|(?P<score>{SCORE_LABELS}))"
NOTED_LABEL = re.compile(rf"{_SOME_LABEL}[\s*_]{{0,5}}\([^()\n]{{0,40}}\)[\s\"'*_`~]{{0,20}}:", re.IGNORECASE)
"""Matches a label followed by a remark in parentheses, as in ``Verdict (final):``."""
QUALIFIED_LABEL = re.compile(
    rf"{_SOME_LABEL}(?:[ _](?P<words>[^:\n.!?;()]{{1,50}}):"
    r"|[*_ ]{0,5}[ \t][=\u2013\u2014-]{1,3}[ \t]|[ \t*_`~]{0,20}\n)",
    re.IGNORECASE,
)
"""Matches a label followed by further words with a colon, by a dash or equals sign, or by the end of the
line.
"""
EXPLANATION = re.compile(
    r"\b(?:breakdown|scale|range|criteria|explanations?|justifications?|reason(?:s|ing)?|rationale|details?|"
    r"notes?|why|because|begr\u00fcndung|skala|explication|justification|\u00e9chelle)\b|\u7406\u7531|\u8bf4\u660e",
    re.IGNORECASE,
)
"""Matches words that, next to a label, indicate that an explanation follows instead of a value."""
REVISION = re.compile(
    r"(?<!\w)(?:(?P<strict>corrections?|corrected|revision|revised|korrektur|korrigiert|rectification)"
    r"|actually|wait|hmm+|sorry|edit|update|updated|on (?:second thought|reflection)|moment|doch)(?!\w)"
    r"[\s\"'*_`~,.!\u2014-]{0,20}(?P<colon>:?)"
    r"|(?P<strict_zh>\u66f4\u6b63|\u4fee\u6b63|\u7ea0\u6b63)[\s*_,\u3002]{0,20}(?P<colon_zh>:)",
    re.IGNORECASE,
)
"""Matches words at the start of a sentence that retract an earlier value. A new value can follow."""

_BEFORE_WORDS = (
    r"my|the|our|its|a|final|overall|total|general|revised|corrected|so|thus|therefore|hence|and|finally|now|here|is|"
    r"in|conclusion|summary|judge'?s|mein|meine|das|die|der|mon|ma|le|la|"
    r"endg\u00fcltige[rs]?|abschlie\u00dfende[rs]?|gesamt|also|donc|ainsi|"
    r"\u6211|\u7684|\u6700\u7ec8|\u6700\u540e|\u603b\u4f53|\u7efc\u5408|\u603b|\u56e0\u6b64|\u6240\u4ee5"
)
BEFORE_LABEL = re.compile(
    rf"(?:(?:{_BEFORE_WORDS})(?![a-z])|[\s\"'*_`~\\(\[{{#>|,:\-]|\d{{1,2}}[.)])*", re.IGNORECASE
)
"""Matches text that can precede a label at the start of a line or sentence."""
CORRECTION = re.compile(
    r"(?:second thought|on reflection|correction|correcting myself|changed? my mind|instead|final answer)"
    r"[\s\"'*_`~,]*:?[\s\"'*_`~]*$",
    re.IGNORECASE,
)
"""Matches words before a bracketed form that retract an earlier form."""

# --- Winners --------------------------------------------------------------------------------------

_NOUN = (
    r"assistant|answer|response|model|option|candidate|reply|output|antwort|r\u00e9ponse|"
    r"\u52a9\u624b|\u56de\u7b54|\u7b54\u6848|\u56de\u590d|\u9009\u9879|\u6a21\u578b"
)
_TIE = (
    r"tie|tied|draw|equal|equally good|(?:both|they) (?:are )?(?:equal|tied)(?:ly good)?|"
    r"unentschieden|gleichstand|remis|gleich gut|gleichwertig|"
    r"\u00e9galit\u00e9|egalit\u00e9|egalite|match nul|partie nulle|ex[ -]?(?:ae|\u00e6)quo|"
    r"\u5e73\u5c40|\u5e73\u624b|\u6253\u5e73|\u6301\u5e73|\u5e73\u5206|\u5e73|\u5e76\u5217|"
    r"\u4e0d\u5206\u4e0a\u4e0b|\u4e0d\u5206\u4f2f\u4ef2|\u4e0d\u5206\u80dc\u8d1f"
)
_ARTICLE = (
    r"a|an|the|it'?s|it is|this is|is|a clear|a perfect|ein|eine|un|une|\u00e0|c'est|la|le|das ist|es ist|"
    r"\u662f|\u4e3a"
)
_TIE_VALUE = re.compile(rf"(?:(?:{_ARTICLE})\s+|[\u662f\u4e3a]){{0,2}}(?:{_TIE})(?!\w)", re.IGNORECASE)
_LETTER_VALUE = re.compile(
    rf"(?:(?:the|it'?s|it is|is|die|das|la|le)\s+|[\u662f\u4e3a]){{0,2}}(?P<noun>(?:{_NOUN})s?[\s*_`\"']*)?"
    r"(?P<letter>[abc])(?![A-Za-z0-9_'])",
    re.IGNORECASE,
)
_LETTER_NAMED = re.compile(
    rf"(?<![A-Za-z0-9_'])(?:(?:{_NOUN})s?[\s*_`\"']*(?P<named>[abc])|(?P<capital>[ABC]))(?![A-Za-z0-9_'])"
    r"|(?<!\w)(?:[Aa]ssistant|[Aa]nswer|AI)\s+(?P<number>[12])(?!\w)"
)
_TIE_NAMED = re.compile(rf"(?<!\w)(?:{_TIE})(?!\w)", re.IGNORECASE)
# HTML tags begin with a character outside the character class, so any text matches in only one way.
_END = re.compile(r"(?:[\s\"'*_`~\\\[\](){}$#|.!;,\u3002]|</[A-Za-z0-9]{1,10}>)*+")
_ANGLES = re.compile(
    r"<(?P<tag>b|i|u|em|strong|code|mark|span)>(?P<inside>[^<>\n]{1,60})</(?P=tag)>|<(?P<only>[^<>\n/]{1,60})>",
    re.IGNORECASE,
)
_BETTER = re.compile(
    r"\s*(?:(?:is|was)\s+(?:the\s+)?(?:clearly\s+|slightly\s+|much\s+|overall\s+)?"
    r"(?:better|best|winner|superior|stronger)(?:\s+(?:one|answer|response))?|wins|"
    r"ist besser|gewinnt|est meilleure?|gagne|"
    r"\u66f4\u597d|\u66f4\u4f18|\u8f83\u597d|\u83b7\u80dc|\u80dc\u51fa|\u80dc)(?![a-z])",
    re.IGNORECASE,
)
_REASON = re.compile(
    r"[\s\"'*_`~\])}]*+(?:[.!;\u3002](?=[\s\"'*_`]|[^\x00-\x7f]|$)|\(|(?<=\s)[-\u2013\u2014]+\s|\u2014|"
    r"(?:[,:;\u3002]\s*+)?(?:because|since|as|for|due to|weil|da|denn|car|parce que|puisque)(?![a-z])|"
    r"(?:[,;\u3002]\s*+)?(?:\u56e0\u4e3a|\u7531\u4e8e))",
    re.IGNORECASE,
)
_LETTERS = {"a": "A", "b": "B", "c": "tie"}


@dataclass(frozen=True, kw_only=True)
class Value:
    """The result of classifying the content of a bracketed form or the text after a label."""

    kind: Literal["one", "unclear", "none"]
    """Classification of the content: "one" (exactly one candidate or score), "unclear" (several, a range, or
    a value surrounded by prose), or "none" (no candidate or score).
    """
    winner: str = ""
    """The winner ("A", "B" or "tie"), if one was expected and found."""
    number: str = ""
    """The score as it appears in the text, if one was expected and found."""
    out_of: str | None = None
    """The maximum score stated after "/" or "out of"; None if there is none."""


NONE = Value(kind="none")
UNCLEAR = Value(kind="unclear")


def winner_in(text: str, *, whole: bool) -> Value:
    """Parse the winner from normalized text.

    Args:
        text: normalized text from inside brackets, from a JSON field or from the rest of a labelled line.
        whole: whether the winner must be the entire text. Otherwise, a reason can follow if it does not name
            another candidate.
    """
    value = _strip_decoration(text)
    if len(text) > LONGEST and whole:
        return NONE
    if found := _TIE_VALUE.match(value):
        winner = "tie"
    elif found := _LETTER_VALUE.match(value):
        winner = _LETTERS[found["letter"].lower()]
        if found["letter"] == "a" and not found["noun"] and re.match(r"\s+[a-z]", value[found.end() :]):
            # In "a close call", the letter is an article.
            return UNCLEAR if _named_candidates(value) else NONE
    else:
        return UNCLEAR if _named_candidates(value) else NONE
    rest = value[found.end() :]
    if not whole and winner != "tie" and (better := _BETTER.match(rest)):
        rest = rest[better.end() :]
    if _END.fullmatch(rest):
        return Value(kind="one", winner=winner)
    if not whole and _REASON.match(rest) and _named_candidates(rest) <= {winner}:
        return Value(kind="one", winner=winner)
    return UNCLEAR


def _strip_decoration(text: str) -> str:
    """Truncate the text, and strip the markup around its first word.

    ``**A**`` becomes ``A**``; ``<b>A</b>`` and ``<A>`` become ``A``. An unpaired ``<`` or ``>`` is kept
    because, as in ``>7``, it turns the value into a range.
    """
    value = text[: LONGEST + 1].strip().lstrip(_DECORATION)
    if found := _ANGLES.match(value):
        rest = value[found.end() :]
        inside = (found["inside"] or found["only"]).lstrip(_DECORATION)
        value = f"{inside} {rest}" if rest[:1].isalnum() else inside + rest
    return value


def _named_candidates(text: str) -> set[str]:
    """Return the candidates named in the text.

    A name is a capital letter, a noun with a letter or number, or a word for a tie.
    """
    found = {
        _LETTERS[(one["named"] or one["capital"]).lower()] if not one["number"] else one["number"]
        for one in _LETTER_NAMED.finditer(text)
    }
    return found | {"tie"} if _TIE_NAMED.search(text) else found


# --- Scores ---------------------------------------------------------------------------------------

LONGEST = 2000
"""Maximum number of characters to read from a labelled line."""
_NUMBER = r"[-+]?[0-9]{1,9}(?:\.[0-9]{1,9}|,[0-9]{1,2})?"
_UNIT = r"(?:\s*(?:points?|pts|stars?|punkten?|\u5206))?(?![A-Za-z0-9])"
_OVER = r"(?:/|\bout of\b|\bof\b|\bvon\b|\bsur\b|\baus\b|\u6ee1\u5206[\u4e3a\u662f:]?)"
_OUT_OF = rf"(?:\s*(?:[,;(]\s*(?=\u6ee1\u5206))?{_OVER}\s*(?P<out_of>[0-9]{{1,9}}){_UNIT})?"
_SCORE_VALUE = re.compile(
    rf"(?P<number>{_NUMBER}){_UNIT}[*_`\"']*{_OUT_OF}(?!\s*[%\u2030/]|[.,]?[0-9])", re.IGNORECASE
)
_ANY_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]+)?")
_DENOMINATOR = re.compile(rf"{_OVER}\s*([0-9]+(?:[.,][0-9]+)?)", re.IGNORECASE)


def score_in(text: str, high: float, *, whole: bool) -> Value:
    """Parse the score from normalized text, without checking whether the score is within the scale.

    Args:
        text: normalized text from inside brackets, from a JSON field or from the rest of a labelled line.
        high: the maximum score, which a reason can repeat as "out of 10" or "/10".
        whole: whether the score must be the entire text. Otherwise, a reason can follow if it does not
            contain another number.
    """
    value = _strip_decoration(text)
    if len(text) > LONGEST and whole:
        return NONE
    found = _SCORE_VALUE.match(value)
    if found is None:
        return UNCLEAR if _ANY_NUMBER.search(value) else NONE
    one = Value(kind="one", number=found["number"], out_of=found["out_of"])
    rest = value[found.end() :]
    if _END.fullmatch(rest):
        return one
    if whole or not _REASON.match(rest):
        return UNCLEAR
    others = _ANY_NUMBER.findall(_DENOMINATOR.sub("", rest))
    same = {number_of(other) for other in others} <= {number_of(found["number"])}
    over = {number_of(other) for other in _DENOMINATOR.findall(rest)} <= {high}
    return one if same and over else UNCLEAR


def number_of(text: str) -> float:
    """Convert text with a decimal point or decimal comma to a number."""
    return float(text.replace(",", "."))
