"""Check whether an answer is in a different language or script than the preceding messages."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache

from playground.checks.code import mask_code
from playground.checks.finding import Finding
from playground.diff import is_word, tokens
from playground.types import Prompt
from playground.words import format_number

SCRIPT_LETTERS = 10
"""Minimum number of letters in another script that an answer must contain to trigger a warning."""
SCRIPT_SHARE = 0.8
"""Minimum fraction of an answer's letters that must be in another script to trigger a warning."""
_SCRIPTS = {
    "ARABIC": "Arabic",
    "ARMENIAN": "Armenian",
    "BENGALI": "Bengali",
    "CJK": "Chinese or Japanese",
    "CYRILLIC": "Cyrillic",
    "DEVANAGARI": "Devanagari",
    "GEORGIAN": "Georgian",
    "GREEK": "Greek",
    "HANGUL": "Korean",
    "HEBREW": "Hebrew",
    "HIRAGANA": "Chinese or Japanese",
    "KATAKANA": "Chinese or Japanese",
    "LATIN": "Latin",
    "TAMIL": "Tamil",
    "TELUGU": "Telugu",
    "THAI": "Thai",
}
"""Names of scripts, keyed by the first word of their letters' Unicode character names. Letters in scripts not
listed here are not counted."""
TONGUE_WORDS = 6
"""Minimum number of common words of another language that an answer must contain to trigger a warning."""
TONGUE_SHARE = 0.12
"""Minimum fraction of an answer's words that must be common words of another language to trigger a
warning."""
_TONGUES = {
    word: name
    for name, words in {
        "Dutch": "het een van niet voor zijn ik wordt ook naar deze heeft maar",
        "English": "the of and to that it for with you are is this what how who why which my your can do i",
        "French": "le les des et est pas pour dans sur avec qui vous je ce une au nous mais sont",
        "German": "der und ist nicht ein eine zu mit auf f\u00fcr von sich wie ich auch wir sind aber dem",
        "Italian": "il di che \u00e8 non per gli sono della anche pi\u00f9 ma nel questo",
        "Portuguese": "uma n\u00e3o \u00e9 voc\u00ea s\u00e3o mais tamb\u00e9m em os ao pelo muito",
        "Spanish": "el los las y es m\u00e1s pero muy est\u00e1 lo tambi\u00e9n por como su qu\u00e9",
    }.items()
    for word in words.split()
}
"""Maps very common words to their language. Words that are common in more than one of these languages are
omitted."""
_LANGUAGES = re.compile(
    r"(?i)\b(?:russ|rus[oa]\b|ukra|bulgar|serb|ma[cz]edon|mazedon|belarus|slav|kyril|cyril|chin|mandarin|"
    r"[ck]anton|japan|japon|giappon|kanji|kana|hiragana|katakana|[ck]orea|core[ae]|hangul|arab|persi|farsi|iran|"
    r"urdu|pakistan|hebr|israel|jidd|yidd|hind|sanskrit|indi[ae]|nepal|marath|bengal|bangla|tamil|telugu|thai|"
    r"gre[ec]|griech|grie[ck]|grec|georgi|armen|mongol|ka[sz]ak|devanagari|asia|"
    r"german|deutsch|alem[aá]|allemand|tedesc|french|fran[cç][aé]|französ|spani|españ|espagn|spagn|ital|portug|"
    r"dutch|holland|niederl|nederl|engl|ingl|angl|engels|latin)"
)
_WRITING = re.compile(
    r"(?i)transl|transk|transcri|übers|tradu|vertaal|languag|sprache|langue|lengua|idiom|lingua|taal|alphabet|"
    r"alfabet|script|writing|letter|character|original|haiku|symbol|unicode"
)


def check_language(text: str, prompt: Prompt, messages: str) -> Finding | None:
    """Return a warning if the answer is in a different script or language than the messages.

    Returns None if the messages mention a language or a writing system.
    """
    instruction = prompt.text[: next((p.end for p in prompt.parts if p.kind == "instruction"), 0)]
    if _LANGUAGES.search(instruction + messages) or _WRITING.search(messages):
        return None
    sentence = _describe_other_script(text, messages) or _describe_other_tongue(text, messages)
    return Finding(kind="language", label="Other language", sentence=sentence) if sentence else None


def _describe_other_script(text: str, messages: str) -> str | None:
    """Return a warning if the messages are in Latin letters and the answer is mostly in another script.

    Isolated letters, such as variables in formulas, are not counted. An answer in Latin letters is never
    reported, because it may be code.
    """
    letters = Counter[str]() if text.isascii() else _count_letters(text)
    if not letters or set(_count_letters(messages)) != {"Latin"}:
        return None
    script, count = letters.most_common(1)[0]
    if script == "Latin" or count < SCRIPT_LETTERS or count < SCRIPT_SHARE * letters.total():
        return None
    share = int(100 * count / letters.total())
    return f"The message is in Latin letters, but {share}% of the answer's letters are {script}."


def _describe_other_tongue(text: str, messages: str) -> str | None:
    """Return a warning if common words show that the answer and the messages are in different languages."""
    there, _ = _find_tongue(messages, least=2)
    here, count = _find_tongue(mask_code(text), least=TONGUE_WORDS)
    if not there or not here or here == there:
        return None
    return (
        f"The message is in {there}, but {format_number(count)} words in the answer are common {here} words."
    )


def _find_tongue(text: str, least: int) -> tuple[str, int]:
    """Return the language of `text` and its number of common words; ("", 0) if the language is unclear."""
    words = re.findall(r"[^\W\d_]+", text.casefold())
    found = Counter(_TONGUES[word] for word in words if word in _TONGUES)
    for name, count in found.most_common(1):
        if count >= max(least, TONGUE_SHARE * len(words)) and 4 * (found.total() - count) <= count:
            return name, count
    return "", 0


def _count_letters(text: str) -> Counter[str]:
    """Count letters by script, ignoring one-letter words except in Chinese, Japanese and Thai."""
    found: Counter[str] = Counter()
    for token in tokens(text):
        if is_word(token):
            scripts = [name for name in map(_script_of, token) if name]
            if len(scripts) > 1 or scripts == ["Chinese or Japanese"] or scripts == ["Thai"]:
                found.update(scripts)
    return found


@lru_cache(maxsize=4096)
def _script_of(character: str) -> str | None:
    if not character.isalpha():
        return None
    return _SCRIPTS.get(unicodedata.name(character, "").split(" ")[0].split("-")[0])
