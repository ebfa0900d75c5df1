"""What is odd about an answer at first sight, and its figures: rules that a person can follow, no model.

A false alarm is worse than a miss, so every rule is narrow, and most are silent where what was said in the
conversation may have asked for the oddity: somebody who wants a word repeated gets it repeated. Quoted code
is never taken for markup that was left over.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from playground.demonstrations.headers import Header, leads_over, looks_like_code
from playground.diff import is_word, tokens
from playground.types import Answer, Finish, Part, PartKind, Prompt, Reply, StopRule

Kind = Literal["empty", "cut", "refusal", "loop", "query", "header", "fence", "token", "language"]
"""What a `Finding` is about; each kind's rule stands at its function."""
QUOTE = 60
"""Characters of an answer that a sentence quotes at most."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something about an answer that is worth a person's look."""

    kind: Kind
    label: str
    """For a badge: three words at most."""
    sentence: str
    """What it is, with the evidence."""
    span: tuple[int, int] | None = None
    """The characters of the answer's `text` that it is about; None if it is about none of them."""


@dataclass(frozen=True, kw_only=True)
class Measures:
    """An answer's figures."""

    characters: int
    words: int
    """Words as `diff.tokens` finds them."""
    tokens_per_second: float | None
    """The pace of writing: tokens after the first one by the seconds after the first one. None if there are
    fewer than two tokens, or no times."""
    ttft: float | None
    """Seconds to the first token; None if there was none, or the engine does not say."""


def measures(answer: Answer) -> Measures:
    """The figures of what has come so far, the words that it was begun with included in its length."""
    return Measures(
        characters=len(answer.text),
        words=sum(map(is_word, tokens(answer.text))),
        tokens_per_second=pace(answer.reply),
        ttft=answer.reply.ttft,
    )


def pace(reply: Reply) -> float | None:
    """See `Measures.tokens_per_second`."""
    if reply.new_tokens < 2 or reply.ttft is None or reply.seconds is None or reply.seconds <= reply.ttft:
        return None
    return (reply.new_tokens - 1) / (reply.seconds - reply.ttft)


def check(answer: Answer) -> tuple[Finding, ...]:
    """What is odd about an answer, or as much of it as has come.

    What needs the end of the answer, such as a fence that nothing closes, is said once it has ended. An
    answer that failed says so itself, in `Reply.error`.
    """
    reply, text = answer.reply, answer.text
    prompt = answer.request.prompt if answer.request else Prompt(text="")
    said = _said(prompt)
    query = _query(text, prompt, said)
    before_query = text[: query.span[0]] if query and query.span else text
    found = (
        _empty(reply),
        _cut(reply),
        _refusal(text, prompt.prefill, said),
        _loop(text, reply.finish, said),
        query or _query_alone(answer),
        _header(before_query, prompt, said),
        _fence(text, reply.finish, prompt.stop, said),
        _token(text, said),
        _language(text, prompt, said),
    )
    return tuple(finding for finding in found if finding is not None)


def after(reply: Reply) -> str | None:
    """What the model wrote after the shown text; None where that is not known, as the raw text lacks it."""
    start = len(reply.raw_text) - len(reply.raw_text.lstrip())
    for at in (0, start):  # most stop rules leave out the white space before an answer
        if reply.raw_text.startswith(reply.text, at):
            return reply.raw_text[at + len(reply.text) :]
    return None


def _said(prompt: Prompt) -> str:
    """The messages of the conversation, less what the prompt's format puts around them.

    Where the prompt does not know its parts, all of it, so that more is silent rather than less.
    """
    parts = _parts(prompt)
    messages = "".join(text for kind, text in parts if kind in ("history", "message"))
    marks = {*_headers(prompt), prompt.stop.fence}
    lines = (messages or "".join(text for _, text in parts)).split("\n")
    return "\n".join(line for line in lines if line.strip() not in marks)


def _parts(prompt: Prompt) -> list[tuple[PartKind, str]]:
    """The prompt's parts with their kinds, without a chat format's control tokens."""
    parts = prompt.parts or (Part(kind="text", end=len(prompt.text)),)
    texts = [prompt.text[start:end] for start, end in pairwise([0, *(part.end for part in parts)])]
    if prompt.control_tokens:
        texts = [_FORMAT.sub(" ", text) for text in texts]
    return [(part.kind, text) for part, text in zip(parts, texts, strict=True)]


