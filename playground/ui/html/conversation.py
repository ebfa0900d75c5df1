"""HTML for a lane's conversation: messages, answers with their warnings, and the buttons below them.

Pure functions, independent of Gradio. Messages and answers are rendered by `render_markdown` and names are
escaped by `escape`, which prevents script injection. Every button has an accessible label; its `data-act`
attribute specifies the action, and `data-turn` the index of the turn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

from playground.checks import check, is_blank
from playground.context_fit import describe_left_out
from playground.lanes.names import abbreviate_spec, label_lanes
from playground.templates.thinking import Thinking, opens_thinking, split_thinking
from playground.types import AdapterCard, Answer, Conversation
from playground.ui.html import diff as html_diff
from playground.ui.html.labels import FINISH, decoding, pace_words
from playground.ui.html.markdown import render_markdown
from playground.ui.html.text import escape, escape_attribute, reveal_plain, reveal_raw
from playground.words import count_things, shorten

SHORT = 600
"""Maximum number of characters of an answer that fits into the height of most windows."""
ICONS = {
    "edit": "M3 13l.7-3L11 2.7a1.4 1.4 0 0 1 2 0l.3.3a1.4 1.4 0 0 1 0 2L6 12.3 3 13z",
    "branch": "M5 3v6a4 4 0 0 0 4 4h4M5 3l-2 2M5 3l2 2M13 13l-2-2M13 13l-2 2",
    "copy": "M6 6V3h7v7h-3M3 6h7v7H3z",
    "prompt": "M5 4L1.5 8 5 12M11 4l3.5 4L11 12M9 3L7 13",
    "after": "M3 2.5v11M6.5 5H14M6.5 8H14M6.5 11H11",
    "retry": "M13 8a5 5 0 1 1-1.5-3.5L13 6M13 2.5V6H9.5",
    "extend": "M2 8h11M9 4l4 4-4 4",
    "raw": "M2.5 4h11M2.5 8h7M2.5 12h9",
    "judge": "M8 2v12M5 14h6M3 4.5h10M3 4.5L1.5 9h3zM13 4.5L11.5 9h3z",
    "earlier": "M10 3L5 8l5 5",
    "later": "M6 3l5 5-5 5",
}
LABELS = {
    "edit": "Edit this message and branch here",
    "branch": "Branch from here into a new conversation",
    "copy": "Copy the answer",
    "prompt": "Show the exact prompt for this answer",
    "after": "Raw output after the stop",
    "retry": "Retry this lane",
    "extend": "Continue the answer",
    "raw": "Show the raw text",
    "judge": "Judge the answers of this turn",
    "earlier": "Previous version",
    "later": "Next version",
}
WORDS = {
    "edit": "Edit",
    "branch": "Branch",
    "copy": "Copy",
    "prompt": "Prompt",
    "after": "After the stop",
    "retry": "Retry",
    "extend": "Continue",
    "raw": "Raw text",
    "judge": "Judge",
}
"""Words beside the icons where there is room (see answers.css). Each one is part of the button's label."""


READING = "Reading\u2026"


def render_button(act: str, turn: int, disabled: bool = False, pressed: bool | None = None) -> str:
    """Render a button that performs one of the actions in `ICONS` on a turn.

    Args:
        act: the action.
        turn: index of the turn.
        disabled: whether the action is not available.
        pressed: for a button that switches something on or off, whether it is on.
    """
    off = " disabled" if disabled else ""
    if pressed is not None:
        off += f' aria-pressed="{str(pressed).lower()}"'
    icon = f'<svg viewBox="0 0 16 16" aria-hidden="true"><path d="{ICONS[act]}"/></svg>'
    word = f"<span>{WORDS[act]}</span>" if act in WORDS else ""
    label = f'aria-label="{LABELS[act]}" title="{LABELS[act]}"'
    return f'<button type="button" data-act="{act}" data-turn="{turn}" {label}{off}>{icon}{word}</button>'


