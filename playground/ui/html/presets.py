"""HTML for the presets in the model dialog.

Pure functions, independent of Gradio. All text is escaped.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from playground.library.presets import DECODING, Offer, Preset
from playground.memory import FOUR_BIT, MOST_OF_MEMORY
from playground.types import Sampling
from playground.ui.html.text import reveal, reveal_plain
from playground.words import format_bytes, format_large, format_setting

WORDS = {
    "temperature": "temperature",
    "top_p": "top-p",
    "top_k": "top-k",
    "min_p": "min-p",
    "repetition_penalty": "repetition penalty",
}
"""Display names of the decoding parameters."""


def render_presets(
    offers: Sequence[Offer], running: str | None, loading: str | None, problems: Sequence[str] = ()
) -> str:
    """Render the list of presets. Each entry shows its requirements and a Load button.

    Args:
        offers: the presets, with their availability on this machine.
        running: name of the preset in use; None if there is none.
        loading: name of the preset being loaded; "" if something other than a preset is being loaded; None if
            nothing is being loaded.
        problems: one sentence per unreadable preset.
    """
    rows = "".join(_render_row(offer, running, loading) for offer in offers)
    wrong = "".join(f"<li>{reveal(problem)}</li>" for problem in problems)
    parts = [
        "<h3>Presets</h3>",
        "<p class='why'>A preset is a base with matching adapters, demonstrations and decoding parameters. "
        "Loading one starts a new conversation with that setup; earlier ones stay in the history.</p>",
        f"<ul class='presets'>{rows}</ul>",
        f"<ul class='problems'>{wrong}</ul>" if wrong else "",
    ]
    return f'<div class="model">{"".join(parts)}</div>'


def _render_row(offer: Offer, running: str | None, loading: str | None) -> str:
    preset = offer.preset
    runs = preset.name == running
    id = f"preset-note-{reveal_plain(preset.name)}"
    note = "".join(f"<p class='{kind}'>{text}</p>" for kind, text in _list_notes(offer))
    classes = "preset" + (" running" if runs else "")
    return (
        f'<li class="{classes}"><div class="what"><p class="who"><b>{reveal(preset.label)}</b> '
        f"<code>{reveal(' + '.join(preset.sources))}</code></p><p>{reveal(preset.description)}</p>"
        f'<p class="facts">{_render_facts(offer)}</p><p>Setup: {reveal(describe_setup(preset))}</p>'
        f'<div id="{id}">{note}</div></div>'
        f"{_render_button(offer, runs, loading, id)}</li>"
    )


def _render_button(offer: Offer, runs: bool, loading: str | None, note: str) -> str:
    """Render a preset's Load button. A disabled button stays focusable and shows why it is disabled."""
    label = "Load"
    if offer.preset.name == loading:
        label = "Loading\u2026"
    elif runs:
        label = "Set up"
    elif offer.cached.state == "partial":
        label = "Resume"
    off = ' aria-disabled="true"' if loading is not None or not offer.fits else ""
    title = {
        "Set up": "This preset is loaded: start a new conversation with its setup",
        "Resume": "Resume the download, then load the preset",
    }.get(label, "Load the preset and start a new conversation with its setup")
    return (
        f'<button type="button" data-preset="{reveal_plain(offer.preset.name)}"{off} '
        f'aria-describedby="{note}" aria-label="{label}: {reveal_plain(offer.preset.label)}" '
        f'title="{title}">{label}</button>'
    )


def _render_facts(offer: Offer) -> str:
    preset = offer.preset
    here = {
        "complete": "on this machine",
        "partial": f"{format_bytes(offer.cached.size)} downloaded",
        "absent": "not downloaded",
    }[offer.cached.state]
    memory = [
        f"{format_bytes(count)} in {precision}"
        if precision in offer.fits
        else f"<s>{format_bytes(count)} in {precision}</s>"
        for precision, count in offer.memory.items()
    ]
    parts = [
        f"{format_large(preset.parameters)} parameters",
        ", ".join(memory),
        reveal(preset.licence),
        here,
    ]
    return "".join(f"<span>{part}</span>" for part in parts if part)


def _list_notes(offer: Offer) -> list[tuple[str, str]]:
    """Return notes that users should read before loading a preset, as (CSS class, HTML) pairs."""
    notes = []
    if not offer.fits:
        notes.append(
            (
                "bad",
                f"Too large for this machine: even in 4 bit it needs {format_bytes(offer.memory[FOUR_BIT])}, "
                f"and at most {format_bytes(round(MOST_OF_MEMORY * offer.room.size))} can be used.",
            )
        )
    elif offer.room.full not in offer.fits:
        notes.append(("note", f"Fits in this machine's memory in 4 bit, but not in {offer.room.full}."))
    if offer.needs_terms:
        notes.append(("note", _render_terms(offer)))
    return notes


def _render_terms(offer: Offer) -> str:
    page = f"huggingface.co/{offer.preset.base.partition('@')[0]}"
    link = (
        f'<a href="https://{reveal_plain(page)}" target="_blank" rel="noopener noreferrer">{reveal(page)}</a>'
    )
    asks = "Gated" if offer.preset.gate == "yes" else "May be gated"
    if offer.has_token:
        return f"{asks}: accept its terms at {link} using the account of the token in HF_TOKEN."
    return (
        f"{asks}: accept its terms at {link}, then restart Tandem with HF_TOKEN set to that account's token."
    )


def describe_setup(preset: Preset) -> str:
    """Describe a preset's demonstrations and decoding parameters as short display text."""
    parts = [f"demonstrations {preset.demos}"] if preset.demos else []
    return ", ".join([*parts, describe_decoding(preset)])


def describe_decoding(preset: Preset) -> str:
    """Describe a preset's decoding parameters as short display text."""
    values, defaults = preset.decoding, dataclasses.asdict(Sampling())
    parts = [] if values["temperature"] else ["greedy"]
    parts += [
        f"{WORDS[name]} {format_setting(name, values[name])}"
        for name in DECODING
        if values[name] != defaults[name]
    ]
    return ", ".join(parts)
