"""HTML for the demonstration editor: a summary of the set and one card per demonstration.

Pure functions, independent of Gradio. All text is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from playground.demonstrations.draft import Draft, align_sets
from playground.types import Demo, DemoSet
from playground.ui.html.text import escape
from playground.words import count_things, format_number


def render_facts(draft: Draft) -> str:
    """Render a summary of the edited set: description, enabled demonstrations, and unsaved changes."""
    source = draft.source
    facts = [
        f"{format_number(len(draft.demos.demos))} of {count_things(len(draft.cards), 'demonstration')} "
        "enabled"
    ]
    if draft.edited:
        facts.insert(0, "<strong>edited</strong>, not saved")
    facts.append(f"format {escape(source.format)}")
    facts.append(f"content hash {draft.demos.content_hash[:12]}")
    described = " ".join(filter(None, (source.description, source.note)))
    return f"<p>{escape(described)}</p><p class='facts'>{' · '.join(facts)}</p>"


def render_cards(
    draft: Draft, costs: Sequence[int] | None, other: DemoSet | None = None, editing: int | None = None
) -> str:
    """Render the draft's demonstrations as cards.

    Args:
        draft: the set in the editor.
        costs: number of tokens in each demonstration; None if unknown.
        other: a set to compare with. Each demonstration in this set is shown next to the draft's card with
            the same query, if there is one.
        editing: index of the card being edited.
    """
    if draft.source.whole:
        return (
            f'<p class="notice">{escape(draft.source.note)}</p>'
            f'<pre class="whole">\n{escape(draft.source.text or "")}</pre>'
        )
    everything = DemoSet(name="", instruction="", demos=tuple(card.demo for card in draft.cards))
    mine = [
        _render_card(draft, at, costs[at] if costs else None, editing == at) for at in range(len(draft.cards))
    ]
    if other is None:
        empty = '<p class="notice">No demonstrations: instruction only.</p>'
        return f'<div class="cards">{"".join(mine) or empty}</div>'
    rows = []
    for left, right in align_sets(everything, other):
        here = "" if left is None else mine[left]
        there = "" if right is None else _render_other(other.demos[right], right)
        same = left is not None and right is not None and everything.demos[left] == other.demos[right]
        rows.append(f'<div class="pair{" same" if same else ""}"><div>{here}</div><div>{there}</div></div>')
    heads = f"<div>{escape(draft.demos.name)}</div><div>{escape(other.name)}</div>"
    return f'<div class="pair heads">{heads}</div><div class="cards">{"".join(rows)}</div>'


def _render_card(draft: Draft, at: int, cost: int | None, editing: bool) -> str:
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
    tokens = "" if cost is None else f"<span>{format_number(cost)} tokens</span>"
    state = f"{'' if card.on else ' off'}{' editing' if editing else ''}"
    return (
        f'<article class="card{state}"><header><b>{at + 1}</b>{tokens}{switch}{buttons}</header>'
        f"{_render_exchanges(card.demo)}</article>"
    )


def _render_other(demo: Demo, at: int) -> str:
    return f'<article class="card"><header><b>{at + 1}</b></header>{_render_exchanges(demo)}</article>'


def _render_exchanges(demo: Demo) -> str:
    written = [f'<p class="before">{escape(demo.before)}</p>'] if demo.before else []
    for exchange in demo.exchanges:
        written.append(f'<p class="query">{escape(exchange.query)}</p>')
        answer = "no answer" if exchange.answer is None else escape(exchange.answer)
        kind = "answer none" if exchange.answer is None else "answer"
        written.append(f'<p class="{kind}">{answer}</p>')
    return "".join(written)
