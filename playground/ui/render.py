"""What the page shows, as text: conversation -> chat messages, reply -> status line, model -> chip.

Pure functions on values, without Gradio. Two kinds of text leave this module. Chat messages are Markdown,
which the chat component renders; names and figures are HTML. What a model or a person wrote is never trusted:
no tag in it may act, no address in it may be fetched, and no character of it may vanish.
"""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from playground.checks import pace
from playground.types import (
    AdapterCard,
    Aligner,
    Answer,
    Conversation,
    Reply,
    Sampling,
    Status,
    Variant,
)

ChatMessage = dict[str, Any]
"""One message as the chat component takes it: role, and a list of parts."""

# --- Safe Markdown --------------------------------------------------------------------------------

# With a language at most: what else stands beside a fence would not be shown.
_FENCE = re.compile(r"([ \t]*)(`{3,}|~{3,})[ \t]*([\w+#.-]{0,24})[ \t]*(?:\n|\Z)")
_SPAN = re.compile(r"(?<![`\\])(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_RISKY = re.compile(r"[<&]|!\[|%%%")
_NEEDS_CARE = re.compile(_RISKY.pattern + "|```|~~~")
_ACTIVE = re.compile(r"(?<!\\)\\++(?=[<&`])|[<&`]|!\[|%%%|~~~")
_DEFINITION = re.compile(r"(?m)^((?:[ \t>*+-]|\d+[.)])*\[.*?)\]:")
_INDENTED = re.compile(r"(?:(?: {4}| {0,3}\t)[^\n]*(?:\n(?:[ \t]*\n)*|\Z))+")
_ITEM = re.compile(r"(?m)^[ \t]*(?:[-+*]|\d+[.)])[ \t]")
# Shown by their pictures; a browser would show nothing.
_CONTROLS = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"}


@lru_cache(maxsize=256)  # a page is drawn ten times a second, and only its last messages change
def markdown(text: str) -> str:
    """`text` as Markdown in which no HTML is interpreted and nothing is fetched or lost.

    Headings, lists, emphasis, tables, links and code stay what they are. No ``<`` of the text is left, in
    code or out of it, so nothing depends on where the page's parser sees code: characters that could act
    become numeric references of at least four digits, and code that holds such characters becomes a tag
    of ours. By both, page.js turns a copied message back into what was written.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)
    if not _NEEDS_CARE.search(text):
        return _undefined(text)
    written = []
    place = 0
    while place < len(text):
        if fence := _FENCE.match(text, place):
            block, place = _fence(text, fence)
            written.append(block)
        elif indented := _INDENTED.match(text, place):
            # Up to a fence inside it, which is code in any case.
            lines = indented[0].splitlines(keepends=True)
            kept = list(itertools.takewhile(lambda line: not _FENCE.match(line), lines))
            written.append(_indented(kept))
            place += sum(map(len, kept))
        else:
            end = text.find("\n", place) + 1 or len(text)
            written.append(_line(text[place:end]))
            place = end
    return _undefined("".join(written))


def _undefined(text: str) -> str:
    """A line "[name]: address" defines a link and is not shown; this one is."""
    return _DEFINITION.sub(r"\1&#0093;:", text)


def _fence(text: str, opening: re.Match[str]) -> tuple[str, int]:
    """A fenced block as one line of HTML, which stays whole wherever it stands, and where it ends."""
    indent, ticks, language = opening[1], opening[2], opening[3]
    widest = len(indent.expandtabs(4))
    closing = re.compile(rf"[ \t]{{0,{widest + 3}}}{ticks}[~`]*[ \t]*(?:\n|\Z)")
    lines = []
    place = opening.end()
    while place < len(text):
        if close := closing.match(text, place):
            place = close.end()
            break
        end = text.find("\n", place) + 1 or len(text)
        line = text[place:end].removesuffix("\n")
        lines.append(line[min(widest, len(line) - len(line.lstrip(" "))) :])
        place = end
    code = _inert("\n".join(lines))
    if widest > 3 and not _ITEM.search(text, 0, opening.start()):
        indent = "   "  # further in, and not in a list, the tag would be shown as indented code
    kind = "ticks" if ticks[0] == "`" else "tildes"
    label = f' title="{_inert(language)}"' if language else ""
    return f'{indent}<pre class="{kind}-{len(ticks)}"{label}><code>{code}</code></pre>\n', place


def _indented(lines: Sequence[str]) -> str:
    """Indented lines, which may or may not be code: references in code would be shown as they are written."""
    if not any(_RISKY.search(line) for line in lines):
        return "".join(lines)
    written = []
    for line in lines:
        text = line.lstrip(" \t")
        indent = line[: len(line) - len(text)]
        if not _ITEM.match(line):
            indent = "&#0160;" * len(indent.expandtabs(4))
        written.append(indent + _line(text))
    return "".join(written)


def _line(line: str) -> str:
    written, start = "", 0
    for span in _SPAN.finditer(line):
        written += _escape(line[start : span.start()]) + _span(span)
        start = span.end()
    return written + _escape(line[start:])


def _escape(text: str) -> str:
    """`text` outside code; backticks in it have no partner on their line and are to find none elsewhere."""
    return _ACTIVE.sub(lambda found: _inert(found[0]), text)


def _span(match: re.Match[str]) -> str:
    # References are not read inside a Markdown code span, so one that needs them is written as a tag.
    ticks, code = match[1], match[2]
    if not _RISKY.search(code):
        return match[0]
    return f'<code class="ticks-{len(ticks)}">{_inert(code)}</code>'


def _inert(text: str) -> str:
    """`text` with everything that HTML or Markdown could act on as references, ends of line included."""
    return re.sub(r"[^\w \t]|_", lambda found: f"&#{ord(found[0]):04d};", text)


def _html(text: str) -> str:
    """`text` for HTML that stands among Markdown: on one line, which keeps the block whole."""
    return " ".join(html.escape(text, quote=True).split())


# --- Names ----------------------------------------------------------------------------------------


def lane_choices(cards: Sequence[AdapterCard]) -> list[tuple[str, str]]:
    """The lanes a person may pick, as (label, lane)."""
    choices = [("Base", "base"), ("Base + URIAL", "urial")]
    for card in cards:
        choices.append((f"IFT · {card.label}", card.name))
        choices.append((f"IFT + URIAL · {card.label}", f"urial:adapter={card.name}"))
    return choices


def lane_name(variant: Variant, cards: Mapping[str, AdapterCard]) -> str:
    """A lane's name for people; options that were given by hand are named too."""
    labels = {lane: label for label, lane in lane_choices(list(cards.values()))}
    if variant.name in labels:
        return labels[variant.name]
    name, _, options = variant.name.partition(":")
    return f"{labels.get(name, name)} ({options})" if options else name


def lane_sentence(aligner: Aligner, cards: Mapping[str, AdapterCard]) -> str:
    """What a lane is, in one sentence."""
    card = cards.get(aligner.adapter or "")
    weights = f"the adapter {card.label if card else aligner.adapter} on its weights"
    if aligner.kind == "urial":
        shown = getattr(aligner, "summary") + " in its context"  # noqa: B009 - only URIAL's has one
        if aligner.adapter is None:
            return f"The base model with {shown}; no weights are changed."
        return f"The base model with {weights} and {shown}."
    if aligner.kind == "ift":
        return f"The base model with {weights}, fine-tuned on instructions and asked in its chat format."
    if aligner.kind == "chat":
        return "The base model asked in a chat format; no weights are changed."
    return "The base model as it is: it is given your text and continues it."


def decoding(sampling: Sampling) -> str:
    """How a lane decodes, in a few words."""
    words = ["greedy"]
    if sampling.temperature:
        words = [f"temperature {sampling.temperature:g}"]
        if sampling.top_p < 1:
            words.append(f"top-p {sampling.top_p:g}")
        if sampling.top_k:
            words.append(f"top-k {sampling.top_k}")
        if sampling.min_p:
            words.append(f"min-p {sampling.min_p:g}")
        words.append(f"seed {sampling.seed}")
    if sampling.repetition_penalty != 1:
        words.append(f"repetition penalty {sampling.repetition_penalty:g}")
    words.append(f"at most {sampling.max_new_tokens} tokens")
    return ", ".join(words)


# --- The chat -------------------------------------------------------------------------------------


def placeholder(name: str, sentence: str, error: str | None = None) -> str:
    """What an empty lane shows: what it is, and why it cannot answer if that is known."""
    notice = f'<div class="notice error">{_html(error)}</div>' if error else ""
    return f'<div class="about"><strong>{_html(name)}</strong><p>{_html(sentence)}</p>{notice}</div>'


def messages(
    conversation: Conversation, lane: int, cards: Mapping[str, AdapterCard], note: str = ""
) -> list[ChatMessage]:
    """One lane's messages. `note` says what an answer without a first word is waiting for.

    Where a lane's recipe changes between two turns, the answers say whose they are.
    """
    shown: list[ChatMessage] = []
    recipes = [_recipe(turn.answers[lane], cards) for turn in conversation.turns if lane < len(turn.answers)]
    changed = len(set(recipes)) > 1
    before = ""
    for turn in conversation.turns:
        if lane >= len(turn.answers):
            continue  # the lane was added later
        answer = turn.answers[lane]
        shown.append(_message("user", markdown(turn.user)))
        recipe = _recipe(answer, cards)
        if changed and recipe != before:
            shown.append(_message("assistant", f'<div class="by">{_html(recipe)}</div>'))
        before = recipe
        shown += _answer(answer.reply, note)
        if answer.request is not None and answer.request.left_out is not None:
            left_out = _html(str(answer.request.left_out))
            shown.append(_message("assistant", f'<div class="notice">{left_out}</div>'))
    return shown


def _recipe(answer: Answer, cards: Mapping[str, AdapterCard]) -> str:
    labels = {lane: label for label, lane in lane_choices(list(cards.values()))}
    name = labels.get(answer.variant, answer.variant)
    return name if answer.request is None else f"{name}, {decoding(answer.request.sampling)}"


def _answer(reply: Reply, note: str) -> list[ChatMessage]:
    parts = []
    if reply.text:
        parts.append(_message("assistant", markdown(reply.text)))
    if reply.finish == "":
        if not reply.text:
            parts.append(_message("assistant", f'<div class="waiting">{_html(note or "Reading…")}</div>'))
    elif reply.error:
        parts.append(_message("assistant", f'<div class="notice error">{_html(reply.error)}</div>'))
    elif not reply.text:
        said = {"stop": "The model ended its answer at once.", "cancelled": "Stopped before the first word."}
        empty = said.get(reply.finish, "Cut before the first word.")
        parts.append(_message("assistant", f'<div class="notice">{empty}</div>'))
    return parts


def _message(role: str, text: str) -> ChatMessage:
    # As a list of parts, since a plain string is dedented by the chat component.
    return {"role": role, "content": [{"type": "text", "text": text}]}


# --- Figures --------------------------------------------------------------------------------------

FINISH = {"stop": "done", "length": "cut at the limit", "cancelled": "stopped", "error": "error"}
"""Why an answer ended, in words."""


def status_line(reply: Reply | None, note: str = "") -> str:
    """What a lane is doing or has done, as HTML; `note` as in `messages`."""
    if reply is None:
        return '<div class="figures" data-finish="">&nbsp;</div>'
    if reply.finish:
        state = FINISH[reply.finish]
    else:
        state = "writing" if reply.new_tokens else (note or "reading the prompt")
    figures = []
    if reply.new_tokens:
        figures.append(_count(reply.new_tokens, "token"))
    rate = pace(reply)
    if rate is not None:
        figures.append(f"{rate:.1f} tokens/s" if rate < 100 else f"{rate:.0f} tokens/s")
    if reply.ttft is not None:
        figures.append(f"first after {reply.ttft:.2f} s")
    if reply.prompt_tokens is not None:
        cached = f", {reply.cached_tokens} cached" if reply.cached_tokens else ""
        figures.append(f"prompt {_count(reply.prompt_tokens, 'token')}{cached}")
    rest = "".join(f"<span>{_html(text)}</span>" for text in figures)
    return (
        f'<div class="figures" data-finish="{reply.finish or "streaming"}">'
        f'{_weights(reply)}<span class="state">{_html(state)}</span>{rest}</div>'
    )


def _weights(reply: Reply) -> str:
    """A mark that says which weights the engine ran for this answer."""
    if reply.weights is None:
        return ""
    _, adapter, name = reply.weights.partition(" + ")
    mark = f"base + {name}" if adapter else "base"
    return f'<span class="weights" title="This answer ran on {_html(reply.weights)}">{_html(mark)}</span>'


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def model_chip(status: Status) -> str:
    """The model and its state, as HTML: a bar while it loads, its figures once it is ready."""
    base = _html(status.base)
    if status.state == "failed":
        return f'<div class="chip failed" role="alert">{_html(status.note)}</div>'
    if status.state == "loading":
        value = "" if status.progress is None else f' value="{status.progress:.3f}"'
        return (
            f'<div class="chip loading"><span class="name">{base}</span>'
            f'<progress max="1"{value} aria-label="Loading the model"></progress>'
            f"<span>{_html(status.note)}</span></div>"
        )
    figures = []
    if status.parameters is not None:
        figures.append(f"{big(status.parameters)} parameters")
    where = ", ".join(filter(None, (status.device, status.precision)))
    if where:
        figures.append(where)
    if status.context is not None:
        figures.append(f"context {status.context}")
    if status.plain is not None:
        figures.append(f"lanes one after the other, since {status.plain}")
    rest = "".join(f"<span>{_html(text)}</span>" for text in figures)
    return f'<div class="chip ready"><span class="name">{base}</span>{rest}</div>'


def big(number: int) -> str:
    """A large number in three digits at most: 2.6M, 7.2B."""
    value = float(number)
    for unit in ("", "k", "M", "B"):
        if value < 999.5:
            return f"{value:.0f}{unit}" if value >= 99.5 or not unit else f"{value:.1f}{unit}"
        value /= 1000
    return f"{value:.1f}T"


def toast(sentence: str) -> str:
    """A sentence for a toast, which reads HTML."""
    return html.escape(sentence, quote=False)
