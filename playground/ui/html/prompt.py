"""HTML for prompts: the exact text with its parts and tokens, and the context usage meter.

Pure functions, independent of Gradio. All text is escaped and displayed verbatim.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise

from playground import context_fit
from playground.types import LeftOut, Part, Prompt, SelectedDemo, StopRule, Token
from playground.ui.html.text import escape
from playground.words import count_things, format_number

NAMES = {
    "instruction": "instruction",
    "demonstration": "demonstrations",
    "history": "history",
    "message": "message",
    "cue": "cue",
    "start": "prefill",
    "text": "text",
}
"""Labels for the kinds of prompt parts in the context usage meter."""
EMPTY = NAMES | {"message": "empty message"}
"""Labels for a prompt with an empty message. Its tokens are those of the format around the message."""
UNCOUNTED = NAMES | {"message": "message (too long to count while you type)"}
"""Labels for a prompt in which a long draft was replaced with an empty message."""


# --- The meter ------------------------------------------------------------------------------------


def render_meter(
    prompt: Prompt,
    tokens: Sequence[Token] | None,
    context: int | None,
    room: int,
    left_out: LeftOut | None = None,
    names: Mapping[str, str] = NAMES,
    is_ready: bool = False,
) -> str:
    """Render how much of the context each kind of prompt part uses, and how much remains for the answer.

    Args:
        context: context length in tokens, shared by prompt and answer; None while the model is loading.
        room: maximum number of new tokens, shown as space reserved for the answer.
        names: labels for the kinds of parts.
        is_ready: whether the model is ready. If its tokens are unknown even so, their number is estimated.
    """
    if is_ready and (tokens is None or context is None):
        return _render_estimate(prompt, tokens, context)
    if tokens is None or context is None:
        return _render_waiting_meter(prompt, room, names)
    kinds = context_fit.by_kind(prompt, tokens)
    total = sum(kinds.values())
    left = max(0, context - total)
    answer = min(room, left)
    scale = max(context, total)
    bar = "".join(
        f'<i class="{kind}" style="width:{100 * count / scale:.3f}%"></i>'
        for kind, count in [*kinds.items(), ("room", answer)]
    )
    words = ", ".join(f"{names[kind]} {format_number(count)}" for kind, count in kinds.items())
    ending = f"{format_number(answer)} for the answer" if left else "no room for an answer"
    if left_out is not None:
        ending += f"; {context_fit.describe_left_out(left_out)}"
    summary = escape(f"{words}; {ending}")
    return (
        f'<div class="meter{"" if left else " over"}" title="{summary}"><div class="bar">{bar}</div>'
        f"<p><b>{format_number(total)}</b> of {format_number(context)} tokens: {summary}</p></div>"
    )


def _render_estimate(prompt: Prompt, tokens: Sequence[Token] | None, context: int | None) -> str:
    """Render the number of tokens, estimated if the tokens are unknown, for a server that says less."""
    if tokens is None:
        total, note = f"about {format_number(context_fit.estimate_tokens(prompt))}", ", estimated"
    else:
        total, note = format_number(len(tokens)), ""
    limit = "" if context is None else f" of {format_number(context)}"
    return f'<div class="meter"><div class="bar"></div><p><b>{total}</b>{limit} tokens{note}</p></div>'


def _render_waiting_meter(prompt: Prompt, room: int, names: Mapping[str, str]) -> str:
    """Render the meter while the model is loading, as high as it will be once the tokens are counted."""
    parts = ", ".join(f"{names[kind]} 000" for kind in dict.fromkeys(part.kind for part in prompt.parts))
    later = escape(f"000 of 0,000 tokens: {parts}; {format_number(room)} for the answer")
    return (
        '<div class="meter waiting"><div class="bar"></div><p>'
        "<span>Tokens are counted once the model is ready</span>"
        f'<span class="reserved" aria-hidden="true">{later}</span></p></div>'
    )


# --- The prompt -----------------------------------------------------------------------------------


def render_prompt(
    prompt: Prompt,
    tokens: Sequence[Token] | None,
    show_tokens: bool,
    left_out: LeftOut | None = None,
    retrieved: Sequence[SelectedDemo] = (),
    ends: Sequence[str] = (),
) -> str:
    """Render a prompt's exact text, divided into labeled parts.

    Args:
        tokens: the prompt's tokens; None while the model is loading.
        show_tokens: whether to mark each token and show its id.
        retrieved: the demonstrations retrieved for the message. The label of each shows its position in the
            set and the words it shares with the message.
        ends: the EOS tokens and stop sequences that end the answer.
    """
    parts = prompt.parts or (Part(kind="text", end=len(prompt.text)),)
    counts: Sequence[int | None] = [None] * len(parts)
    if tokens is not None and prompt.parts:
        counts = context_fit.by_part(prompt, tokens)
    notice = ""
    if left_out is not None:
        notice = f'<p class="notice">{escape(context_fit.describe_left_out(left_out))}</p>'
    marked = tokens if show_tokens else None
    sections = []
    edges = [0, *(part.end for part in parts)]
    for part, count, (start, end) in zip(parts, counts, pairwise(edges), strict=True):
        label = _label_part(part, count, retrieved)
        if marked is None:
            text = escape(prompt.text[start:end])
        else:
            text = _render_tokens(prompt.text, marked, start, end)
        # Browsers drop a newline right after <pre>.
        sections.append(
            f'<section class="part {part.kind}"><h4>{escape(label)}</h4><pre>\n{text}</pre></section>'
        )
    unplaced = [token for token in marked or () if token.start is None]
    first = "".join(f'<span class="first">{_render_token(token, token.piece)}</span>' for token in unplaced)
    return f'{notice}<div class="prompt">{first}{"".join(sections)}</div>{_render_ends(ends, prompt.stop)}'


def _label_part(part: Part, count: int | None, retrieved: Sequence[SelectedDemo]) -> str:
    """Return a prompt part's label: kind, number, and, if available, retrieval match and token count."""
    label = part.kind if part.number is None else f"{part.kind} {part.number}"
    if part.kind == "demonstration" and part.number is not None and part.number <= len(retrieved):
        label += f" · {_describe_retrieval(retrieved[part.number - 1])}"
    return label if count is None else f"{label} · {count_things(count, 'token')}"


