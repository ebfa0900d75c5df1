"""Keys that do what a button does: which, and the sheet that lists them. Pure values, without Gradio.

Letters go with Alt, and are none of those by which browsers open their menus. A press clicks the real button,
so that what cannot be clicked at the moment cannot be done by its key either.
"""

from __future__ import annotations

import html
import json
from dataclasses import dataclass

from playground.lanes.letters import LETTERS


@dataclass(frozen=True, kw_only=True)
class Shortcut:
    """One key and what it does."""

    key: str
    """As `KeyboardEvent.code` has it, pressed together with Alt."""
    shown: str
    """The key on the keyboard."""
    does: str
    click: str = ""
    """The button that it clicks, as a selector."""
    focus: str = ""
    """Or what it moves the focus to."""


def _letter(letter: str, does: str, click: str = "", focus: str = "") -> Shortcut:
    return Shortcut(key=f"Key{letter}", shown=letter, does=does, click=click, focus=focus)


GROUPS: dict[str, tuple[Shortcut, ...]] = {
    "Conversation": (
        _letter("M", "To the message box", focus="#message textarea"),
        _letter("N", "New conversation", "#new"),
        _letter("R", "Retry all lanes", "#retry"),
        _letter("U", "Undo the last turn", "#undo"),
        _letter("Y", "Replay with the lanes as they are now", "#replay"),
        _letter("C", "Compare two answers", "#differences"),
        _letter("J", "Judge", "#open-judge"),
    ),
    "Probes": (
        _letter("P", "Choose a probe", "#probes"),
        _letter("G", "Go on: send its next message", "#probe-next"),
        _letter("A", "Play all that is left of it", "#probe-all"),
        _letter("K", "Next probe", "#probe-following"),
    ),
    "Lanes": (
        *(
            Shortcut(
                key=f"Digit{lane + 1}",
                shown=str(lane + 1),
                does=f"To lane {letter}: arrows scroll, Tab goes to its buttons",
                focus=f"#chat-{lane}",
            )
            for lane, letter in enumerate(LETTERS)
        ),
        _letter("L", "Add a lane", "#add-lane"),
        _letter("X", "The 2\u00d72", "#square"),
        _letter("Q", "Blind lanes, and their reveal", "#blind"),
    ),
    "Page": (
        _letter("O", "Other decoding parameters", "#more"),
        _letter("W", "Who wins: the scores", "#open-scores"),
        _letter("I", "The set-up as a link", "#copy-link"),
    ),
}
ALWAYS = (
    ("Enter", "Send the message"),
    ("Shift+Enter", "A new line in the message"),
    ("Ctrl+Enter", "Send, wherever the focus is"),
    ("Esc", "Close the sheet; else stop all lanes"),
    ("1 to 4", "Vote on two answers"),
    ("?", "This list"),
)
"""Keys without Alt, which are a11y.js's."""


def listed() -> str:
    """The shortcuts, as HTML."""
    parts = [_table("Always", [(shown, does) for shown, does in ALWAYS])]
    for name, group in GROUPS.items():
        parts.append(_table(name, [(f"Alt+{each.shown}", each.does) for each in group]))
    note = (
        "On a Mac, Alt is Option, and letters with it are typed as usual while the focus is in a text box. "
        "Everything else is reached with Tab and pressed with Enter or the space bar."
    )
    return f'<p class="notice">{note}</p><div class="shortcuts">{"".join(parts)}</div>'


def _table(name: str, rows: list[tuple[str, str]]) -> str:
    lines = "".join(f"<div><dt>{_keys(shown)}</dt><dd>{html.escape(does)}</dd></div>" for shown, does in rows)
    return f"<section><h3>{name}</h3><dl>{lines}</dl></section>"


def _keys(shown: str) -> str:
    return "<span>+</span>".join(f"<kbd>{html.escape(key)}</kbd>" for key in shown.split("+"))


def script() -> str:
    """The list as a11y.js reads it, a statement of JavaScript."""
    rows = [
        {"key": each.key, "shown": f"Alt+{each.shown}", "click": each.click, "focus": each.focus}
        for group in GROUPS.values()
        for each in group
    ]
    return f"window.tandemKeys = {json.dumps(rows)};"