def _headers(prompt: Prompt) -> tuple[str, ...]:
    """The lines that a query and an answer begin with in the prompt's format, if there are such lines.

    A chat format's are those that its message and its cue begin with, such as "### User".
    """
    if prompt.stop.headers or not prompt.control_tokens:
        return prompt.stop.headers
    first_lines = {kind: text.strip().split("\n", 1)[0].rstrip() for kind, text in _parts(prompt)}
    found = (first_lines.get("message", ""), first_lines.get("cue", ""))
    return found if all(_HEADING.fullmatch(line) for line in found) else ()


def _quoted(text: str) -> str:
    words = " ".join(text.split())
    if len(words) > QUOTE:
        words = words[: QUOTE - 1] + "\u2026"
    return f"\u201c{words}\u201d"


def _code(text: str) -> list[tuple[int, int, bool]]:
    """Fenced code blocks: where each begins and ends, and whether a fence closes it."""
    blocks: list[tuple[int, int, bool]] = []
    opening = ""
    start = 0
    for line in re.finditer(r"(?m)^[ \t]*(`{3,}(?=[^`\n]*$)|~{3,})(.*)$", text):
        if not opening:
            opening, start = line[1], line.start()
        elif line[1].startswith(opening) and not line[2].strip():
            blocks.append((start, line.end(), True))
            opening = ""
    return [*blocks, (start, len(text), False)] if opening else blocks


def _uncoded(text: str) -> str:
    """`text` with an "x" for every character of code, in blocks and in lines, all else in its place."""
    pieces, done = [], 0
    for start, end, _ in _code(text):
        pieces += [_SPAN.sub(_crossed_out, text[done:start]), re.sub(".", "x", text[start:end])]
        done = end
    return "".join([*pieces, _SPAN.sub(_crossed_out, text[done:])])


_SPAN = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)")


def _crossed_out(found: re.Match[str]) -> str:
    return "x" * len(found[0])


# --- How it ended ---------------------------------------------------------------------------------


def _empty(reply: Reply) -> Finding | None:
    if reply.finish != "stop" or reply.text.strip():
        return None
    return Finding(kind="empty", label="Empty answer", sentence="The model ended its answer at once.")


def _cut(reply: Reply) -> Finding | None:
    if reply.finish != "length":
        return None
    sentence = f"The answer was cut off at its limit, after {reply.new_tokens} tokens."
    return Finding(kind="cut", label="Cut off", sentence=sentence)


# --- Refusals -------------------------------------------------------------------------------------

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


def _refusal(text: str, start: str, said: str) -> Finding | None:
    """The answer begins with one of the common English refusals; an "I can't" about a thing is none.

    One that the answer was begun with is not the model's.
    """
    found = _REFUSAL.match(text.replace("\u2019", "'"))
    if found is None or found.end() <= len(start) or _ASKED_TO_REFUSE.search(said):
        return None
    ends = [at + 1 for mark in ".!?\n" if (at := text.find(mark, found.end())) >= 0]
    span = (len(text) - len(text.lstrip()), min(ends, default=len(text)))
    sentence = f"The answer begins with a refusal: {_quoted(text[: span[1]])}."
    return Finding(kind="refusal", label="Refusal", sentence=sentence, span=span)


# --- Repetition -----------------------------------------------------------------------------------

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


def _loop(text: str, finish: Finish, said: str) -> Finding | None:
    """The same words in direct succession, at least `LOOP_TIMES` times and `LOOP_WORDS` words altogether.

    Case, punctuation and the numbers of a list do not count; other numbers do, and what comes again must have
    a word in letters. Or the same 20 characters or fewer, over and over for `LOOP_CHARACTERS` without white
    space. Code and tables repeat by nature, and lines are drawn with signs, so among them only a run that the
    limit cut off is a loop. None where the conversation asked for a repetition.
    """
    if _ASKED_TO_REPEAT.search(said):
        return None
    blocks = [block[:2] for block in _code(text)]
    blocks += [row.span() for row in re.finditer(r"(?m)^[ \t]*\|.*$", text)]
    for start, end, unit_end, what, times in _runs(text):
        unit = text[start:unit_end]
        drawn = any(low <= start < high for low, high in blocks) or not any(map(str.isalpha, unit))
        if not drawn or (finish == "length" and len(text[end:].split()) <= 1):
            sentence = f"{what} {times} times in a row: {_quoted(unit)}."
            return Finding(kind="loop", label="Repeats itself", sentence=sentence, span=(start, end))
    return None


