"""Keyboard shortcuts: their keys and buttons, and the list of shortcuts shown in a dialog.

Plain data, independent of Gradio. All keys are pressed together with Alt. Combinations that open a browser
menu are not used. A shortcut clicks the actual button, so it has no effect while that button is disabled.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from dataclasses import dataclass

from playground.lanes.letters import lane_letter
from playground.ui.html import glossary
from playground.ui.page.state import LANES


@dataclass(frozen=True, kw_only=True)
class Shortcut:
    """A keyboard shortcut: its key, and the element that it clicks or focuses."""

    key: str
    """The `KeyboardEvent.code` of the key, which is pressed together with Alt."""
    label: str
    """The key's label on the keyboard."""
    action: str
    """Description of the action, shown in the list of shortcuts."""
    click: str = ""
    """CSS selector of the button to click; "" if the shortcut only moves the focus."""
    focus: str = ""
    """CSS selector of the element to focus; "" if the shortcut clicks a button."""
    shift: bool = False
    """Whether Shift is pressed, too."""
    outside: bool = False
    """Whether the shortcut has no effect while a field has the focus."""

    @property
    def keys(self) -> str:
        """The combination of keys, such as "Alt+M"."""
        return f"Alt+{'Shift+' if self.shift else ''}{self.label}"


def _assign(letter: str, action: str, click: str = "", focus: str = "") -> Shortcut:
    return Shortcut(key=f"Key{letter}", label=letter, action=action, click=click, focus=focus)


GROUPS: dict[str, tuple[Shortcut, ...]] = {
    "Conversation": (
        _assign("M", "Focus the message box", focus="#message textarea"),
        _assign("N", "Start a new conversation", "#new"),
        _assign("R", "Retry all lanes", "#retry"),
        _assign("U", "Undo the last turn", "#undo"),
        _assign("Y", "Replay with the current lanes", "#replay"),
        _assign("C", "Compare two answers", "#differences"),
        _assign("J", "Judge the answers", "#open-judge"),
    ),
    "Votes (outside text boxes; press again to withdraw)": tuple(
        Shortcut(key=f"Digit{key}", label=str(key), action=action, click=f"#vote-{key}", outside=True)
        for key, action in enumerate(
            ("The first answer is better", "The second answer is better", "Tie", "Both answers are bad"), 1
        )
    ),
    "Probes": (
        _assign("P", "Choose a probe", "#probes"),
        _assign("G", "Send its next message", "#probe-next"),
        _assign("A", "Play its remaining messages", "#probe-all"),
        _assign("K", "Go to the next probe", "#probe-following"),
    ),
    "Lanes": (
        *(
            Shortcut(
                shift=True,
                key=f"Digit{lane + 1}",
                label=str(lane + 1),
                action=f"Focus lane {lane_letter(lane)}: arrow keys scroll, Tab moves to its buttons",
                focus=f"#chat-{lane}",
            )
            for lane in range(LANES)
        ),
        _assign("Z", "Show one lane alone, or all lanes again", "#lanes .lane[data-current] .alone"),
        _assign("L", "Add a lane", "#add-lane"),
        _assign("X", "Set up the 2\u00d72 comparison: base, URIAL, IFT, both", "#square"),
        _assign("Q", "Hide or reveal the lane names", "#blind"),
    ),
    "Page": (
        _assign("O", "Show more decoding parameters", "#more"),
        _assign("W", "Show the scores", "#open-scores"),
        _assign("I", "Copy a link to this setup", "#copy-link"),
    ),
}
ON_CLICK = """
element.addEventListener('click', (event) => {
  if (event.target.closest('button[data-act=tour]')) trigger('click');
});
"""
"""Script of the list: passes a click on the button that starts the tour to the server."""
ALWAYS = (
    ("Enter", "Send the message"),
    ("Shift+Enter", "Insert a line break"),
    ("Ctrl+Enter", "Send from anywhere on the page"),
    ("Esc", "Close the list or dialog, show all lanes again, stop all lanes, or leave the message box"),
    ("?", "Show this help"),
)
"""Shortcuts without Alt, which are handled by a11y.js."""


def render_list() -> str:
    """Render the list of shortcuts as HTML."""
    parts = [_render_table("Always", ALWAYS)]
    for name, group in GROUPS.items():
        parts.append(_render_table(name, [(each.keys, each.action) for each in group]))
    note = (
        "On a Mac, press Option instead of Alt; in a text box, Option with a letter types as usual. "
        "To reach everything else, press Tab, and activate it with Enter or the space bar."
    )
    tour = (
        '<p class="start-tour"><button type="button" data-act="tour">Five-minute tour</button> '
        "Five steps that show what each kind of lane does, with the bundled pocket model.</p>"
    )
    keyboard = f'<h3>Keyboard</h3><p class="notice">{note}</p><div class="shortcuts">{"".join(parts)}</div>'
    return f"{tour}{glossary.render_glossary()}{keyboard}"


def _render_table(name: str, rows: Iterable[tuple[str, str]]) -> str:
    lines = "".join(
        f"<div><dt>{_render_keys(keys)}</dt><dd>{html.escape(action)}</dd></div>" for keys, action in rows
    )
    return f"<section><h3>{name}</h3><dl>{lines}</dl></section>"


def _render_keys(keys: str) -> str:
    return "<span>+</span>".join(f"<kbd>{html.escape(key)}</kbd>" for key in keys.split("+"))


def render_script() -> str:
    """Return a JavaScript statement that passes the shortcuts to a11y.js."""
    rows = [
        {
            "key": each.key,
            "shift": each.shift,
            "outside": each.outside,
            "shown": each.keys,
            "title": f"{each.action} ({each.keys})",
            "click": each.click,
            "focus": each.focus,
        }
        for group in GROUPS.values()
        for each in group
    ]
    return f"window.tandemKeys = {json.dumps(rows)};"