def render_turns(
    conversation: Conversation,
    lane: int,
    turns: Sequence[int],
    cards: Mapping[str, AdapterCard],
    note: str = "",
    blind: bool = False,
    marks: Mapping[int, str] | None = None,
    raw: Collection[int] = (),
    marked: Mapping[int, str] | None = None,
) -> str:
    """Render the given turns of one lane.

    If the lane's recipe changes between turns, a label above the first answer after each change shows the new
    recipe. The others have it as an attribute, which is shown once the lane is set up differently.

    Args:
        conversation: the conversation that contains the turns.
        lane: index of the lane.
        turns: indices of the turns to render.
        cards: adapter cards by name, used to look up labels.
        note: placeholder for answers that have no text yet.
        blind: whether to hide everything that would reveal the lane's recipe.
        marks: safe HTML to insert below each answer (for example, a judge's scores), keyed by turn index.
        raw: indices of the turns whose answer is displayed as raw text instead of rendered Markdown.
        marked: safe HTML to display instead of an answer (for example, with marked differences), keyed by
            turn index.
    """
    answers = [turn.answers[lane] if lane < len(turn.answers) else None for turn in conversation.turns]
    whose = [_describe_author(answer, cards) if answer else "" for answer in answers]
    changed = len({label for label in whose if label}) > 1 and not blind
    shown = []
    for number in turns:
        answer = answers[number]
        if answer is None:
            shown.append(_render_absent(conversation, lane, number))
            continue
        before = next((label for label in reversed(whose[:number]) if label), "")
        by = f'<div class="by">{escape(whose[number])}</div>' if changed and whose[number] != before else ""
        # Shown if the lane is set up differently now (see answers.css).
        quiet = "" if by or blind else f' data-by="{escape(whose[number])}"'
        text = (marked or {}).get(number) or (_render_raw(answer) if number in raw else None)
        said = f'<div class="user message">{render_markdown(conversation.turns[number].user)}</div>'
        kind = "answer short" if len(answer.text) <= SHORT else "answer"
        shown.append(
            f'<article class="turn" data-turn="{number}" style="--turn:{number}">'
            f'<div class="user-row">{said}{_render_message_buttons(number, answer)}</div>'
            f'<div class="{kind}"><div class="bot-row"{quiet}>{by}{_render_answer(answer, note, text)}</div>'
            f"{_render_below(conversation, lane, number, answer, blind, number in raw)}"
            f"{(marks or {}).get(number, '')}</div></article>"
        )
    return "".join(shown)


def _render_absent(conversation: Conversation, lane: int, number: int) -> str:
    """Render the cell of a lane that was added after the turn. It is displayed only in aligned rows.

    The first lane's cell contains the message, because aligned rows show the message of the first lane.
    """
    said = render_markdown(conversation.turns[number].user)
    row = f'<div class="user-row"><div class="user message">{said}</div></div>' if lane == 0 else ""
    return (
        f'<article class="turn absent" data-turn="{number}" style="--turn:{number}">{row}'
        '<div class="answer"><div class="notice">No answer: this lane was added later.</div></div></article>'
    )


def _describe_author(answer: Answer, cards: Mapping[str, AdapterCard]) -> str:
    """Describe an answer's recipe and decoding parameters, except the seed, which may change every turn."""
    name = abbreviate_spec(answer.variant, label_lanes(cards))
    if answer.request is None:
        return name
    sampling = answer.request.sampling
    if sampling.temperature:
        return f"{name}, {decoding(dataclasses.replace(sampling, seed=0)).replace(', seed 0', '')}"
    return f"{name}, {decoding(sampling)}"


def _render_message_buttons(number: int, answer: Answer) -> str:
    if not answer.reply.finish:
        return ""
    return f'<div class="acts">{render_button("edit", number)}</div>'


def _render_raw(answer: Answer) -> str:
    """Render the exact text of an answer, including its reasoning; "" if it has none."""
    return f'<pre class="raw" dir="auto">{reveal_raw(answer.text)}</pre>' if answer.text else ""


