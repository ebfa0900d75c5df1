"""HTML for lane descriptions, answer metrics, and the model's status.

Pure functions, independent of Gradio.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

from playground.lanes.letters import lane_letter
from playground.lanes.summary import Setting
from playground.types import Reply, Sampling, Status
from playground.types.replies import CHAT_MODEL_AT
from playground.ui.html import glossary
from playground.ui.html.text import reveal, reveal_plain
from playground.words import count_things, format_large, format_number, format_rate, format_seconds


def _html(text: str) -> str:
    """Escape `text` for HTML as a single line, with invisible characters shown as codes."""
    return " ".join(reveal(text).split())


# --- Decoding -------------------------------------------------------------------------------------


def decoding(sampling: Sampling) -> str:
    """Format decoding parameters as short display text."""
    words = ["greedy"]
    if sampling.temperature:
        words = [f"temperature {sampling.temperature:g}"]
        if sampling.top_p < 1:
            words.append(f"top-p {sampling.top_p:g}")
        if sampling.top_k:
            words.append(f"top-k {format_number(sampling.top_k)}")
        if sampling.min_p:
            words.append(f"min-p {sampling.min_p:g}")
        words.append(f"seed {sampling.seed}")
    if sampling.repetition_penalty != 1:
        words.append(f"repetition penalty {sampling.repetition_penalty:g}")
    words.append(f"at most {format_number(sampling.max_new_tokens)} tokens")
    return ", ".join(words)


# --- Lanes ----------------------------------------------------------------------------------------


def placeholder(name: str, sentence: str, error: str | None = None) -> str:
    """Render a lane's description, shown while the lane is empty, and the error if it cannot be used."""
    notice = f'<div class="notice error">{_html(error)}</div>' if error else ""
    title = glossary.mark_terms(_html(name))
    return f'<div class="about"><strong>{title}</strong><p>{_html(sentence)}</p>{notice}</div>'


def hidden_lanes(shown: int, hidden: int) -> str:
    """Render the notice that some of the conversation's lanes are not shown on the page."""
    return (
        f"<p>Showing {shown} of this conversation\u2019s {shown + hidden} lanes. The next message continues "
        "only the lanes shown, in a new conversation. Press Differences to read the other answers.</p>"
    )


def lane_chips(count: int) -> str:
    """Render the letters that jump to a lane. They are shown only on narrow screens (see chips.js)."""
    chips = "".join(
        f'<button type="button" class="of-lane-{lane}" data-lane="{lane}" '
        f'aria-label="Go to lane {lane_letter(lane)}" hidden>{lane_letter(lane)}</button>'
        for lane in range(count)
    )
    return f'<nav aria-label="Lanes">{chips}</nav>'


CHANGED = '<i class="changed-since" hidden></i>'
"""Mark in the head of a lane that has been set up differently since its latest answer."""


def lane_summary(name: str, settings: Sequence[Setting], reserve: bool = False) -> str:
    """Render the settings that distinguish a lane, with emphasis on those that differ from another lane's.

    Args:
        name: the lane's label, which the page shows here if the lane is too narrow for it.
        settings: the settings.
        reserve: whether to leave the line empty if there is nothing to show, so that the lines below are at
            the same height in all lanes.
    """
    shown = " <i>\u00b7</i> ".join(
        f"<b>{_html(setting.text)}</b>" if setting.differs else f"<span>{_html(setting.text)}</span>"
        for setting in settings
    )
    summary = f'<p class="lane-summary">{shown or "&nbsp;"}</p>' if shown or reserve else ""
    return f'<p class="lane-name" aria-hidden="true">{_html(name)}</p>{summary}'


# --- Metrics --------------------------------------------------------------------------------------

FINISH = {"stop": "done", "length": "cut at the limit", "cancelled": "stopped", "error": "error"}
"""Display labels for finish reasons."""
ABOUT = "about "
"""Precedes numbers of tokens that are estimated."""


