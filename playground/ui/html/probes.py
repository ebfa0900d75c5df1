"""HTML for the list of probes and for the next message of the active probe.

Pure functions, independent of Gradio. All text is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from playground.library import POCKET, same_model
from playground.library.probes import Probe
from playground.ui.html.text import escape

POCKET_FILE = "pocket"
FILES = {
    "general": ("General", "Tasks in eight categories; later messages build on earlier answers."),
    "weak-spots": ("Weak spots", "Where in-context alignment fails first, from the second message on."),
    POCKET_FILE: ("Pocket world", "Facts from the small world that the pocket model was trained on."),
}
"""Label and description of each probe file, keyed by file stem."""
CATEGORIES = {
    "stem": "STEM",
    "follow-up": "Follow-up",
    "self-correction": "Self-correction",
    "refusal-then-rephrase": "Refusal, then rephrased",
    "reference-to-turn-1": "Referring back to message 1",
}
"""Labels for the categories whose capitalized name is not used as their label."""


def label_file(stem: str) -> str:
    """Return the label of a probe file."""
    return FILES.get(stem, (stem, ""))[0]


def label_category(category: str) -> str:
    """Return the label of a category."""
    words = category.replace("-", " ")
    return CATEGORIES.get(category, words[:1].upper() + words[1:])


def order_probes(probes: Sequence[Probe], base: str) -> list[Probe]:
    """Sort probes by file and category, both in order of first appearance.

    Probes about the fictional world that the pocket model was trained on come first if the pocket model is
    loaded, and last otherwise.
    """
    first = same_model(base, POCKET)
    kinds = list(dict.fromkeys((probe.file, probe.category) for probe in probes))
    files = list(dict.fromkeys(file for file, _ in kinds))

    def place(probe: Probe) -> tuple[bool, int, int]:
        of_kind = kinds.index((probe.file, probe.category))
        return (probe.file == POCKET_FILE) != first, files.index(probe.file), of_kind

    return sorted(probes, key=place)


def filter_probes(probes: Sequence[Probe], kind: str, words: str) -> list[Probe]:
    """Return the probes of the given kind whose text contains every search word.

    The kind is a file stem, "stem/category", or "" for all probes.
    """
    wanted = words.lower().split()
    found = []
    for probe in probes:
        text = " ".join((probe.title, probe.tests, probe.category, *probe.turns)).lower()
        of_kind = not kind or kind in (probe.file, f"{probe.file}/{probe.category}")
        if of_kind and all(word in text for word in wanted):
            found.append(probe)
    return found


def list_kinds(probes: Sequence[Probe]) -> list[tuple[str, str]]:
    """Return the kinds accepted by `filter_probes`, as (label, kind) pairs."""
    choices = [("All probes", "")]
    for stem, within in groupby(probes, key=lambda probe: probe.file):
        choices.append((label_file(stem), stem))
        for category in dict.fromkeys(probe.category for probe in within):
            label = f"{label_file(stem)}: {label_category(category)}"
            choices.append((label, f"{stem}/{category}"))
    return choices


def render_probes(found: Sequence[Probe], base: str, problems: Sequence[str] = ()) -> str:
    """Render the list of probes, grouped by file and category.

    Args:
        found: the probes, in the order of `order_probes`.
        base: the loaded base model.
        problems: one sentence per unreadable file.
    """
    parts = [f'<p class="notice error">{escape(problem)}</p>' for problem in problems]
    if same_model(base, POCKET):
        parts.append(
            '<p class="notice">The pocket model knows only its own small world. Probes about '
            "that world come first; the others are for larger models.</p>"
        )
    if not found:
        parts.append('<p class="notice">No probe contains all of these words.</p>')
    for stem, within in groupby(found, key=lambda probe: probe.file):
        about = FILES.get(stem, ("", ""))[1]
        description = f"<p>{escape(about)}</p>" if about else ""
        parts.append(f'<section class="probes"><h3>{escape(label_file(stem))}</h3>{description}')
        for category, each in groupby(within, key=lambda probe: probe.category):
            cards = "".join(_render_card(probe) for probe in each)
            parts.append(f'<h4>{escape(label_category(category))}</h4><div class="probe-cards">{cards}</div>')
        parts.append("</section>")
    return "".join(parts)


def _render_card(probe: Probe) -> str:
    turns = "".join(f"<li>{escape(turn)}</li>" for turn in probe.turns)
    tests = f"<p>Tests {escape(probe.tests)}.</p>" if probe.tests else ""
    return (
        f'<article class="probe"><header><h5>{escape(probe.title)}</h5>'
        f'<button type="button" data-probe="{escape(probe.name)}" '
        f'aria-label="Start the probe {escape(probe.title)}">Start</button></header>'
        f"{tests}<ol>{turns}</ol>{_render_references(probe)}</article>"
    )


def _render_references(probe: Probe) -> str:
    """Render a probe's reference answers, collapsed so that they do not bias the user's judgment."""
    if not any(probe.reference):
        return ""
    answers = "".join(
        f"<li>{escape(answer) if answer else 'No single correct answer.'}</li>" for answer in probe.reference
    )
    return f"<details><summary>Reference answers</summary><ol>{answers}</ol></details>"


def render_playing(probe: Probe, sent: int) -> str:
    """Render the active probe: its title and the number and text of its next message."""
    total = len(probe.turns)
    if sent < total:
        where, text = f"message {sent + 1} of {total}", probe.turns[sent]
        following = f'<q title="{escape(text)}">{escape(" ".join(text.split()))}</q>'
    else:
        where, following = f"all {total} messages sent", ""
    reference = probe.reference[sent - 1] if sent else None
    if reference:
        following += (
            f"<details><summary>Reference answer for message {sent}</summary>"
            f"<p>{escape(reference)}</p></details>"
        )
    return f'<div class="playing"><span><b>Probe: {escape(probe.title)}</b>, {where}</span>{following}</div>'
