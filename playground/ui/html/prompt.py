"""What the page shows of prompts and demonstrations, as HTML: meter, inspector, cards on the workbench.

Pure functions on values, without Gradio. All text in them is data: it is escaped, and no character of it is
lost.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise

from playground import context_fit
from playground.demonstrations.draft import Draft, compared
from playground.types import Demo, DemoSet, LeftOut, Part, Prompt, SelectedDemo, Token

NAMES = {
    "instruction": "instruction",
    "demonstration": "demonstrations",
    "history": "history",
    "message": "message",
    "cue": "cue",
    "start": "given words",
    "text": "text",
}
"""What the kinds of parts are called where several are counted together."""


def escaped(text: str) -> str:
    """`text` for HTML, to the character; the component's own templates see nothing of theirs in it."""
    marked = html.escape(text, quote=True).replace("$", "&#36;").replace("{", "&#123;")
    return marked.replace("\r", "&#13;").replace("\0", "\u2400")


def number(count: int) -> str:
    """A count with a thin space between thousands."""
    return f"{count:,}".replace(",", "\u202f")


# --- The meter ------------------------------------------------------------------------------------


def spent(prompt: Prompt, tokens: Sequence[Token]) -> dict[str, int]:
    """Tokens by kind of part, in the order in which the kinds come."""
    kinds: dict[str, int] = {}
    for part, count in zip(prompt.parts, context_fit.by_part(prompt, tokens), strict=True):
        kinds[part.kind] = kinds.get(part.kind, 0) + count
    return kinds


def meter(
    asked: Prompt,
    tokens: Sequence[Token] | None,
    context: int | None,
    room: int,
    left_out: LeftOut | None = None,
) -> str:
    """How much of the context the next prompt takes, by parts, and what is left of it for the answer.

    Args:
        context: tokens that prompt and answer may have together; None while that is not known.
        room: tokens that the answer may take.
    """
    if tokens is None or context is None:
        words = "Tokens are counted once the model is loaded"
        return f'<div class="meter"><div class="bar"></div><p>{words}</p></div>'
    kinds = spent(asked, tokens)
    total = sum(kinds.values())
    left = max(0, context - total)
    answer = min(room, left)
    scale = max(context, total)
    bar = "".join(
        f'<i class="{kind}" style="width:{100 * count / scale:.3f}%"></i>'
        for kind, count in [*kinds.items(), ("room", answer)]
    )
    words = ", ".join(f"{NAMES[kind]} {number(count)}" for kind, count in kinds.items() if kind != "cue")
    ending = f"{number(answer)} for the answer" if left else "no room for an answer"
    if left_out is not None:
        ending += f"; {context_fit.describe_left_out(left_out)}"
    said = escaped(f"{words}; {ending}")
    return (
        f'<div class="meter{"" if left else " over"}" title="{said}"><div class="bar">{bar}</div>'
        f"<p><b>{number(total)}</b> of {number(context)} tokens: {said}</p></div>"
    )


# --- The inspector --------------------------------------------------------------------------------


def prompt(
    asked: Prompt,
    tokens: Sequence[Token] | None,
    cut: bool,
    left_out: LeftOut | None = None,
    chosen: Sequence[SelectedDemo] = (),
    ends: Sequence[str] = (),
) -> str:
    """A prompt's exact text with its parts marked; with `cut`, each of its tokens too.

    Demonstrations that were `chosen` say which of the set they are, and why.

    Args:
        ends: tokens and texts that end the answer, as they are written.
    """
    parts = asked.parts or (Part(kind="text", end=len(asked.text)),)
    counts: Sequence[int | None] = [None] * len(parts)
    if tokens is not None and asked.parts:
        counts = context_fit.by_part(asked, tokens)
    notice = ""
    if left_out is not None:
        notice = f'<p class="notice">{escaped(context_fit.describe_left_out(left_out))}</p>'
    shown = []  # a newline right after <pre> is not shown, so each has one for nothing
    edges = [0, *(part.end for part in parts)]
    for part, count, (start, end) in zip(parts, counts, pairwise(edges), strict=True):
        name = part.kind if part.number is None else f"{part.kind} {part.number}"
        if part.kind == "demonstration" and part.number is not None and part.number <= len(chosen):
            name += f" · {_why(chosen[part.number - 1])}"
        label = name if count is None else f"{name} · {number(count)} token{'' if count == 1 else 's'}"
        body = escaped(asked.text[start:end])
        if cut and tokens is not None:
            body = _tokens(asked.text, tokens, start, end)
        shown.append(
            f'<section class="part {part.kind}"><h4>{escaped(label)}</h4><pre>\n{body}</pre></section>'
        )
    before = ""
    if cut and tokens is not None:
        first = [token for token in tokens if token.start is None]
        before = "".join(f'<span class="first">{_token(token, token.piece)}</span>' for token in first)
    return f'{notice}<div class="prompt">{before}{"".join(shown)}</div>{_ends(ends)}'


def _ends(ends: Sequence[str]) -> str:
    """What ends the answer, as a line under the prompt."""
    if not ends:
        return ""
    written = " ".join(f"<code>{escaped(json.dumps(end, ensure_ascii=False)[1:-1])}</code>" for end in ends)
    return f'<p class="notice ends">The answer ends at {written}</p>'


