"""HTML for the loaded model and its adapters.

Pure functions, independent of Gradio. All text is escaped, because folder names can contain any characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from playground.model_switch import Progress
from playground.types import AdapterCard, Status
from playground.ui.html.text import reveal
from playground.words import format_bytes, format_large, format_number

UNNAMED = "an unnamed base"


def render_model(status: Status, others: Mapping[str, AdapterCard], problems: Iterable[str]) -> str:
    """Render the loaded model with its memory usage, its adapters, and problems with unreadable files.

    Args:
        status: the engine's status.
        others: adapters on this machine trained for other base models.
        problems: one sentence per unreadable file.
    """
    parts = [_render_state(status), _render_facts(status), _render_adapters(status)]
    if others:
        rows = "".join(
            f"<li>{_render_name(card.label, name)}<span>for {reveal(card.base_model or UNNAMED)}</span></li>"
            for name, card in sorted(others.items())
        )
        parts.append(f"<h3>For another base</h3><ul class='adapters others'>{rows}</ul>")
    if sentences := [f"<li>{reveal(sentence)}</li>" for sentence in problems]:
        parts.append(f"<h3>Could not be read</h3><ul class='problems'>{''.join(sentences)}</ul>")
    return f'<div class="model">{"".join(parts)}</div>'


def _render_state(status: Status) -> str:
    if status.state == "failed":
        return f'<p class="notice error">{reveal(status.note)}</p>'
    if status.state == "loading":
        return f'<p class="notice">Loading: {reveal(status.note)}</p>'
    return "".join(f'<p class="notice warning">{reveal(warning)}</p>' for warning in status.warnings)


def _render_facts(status: Status) -> str:
    memory = []
    if status.memory is not None:
        memory.append(f"{format_bytes(status.memory)} of RAM")
    if status.device_memory is not None:
        memory.append(f"{format_bytes(status.device_memory)} of GPU memory")
    prefixes = ""
    if status.prefix_limit is not None:
        prefixes = f"{format_bytes(status.prefix_bytes or 0)} (limit {format_bytes(status.prefix_limit)})"
    lacks = "; ".join(status.gaps)
    together = "all lanes together" if status.plain is None else f"one lane at a time because {status.plain}"
    facts = {
        "Base": status.base,
        "Parameters": format_large(status.parameters) if status.parameters is not None else "",
        "Precision": status.precision or "",
        "Layers": ", ".join(f"{count} in {precision}" for precision, count in status.layers),
        "Device": status.device or "",
        "Server": status.server or "",
        "Context": f"{format_number(status.context)} tokens" if status.context is not None else "",
        "Batching": together if status.state == "ready" and status.server is None else "",
        "Limits": lacks[:1].upper() + lacks[1:],
        "Memory": ", ".join(memory),
        "Prompt cache": prefixes,
    }
    exact = {"Memory": status.memory, "Prompt cache": status.prefix_bytes}
    titles = {
        name: f' title="{format_number(count)} bytes"' for name, count in exact.items() if count is not None
    }
    rows = "".join(
        f"<div><dt>{name}</dt><dd{titles.get(name, '')}>{reveal(value)}</dd></div>"
        for name, value in facts.items()
        if value
    )
    if status.ends:
        rows += f'<div><dt>Answers end at</dt><dd class="ends">{_render_ends(status.ends)}</dd></div>'
    return f"<dl>{rows}</dl>"


def _render_ends(ends: Iterable[str]) -> str:
    """Render EOS tokens and stop sequences, with newlines written as \\n."""
    texts = [end.replace("\n", "\\n").replace("\t", "\\t") for end in ends]
    return " ".join(f"<code>{reveal(text)}</code>" for text in texts)


def _render_adapters(status: Status) -> str:
    if status.state != "ready":
        return ""
    if not status.adapters:
        return "<h3>Adapters</h3><p class='none'>None for this base.</p>"
    largest = max((each.kl for each in status.adapters if each.kl is not None), default=0.0)
    rows = []
    for each in status.adapters:
        name = _render_name(each.card.label, each.card.name)
        if each.error is not None:
            rest = f"<span class='bad'>{reveal(each.error)}</span>"
        else:
            kl = f"<span>{describe_divergence(each.kl)}</span>{_render_bar(each.kl, largest)}"
            rest = kl if status.server is None else ""
            if each.serving:
                rest += f"<span class='more'>{reveal(each.serving)}</span>"
            if each.ends:
                rest += f"<span class='more ends'>Answers end at {_render_ends(each.ends)}</span>"
            if each.warning is not None:
                rest += f"<span class='bad'>{reveal(each.warning)}</span>"
        rows.append(f"<li>{name}{rest}</li>")
    why = (
        "Verified when loaded, by the KL divergence of the adapter's next-token distribution from the "
        "base's on a fixed text. With the adapter off, the base is unchanged."
    )
    if status.server is not None:
        why = "Served by the server, which applies the adapter. Its effect is not measured here."
    return f"<h3>Adapters</h3><p class='why'>{why}</p><ul class='adapters'>{''.join(rows)}</ul>"


def _render_name(label: str, name: str) -> str:
    return f'<span class="who"><b>{reveal(label)}</b> <code>{reveal(name)}</code></span>'


def describe_divergence(kl: float | None) -> str:
    """Describe how far an adapter's predictions diverge from those of the base model."""
    if kl is None:
        return "not verified"
    return f"KL {kl:.3f} nats per token" if kl >= 0.0005 else f"KL {kl:.1e} nats per token"


def _render_bar(kl: float | None, largest: float) -> str:
    if not kl or not largest:
        return ""
    return f'<i class="kl" aria-hidden="true" style="width:{max(1, round(100 * kl / largest))}%"></i>'


def render_progress(now: Progress) -> str:
    """Render the progress or result of the latest model switch; "" if there was none."""
    note = reveal(now.note)
    if now.busy:
        value = "" if now.share is None else f' value="{now.share:.3f}"'
        bar = f'<progress max="1"{value} aria-label="Loading"></progress>'
        return f'<div class="change busy" role="status">{bar}<span>{note}</span></div>'
    if now.state == "idle":
        return ""
    kind = "alert" if now.state == "failed" else "status"
    return f'<div class="change {now.state}" role="{kind}">{note}</div>'