def _render_ends(ends: Sequence[str], stop: StopRule) -> str:
    """Render the line below a prompt that says where the answer ends: at EOS tokens and stop sequences, and
    where the stop rule "own" cuts (see `engine.text.Cutter`).
    """
    written = [f"<code>{escape(json.dumps(end, ensure_ascii=False)[1:-1])}</code>" for end in ends]
    places = [f"at {', '.join(written)}"] if written else []
    if stop.name == "own" and stop.headers:
        places.append(f"at the user header <code>{escape(stop.headers[0])}</code>")
        if stop.fence:
            places.append("at the fence that closes it")
    which = ", whichever comes first" if len(places) > 1 or len(written) > 1 else ""
    return f'<p class="notice ends">The answer ends {", ".join(places)}{which}</p>' if places else ""


STOP_LABELS: Mapping[str, str] = {"own": "Own header and fence", "paper": "Paper (substring)"}
"""Labels for the stop rules of a URIAL format (see `types.StopName`)."""


def describe_stop_rule(prompt: Prompt) -> str:
    """Return a title suffix that names the prompt's stop rule; "" if the format has no stop rule."""
    if not prompt.stop.headers:
        return ""
    return f" \u00b7 Stop rule: {STOP_LABELS.get(prompt.stop.name, 'not recorded')}"


def _describe_retrieval(choice: SelectedDemo) -> str:
    """Describe a retrieved demonstration and the words it shares with the message."""
    if not choice.words:
        return f"number {choice.number} in the set, no shared words"
    return f"number {choice.number} in the set, matches {', '.join(choice.words)} (BM25 {choice.score:.2f})"


def _render_tokens(text: str, tokens: Sequence[Token], start: int, end: int) -> str:
    """Render the tokens that start in text[start:end], each with the text up to the next token."""
    placed = [token for token in tokens if token.start is not None]
    begins = [token.start or 0 for token in placed]
    written = []
    for at, token in enumerate(placed):
        if not start <= begins[at] < end:
            continue
        following = begins[at + 1] if at + 1 < len(placed) else len(text)
        written.append(_render_token(token, text[begins[at] : following]))
    return "".join(written)


def _render_token(token: Token, text: str) -> str:
    ends = "\n" if text.endswith("\n") else ""  # the id is shown before the line break
    shown = escape(text.removesuffix("\n")).replace("\n", "\u21b5\n") + ("\u21b5" if ends else "")
    if not text:
        shown = "\u00b7"  # several tokens can share one character
    title = f"{token.id}  {escape(token.piece)}"
    return f'<span class="tok" title="{title}">{shown}<sub>{token.id}</sub>{ends}</span>'