def _render_answer(answer: Answer, note: str, text: str | None = None) -> str:
    """Render an answer's text, or a notice explaining why the answer has no text.

    Args:
        answer: the answer.
        note: placeholder for an answer that has no text yet.
        text: safe HTML to display instead of the rendered text.
    """
    reply, parts = answer.reply, []
    start = answer.prefill
    split = split_answer(answer)
    if text:
        parts.append(f'<div class="bot message prose">{text}</div>')
    else:
        if split.thinking is not None:
            parts.append(_render_thinking(split, bool(reply.finish)))
        if split.answer:
            parts.append(f'<div class="bot message prose">{render_markdown(split.answer)}</div>')
    if start and not answer.version:
        quoted = f"\u201c{escape(shorten(start, 60))}\u201d"
        parts.append(f'<div class="notice">Prefilled with {quoted}.</div>')
    if reply.finish == "":
        if is_blank(reply):
            written = count_things(reply.new_tokens, "token")
            parts.append(f'<div class="waiting">Only white space so far ({written})</div>')
        elif not reply.text:
            parts.append(f'<div class="waiting">{escape(note or READING)}</div>')
    elif reply.error:
        parts.append(f'<div class="notice error">{escape(reply.error)}</div>')
    elif is_blank(reply) and not start:
        written = count_things(reply.new_tokens, "token")
        parts.append(f'<div class="notice">The answer is only white space ({written}).</div>')
    elif not answer.text:
        said = {
            "stop": "The model ended its answer immediately.",
            "cancelled": "Stopped before the first word.",
        }
        parts.append(f'<div class="notice">{said.get(reply.finish, "Cut off before the first word.")}</div>')
    parts += [f'<div class="notice">{escape(note)}</div>' for note in reply.notes]
    if answer.request is not None and answer.request.left_out is not None:
        left_out = describe_left_out(answer.request.left_out)
        parts.append(f'<div class="notice">{escape(left_out)}</div>')
    return "".join(parts)


def split_answer(answer: Answer) -> Thinking:
    """Split an answer into reasoning and final text. The opening tag may be in the prompt."""
    prompt = answer.request.prompt if answer.request else None
    opened = prompt is not None and opens_thinking(prompt.text.removesuffix(prompt.prefill))
    return split_thinking(answer.text, opened and bool(answer.text))


def _render_thinking(split: Thinking, ended: bool) -> str:
    """Render an answer's reasoning, collapsed once it is complete."""
    text = split.thinking or ""
    words = len(text.split())
    count = count_things(words, "word")
    state = "" if split.closed else ", not finished" if ended else "\u2026"
    opened = "" if split.closed or ended else " open"
    return (
        f'<details class="thinking"{opened}><summary>Thinking, {count}{state}</summary>'
        f'<div class="prose">{render_markdown(text)}</div></details>'
    )


def _render_below(
    conversation: Conversation, lane: int, number: int, answer: Answer, blind: bool, raw: bool
) -> str:
    """Render the warnings and buttons below an answer; "" while the answer is being generated."""
    if not answer.reply.finish:
        return ""
    last = number == len(conversation.turns) - 1
    versions = conversation.turns[number].all(lane)
    acts = []
    if len(versions) > 1:
        count = f'<span class="version">{answer.version + 1}/{len(versions)}</span>'
        if last:
            earlier = render_button("earlier", number, answer.version == 0)
            count = earlier + count + render_button("later", number, answer.version == len(versions) - 1)
        acts.append(count)
    if last:
        acts.append(render_button("retry", number))
        if answer.reply.finish in ("length", "cancelled") and answer.text:
            acts.append(render_button("extend", number))
    acts.append(render_button("branch", number))
    if answer.text:
        acts.append(render_button("copy", number))
    has_output = bool(answer.text or answer.reply.raw_text) or answer.reply.error is None
    if has_output:  # otherwise, there is nothing to judge and nothing after the stop
        acts.append(render_button("judge", number))
    if answer.request is not None and not blind:
        acts.append(render_button("prompt", number))
    if answer.text:
        acts.append(render_button("raw", number, pressed=raw))
    if answer.request is not None and not blind and has_output:
        acts.append(render_button("after", number))
    if not last:  # the metrics of the last answer are shown at the bottom of the lane
        continued = conversation.turns[number].continued_tokens(lane)
        figures = " \u00b7 ".join([FINISH[answer.reply.finish], *pace_words(answer.reply, continued)])
        acts.append(f'<span class="took">{escape(figures)}</span>')
    text = escape_attribute(answer.text)
    return f'{_render_warnings(answer)}<div class="acts" data-text="{text}">{"".join(acts)}</div>'


@lru_cache(maxsize=512)
def _render_warnings(answer: Answer) -> str:
    return html_diff.render_findings(check(answer))


def render_rest(answer: Answer, name: str) -> str:
    """Render the text that the model generated past the end of the displayed answer, as dialog content."""
    return f"<h3>{reveal_plain(name)}</h3>{html_diff.render_after_stop(answer.reply)}"