def status_line(
    reply: Reply | None, note: str = "", blind: bool = False, ended: str = "", before: int = 0
) -> str:
    """Render the status and metrics of a lane's last answer.

    Args:
        reply: the answer; None if there is none yet.
        note: text shown instead of the status until the first token is generated.
        blind: whether to hide the weights and the prompt length, which could identify the lane.
        ended: key of an answer that has just finished, which makes the page announce the answer to screen
            readers; "" for no announcement.
        before: number of tokens of the answer that this answer continues; 0 if it continues none.
    """
    if reply is None:
        return '<div class="figures" data-finish="">&nbsp;</div>'
    if reply.finish:
        state = FINISH[reply.finish]
    else:
        state = "writing" if reply.new_tokens else (note or "processing the prompt")
    about = ABOUT if reply.is_estimated else ""
    figures = pace_words(reply, before)
    if reply.prompt_tokens is not None and not blind:
        cached = f", {format_number(reply.cached_tokens)} cached" if reply.cached_tokens else ""
        figures.append(f"prompt {about}{count_things(reply.prompt_tokens, 'token')}{cached}")
    rest = "".join(f"<span>{_html(text)}</span>" for text in figures)
    told = f' data-ended="{reveal_plain(ended)}"' if ended and reply.finish else ""
    return (
        f'<div class="figures" data-finish="{reply.finish or "streaming"}"{told}>'
        f'{"" if blind else _weights(reply)}<span class="state">{_html(state)}</span>{rest}</div>'
    )


def pace_words(reply: Reply, before: int = 0) -> list[str]:
    """Describe an answer's length and generation speed as display text.

    Args:
        reply: the answer.
        before: number of tokens of the answer that this answer continues; 0 if it continues none.
    """
    about = ABOUT if reply.is_estimated else ""
    words = [about + count_things(reply.new_tokens, "token")] if reply.new_tokens else []
    if before:
        added = about + count_things(reply.new_tokens, "more token")
        words = [f"{added} ({format_number(reply.new_tokens + before)} in all)"]
    rate = reply.tokens_per_second
    if rate is not None:
        words.append(format_rate(rate))
    if reply.ttft is not None:
        words.append(f"first token after {format_seconds(reply.ttft)}")
    return words


def _weights(reply: Reply) -> str:
    """Render the label for the weights used to generate an answer."""
    if reply.weights is None:
        return ""
    model, on_server, _ = reply.weights.partition(CHAT_MODEL_AT)
    _, adapter, name = reply.weights.partition(" + ")
    mark = model if on_server else f"base + {name}" if adapter else "base"
    return f'<span class="weights" title="Weights used: {reveal_plain(reply.weights)}">{_html(mark)}</span>'


def model_chip(status: Status) -> str:
    """Render the model label, a button that opens the model dialog.

    While the model is loading, the label shows a progress bar. After that, it shows the model's size and
    device.
    """
    if status.state == "failed":
        return _chip("failed", f'<span role="alert">{_html(status.note)}</span>', title=status.note)
    name = f'<span class="name">{_html(short_name(status.base))}</span>'
    if status.state == "loading":
        value = "" if status.progress is None else f' value="{status.progress:.3f}"'
        return _chip(
            "loading",
            f'{name}<progress max="1"{value} aria-label="Loading the model"></progress>'
            f"<span>{_html(status.note)}</span>",
        )
    figures = []
    if status.parameters is not None:
        figures.append(f"{format_large(status.parameters)} parameters")
    where = ", ".join(filter(None, (status.server, status.device, status.precision)))
    if where:
        figures.append(where)
    if status.context is not None:
        figures.append(f"context {format_number(status.context)}")
    if status.plain is not None:
        figures.append(f"lanes run one at a time because {status.plain}")
    return _chip("ready", name + "".join(f"<span>{_html(text)}</span>" for text in figures))


def _chip(
    state: str, inside: str, title: str = "Show model details, or load another model or adapter"
) -> str:
    return (
        f'<button type="button" class="chip {state}" aria-haspopup="dialog" '
        f'title="{_html(title)}">{inside}</button>'
    )


def short_name(base: str) -> str:
    """Return a base model's name without its folder or organization."""
    return base.rstrip("/").rpartition("/")[2] or base if base.startswith(("/", "~", ".")) else base


def toast(sentence: str) -> str:
    """Escape text for a toast, because toasts interpret their message as HTML."""
    return html.escape(sentence, quote=False)