def _runs(text: str) -> Iterator[tuple[int, int, int, str, int]]:
    """Runs that are long enough: where each begins and ends, where its first time ends, what, how often."""
    words = list(_words(text))
    if run := _run([text[start:end].casefold() for start, end in words]):
        first, last, period = run
        what = "The same word comes" if period == 1 else f"The same {period} words come"
        unit_end = words[first + period - 1][1]
        yield words[first][0], words[last - 1][1], unit_end, what, (last - first) // period
    for found in _UNBROKEN.finditer(text):
        start, end = found.span()
        if end - start >= LOOP_CHARACTERS and not any(map(str.isdigit, found[1])):
            yield start, end, found.end(1), "The same piece comes", (end - start) // len(found[1])


def _words(text: str) -> Iterator[tuple[int, int]]:
    """Where the words of a text stand, less the numbers that lines of a list begin with."""
    numbers = {found.start(1) for found in re.finditer(r"(?m)^[ \t]*(\d+)[.)](?!\d)", text)}
    at = 0
    for token in tokens(text):
        if is_word(token) and at not in numbers:
            yield at, at + len(token)
        at += len(token)


def _run(words: Sequence[str]) -> tuple[int, int, int] | None:
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


# --- What was left over ---------------------------------------------------------------------------

_CONTROL = (
    r"(?:<[|\uff5c][^<>|\uff5c\s]{1,40}[|\uff5c]>|</?s>|\[/?INST\]|<</?SYS>>|<(?:unk|pad|bos|eos)>"
    r"|<(?:start|end)_of_turn>)"
)
"""Control tokens as they are spelled in the usual chat formats."""
_FORMAT = re.compile(rf"{_CONTROL}(?:(?:user|assistant|system|model)\b)?")
_AT_EDGE = re.compile(rf"(?m)^[ \t]*({_CONTROL})|({_CONTROL})[ \t]*$")
_MARKUP = re.compile(r"(?i)token|template|prompt|mark-?up|markdown|ml\b|\btags?\b|urial")
_FENCES = re.compile(r"(?i)markdown|back-?tick|fence|code block")
_DIALOGUE = re.compile(
    r"(?i)dialog|conversa|\bchat|interview|script|scene|sketch|role|\bplay|stor(?:y|ies)\b|faq|example|"
    r"\blogs?\b|support|message|prompt|template|header|gespräch|unterhaltung"
)
_HEADING = re.compile(r"#{1,6} \w+:?")
_USER = re.compile(
    r"(?m)^(?:(?:#{1,3} ?)?(?:User|Human|USER|HUMAN):|### Instruction:[ \t]*$|# Query:[ \t]*$)"
)
_ASSISTANT = re.compile(
    r"(?m)^(?:(?:#{1,3} ?)?(?:Assistant|ASSISTANT):|#{1,3} (?:Assistant|Response:)[ \t]*$)"
)
_FIELD = re.compile(r"(?m)^(?:\*\*)?[A-Z]\w*:")
"""A line that begins like "Name:", of a speaker or of a form."""


def _query(text: str, prompt: Prompt, said: str) -> Finding | None:
    """A next message of the user that the model wrote itself, in the shown text.

    Either the prompt's own header of a query begins a block, as the prompt writes them; or, whatever the
    prompt, a line that begins like "User:" does (see `_foreign_query`).
    """
    start = _own_header(text, prompt, _headers(prompt)[:1], said)
    if start is None:
        start = _foreign_query(text, said)
    if start is None:
        return None
    sentence = f"The model went on with a next message of the user: {_quoted(text[start:])}."
    return Finding(kind="query", label="Invented query", sentence=sentence, span=(start, len(text)))


