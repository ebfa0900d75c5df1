"""Heuristic checks of one answer for truncation, refusals, loops, leaked headers and the wrong language.

The checks are string rules and use no model. A false positive is worse than a miss, so every rule is narrow.
Most rules report nothing if the user may have asked for what they detect, for example for a word to be
repeated. Markup in quoted code is never reported as leaked.
"""

from __future__ import annotations

from playground.checks.ending import check_blank, check_cut, check_empty
from playground.checks.ending import is_blank as is_blank
from playground.checks.ending import text_after as text_after
from playground.checks.finding import Finding as Finding
from playground.checks.language import check_language
from playground.checks.leaks import check_fence, check_header, check_query, check_query_alone, check_token
from playground.checks.prompt import read_messages
from playground.checks.refusal import check_refusal
from playground.checks.repetition import check_blank_loop, check_loop
from playground.types import Answer, Prompt


def check(answer: Answer) -> tuple[Finding, ...]:
    """Return the warnings about an answer, which may still be streaming.

    Rules that need the complete answer, such as the rule for unclosed fences, report nothing while the answer
    is streaming. A failed answer has no warnings: `Reply.error` gives the reason.
    """
    reply, text = answer.reply, answer.text
    prompt = answer.request.prompt if answer.request else Prompt(text="")
    messages = read_messages(prompt)
    query = check_query(text, prompt, messages)
    before_query = text[: query.span[0]] if query and query.span else text
    found = (
        check_empty(reply),
        check_blank(reply),
        check_cut(reply),
        check_refusal(text, prompt.prefill, messages),
        check_blank_loop(reply) or check_loop(text, reply.finish, messages),
        query or check_query_alone(answer),
        check_header(before_query, prompt, messages),
        check_fence(text, reply.finish, prompt.stop, messages),
        check_token(text, messages),
        check_language(text, prompt, messages),
    )
    return tuple(finding for finding in found if finding is not None)
