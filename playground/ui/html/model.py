"""The model and its adapters as HTML; pure functions, without Gradio. Everything in it is escaped: a folder's
name is anybody's text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from playground.model_switch import Progress
from playground.types import AdapterCard, Status
from playground.ui.html.diff import visible
from playground.ui.html.labels import big
from playground.ui.html.prompt import number

UNNAMED = "a base that it does not name"


def model(status: Status, others: Mapping[str, AdapterCard], problems: Iterable[str]) -> str:
    """What runs, what it takes, its adapters, and what was found and does not fit.

    Args:
        status: of the engine.
        others: adapters found here that were made for other bases.
        problems: one sentence for each file that could not be read.
    """
    parts = [_state(status), _facts(status), _adapters(status)]
    if others:
        rows = "".join(
            f"<li>{_name(card.label, name)}<span>for {visible(card.base_model or UNNAMED)}</span></li>"
            for name, card in sorted(others.items())
        )
        parts.append(f"<h3>Here, but for another base</h3><ul class='adapters others'>{rows}</ul>")
    if sentences := [f"<li>{visible(sentence)}</li>" for sentence in problems]:
        parts.append(f"<h3>Could not be read</h3><ul class='problems'>{''.join(sentences)}</ul>")
    return f'<div class="model">{"".join(parts)}</div>'


def _state(status: Status) -> str:
    if status.state == "failed":
        return f'<p class="notice error">{visible(status.note)}</p>'
    if status.state == "loading":
        return f'<p class="notice">Loading: {visible(status.note)}</p>'
    return "".join(f'<p class="notice warning">{visible(warning)}</p>' for warning in status.warnings)


def _facts(status: Status) -> str:
    memory = []
    if status.memory is not None:
        memory.append(f"{size(status.memory)} of the machine's")
    if status.device_memory is not None:
        memory.append(f"{size(status.device_memory)} of the GPU's")
    prefixes = ""
    if status.prefix_limit is not None:
        prefixes = f"{size(status.prefix_bytes or 0)} of at most {size(status.prefix_limit)}"
    together = "all as one batch" if status.plain is None else f"one after the other, since {status.plain}"
    facts = {
        "Base": status.base,
        "Parameters": big(status.parameters) if status.parameters is not None else "",
        "Precision": status.precision or "",
        "Layers": ", ".join(f"{count} in {precision}" for precision, count in status.layers),
        "Device": status.device or "",
        "Context": f"{number(status.context)} tokens" if status.context is not None else "",
        "Lanes": together if status.state == "ready" else "",
        "Memory": ", ".join(memory),
        "Stored prompts": prefixes,
    }
    exact = {"Memory": status.memory, "Stored prompts": status.prefix_bytes}
    titles = {name: f' title="{number(count)} bytes"' for name, count in exact.items() if count is not None}
    rows = "".join(
        f"<div><dt>{name}</dt><dd{titles.get(name, '')}>{visible(value)}</dd></div>"
        for name, value in facts.items()
        if value
    )
    if status.ends:
        rows += f'<div><dt>Answers end at</dt><dd class="ends">{_ends(status.ends)}</dd></div>'
    return f"<dl>{rows}</dl>"


def _ends(ends: Iterable[str]) -> str:
    """Tokens and texts that end an answer; a newline in one is written as it is typed."""
    texts = [end.replace("\n", "\\n").replace("\t", "\\t") for end in ends]
    return " ".join(f"<code>{visible(text)}</code>" for text in texts)


def _adapters(status: Status) -> str:
    if status.state != "ready":
        return ""
    if not status.adapters:
        return "<h3>Adapters</h3><p class='none'>None for this base.</p>"
    largest = max((one.kl for one in status.adapters if one.kl is not None), default=0.0)
    rows = []
    for one in status.adapters:
        name = _name(one.card.label, one.card.name)
        if one.error is not None:
            told = f"<span class='bad'>{visible(one.error)}</span>"
        else:
            told = f"<span>{attestation(one.kl)}</span>{_bar(one.kl, largest)}"
            if one.serving:
                told += f"<span class='more'>{visible(one.serving)}</span>"
            if one.ends:
                told += f"<span class='more ends'>Answers end at {_ends(one.ends)}</span>"
            if one.warning is not None:
                told += f"<span class='bad'>{visible(one.warning)}</span>"
        rows.append(f"<li>{name}{told}</li>")
    why = (
        "Each was tried on a fixed text when it was loaded: how far it moves the next token from what the "
        "base would say (KL divergence). Switched off, it leaves the base as it was."
    )
    return f"<h3>Adapters</h3><p class='why'>{why}</p><ul class='adapters'>{''.join(rows)}</ul>"


def _name(label: str, name: str) -> str:
    return f'<span class="who"><b>{visible(label)}</b> <code>{visible(name)}</code></span>'


def attestation(kl: float | None) -> str:
    """How far an adapter moves the base, in words."""
    if kl is None:
        return "not tried out"
    return f"KL {kl:.3f} nats per token" if kl >= 0.0005 else f"KL {kl:.1e} nats per token"


def _bar(kl: float | None, largest: float) -> str:
    if not kl or not largest:
        return ""
    return f'<i class="kl" aria-hidden="true" style="width:{max(1, round(100 * kl / largest))}%"></i>'


def progress(now: Progress) -> str:
    """How far a change is, or how the last one ended; empty before the first."""
    note = visible(now.note)
    if now.busy:
        value = "" if now.share is None else f' value="{now.share:.3f}"'
        bar = f'<progress max="1"{value} aria-label="Loading"></progress>'
        return f'<div class="change busy" role="status">{bar}<span>{note}</span></div>'
    if now.state == "idle":
        return ""
    kind = "alert" if now.state == "failed" else "status"
    return f'<div class="change {now.state}" role="{kind}">{note}</div>'


def size(count: int) -> str:
    """Bytes in two or three digits: 412 MB, 2.1 GB."""
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if value >= 99.5 or unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