def _own_header(text: str, prompt: Prompt, headers: Sequence[str], said: str) -> int | None:
    """Where a line that is one of the prompt's headers begins a block as the prompt writes them, if any does.

    Code may have such lines as comments, see `_is_code`. In fenced formats a block begins with a fence after
    the header; a header with text on its line, or at the very end, has a blank line or a fence before it. A
    chat format's headers look like any heading, so they count only where both are in the text.
    """
    if not headers or _MARKUP.search(said) or any(header in said for header in headers):
        return None
    lines = {line.rstrip() for line in text.split("\n")}
    if not prompt.stop.headers and not lines.issuperset(_headers(prompt)):
        return None
    fence = prompt.stop.fence
    blocks = _code(text)
    forms = "|".join(_form(header, prompt) for header in headers)
    for found in re.finditer(rf"(?m)^(?:{forms})$", text):
        start = found.start()
        line_before = text[text.rfind("\n", 0, max(0, start - 1)) + 1 : start].strip()
        apart = line_before in ("", fence)
        block = next(((low, high) for low, high, _ in blocks if low < start < high), None)
        if block is not None and (not apart or _is_code(text, *block, fence)):
            continue
        following = text[found.end() :].lstrip()
        alone = found[0].rstrip() in headers
        if (
            not fence
            or following.split("\n", 1)[0].rstrip() == fence
            or (apart and not (alone and following))
        ):
            return start
    return None


def _form(header: str, prompt: Prompt) -> str:
    """A pattern for a header's line, in the forms at which the stop rule ends an answer."""
    own = Header(header)
    if header in prompt.stop.headers[:1] and own.marks:
        return rf"{own.pattern}[^\n]*"
    return rf"{re.escape(header)}[ \t]*"


def _is_code(text: str, start: int, end: int, fence: str) -> bool:
    """Whether a code block that has a header in it is code or quotes the header, as the stop rule reads it.

    It is if it names a language, has a line of code, or begins with ``#`` after a line that leads over to it.
    """
    opening, *lines = text[start:end].split("\n")
    if not fence or opening.strip() != fence or any(map(looks_like_code, lines)):
        return True
    body = text[:start].rstrip()
    before, gap = body.split("\n")[-1], text[len(body) : start].count("\n") > 1
    return bool(lines) and lines[0].startswith("#") and leads_over(before, gap)


def _foreign_query(text: str, said: str) -> int | None:
    """Where a line like "User: ..." begins a message, of three words or more, after a blank line.

    It may as well be part of a dialogue that the answer quotes or writes: so only the first such line counts,
    and not if a dialogue was spoken of, if a name and a colon began a line before it, or if what stands
    before it is no whole sentence, but a title, or the colon that leads over to a quotation.
    """
    text = _uncoded(text)
    found = _USER.search(text)
    if found is None or _DIALOGUE.search(said):
        return None
    before = text[: found.start()]
    body = before.rstrip()
    whole = body.rstrip("\"'\u201d\u2019)*").endswith((".", "!", "?", "\u2026", "\u3002"))
    message = re.split(r"\n[ \t]*\n", text[found.end() :].lstrip(), maxsplit=1)[0]
    fields = any(_FIELD.match(line) and not _ASSISTANT.match(line) for line in message.split("\n")[1:])
    blank = before[len(body) :].count("\n") > 1
    if not (whole and blank) or fields or _FIELD.search(before) or len(message.split()) < 3:
        return None
    return found.start()


def _query_alone(answer: Answer) -> Finding | None:
    """The whole of a fenced answer is a query that the model wrote: an answer's header comes after it."""
    reply = answer.reply
    if reply.finish != "stop" or not reply.text or answer.request is None:
        return None
    rule = answer.request.prompt.stop
    lines = [line.strip() for line in (after(reply) or "").split("\n") if line.strip()]
    if not rule.fence or lines[:2] != [rule.fence, rule.headers[-1]]:
        return None
    sentence = f"Instead of an answer the model wrote a query, and after it {_quoted(rule.headers[-1])}."
    span = (0, len(answer.text))
    return Finding(kind="query", label="Invented query", sentence=sentence, span=span)


def _header(text: str, prompt: Prompt, said: str) -> Finding | None:
    """A header of an answer: one of the prompt's own that begins a block, or "Assistant:" at the start."""
    start = _own_header(text, prompt, _headers(prompt)[1:], said)
    if _ASSISTANT.match(text.lstrip()) and not _DIALOGUE.search(said):
        start = len(text) - len(text.lstrip())
    if start is None:
        return None
    line = text[start:].split("\n", 1)[0]
    end = start + (line.find(":") + 1 or len(line))
    sentence = f"A header of the prompt's format stands in the answer: {_quoted(text[start:end])}."
    return Finding(kind="header", label="Header left", sentence=sentence, span=(start, end))