STOP_LABELS: Mapping[str, str] = {"own": "Own header and fence", "paper": "Paper (substring)"}
"""The stop rules of a URIAL format, see `types.StopName`."""


def stop_rule(asked: Prompt) -> str:
    """The rule by which an answer to a prompt ends, for a line of text; "" where the format has none."""
    if not asked.stop.headers:
        return ""
    return f" \u00b7 Stop rule: {STOP_LABELS.get(asked.stop.name, 'not recorded')}"


def _why(choice: SelectedDemo) -> str:
    """Which demonstration was chosen, and by which words."""
    if not choice.words:
        return f"number {choice.number} of the set, which shares no word"
    return f"number {choice.number} of the set, for {', '.join(choice.words)} (BM25 {choice.score:.2f})"


def _tokens(text: str, tokens: Sequence[Token], start: int, end: int) -> str:
    """The tokens that begin between `start` and `end`, each with the text up to the next one's beginning."""
    placed = [token for token in tokens if token.start is not None]
    begins = [token.start or 0 for token in placed]
    written = []
    for at, token in enumerate(placed):
        if not start <= begins[at] < end:
            continue
        following = begins[at + 1] if at + 1 < len(placed) else len(text)
        written.append(_token(token, text[begins[at] : following]))
    return "".join(written)


def _token(token: Token, text: str) -> str:
    ends = "\n" if text.endswith("\n") else ""  # the id stands before the line's end
    shown = escaped(text.removesuffix("\n")).replace("\n", "\u21b5\n") + ("\u21b5" if ends else "")
    if not text:
        shown = "\u00b7"  # one of several tokens of one character
    title = f"{token.id}  {escaped(token.piece)}"
    return f'<span class="tok" title="{title}">{shown}<sub>{token.id}</sub>{ends}</span>'


# --- The workbench --------------------------------------------------------------------------------


def cards(
    draft: Draft, costs: Sequence[int] | None, other: DemoSet | None = None, editing: int | None = None
) -> str:
    """The draft's demonstrations as cards; with `other`, each beside that set's to the same query."""
    if draft.source.whole:
        return (
            f'<p class="notice">{escaped(draft.source.note)}</p>'
            f'<pre class="whole">\n{escaped(draft.source.text or "")}</pre>'
        )
    everything = DemoSet(name="", instruction="", demos=tuple(card.demo for card in draft.cards))
    mine = [_card(draft, at, costs[at] if costs else None, editing == at) for at in range(len(draft.cards))]
    if other is None:
        empty = '<p class="notice">No demonstrations: the instruction stands alone.</p>'
        return f'<div class="cards">{"".join(mine) or empty}</div>'
    rows = []
    for left, right in compared(everything, other):
        here = "" if left is None else mine[left]
        there = "" if right is None else _shown(other.demos[right], right)
        same = left is not None and right is not None and everything.demos[left] == other.demos[right]
        rows.append(f'<div class="pair{" same" if same else ""}"><div>{here}</div><div>{there}</div></div>')
    heads = f"<div>{escaped(draft.demos.name)}</div><div>{escaped(other.name)}</div>"
    return f'<div class="pair heads">{heads}</div><div class="cards">{"".join(rows)}</div>'


def _card(draft: Draft, at: int, cost: int | None, editing: bool) -> str:
    card = draft.cards[at]
    last = len(draft.cards) - 1
    acts: Mapping[str, tuple[str, bool]] = {
        "up": ("Move up", at > 0),
        "down": ("Move down", at < last),
        "edit": ("Edit", True),
        "remove": ("Remove", True),
    }
    signs = {"up": "\u2191", "down": "\u2193", "edit": "Edit", "remove": "Remove"}
    buttons = "".join(
        f'<button type="button" data-act="{act}" data-at="{at}" aria-label="{name} demonstration {at + 1}"'
        f"{'' if possible else ' disabled'}>{signs[act]}</button>"
        for act, (name, possible) in acts.items()
    )
    switch = (
        f'<button type="button" role="switch" aria-checked="{str(card.on).lower()}" data-act="switch" '
        f'data-at="{at}" aria-label="Use demonstration {at + 1}">{"on" if card.on else "off"}</button>'
    )
    tokens = "" if cost is None else f"<span>{number(cost)} tokens</span>"
    state = f"{'' if card.on else ' off'}{' editing' if editing else ''}"
    return (
        f'<article class="card{state}"><header><b>{at + 1}</b>{tokens}{switch}{buttons}</header>'
        f"{_exchanges(card.demo)}</article>"
    )


def _shown(demo: Demo, at: int) -> str:
    return f'<article class="card"><header><b>{at + 1}</b></header>{_exchanges(demo)}</article>'


def _exchanges(demo: Demo) -> str:
    written = [f'<p class="before">{escaped(demo.before)}</p>'] if demo.before else []
    for exchange in demo.exchanges:
        written.append(f'<p class="query">{escaped(exchange.query)}</p>')
        answer = "no answer is shown" if exchange.answer is None else escaped(exchange.answer)
        kind = "answer none" if exchange.answer is None else "answer"
        written.append(f'<p class="{kind}">{answer}</p>')
    return "".join(written)
