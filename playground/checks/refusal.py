"""Check whether an answer begins with a refusal."""

from __future__ import annotations

import re

from playground.checks.finding import Finding, quote

_REFUSAL = re.compile(
    r"""(?xi) \A\s*
    (?: (?: i'm | i\ am )\ (?: so\ | very\ | truly\ )? (?: sorry | afraid )[,.;:]?\ (?: but\ )? (?: that\ )?
      | sorry[,.]?\ (?: but\ )?
      | i\ apologi[sz]e[,.]?\ (?: but\ )?
      | (?: unfortunately,?\ )? as\ an?\ (?: ai | artificial\ intelligence )\b [^,.]{0,40},\ )?
    (?: i\ (?: cannot | can't | can\ not | will\ not | won't | am\ (?: not\ able | unable )\ to )
      | i'm\ (?: not\ able | unable )\ to )\ (?:
      (?: help | assist ) (?: \ you )?
      (?: \ (?: with | in )\ (?: that | this | it | your | such )\b | (?= [.!] | \Z) )
    | (?: fulfil+ | comply\ with | complete | carry\ out | respond\ to | answer )
      \ (?: that | this | your | such )\ (?: request | question | task | instruction )
    | (?: provide | give | offer | share | create | write | generate | produce )\ (?: you\ )? (?: with\ )? (?:
        (?: that | this | such )\ (?: information | content | kind | type | sort | material )
      | (?: any\ )? (?: assistance | instructions | guidance | help | advice )
        \ (?: on | about | for | with | to )\b )
    )"""
)
_ASKED_TO_REFUSE = re.compile(
    r"(?i)refus|declin|turn(?:ing)?\b.{0,30}\bdown|say(?:ing)? no\b|reject|role|play|pretend|dialog|story"
)


def check_refusal(text: str, start: str, messages: str) -> Finding | None:
    """Return a warning if the answer begins with a common English refusal.

    "I can't" followed by a specific topic does not count as a refusal. Text in the prefill (`start`) does not
    count either, because the model did not write it.
    """
    found = _REFUSAL.match(text.replace("\u2019", "'"))
    if found is None or found.end() <= len(start) or _ASKED_TO_REFUSE.search(messages):
        return None
    ends = [at + 1 for mark in ".!?\n" if (at := text.find(mark, found.end())) >= 0]
    span = (len(text) - len(text.lstrip()), min(ends, default=len(text)))
    sentence = f"The answer begins with a refusal: {quote(text[: span[1]])}."
    return Finding(kind="refusal", label="Refusal", sentence=sentence, span=span)