def _fence(text: str, finish: Finish, rule: StopRule, said: str) -> Finding | None:
    """A code fence that nothing closes, in an answer to a fenced prompt that ended by itself.

    A code block that is whole is part of the answer, and one that the limit cut off is no oddity of its own.
    None where the conversation or the answer is about such fences, and by the paper's stop rule, which leaves
    the fence that closes the answer in it.
    """
    blocks = _code(text)
    if not rule.fence or rule.name == "paper" or finish != "stop" or not blocks or blocks[-1][2]:
        return None
    if _FENCES.search(said) or _FENCES.search(text):
        return None
    start = blocks[-1][0]
    line = text[start:].split("\n", 1)[0]
    number = text.count("\n", 0, start) + 1
    sentence = f"Nothing closes the fence in line {number}: {_quoted(line)}."
    return Finding(kind="fence", label="Open fence", sentence=sentence, span=(start, start + len(line)))


def _token(text: str, said: str) -> Finding | None:
    """A control token spelled out at the beginning or the end of a line, outside code.

    None if markup was spoken of; ``<s>`` and ``</s>`` in equal numbers are HTML.
    """
    if _MARKUP.search(said):
        return None
    struck = text.count("<s>") == text.count("</s>")
    for found in _AT_EDGE.finditer(_uncoded(text)):
        token = found[1] or found[2]
        if token not in said and not (struck and token in ("<s>", "</s>")):
            sentence = f"A control token stands in the answer as text: {_quoted(token)}."
            span = found.span(1 if found[1] else 2)
            return Finding(kind="token", label="Control token", sentence=sentence, span=span)
    return None


# --- Scripts --------------------------------------------------------------------------------------

SCRIPT_LETTERS = 10
"""Letters of another script that an answer must have at least."""
SCRIPT_SHARE = 0.8
"""Their share of its letters, at least."""
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
"""Scripts by the first word of their letters' names in Unicode; letters of others are not counted."""
TONGUE_WORDS = 6
"""Common words of another language that an answer must have at least."""
TONGUE_SHARE = 0.12
"""Their share of its words, at least."""
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
"""Words that are among the commonest of one of these languages and not of the others."""
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


def _language(text: str, prompt: Prompt, said: str) -> Finding | None:
    """An answer in another language than what was said, by its letters or by its commonest words.

    None where a language or a way of writing was spoken of.
    """
    instruction = prompt.text[: next((p.end for p in prompt.parts if p.kind == "instruction"), 0)]
    if _LANGUAGES.search(instruction + said) or _WRITING.search(said):
        return None
    sentence = _other_script(text, said) or _other_tongue(text, said)
    return Finding(kind="language", label="Other language", sentence=sentence) if sentence else None


def _other_script(text: str, said: str) -> str | None:
    """Whether an answer is mostly in another script, where all that was said is in Latin letters.

    Single letters, such as those of formulas, do not count. An answer in Latin letters is never odd: that may
    be code.
    """
    letters = Counter[str]() if text.isascii() else _letters(text)
    if not letters or set(_letters(said)) != {"Latin"}:
        return None
    script, count = letters.most_common(1)[0]
    if script == "Latin" or count < SCRIPT_LETTERS or count < SCRIPT_SHARE * letters.total():
        return None
    share = int(100 * count / letters.total())
    return f"The message is in Latin letters, and {share} % of the answer's letters are {script}."


def _other_tongue(text: str, said: str) -> str | None:
    """Whether an answer's commonest words are those of one language, and those of what was said another's."""
    there, _ = _tongue(said, least=2)
    here, count = _tongue(_uncoded(text), least=TONGUE_WORDS)
    if not there or not here or here == there:
        return None
    return f"The message is in {there}, and {count} words of the answer are common {here} ones."


def _tongue(text: str, least: int) -> tuple[str, int]:
    """The language that a text's common words are of, and how many; ("", 0) if they are too few or mixed."""
    words = re.findall(r"[^\W\d_]+", text.casefold())
    found = Counter(_TONGUES[word] for word in words if word in _TONGUES)
    for name, count in found.most_common(1):
        if count >= max(least, TONGUE_SHARE * len(words)) and 4 * (found.total() - count) <= count:
            return name, count
    return "", 0


def _letters(text: str) -> Counter[str]:
    """Letters by script, those of words of one letter left out."""
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
